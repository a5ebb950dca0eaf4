use alloc::vec::Vec;
use core::cell::{Ref, RefCell};

use super::index::{Index, Origin, Record};
use crate::format::journal::{self, Change, Deleted};
use crate::format::row::Lent;
use crate::format::{Flaw, UNSOUND, is_sound, node};
use crate::{Batch, Entry, RunKey};

/// The journal since the last fold, in memory: its rows byte for byte, and an index of them that
/// is brought up to date when something is read. A run that writes and reads nothing does not pay
/// for it.
pub(super) struct Tail {
    /// The last commit that was folded: row 0 is the one after it.
    base: u64,
    bytes: Vec<u8>,
    rows: Vec<RowAt>,
    /// How many runs it deletes,
    deleted: usize,
    /// and how many of them the tables may still have something of.
    leaving: usize,
    index: RefCell<Index>,
}

/// See [`Tail::load_bytes`]: a run that is deleted is looked for by the next fold if a crash comes between,
const DELETED_BYTES: usize = 32;
/// and found if it is not out of the tables by then.
const LEAVING_BYTES: usize = 256;

/// A row of the tail. Its bytes were checked when they came in.
#[derive(Clone, Copy)]
struct RowAt {
    time: u64,
    start: usize,
    end: usize,
}

impl Tail {
    pub(super) fn new(base: u64) -> Tail {
        let (bytes, rows, index) = (Vec::new(), Vec::new(), RefCell::default());
        Tail { base, bytes, rows, deleted: 0, leaving: 0, index }
    }

    /// The number of the last commit.
    pub(super) fn last_commit(&self) -> u64 {
        self.commit(self.rows.len()) - 1
    }

    /// The number of the commit that wrote a row.
    fn commit(&self, row: usize) -> u64 {
        self.base + 1 + row as u64
    }

    /// How long it takes to fold, in bytes that are written: a run that is deleted takes as long as some
    /// that comes.
    pub(super) fn load_bytes(&self) -> usize {
        self.bytes.len() + self.deleted * DELETED_BYTES + self.leaving * LEAVING_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Packs the next commit, adds it, and returns its number and its row.
    pub(super) fn push(&mut self, batch: &Batch, deleted: &[Deleted]) -> (u64, &[u8]) {
        let (commit, start) = (self.last_commit() + 1, self.bytes.len());
        journal::pack(&mut self.bytes, commit, batch, deleted);
        self.rows.push(RowAt { time: batch.time(), start, end: self.bytes.len() });
        self.deleted += deleted.len();
        self.leaving += deleted.len();
        (commit, &self.bytes[start..])
    }

    /// Adds a row that was read from the file, and returns the time of its commit and the largest
    /// key in it.
    pub(super) fn load(&mut self, bytes: &[u8]) -> Result<(u64, Option<RunKey>), Flaw> {
        let row = journal::Row::read(self.last_commit() + 1, bytes)?;
        let (mut largest, mut deleted) = (None, 0);
        row.for_each_change(|change| match change {
            Change::Row(_, row) => largest = largest.max(Some(row.key)),
            Change::Deleted(_) => deleted += 1,
            Change::Note(..) | Change::Shape(..) => {}
        })?;
        row.for_each_record(|record| largest = largest.max(Some(record.run)))?;
        self.deleted += deleted;
        self.leaving += deleted;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.rows.push(RowAt { time: row.time, start, end: self.bytes.len() });
        Ok((row.time, largest))
    }

    /// These runs, deleted by rows that the index has, are out of the tables: nothing says so any more.
    pub(super) fn forget_deleted(&mut self, runs: &[node::Entry]) {
        self.leaving -= runs.len();
        self.index.get_mut().forget_deleted(runs);
    }

    /// The newest row of a run, if it is here.
    pub(super) fn row(&self, index: &Index, run: RunKey) -> Option<Lent<'_>> {
        index.row(&self.bytes, run)
    }

    /// The newest row of the run with this id, if it is here.
    pub(super) fn find(&self, index: &Index, id: &str) -> Option<Lent<'_>> {
        index.find(&self.bytes, id)
    }

    /// Forgets all rows: they were folded. The memory stays for the next ones, up to `keep` bytes.
    pub(super) fn clear(&mut self, keep: usize) {
        self.base = self.last_commit();
        self.bytes.clear();
        self.bytes.shrink_to(keep);
        self.rows.clear();
        (self.deleted, self.leaving) = (0, 0);
        match keep {
            0 => *self = Tail::new(self.base),
            _ => self.index.get_mut().clear(),
        }
    }

    /// The index of all rows there are. It may be asked for again while it is in use: then it is
    /// up to date.
    pub(super) fn index(&self) -> Ref<'_, Index> {
        let covered = self.index.borrow().covered();
        if covered < self.rows.len() {
            let mut index = self.index.borrow_mut();
            for row in covered..self.rows.len() {
                let RowAt { start, end, .. } = self.rows[row];
                let packed = journal::Row::read(self.commit(row), &self.bytes[start..end]);
                index.add(
                    &self.bytes,
                    row,
                    start,
                    &packed.expect("it was checked when it came in"),
                );
            }
        }
        self.index.borrow()
    }

    /// The record of one in the index, which is not checked.
    pub(super) fn bytes(&self, record: &Record) -> &[u8] {
        &self.bytes[record.start..record.start + record.length as usize]
    }

    /// The commit and the time that a record of the index has in its history.
    pub(super) fn origin(&self, index: &Index, record: &Record) -> (u64, u64) {
        match index.origin(record) {
            Origin::Row(row) => (self.commit(row), self.rows[row].time),
            Origin::Copied(commit, time) => (commit, time),
        }
    }

    /// The entry of a record of the index, if it is what was committed.
    pub(super) fn entry(&self, index: &Index, record: &Record) -> Result<Entry<'_>, Flaw> {
        let bytes = self.bytes(record);
        if !is_sound(bytes, record.checksum) {
            return Err(UNSOUND);
        }
        let (commit, time) = self.origin(index, record);
        Ok(Entry { seq: record.seq, commit, time, record: bytes })
    }
}
