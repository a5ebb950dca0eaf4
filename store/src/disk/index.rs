use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

use crate::format::journal::{Change, Deleted, Row};
use crate::{Counts, RunKey, RunRow, RunState};

/// What the rows of a [`Tail`](super::tail::Tail) say, found by run.
#[derive(Default)]
pub(super) struct Index {
    /// How many rows it knows.
    covered: usize,
    /// The records of all runs in the order of the journal; those of one run form a chain.
    records: Vec<Record>,
    chains: HashMap<RunKey, Chain, BuildHasherDefault<KeyHasher>>,
    /// The commits and times of records that were copied.
    origins: Vec<(u64, u64)>,
    /// The newest row of every run that has one here. They go before those of the tables.
    rows: BTreeMap<RunKey, RunRow>,
    ids: HashMap<String, RunKey>,
    deleted: BTreeMap<RunKey, Deleted>,
    notes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    counts: Counts,
    /// The runs that have a row here, or are deleted: what the tables say of them is out of date.
    overruled: BTreeSet<RunKey>,
}

/// Where a record lies in the tail.
pub(super) struct Record {
    pub(super) seq: u64,
    pub(super) start: usize,
    pub(super) length: u32,
    pub(super) checksum: u32,
    /// The row of the tail it is in; of a copied record, [`COPIED`] and its origin.
    row: u32,
    /// The same run's next record, or [`END`].
    next: u32,
}

/// Which commit an entry is of.
pub(super) enum Origin {
    /// That of this row of the tail.
    Row(usize),
    /// Another, with its time.
    Copied(u64, u64),
}

const END: u32 = u32::MAX;
const COPIED: u32 = 1 << 31;

/// The first and the last record of a run.
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
        self.records.clear();
        self.chains.clear();
        self.origins.clear();
        self.rows.clear();
        self.ids.clear();
        self.deleted.clear();
        self.notes.clear();
        self.counts = Counts::default();
        self.overruled.clear();
    }

    /// Adds the next row of the tail, which begins there at `start`.
    pub(super) fn add(&mut self, row: usize, start: usize, packed: &Row<'_>) {
        assert_eq!(row, self.covered, "the rows come in order");
        self.add_records(row, start, packed);
        let read = packed.for_each_change(|change| match change {
            Change::Row(row) => self.put_row(row),
            Change::Deleted(deleted) => self.delete(deleted),
            Change::Note(key, note) => {
                self.notes.insert(key.to_vec(), note.map(<[u8]>::to_vec));
            }
        });
        read.expect("the changes were read when the row came in");
        self.covered += 1;
    }

    fn add_records(&mut self, row: usize, start: usize, packed: &Row<'_>) {
        let row = u32::try_from(row).ok().filter(|row| *row < COPIED);
        let row = row.expect("a tail is folded before it has 2^31 rows");
        let Index { records, chains, origins, .. } = self;
        let read = packed.for_each_record(|record| {
            let at = u32::try_from(records.len()).ok().filter(|at| *at < COPIED);
            let at = at.expect("a tail is folded before it has 2^31 records");
            let row = match record.origin {
                None => row,
                Some(origin) => {
                    origins.push(origin);
                    COPIED | (origins.len() - 1) as u32
                }
            };
            records.push(Record {
                seq: record.seq,
                start: start + record.range.start,
                length: record.range.len() as u32,
                checksum: record.checksum,
                row,
                next: END,
            });
            let chain = chains.entry(record.run).or_insert(Chain { first: at, last: END });
            if chain.last != END {
                records[chain.last as usize].next = at;
            }
            chain.last = at;
        });
        read.expect("the directory was read when the row came in");
    }

    fn put_row(&mut self, row: RunRow) {
        self.overruled.insert(row.key);
        let before = self.rows.get(&row.key).map(|row| row.state);
        self.counts.replace(before, Some(row.state));
        if row.state == RunState::Continued {
            self.give_up_id(&row);
        } else if before.is_none_or(|before| before == RunState::Continued) {
            // Of two runs in one commit, the later one gets the id that the other gives up.
            let owner = self.ids.entry(row.id.clone()).or_insert(row.key);
            *owner = row.key.max(*owner);
        }
        self.rows.insert(row.key, row);
    }

    fn delete(&mut self, deleted: Deleted) {
        self.overruled.insert(deleted.run);
        self.deleted.insert(deleted.run, deleted);
        self.chains.remove(&deleted.run);
        if let Some(row) = self.rows.remove(&deleted.run) {
            self.counts.replace(Some(row.state), None);
            self.give_up_id(&row);
        }
    }

    fn give_up_id(&mut self, row: &RunRow) {
        if self.ids.get(&row.id) == Some(&row.key) {
            self.ids.remove(&row.id);
        }
    }

    /// The runs that have a row or records here, in order.
    pub(super) fn runs(&self) -> Vec<RunKey> {
        let mut runs: Vec<_> = self.chains.keys().chain(self.rows.keys()).copied().collect();
        runs.sort_unstable();
        runs.dedup();
        runs
    }

    /// The records of a run in order.
    pub(super) fn records(&self, run: RunKey) -> impl Iterator<Item = &Record> {
        let first = self.chains.get(&run).map_or(END, |chain| chain.first);
        // No record has the number END.
        core::iter::successors(self.records.get(first as usize), |record| {
            self.records.get(record.next as usize)
        })
    }

    /// The last record of a run.
    pub(super) fn last(&self, run: RunKey) -> Option<&Record> {
        self.chains.get(&run).map(|chain| &self.records[chain.last as usize])
    }

    pub(super) fn origin(&self, record: &Record) -> Origin {
        match record.row.checked_sub(COPIED) {
            None => Origin::Row(record.row as usize),
            Some(at) => {
                let (commit, time) = self.origins[at as usize];
                Origin::Copied(commit, time)
            }
        }
    }

    /// The newest rows, by key.
    pub(super) fn rows(&self) -> &BTreeMap<RunKey, RunRow> {
        &self.rows
    }

    /// The newest row of the run with this id.
    pub(super) fn find(&self, id: &str) -> Option<&RunRow> {
        self.ids.get(id).map(|key| &self.rows[key])
    }

    /// Whether a run was deleted: the tables still hold it.
    pub(super) fn is_deleted(&self, run: RunKey) -> bool {
        self.deleted.contains_key(&run)
    }

    pub(super) fn deleted(&self) -> impl Iterator<Item = &Deleted> {
        self.deleted.values()
    }

    /// The notes that were put or removed, and what they are now.
    pub(super) fn notes(&self) -> &BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        &self.notes
    }

    /// How many rows of each state are here.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// The runs of which the tables are out of date.
    pub(super) fn overruled(&self) -> &BTreeSet<RunKey> {
        &self.overruled
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
