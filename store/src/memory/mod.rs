mod state;
mod tables;

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use state::State;
use tables::Overlay;

use crate::{
    Batch, Counts, Error, Filter, History, ReadTables, Result, RunKey, RunRow, Store, Work,
};

#[cfg(feature = "std")]
type Shared = alloc::sync::Arc<std::sync::Mutex<State>>;
#[cfg(not(feature = "std"))]
type Shared = alloc::rc::Rc<core::cell::RefCell<State>>;

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
    state: Shared,
    /// The error of the commit that was refused: this handle repeats it for ever, and
    /// [`shared`](MemoryStore::shared) stands for opening the store again.
    refused: Option<Error>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// A store of its own that holds what this one holds now.
    pub fn snapshot(&self) -> MemoryStore {
        let mut state = self.with(|state| state.clone());
        state.fail_after = None;
        MemoryStore { state: shared(state), refused: None }
    }

    /// Another handle on the same state: to look into a store that an engine owns, or to open
    /// it again when the engine is gone.
    pub fn shared(&self) -> MemoryStore {
        MemoryStore { state: self.state.clone(), refused: None }
    }

    /// Lets `commits` more commits pass and refuses the one after them, as a disk would that is
    /// full. The handle it was refused to repeats the error; others are not affected by it.
    pub fn fail_after(&self, commits: u64) {
        self.with(|state| state.fail_after = Some(commits));
    }

    #[cfg(feature = "std")]
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        // A panic of `commit` comes before anything is changed, so that what the lock protects is
        // whole even if it is poisoned.
        f(&mut self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    #[cfg(not(feature = "std"))]
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.borrow_mut())
    }

    fn read<T>(&self, f: impl FnOnce(&State) -> T) -> Result<T> {
        match &self.refused {
            None => Ok(self.with(|state| f(state))),
            Some(error) => Err(error.clone()),
        }
    }

    fn write(&mut self, f: impl FnOnce(&mut State) -> Result<u64>) -> Result<u64> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        let result = self.with(f);
        self.refused = result.as_ref().err().filter(|error| error.is_refused()).cloned();
        result
    }
}

#[cfg(feature = "std")]
fn shared(state: State) -> Shared {
    Shared::new(std::sync::Mutex::new(state))
}

#[cfg(not(feature = "std"))]
fn shared(state: State) -> Shared {
    Shared::new(core::cell::RefCell::new(state))
}

impl Store for MemoryStore {
    fn commit(&mut self, batch: &Batch) -> Result<u64> {
        self.write(|state| match batch.is_empty() {
            true => Ok(state.commits),
            false => state.commit(batch),
        })
    }

    fn commit_with(&mut self, batch: &mut Batch, work: &mut Work<'_>) -> Result<u64> {
        self.read(|_| ())?;
        batch.clear();
        // Not under the lock: `work` may look at the store through another handle.
        let mut overlay = Overlay::new(self);
        work(&mut overlay, batch)?;
        let changes = overlay.into_changes();
        self.write(|state| match batch.is_empty() && changes.is_empty() {
            true => Ok(state.commits),
            false => {
                let commit = state.commit(batch)?;
                state.change_tables(changes);
                Ok(commit)
            }
        })
    }

    fn read_tables(&self, read: &mut dyn FnMut(&dyn ReadTables) -> Result<()>) -> Result<()> {
        self.read(|_| ())?;
        read(&Overlay::new(self))
    }

    fn find(&self, id: &str) -> Result<Option<RunRow>> {
        self.read(|state| state.ids.get(id).map(|key| state.rows[key].clone()))
    }

    fn row(&self, run: RunKey) -> Result<Option<RunRow>> {
        self.read(|state| state.rows.get(&run).cloned())
    }

    fn scan(&self, filter: &Filter, visit: &mut dyn FnMut(RunRow)) -> Result<()> {
        // One at a time: while it is visited, the store may be read.
        let mut rest = filter.clone();
        for _ in 0..filter.max_runs() {
            let Some(row) = self.read(|state| state.first(&rest))? else { break };
            rest = if rest.is_newest_first() { rest.before(row.key) } else { rest.after(row.key) };
            visit(row);
        }
        self.read(|_| ())
    }

    fn count(&self) -> Result<Counts> {
        self.read(|state| state.counts)
    }

    fn history(&self, run: RunKey) -> Result<History> {
        self.read(|state| state.histories.get(&run).cloned().unwrap_or_default())
    }

    fn entries(&self, run: RunKey, seqs: Range<u64>) -> Result<History> {
        self.read(|state| {
            let history = state.histories.get(&run);
            let end = seqs.end.min(history.map_or(0, History::len) as u64);
            // Nothing is missing in memory, so that a seq is an index.
            (seqs.start..end).filter_map(|seq| history?.get(seq as usize)).collect()
        })
    }

    fn last(&self, run: RunKey) -> Result<History> {
        self.read(|state| state.histories.get(&run).and_then(History::last).into_iter().collect())
    }

    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read(|state| state.notes.get(key).cloned())
    }

    fn notes(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let notes: Vec<_> = self.read(|state| {
            let notes = state.notes.range(prefix.to_vec()..);
            let notes = notes.take_while(|(key, _)| key.starts_with(prefix));
            notes.map(|(key, note)| (key.clone(), note.clone())).collect()
        })?;
        notes.iter().for_each(|(key, note)| visit(key, note));
        Ok(())
    }

    fn shapes(&self) -> Result<Vec<Option<Vec<u8>>>> {
        self.read(|state| state.shapes.iter().cloned().map(Some).collect())
    }

    fn fold(&mut self) -> Result<bool> {
        self.read(|_| false)
    }

    fn next_run(&self) -> RunKey {
        self.with(|state| RunKey(state.next_run))
    }

    fn marker(&self) -> Vec<u8> {
        self.with(|state| state.marker.clone())
    }

    fn set_marker(&self, marker: &[u8]) {
        self.with(|state| state.marker = marker.to_vec());
    }

    fn time(&self) -> u64 {
        self.with(|state| state.time)
    }

    fn last_commit(&self) -> u64 {
        self.with(|state| state.commits)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|state| {
            f.debug_struct("MemoryStore")
                .field("runs", &state.rows.len())
                .field("commits", &state.commits)
                .finish_non_exhaustive()
        })
    }
}
