use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::collections::HashMap;
use std::hash::RandomState;

use crate::format::journal::{Change, Deleted, Row};
use crate::format::node::Entry;
use crate::format::row::{Lent, take_row};
use crate::{Counts, RunKey, RunState};

/// What the rows of a [`Tail`](super::tail::Tail) say, found by run: where it lies there, so that
/// what is said is in memory once. The methods that read it are given the tail's bytes.
#[derive(Default)]
pub(super) struct Index {
    /// How many rows it knows.
    covered: usize,
    /// The records of all runs in the order of the journal; those of one run form a chain.
    records: Vec<Record>,
    /// The commits and times of records that were copied.
    origins: Vec<(u64, u64)>,
    /// The runs that have a row or records here.
    runs: Map<RunKey, Known>,
    /// Their keys in order, from the first time on that these were asked for.
    keys: OnceCell<BTreeSet<RunKey>>,
    /// Where a row with an id lies, by the hash of the id; by the next number, if another id has
    /// that one. It says nothing if that run has given the id up.
    ids: Map<u64, usize>,
    /// Nobody can choose ids that have one hash.
    hasher: RandomState,
    deleted: BTreeMap<RunKey, Deleted>,
    notes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// What was added, with their numbers.
    shapes: Vec<(u32, Vec<u8>)>,
    counts: Counts,
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// What the tail has of a run.
struct Known {
    /// Its first record, or [`END`],
    first: u32,
    /// and its last.
    last: u32,
    /// Where its newest row lies, which goes before that of the tables; or [`NOWHERE`].
    row: usize,
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

const NOWHERE: usize = usize::MAX;

impl Index {
    pub(super) fn covered(&self) -> usize {
        self.covered
    }

    /// Forgets everything, and keeps the memory that was needed for it: what only an earlier burst
    /// needed is given back.
    pub(super) fn clear(&mut self) {
        self.covered = 0;
        clear_list(&mut self.records);
        clear_list(&mut self.origins);
        clear_map(&mut self.runs);
        clear_map(&mut self.ids);
        self.keys.take();
        self.deleted.clear();
        self.notes.clear();
        self.shapes.clear();
        self.counts = Counts::default();
    }

    /// Adds the next row of the tail, which begins there at `start`.
    pub(super) fn add(&mut self, tail: &[u8], row: usize, start: usize, packed: &Row<'_>) {
        assert_eq!(row, self.covered, "the rows come in order");
        self.add_records(row, start, packed);
        let read = packed.for_each_change(|change| match change {
            Change::Row(at, row) => self.put_row(tail, start + at, row),
            Change::Deleted(deleted) => self.delete(tail, deleted),
            Change::Note(key, note) => {
                self.notes.insert(key.to_vec(), note.map(<[u8]>::to_vec));
            }
            Change::Shape(number, shape) => self.shapes.push((number, shape.to_vec())),
        });
        read.expect("the changes were read when the row came in");
        self.covered += 1;
    }

    fn add_records(&mut self, row: usize, start: usize, packed: &Row<'_>) {
        let row = u32::try_from(row).ok().filter(|row| *row < COPIED);
        let row = row.expect("a tail is folded before it has 2^31 rows");
        let Index { records, runs, keys, origins, .. } = self;
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
            let known = known(runs, keys, record.run);
            match known.last {
                END => known.first = at,
                last => records[last as usize].next = at,
            }
            known.last = at;
        });
        read.expect("the directory was read when the row came in");
    }

    fn put_row(&mut self, tail: &[u8], at: usize, row: Lent<'_>) {
        let known = known(&mut self.runs, &mut self.keys, row.key);
        let before = core::mem::replace(&mut known.row, at);
        let before = (before != NOWHERE).then(|| row_at(tail, before).state);
        self.counts.replace(before, Some(row.state));
        let is_found = before.is_some_and(|before| before != RunState::Continued);
        if !is_found && row.state != RunState::Continued {
            self.take_id(tail, at, row);
        }
    }

    fn take_id(&mut self, tail: &[u8], at: usize, row: Lent<'_>) {
        let (hash, owner) = self.find_id(tail, row.id);
        let owner = owner.filter(|owner| *owner != row.key && self.has_id(tail, *owner));
        // Of two runs in one commit, the later one gets the id that the other gives up.
        if owner.is_none_or(|owner| row.key > owner) {
            self.ids.insert(hash, at);
        }
    }

    /// Where an id stands in `ids`, or would, and the run that was the last to have it.
    fn find_id(&self, tail: &[u8], id: &str) -> (u64, Option<RunKey>) {
        let mut hash = self.hasher.hash_one(id);
        while let Some(&at) = self.ids.get(&hash) {
            let row = row_at(tail, at);
            if row.id == id {
                return (hash, Some(row.key));
            }
            hash = hash.wrapping_add(1);
        }
        (hash, None)
    }

    /// Whether a run that had an id has it still: it is neither deleted nor continued.
    fn has_id(&self, tail: &[u8], run: RunKey) -> bool {
        self.row(tail, run).is_some_and(|row| row.state != RunState::Continued)
    }

    fn delete(&mut self, tail: &[u8], deleted: Deleted) {
        self.counts.replace(self.row(tail, deleted.run).map(|row| row.state), None);
        // Who is deleted once more has no row that tells the id any more.
        self.deleted.entry(deleted.run).or_insert(deleted);
        if self.runs.remove(&deleted.run).is_some()
            && let Some(keys) = self.keys.get_mut()
        {
            keys.remove(&deleted.run);
        }
    }

    /// The runs that have a row or records here, in order.
    pub(super) fn runs(&self) -> &BTreeSet<RunKey> {
        self.keys.get_or_init(|| self.runs.keys().copied().collect())
    }

    /// The records of a run in order.
    pub(super) fn records(&self, run: RunKey) -> impl Iterator<Item = &Record> {
        let first = self.runs.get(&run).map_or(END, |known| known.first);
        // No record has the number END.
        core::iter::successors(self.records.get(first as usize), |record| {
            self.records.get(record.next as usize)
        })
    }

    /// The last record of a run.
    pub(super) fn last(&self, run: RunKey) -> Option<&Record> {
        // No record has the number END.
        self.runs.get(&run).and_then(|known| self.records.get(known.last as usize))
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

    /// The newest row of a run.
    pub(super) fn row<'a>(&self, tail: &'a [u8], run: RunKey) -> Option<Lent<'a>> {
        let known = self.runs.get(&run).filter(|known| known.row != NOWHERE)?;
        Some(row_at(tail, known.row))
    }

    /// Whether a run has a row here.
    pub(super) fn has_row(&self, run: RunKey) -> bool {
        self.runs.get(&run).is_some_and(|known| known.row != NOWHERE)
    }

    /// The newest row of the run with this id.
    pub(super) fn find<'a>(&self, tail: &'a [u8], id: &str) -> Option<Lent<'a>> {
        let row = self.row(tail, self.find_id(tail, id).1?)?;
        (row.state != RunState::Continued).then_some(row)
    }

    /// Whether a run was deleted: the tables still hold it.
    pub(super) fn is_deleted(&self, run: RunKey) -> bool {
        self.deleted.contains_key(&run)
    }

    pub(super) fn deleted(&self) -> impl Iterator<Item = &Deleted> {
        self.deleted.values()
    }

    /// The tables hold nothing of these any more.
    pub(super) fn forget_deleted(&mut self, runs: &[Entry]) {
        for (_, run) in runs {
            self.deleted.remove(run);
        }
    }

    /// The shapes that were added.
    pub(super) fn shapes(&self) -> &[(u32, Vec<u8>)] {
        &self.shapes
    }

    /// The notes that were put or removed, and what they are now.
    pub(super) fn notes(&self) -> &BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        &self.notes
    }

    /// How many rows of each state are here.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// The runs of which the tables are out of date: those that have a row here, or are deleted.
    pub(super) fn overruled(&self) -> impl Iterator<Item = RunKey> {
        let deleted = self.deleted.keys().copied().filter(|run| !self.has_row(*run));
        self.runs().iter().copied().filter(|run| self.has_row(*run)).chain(deleted)
    }
}

/// What is known of a run, in an entry of its own from now on.
fn known<'a>(
    runs: &'a mut Map<RunKey, Known>,
    keys: &mut OnceCell<BTreeSet<RunKey>>,
    run: RunKey,
) -> &'a mut Known {
    runs.entry(run).or_insert_with(|| {
        if let Some(keys) = keys.get_mut() {
            keys.insert(run);
        }
        Known { first: END, last: END, row: NOWHERE }
    })
}

fn row_at(tail: &[u8], at: usize) -> Lent<'_> {
    take_row(&mut &tail[at..]).expect("it was read when it came in")
}

fn clear_list<T>(list: &mut Vec<T>) {
    let needed = list.len();
    list.clear();
    if needed < list.capacity() / 4 {
        list.shrink_to(2 * needed);
    }
}

fn clear_map<K: Eq + Hash, V>(map: &mut Map<K, V>) {
    let needed = map.len();
    map.clear();
    if needed < map.capacity() / 4 {
        map.shrink_to(2 * needed);
    }
}

/// Run keys are given out one after another by us, and hashes of ids are keyed: nobody can choose
/// them so that they collide, and one multiplication spreads them.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
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

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::format::journal;
    use crate::{Batch, RunRow};

    /// Adds a commit with one row.
    fn put(index: &mut Index, tail: &mut Vec<u8>, key: u64, id: &str, state: RunState) -> usize {
        let mut batch = Batch::new();
        let mut row = RunRow::new(RunKey(key), id, "w");
        row.state = state;
        batch.put_row(row);
        let (commit, start) = (index.covered as u64, tail.len());
        journal::pack(tail, commit, &batch, &[]);
        let packed = Row::read(commit, &tail[start..]).unwrap();
        index.add(tail, index.covered, start, &packed);
        index.runs[&RunKey(key)].row
    }

    #[test]
    fn ids_of_one_hash_are_told_apart() {
        let (mut index, mut tail) = (Index::default(), Vec::new());
        let one = put(&mut index, &mut tail, 1, "one", RunState::Running);
        // As if "two" and "three" had the hash of "one".
        let hashes = ["two", "three"].map(|id| index.hasher.hash_one(id));
        index.ids.extend(hashes.map(|hash| (hash, one)));
        let key = |index: &Index, tail: &[u8], id| index.find(tail, id).map(|row| row.key.0);
        assert_eq!(key(&index, &tail, "two"), None);
        put(&mut index, &mut tail, 2, "two", RunState::Running);
        let found = ["one", "two", "three"].map(|id| key(&index, &tail, id));
        assert_eq!(found, [Some(1), Some(2), None]);
        // It is given up, and taken by another run, in the same place.
        put(&mut index, &mut tail, 2, "two", RunState::Continued);
        assert_eq!(key(&index, &tail, "two"), None);
        put(&mut index, &mut tail, 3, "two", RunState::Running);
        assert_eq!(key(&index, &tail, "two"), Some(3));
        assert_eq!(index.ids.len(), 4);
    }

    #[test]
    fn memory_that_only_a_burst_needed_is_given_back() {
        let (mut index, mut tail) = (Index::default(), Vec::new());
        for runs in [1_000, 10, 10] {
            for key in 0..runs {
                put(&mut index, &mut tail, key, &key.to_string(), RunState::Running);
            }
            assert_eq!(index.runs().len() as u64, runs);
            index.clear();
            tail.clear();
            assert!(index.runs().is_empty());
        }
        assert!(index.runs.capacity() < 100 && index.ids.capacity() < 100);
    }
}
