use alloc::vec::Vec;
use core::cell::{RefCell, RefMut};

use super::index::Index;
use crate::format::{Flaw, journal};
use crate::{Batch, RunKey};

/// The journal since the last fold, in memory: its rows byte for byte, and an index of them that
/// is brought up to date when something is read. A run that writes and reads nothing does not pay
/// for it.
pub(super) struct Tail {
    /// The last commit that was folded: row 0 is the one after it.
    base: u64,
    bytes: Vec<u8>,
    rows: Vec<RowAt>,
    index: RefCell<Index>,
}

/// A row of the tail. Its bytes were checked when they came in.
#[derive(Clone, Copy)]
pub(super) struct RowAt {
    pub(super) time: u64,
    start: usize,
    end: usize,
}

impl Tail {
    pub(super) fn new(base: u64) -> Tail {
        Tail { base, bytes: Vec::new(), rows: Vec::new(), index: RefCell::default() }
    }

    /// The number of the last commit.
    pub(super) fn last_commit(&self) -> u64 {
        self.commit(self.rows.len()) - 1
    }

    /// The number of the commit that wrote a row.
    pub(super) fn commit(&self, row: usize) -> u64 {
        self.base + 1 + row as u64
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Packs the next commit, adds it, and returns its number and its row.
    pub(super) fn push(&mut self, batch: &Batch) -> (u64, &[u8]) {
        let (commit, start) = (self.last_commit() + 1, self.bytes.len());
        journal::pack(&mut self.bytes, commit, batch);
        self.rows.push(RowAt { time: batch.time(), start, end: self.bytes.len() });
        (commit, &self.bytes[start..])
    }

    /// Adds a row that was read from the file, and returns the time of its commit and the largest
    /// key in it.
    pub(super) fn load(&mut self, bytes: &[u8]) -> Result<(u64, Option<RunKey>), Flaw> {
        let row = journal::Row::read(self.last_commit() + 1, bytes)?;
        let mut largest = row.rows()?.iter().map(|row| row.key).max();
        row.for_each_slot(|slot| largest = largest.max(Some(slot.run)))?;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.rows.push(RowAt { time: row.time, start, end: self.bytes.len() });
        Ok((row.time, largest))
    }

    /// Forgets all rows: they were folded. The memory is kept for the next ones, up to `keep`
    /// bytes.
    pub(super) fn clear(&mut self, keep: usize) {
        self.base = self.last_commit();
        self.bytes.clear();
        self.bytes.shrink_to(keep);
        self.rows.clear();
        self.index.get_mut().clear();
    }

    /// The index of all rows there are.
    pub(super) fn index(&self) -> RefMut<'_, Index> {
        let mut index = self.index.borrow_mut();
        for row in index.covered()..self.rows.len() {
            let RowAt { start, end, .. } = self.rows[row];
            let packed = journal::Row::read(self.commit(row), &self.bytes[start..end]);
            index.add(row, start, &packed.expect("it was checked when it came in"));
        }
        index
    }

    /// Whether there is a row or a record of this run.
    pub(super) fn knows(&self, run: RunKey) -> bool {
        let index = self.index();
        index.last(run).is_some() || index.rows().contains_key(&run)
    }

    /// The record of a slot of the index.
    pub(super) fn record(&self, slot: &super::index::Slot) -> &[u8] {
        &self.bytes[slot.start..slot.start + slot.length as usize]
    }

    /// The row of a slot of the index.
    pub(super) fn row(&self, slot: &super::index::Slot) -> RowAt {
        self.rows[slot.row as usize]
    }
}
