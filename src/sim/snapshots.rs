use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use dacapo_store::{Batch, Entry, Error, Filter, MemoryStore, Result, RunKey, RunRow, Store};

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
    /// Those of this process.
    commits: u64,
    /// Whether only the last state is kept.
    forgets: bool,
    crash: Option<Crash>,
}

/// When a process ends; commits are counted from 1, and anew for each process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// Right before the commit with this number: nothing of it is stored.
    Before(u64),
    /// Right after the commit with this number is stored: nobody was told.
    After(u64),
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(commit) => write!(f, "right before commit {commit}"),
            Self::After(commit) => write!(f, "right after commit {commit}"),
        }
    }
}

impl Snapshots {
    /// A store that begins with what another one holds.
    #[must_use]
    pub fn new(store: MemoryStore) -> Self {
        Self { shared: Rc::new(RefCell::new(Shared { store, ..Shared::default() })) }
    }

    /// The same, without a look back: what it held after each commit takes memory.
    pub(super) fn forgetful(store: MemoryStore) -> Self {
        let shared = Shared { store, forgets: true, ..Shared::default() };
        Self { shared: Rc::new(RefCell::new(shared)) }
    }

    /// How many commits there have been in this process.
    pub(super) fn commits(&self) -> u64 {
        self.shared.borrow().commits
    }

    /// Refuses everything from this point on, so that the executor over it stops there.
    pub fn crash(&self, crash: Crash) {
        self.shared.borrow_mut().crash = Some(crash);
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

impl fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots").field("taken", &self.shared.borrow().taken.len()).finish()
    }
}

impl Store for Snapshots {
    fn commit(&mut self, batch: &Batch) -> Result<()> {
        let mut shared = self.shared.borrow_mut();
        shared.commits += 1;
        let refused = || Err(Error::refused("the simulated process was told to end here"));
        if matches!(shared.crash, Some(Crash::Before(commit)) if shared.commits >= commit) {
            return refused();
        }
        shared.store.commit(batch)?;
        if !shared.forgets {
            let snapshot = shared.store.snapshot();
            shared.taken.push(snapshot);
        }
        match shared.crash {
            Some(Crash::After(commit)) if shared.commits >= commit => refused(),
            _ => Ok(()),
        }
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
