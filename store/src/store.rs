use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::{Batch, Filter, Result, RunKey, RunRow};

/// One entry of a run's history: a record with its seq and the commit it was in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its seq: where it stands in the run's history: 0, 1, 2 and so on.
    pub seq: u64,
    /// The number of the commit that wrote it. Commits are numbered 1, 2, 3 within a store.
    pub commit: u64,
    /// That commit's time, in nanoseconds since 1970.
    pub time: u64,
    /// What was recorded.
    pub record: Vec<u8>,
}

/// A history in two pieces of memory, however many entries it has.
#[derive(Clone, Default, Debug)]
pub struct History {
    marks: Vec<Mark>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    seq: u64,
    commit: u64,
    time: u64,
    end: usize,
}

/// One entry of a [`History`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryRef<'a> {
    /// Its seq: where it stands in the run's history.
    pub seq: u64,
    /// The number of the commit that wrote it.
    pub commit: u64,
    /// That commit's time.
    pub time: u64,
    /// What was recorded.
    pub record: &'a [u8],
}

impl EntryRef<'_> {
    /// The same with memory of its own.
    pub fn to_entry(self) -> Entry {
        let EntryRef { seq, commit, time, record } = self;
        Entry { seq, commit, time, record: record.to_vec() }
    }
}

impl History {
    /// Appends an entry.
    pub fn push(&mut self, seq: u64, commit: u64, time: u64, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.marks.push(Mark { seq, commit, time, end: self.bytes.len() });
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = EntryRef<'_>> {
        let mut start = 0;
        self.marks.iter().map(move |&Mark { seq, commit, time, end }| {
            let record = &self.bytes[start..end];
            start = end;
            EntryRef { seq, commit, time, record }
        })
    }

    /// The last entry.
    pub fn last(&self) -> Option<EntryRef<'_>> {
        let &Mark { seq, commit, time, end } = self.marks.last()?;
        let before = self.marks.len().checked_sub(2);
        let start = before.map_or(0, |before| self.marks[before].end);
        Some(EntryRef { seq, commit, time, record: &self.bytes[start..end] })
    }
}

/// Where runs are remembered.
///
/// A store is written by one owner, through [`commit`](Store::commit) and
/// [`delete`](Store::delete), and everything that has been committed can be read at once. It does
/// not block for longer than its storage does and knows nothing of futures: one that has to wait
/// for a network is driven by a thread of its own.
///
/// ```
/// use dacapo_store::{Batch, Filter, MemoryStore, RunRow, RunState, Store};
///
/// fn start(store: &mut dyn Store, id: &str) -> dacapo_store::Result<()> {
///     let key = store.next_run();
///     let mut batch = Batch::new();
///     batch.set_time(5);
///     batch.push(key, 0, |bytes| bytes.extend_from_slice(b"started"));
///     batch.put_row(RunRow {
///         key,
///         id: id.into(),
///         workflow: "order".into(),
///         state: RunState::Running,
///         started_at: 5,
///         changed_at: 5,
///         note: vec![],
///     });
///     store.commit(&batch)
/// }
///
/// let mut store = MemoryStore::new();
/// start(&mut store, "order-7")?;
/// let row = store.find("order-7")?.expect("it was committed");
/// assert_eq!(store.history(row.key)?[0].record, b"started");
/// assert_eq!(store.list(&Filter::new().unfinished())?, [row]);
/// # Ok::<(), dacapo_store::Error>(())
/// ```
pub trait Store {
    /// PendingWrites a batch: all of it or nothing, and for good when this returns.
    ///
    /// An empty batch writes nothing and has no number. The store does not check that the seqs
    /// of each run follow one another or that an id is new (it may do so, and panic): the caller
    /// has asked [`find`](Store::find) before it puts a row under a new key.
    ///
    /// # Errors
    /// If the storage refuses. Whether the batch is there is then not known, and every later call
    /// returns the same error until the store is opened again.
    fn commit(&mut self, batch: &Batch) -> Result<()>;

    /// The row of the run with this id.
    ///
    /// # Errors
    /// If the storage refuses or the row is damaged.
    fn find(&self, id: &str) -> Result<Option<RunRow>>;

    /// The row of a run.
    ///
    /// # Errors
    /// If the storage refuses or the row is damaged.
    fn row(&self, run: RunKey) -> Result<Option<RunRow>>;

    /// The runs that a filter keeps, in the order of their keys.
    ///
    /// A list of the unfinished does not cost more for the runs that have ended.
    ///
    /// # Errors
    /// If the storage refuses or one of the rows is damaged.
    fn list(&self, filter: &Filter) -> Result<Vec<RunRow>>;

    /// The history of a run, in order. It is empty for a run that has none.
    ///
    /// # Errors
    /// If the storage refuses, or an entry of this run is damaged or missing. Other runs are not
    /// affected by that.
    fn history(&self, run: RunKey) -> Result<Vec<Entry>>;

    /// The same in few pieces of memory.
    ///
    /// # Errors
    /// As with [`history`](Store::history).
    fn whole_history(&self, run: RunKey) -> Result<History> {
        let mut history = History::default();
        for Entry { seq, commit, time, record } in self.history(run)? {
            history.push(seq, commit, time, &record);
        }
        Ok(history)
    }

    /// The last entry of a run's history, without reading all of it.
    ///
    /// # Errors
    /// If the storage refuses or this entry is damaged.
    fn last(&self, run: RunKey) -> Result<Option<Entry>>;

    /// Forgets runs, with their rows and histories: all of them or none. Keys that are not known
    /// are passed over.
    ///
    /// # Errors
    /// If one of them has neither ended nor is parked, with nothing changed; or if the storage
    /// refuses, after which it is as with [`commit`](Store::commit).
    fn delete(&mut self, runs: &[RunKey]) -> Result<()>;

    /// Does now what a later commit would have to do, such as putting what was written lately
    /// where it stays. An engine calls it when it has nothing else to do.
    ///
    /// # Errors
    /// If the storage refuses, after which it is as with [`commit`](Store::commit).
    fn fold(&mut self) -> Result<()> {
        Ok(())
    }

    /// The key for the next run: larger than all that were ever used, deleted ones included.
    fn next_run(&self) -> RunKey;

    /// The time of the last commit, or 0 if there was none.
    fn time(&self) -> u64;
}

macro_rules! forward {
    ($holder:ty) => {
        impl<S: Store + ?Sized> Store for $holder {
            fn commit(&mut self, batch: &Batch) -> Result<()> {
                (**self).commit(batch)
            }
            fn find(&self, id: &str) -> Result<Option<RunRow>> {
                (**self).find(id)
            }
            fn row(&self, run: RunKey) -> Result<Option<RunRow>> {
                (**self).row(run)
            }
            fn list(&self, filter: &Filter) -> Result<Vec<RunRow>> {
                (**self).list(filter)
            }
            fn history(&self, run: RunKey) -> Result<Vec<Entry>> {
                (**self).history(run)
            }
            fn whole_history(&self, run: RunKey) -> Result<History> {
                (**self).whole_history(run)
            }
            fn last(&self, run: RunKey) -> Result<Option<Entry>> {
                (**self).last(run)
            }
            fn delete(&mut self, runs: &[RunKey]) -> Result<()> {
                (**self).delete(runs)
            }
            fn fold(&mut self) -> Result<()> {
                (**self).fold()
            }
            fn next_run(&self) -> RunKey {
                (**self).next_run()
            }
            fn time(&self) -> u64 {
                (**self).time()
            }
        }
    };
}

forward!(Box<S>);
forward!(&mut S);
