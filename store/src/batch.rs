use alloc::vec::Vec;

use crate::{RunKey, RunRow};

/// What one commit writes: records of any number of runs, and run rows that are new or changed.
///
/// It is a buffer to be used again: [`clear`](Batch::clear) keeps what it has allocated, and the
/// bytes of all records lie in one piece of memory.
///
/// ```
/// use dacapo_store::{Batch, RunKey};
///
/// let mut batch = Batch::new();
/// batch.set_time(1_700_000_000_000_000_000);
/// batch.push(RunKey(1), 0, |bytes| bytes.extend_from_slice(b"started"));
/// batch.push(RunKey(2), 9, |bytes| bytes.extend_from_slice(b"finished"));
///
/// let records: Vec<_> = batch.records().collect();
/// assert_eq!(records[1], (RunKey(2), 9, &b"finished"[..]));
/// batch.clear();
/// assert!(batch.is_empty());
/// ```
#[derive(Clone, Default, Debug)]
pub struct Batch {
    time: u64,
    /// In the order in which they were pushed. Each ends where the next one begins.
    slots: Vec<Slot>,
    bytes: Vec<u8>,
    rows: Vec<RunRow>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    run: RunKey,
    seq: u64,
    end: usize,
}

impl Batch {
    /// An empty batch of time 0.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Empties the batch and keeps its memory. The time goes back to 0.
    pub fn clear(&mut self) {
        self.time = 0;
        self.slots.clear();
        self.bytes.clear();
        self.rows.clear();
    }

    /// True if there is neither a record nor a row in it.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.rows.is_empty()
    }

    /// The time of the commit, in nanoseconds since 1970.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Sets the time of the commit, in nanoseconds since 1970. It is the caller's to see that it
    /// never goes back.
    pub fn set_time(&mut self, time: u64) {
        self.time = time;
    }

    /// Adds a record at a seq of a run's history; `write` appends its bytes.
    ///
    /// The seqs of a run begin at 0 and leave no gap, over all commits.
    ///
    /// # Panics
    /// If `write` takes away bytes that it did not add.
    pub fn push(&mut self, run: RunKey, seq: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        assert!(self.bytes.len() >= start, "a record may add to the batch, and not take from it");
        self.slots.push(Slot { run, seq, end: self.bytes.len() });
    }

    /// Adds a run row, in the place of the one with the same key if there is one. If one batch
    /// holds several rows of a run, the last one counts.
    pub fn put_row(&mut self, row: RunRow) {
        self.rows.push(row);
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The records in the order in which they were pushed.
    pub fn records(&self) -> impl ExactSizeIterator<Item = (RunKey, u64, &[u8])> + '_ {
        let mut start = 0;
        self.slots.iter().map(move |slot| {
            let bytes = &self.bytes[start..slot.end];
            start = slot.end;
            (slot.run, slot.seq, bytes)
        })
    }

    /// The run rows in the order in which they were put.
    pub fn rows(&self) -> &[RunRow] {
        &self.rows
    }

    /// The bytes of all records, one behind the other.
    #[cfg(feature = "redb")]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// No fewer bytes than a commit of it takes, the directory included.
    #[cfg(feature = "redb")]
    pub(crate) fn size(&self) -> usize {
        let rows = self.rows.iter();
        let rows = rows.map(|row| row.id.len() + row.workflow.len() + row.note.len() + 64);
        self.bytes.len() + 40 * self.slots.len() + rows.sum::<usize>() + 64
    }

    /// The run with the largest record or row, and how many bytes that has.
    #[cfg(feature = "redb")]
    pub(crate) fn largest(&self) -> Option<(RunKey, usize)> {
        let rows = self.rows.iter();
        let rows = rows.map(|row| (row.key, row.id.len() + row.workflow.len() + row.note.len()));
        let records = self.records().map(|(run, _, record)| (run, record.len()));
        records.chain(rows).max_by_key(|(_, bytes)| *bytes)
    }

    /// The smallest key that is larger than all keys in the batch.
    pub(crate) fn next_run(&self) -> RunKey {
        let rows = self.rows.iter().map(|row| row.key);
        let keys = self.slots.iter().map(|slot| slot.run).chain(rows);
        RunKey(keys.map(|key| key.0.saturating_add(1)).max().unwrap_or(0))
    }
}
