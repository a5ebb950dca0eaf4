use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

use crate::format::journal::Row;
use crate::{RunKey, RunRow};

/// What the rows of a [`Tail`](super::tail::Tail) say, found by run.
#[derive(Default)]
pub(super) struct Index {
    /// How many rows it knows.
    covered: usize,
    /// The records of all runs in the order of the journal; those of one run form a chain.
    slots: Vec<Slot>,
    chains: HashMap<RunKey, Chain, BuildHasherDefault<KeyHasher>>,
    /// The newest row of every run that has one here. They go before those of the tables.
    rows: BTreeMap<RunKey, RunRow>,
    ids: HashMap<String, RunKey>,
}

/// Where a record lies in the tail.
pub(super) struct Slot {
    pub(super) seq: u64,
    pub(super) start: usize,
    pub(super) length: u32,
    pub(super) checksum: u32,
    /// The row of the tail it is in.
    pub(super) row: u32,
    /// The same run's next slot, or [`END`].
    next: u32,
}

const END: u32 = u32::MAX;

/// The first and the last slot of a run.
struct Chain {
    first: u32,
    last: u32,
}

impl Index {
    pub(super) fn covered(&self) -> usize {
        self.covered
    }

    /// Forgets everything and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.covered = 0;
        self.slots.clear();
        self.chains.clear();
        self.rows.clear();
        self.ids.clear();
    }

    /// Adds the next row of the tail, which begins there at `start`.
    pub(super) fn add(&mut self, row: usize, start: usize, packed: &Row<'_>) {
        assert_eq!(row, self.covered, "the rows come in order");
        let row = u32::try_from(row).expect("a tail is folded before it has 2^32 rows");
        let Index { slots, chains, .. } = self;
        let read = packed.for_each_slot(|slot| {
            let at = u32::try_from(slots.len()).ok().filter(|at| *at != END);
            let at = at.expect("a tail is folded before it has 2^32 records");
            slots.push(Slot {
                seq: slot.seq,
                start: start + slot.range.start,
                length: slot.range.len() as u32,
                checksum: slot.checksum,
                row,
                next: END,
            });
            let chain = chains.entry(slot.run).or_insert(Chain { first: at, last: END });
            if chain.last != END {
                slots[chain.last as usize].next = at;
            }
            chain.last = at;
        });
        read.expect("the directory was read when the row came in");
        for row in packed.rows().expect("the run rows were read when the row came in") {
            if !self.rows.contains_key(&row.key) {
                self.ids.insert(row.id.clone(), row.key);
            }
            self.rows.insert(row.key, row);
        }
        self.covered += 1;
    }

    /// The runs that have a row or records here, in order.
    pub(super) fn runs(&self) -> Vec<RunKey> {
        let mut runs: Vec<_> = self.chains.keys().chain(self.rows.keys()).copied().collect();
        runs.sort_unstable();
        runs.dedup();
        runs
    }

    /// The records of a run in order.
    pub(super) fn slots(&self, run: RunKey) -> impl Iterator<Item = &Slot> {
        let first = self.chains.get(&run).map_or(END, |chain| chain.first);
        // No slot has the number END.
        core::iter::successors(self.slots.get(first as usize), |slot| {
            self.slots.get(slot.next as usize)
        })
    }

    /// The last record of a run.
    pub(super) fn last(&self, run: RunKey) -> Option<&Slot> {
        self.chains.get(&run).map(|chain| &self.slots[chain.last as usize])
    }

    /// The newest rows, by key.
    pub(super) fn rows(&self) -> &BTreeMap<RunKey, RunRow> {
        &self.rows
    }

    /// The newest row of the run with this id.
    pub(super) fn find(&self, id: &str) -> Option<&RunRow> {
        self.ids.get(id).map(|key| &self.rows[key])
    }
}

/// Run keys are given out one after another by us: nobody can choose them so that they collide,
/// and one multiplication spreads them.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(self.0 ^ u64::from(byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
