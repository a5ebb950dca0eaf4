use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use dacapo_store::{Batch, Entry, Filter, MemoryStore, Result, RunKey, RunRow, Store};

/// A store in memory that keeps what it held after each commit: every point at which the process
/// could have ended. Its clones are one store.
///
/// ```
/// use dacapo::Executor;
/// use dacapo::sim::Snapshots;
///
/// let store = Snapshots::default();
/// let executor = Executor::builder().open_with(store.clone())?;
/// assert_eq!(store.take().len(), 0, "nothing was committed");
/// # drop(executor);
/// # Ok::<(), dacapo::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Snapshots {
    shared: Rc<RefCell<Shared>>,
}

#[derive(Default)]
struct Shared {
    store: MemoryStore,
    taken: Vec<MemoryStore>,
}

impl Snapshots {
    /// A store that begins with what another one holds.
    #[must_use]
    pub fn new(store: MemoryStore) -> Self {
        Self { shared: Rc::new(RefCell::new(Shared { store, taken: Vec::new() })) }
    }

    /// What the store held after each commit so far.
    #[must_use]
    pub fn take(&self) -> Vec<MemoryStore> {
        core::mem::take(&mut self.shared.borrow_mut().taken)
    }

    /// What the store holds now.
    #[must_use]
    pub fn now(&self) -> MemoryStore {
        self.shared.borrow().store.snapshot()
    }
}

impl core::fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Snapshots").field("taken", &self.shared.borrow().taken.len()).finish()
    }
}

impl Store for Snapshots {
    fn commit(&mut self, batch: &Batch) -> Result<()> {
        let mut shared = self.shared.borrow_mut();
        shared.store.commit(batch)?;
        let snapshot = shared.store.snapshot();
        shared.taken.push(snapshot);
        Ok(())
    }

    fn find(&self, id: &str) -> Result<Option<RunRow>> {
        self.shared.borrow().store.find(id)
    }

    fn row(&self, run: RunKey) -> Result<Option<RunRow>> {
        self.shared.borrow().store.row(run)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<RunRow>> {
        self.shared.borrow().store.list(filter)
    }

    fn history(&self, run: RunKey) -> Result<Vec<Entry>> {
        self.shared.borrow().store.history(run)
    }

    fn last(&self, run: RunKey) -> Result<Option<Entry>> {
        self.shared.borrow().store.last(run)
    }

    fn delete(&mut self, runs: &[RunKey]) -> Result<()> {
        self.shared.borrow_mut().store.delete(runs)
    }

    fn next_run(&self) -> RunKey {
        self.shared.borrow().store.next_run()
    }

    fn time(&self) -> u64 {
        self.shared.borrow().store.time()
    }
}
