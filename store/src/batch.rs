use alloc::vec::Vec;

use crate::{Entry, RunKey, RunRow};

/// What one commit writes: records of any number of runs, run rows that are new or changed, runs
/// that are deleted, notes, and shapes.
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
/// batch.delete(RunKey(0));
/// batch.put_note(b"last tick", b"17");
///
/// // As they are stored if this becomes commit 5.
/// let (run, entry) = batch.entries(5).nth(1).unwrap();
/// assert_eq!((run, entry.seq, entry.commit, entry.record), (RunKey(2), 9, 5, &b"finished"[..]));
/// batch.clear();
/// assert!(batch.is_empty());
/// ```
#[derive(Clone, Default, Debug)]
pub struct Batch {
    time: u64,
    /// In the order in which they were pushed. Each ends where the next one begins.
    records: Vec<Pushed>,
    bytes: Vec<u8>,
    rows: Vec<RunRow>,
    /// Of the records that have a commit and a time of their own, in order.
    copied: Vec<Copied>,
    deleted: Vec<RunKey>,
    notes: Vec<Note>,
    shapes: Vec<(u32, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug)]
struct Pushed {
    run: RunKey,
    seq: u64,
    end: usize,
}

/// Where a copied record came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Copied {
    /// Which of the records it is.
    pub(crate) index: usize,
    pub(crate) commit: u64,
    pub(crate) time: u64,
}

/// A note, and what it becomes: `None` if it goes.
type Note = (Vec<u8>, Option<Vec<u8>>);

impl Batch {
    /// An empty batch of time 0.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Empties the batch and keeps its memory. The time goes back to 0.
    pub fn clear(&mut self) {
        self.time = 0;
        self.records.clear();
        self.bytes.clear();
        self.rows.clear();
        self.copied.clear();
        self.deleted.clear();
        self.notes.clear();
        self.shapes.clear();
    }

    /// True if there is nothing in it that could be written.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.rows.is_empty()
            && self.deleted.is_empty()
            && self.notes.is_empty()
            && self.shapes.is_empty()
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
        self.records.push(Pushed { run, seq, end: self.bytes.len() });
    }

    /// Adds a record that was committed before, in another history or another store: its entry
    /// keeps the number and the time of that commit.
    ///
    /// ```
    /// use dacapo_store::{Batch, MemoryStore, RunKey, Store};
    ///
    /// let mut batch = Batch::new();
    /// batch.set_time(9_000);
    /// batch.push_copied(RunKey(4), 0, 17, 2_000, |bytes| bytes.extend_from_slice(b"started"));
    /// batch.push(RunKey(4), 1, |bytes| bytes.extend_from_slice(b"forked"));
    /// let mut store = MemoryStore::new();
    /// store.commit(&batch)?;
    /// let history = store.history(RunKey(4))?;
    /// assert_eq!(history.iter().map(|entry| entry.time).collect::<Vec<_>>(), [2_000, 9_000]);
    /// # Ok::<(), dacapo_store::Error>(())
    /// ```
    ///
    /// # Panics
    /// As with [`push`](Batch::push).
    pub fn push_copied(
        &mut self,
        run: RunKey,
        seq: u64,
        commit: u64,
        time: u64,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let index = self.records.len();
        self.push(run, seq, write);
        self.copied.push(Copied { index, commit, time });
    }

    /// Adds a run row, in the place of the one with the same key if there is one. If one batch
    /// holds several rows of a run, the last one counts.
    pub fn put_row(&mut self, row: RunRow) {
        self.rows.push(row);
    }

    /// Forgets a run, with its row and its history, once the rest of the batch is written: its id
    /// is free for a row of the same batch. A key that is not known is passed over.
    ///
    /// The commit is refused if the run, by its row in this batch or else by the one that is
    /// stored, goes on.
    pub fn delete(&mut self, run: RunKey) {
        self.deleted.push(run);
    }

    /// Puts a note, in the place of the one with the same key if there is one: a few bytes of the
    /// engine's own, which [`Store::note`](crate::Store::note) finds again.
    pub fn put_note(&mut self, key: &[u8], note: &[u8]) {
        self.notes.push((key.to_vec(), Some(note.to_vec())));
    }

    /// Removes a note, if it is there.
    pub fn remove_note(&mut self, key: &[u8]) {
        self.notes.push((key.to_vec(), None));
    }

    /// Adds a shape: bytes that say how values of the records are to be read. They stay for good
    /// under their number, which is that of [shapes](crate::Store::shapes) that there are.
    ///
    /// ```
    /// use dacapo_store::{Batch, MemoryStore, Store};
    ///
    /// let (mut store, mut batch) = (MemoryStore::new(), Batch::new());
    /// batch.put_shape(0, b"a number and a text");
    /// store.commit(&batch)?;
    /// assert_eq!(store.shapes()?, [Some(b"a number and a text".to_vec())]);
    /// # Ok::<(), dacapo_store::Error>(())
    /// ```
    pub fn put_shape(&mut self, number: u32, shape: &[u8]) {
        self.shapes.push((number, shape.to_vec()));
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// The records in the order in which they were pushed, as entries of their runs' histories if
    /// this batch becomes the commit with this number.
    pub fn entries(&self, commit: u64) -> impl Iterator<Item = (RunKey, Entry<'_>)> {
        let (mut start, mut copied, time) = (0, self.copied.iter().peekable(), self.time);
        self.records.iter().enumerate().map(move |(index, record)| {
            let bytes = &self.bytes[start..record.end];
            start = record.end;
            let origin = copied.next_if(|copied| copied.index == index);
            let (commit, time) =
                origin.map_or((commit, time), |copied| (copied.commit, copied.time));
            (record.run, Entry { seq: record.seq, commit, time, record: bytes })
        })
    }

    /// The run rows in the order in which they were put.
    pub fn rows(&self) -> &[RunRow] {
        &self.rows
    }

    /// The runs that are deleted, in the order in which that was asked for.
    pub fn deleted(&self) -> &[RunKey] {
        &self.deleted
    }

    /// The notes in the order in which they were put or removed; `None` is a removal.
    pub fn notes(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.notes.iter().map(|(key, note)| (&key[..], note.as_deref()))
    }

    /// The shapes with their numbers, in the order in which they were put.
    pub fn shapes(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.shapes.iter().map(|(number, shape)| (*number, &shape[..]))
    }

    /// The row of a run that this batch puts last.
    pub fn row(&self, run: RunKey) -> Option<&RunRow> {
        self.rows.iter().rfind(|row| row.key == run)
    }

    /// The smallest key that is larger than all keys of records and rows in the batch.
    pub fn next_run(&self) -> RunKey {
        let rows = self.rows.iter().map(|row| row.key);
        let keys = self.records.iter().map(|record| record.run).chain(rows);
        RunKey(keys.map(|key| key.0.saturating_add(1)).max().unwrap_or(0))
    }
}

#[cfg(feature = "redb")]
impl Batch {
    /// The bytes of all records, one behind the other.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn copied(&self) -> &[Copied] {
        &self.copied
    }

    /// No fewer bytes than a commit of it takes, the directory included.
    pub(crate) fn size(&self) -> usize {
        let rows = self.rows.iter().map(row_size);
        let notes = self.notes.iter();
        let notes = notes.map(|(key, note)| key.len() + note.as_ref().map_or(0, Vec::len) + 32);
        let fixed = 40 * self.records.len() + 32 * self.copied.len() + 32 * self.deleted.len();
        let shapes = self.shapes.iter().map(|(_, shape)| shape.len() + 32);
        let beside = notes.sum::<usize>() + shapes.sum::<usize>();
        self.bytes.len() + fixed + rows.sum::<usize>() + beside + 64
    }

    /// The run with the largest record or row, and how many bytes that has.
    pub(crate) fn largest(&self) -> Option<(RunKey, usize)> {
        let rows = self.rows.iter().map(|row| (row.key, row_size(row)));
        let records = self.entries(0).map(|(run, entry)| (run, entry.record.len()));
        records.chain(rows).max_by_key(|(_, bytes)| *bytes)
    }
}

/// No fewer bytes than a row takes.
#[cfg(feature = "redb")]
fn row_size(row: &RunRow) -> usize {
    let attributes = row.attributes.iter().map(|(name, value)| name.len() + value.len() + 20);
    let text = |text: &Option<alloc::string::String>| text.as_ref().map_or(0, |text| text.len());
    let queue = row.queue.as_ref();
    let queue = queue
        .map_or(0, |queue| queue.name.len() + text(&queue.partition) + text(&queue.unique) + 64);
    row.id.len() + row.workflow.len() + row.note.len() + attributes.sum::<usize>() + queue + 160
}
