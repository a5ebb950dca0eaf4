use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::{
    Batch, Entry, EntryRef, Error, Filter, History, Result, RunKey, RunRow, RunState, Store,
};

#[cfg(feature = "std")]
type Shared = alloc::sync::Arc<std::sync::Mutex<Contents>>;
#[cfg(not(feature = "std"))]
type Shared = alloc::rc::Rc<core::cell::RefCell<Contents>>;

/// A store in memory, for tests and for runs that need not outlive the process.
///
/// What it holds can be looked at through another handle ([`shared`](MemoryStore::shared)) while
/// an engine owns this one, or copied as it is now ([`snapshot`](MemoryStore::snapshot)): that is
/// how a test sees what a crash at this moment would leave. With feature `std` it is `Send`.
///
/// It checks what the other stores take on trust, and panics when it is not so.
///
/// ```
/// use dacapo_store::{Batch, MemoryStore, RunKey, Store};
///
/// let mut store = MemoryStore::new();
/// let reader = store.shared();
/// let before = store.snapshot();
///
/// let mut batch = Batch::new();
/// batch.push(RunKey(0), 0, |bytes| bytes.extend_from_slice(b"started"));
/// store.commit(&batch)?;
///
/// assert_eq!(reader.history(RunKey(0))?.len(), 1);
/// assert_eq!(before.history(RunKey(0))?.len(), 0);
/// # Ok::<(), dacapo_store::Error>(())
/// ```
#[derive(Default)]
pub struct MemoryStore {
    contents: Shared,
    /// The error of the commit that was refused: this handle repeats it for ever, and
    /// [`shared`](MemoryStore::shared) stands for opening the store again.
    refused: Option<Error>,
}

#[derive(Clone, Default)]
struct Contents {
    rows: BTreeMap<RunKey, RunRow>,
    ids: BTreeMap<String, RunKey>,
    histories: BTreeMap<RunKey, History>,
    commits: u64,
    time: u64,
    next_run: u64,
    fail_after: Option<u64>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// A store of its own that holds what this one holds now.
    pub fn snapshot(&self) -> MemoryStore {
        let mut contents = self.with(|contents| contents.clone());
        contents.fail_after = None;
        MemoryStore { contents: shared(contents), refused: None }
    }

    /// Another handle on the same contents: to look into a store that an engine owns, or to open
    /// it again when the engine is gone.
    pub fn shared(&self) -> MemoryStore {
        MemoryStore { contents: self.contents.clone(), refused: None }
    }

    /// How many commits there have been.
    pub fn commits(&self) -> u64 {
        self.with(|contents| contents.commits)
    }

    /// Lets `commits` more commits pass and refuses the one after them, as a disk would that is
    /// full. The handle it was refused to repeats the error; others are not affected by it.
    pub fn fail_after(&self, commits: u64) {
        self.with(|contents| contents.fail_after = Some(commits));
    }

    #[cfg(feature = "std")]
    fn with<T>(&self, f: impl FnOnce(&mut Contents) -> T) -> T {
        // A panic of `commit` comes before anything is changed, so that what the lock protects is
        // whole even if it is poisoned.
        f(&mut self.contents.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    #[cfg(not(feature = "std"))]
    fn with<T>(&self, f: impl FnOnce(&mut Contents) -> T) -> T {
        f(&mut self.contents.borrow_mut())
    }

    fn read<T>(&self, f: impl FnOnce(&Contents) -> T) -> Result<T> {
        match &self.refused {
            None => Ok(self.with(|contents| f(contents))),
            Some(error) => Err(error.clone()),
        }
    }
}

#[cfg(feature = "std")]
fn shared(contents: Contents) -> Shared {
    Shared::new(std::sync::Mutex::new(contents))
}

#[cfg(not(feature = "std"))]
fn shared(contents: Contents) -> Shared {
    Shared::new(core::cell::RefCell::new(contents))
}

impl Store for MemoryStore {
    fn commit(&mut self, batch: &Batch) -> Result<()> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        if batch.is_empty() {
            return Ok(());
        }
        let result = self.with(|contents| contents.commit(batch));
        self.refused = result.clone().err();
        result
    }

    fn find(&self, id: &str) -> Result<Option<RunRow>> {
        self.read(|contents| contents.ids.get(id).map(|key| contents.rows[key].clone()))
    }

    fn row(&self, run: RunKey) -> Result<Option<RunRow>> {
        self.read(|contents| contents.rows.get(&run).cloned())
    }

    fn list(&self, filter: &Filter) -> Result<Vec<RunRow>> {
        self.read(|contents| {
            let Some(first) = filter.first_key() else { return Vec::new() };
            let rows = contents.rows.range(first..).map(|(_, row)| row);
            rows.filter(|row| filter.admits(row)).take(filter.max_runs()).cloned().collect()
        })
    }

    fn history(&self, run: RunKey) -> Result<Vec<Entry>> {
        let whole = self.whole_history(run)?;
        Ok(whole.iter().map(EntryRef::to_entry).collect())
    }

    fn whole_history(&self, run: RunKey) -> Result<History> {
        self.read(|contents| contents.histories.get(&run).cloned().unwrap_or_default())
    }

    fn last(&self, run: RunKey) -> Result<Option<Entry>> {
        self.read(|contents| Some(contents.histories.get(&run)?.last()?.to_entry()))
    }

    fn delete(&mut self, runs: &[RunKey]) -> Result<()> {
        self.read(|_| ())?;
        self.with(|contents| contents.delete(runs))
    }

    fn next_run(&self) -> RunKey {
        self.with(|contents| RunKey(contents.next_run))
    }

    fn time(&self) -> u64 {
        self.with(|contents| contents.time)
    }
}

impl Contents {
    fn commit(&mut self, batch: &Batch) -> Result<()> {
        self.check(batch);
        match &mut self.fail_after {
            Some(0) => {
                self.fail_after = None;
                let message = "the store was told to refuse this commit: open it again";
                return Err(Error::refused(message));
            }
            Some(commits) => *commits -= 1,
            None => {}
        }
        self.commits += 1;
        self.time = batch.time();
        self.next_run = self.next_run.max(batch.next_run().0);
        for (run, seq, record) in batch.records() {
            let history = self.histories.entry(run).or_default();
            history.push(seq, self.commits, self.time, record);
        }
        for row in batch.rows() {
            self.ids.insert(row.id.clone(), row.key);
            self.rows.insert(row.key, row.clone());
        }
        Ok(())
    }

    /// Panics if a seq is not the next one of its run, or an id belongs to another run.
    fn check(&self, batch: &Batch) {
        let mut next = BTreeMap::new();
        for (run, seq, _) in batch.records() {
            let known = || self.histories.get(&run).map_or(0, History::len) as u64;
            let expected = next.entry(run).or_insert_with(known);
            assert_eq!(seq, *expected, "run {run}: the next place of its history was expected");
            *expected += 1;
        }
        for row in batch.rows() {
            let owner = *self.ids.get(&row.id).unwrap_or(&row.key);
            assert_eq!(owner, row.key, "the id {:?} belongs to another run", row.id);
        }
    }

    fn delete(&mut self, runs: &[RunKey]) -> Result<()> {
        for row in runs.iter().filter_map(|run| self.rows.get(run)) {
            if !row.state.has_ended() && row.state != RunState::Parked {
                return Err(Error::unfinished(row.key, &row.id));
            }
        }
        for run in runs {
            self.histories.remove(run);
            if let Some(row) = self.rows.remove(run) {
                self.ids.remove(&row.id);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|contents| {
            f.debug_struct("MemoryStore")
                .field("runs", &contents.rows.len())
                .field("commits", &contents.commits)
                .finish_non_exhaustive()
        })
    }
}
