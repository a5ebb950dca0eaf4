use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;

use dacapo_store::{Error, Hooked, Hooks, MemoryStore, Operation, Result, Store, forward_store};

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
#[derive(Default)]
pub struct Snapshots {
    store: Hooked<MemoryStore, Rc<Watch>>,
}

/// What all clones share.
#[derive(Default)]
struct Watch {
    taken: RefCell<Vec<MemoryStore>>,
    /// Those of this process.
    commits: Cell<u64>,
    /// Whether only the last state is kept.
    forgets: bool,
    crash: Cell<Option<Crash>>,
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
        Self { store: Hooked::new(store, Rc::default()) }
    }

    /// The same, without a look back: what it held after each commit takes memory.
    pub(super) fn forgetful(store: MemoryStore) -> Self {
        let watch = Watch { forgets: true, ..Watch::default() };
        Self { store: Hooked::new(store, Rc::new(watch)) }
    }

    /// How many commits there have been in this process.
    pub(super) fn commits(&self) -> u64 {
        self.store.hooks().commits.get()
    }

    /// Refuses everything from this point on, so that the executor over it stops there.
    pub fn crash(&self, crash: Crash) {
        self.store.hooks().crash.set(Some(crash));
    }

    /// What the store held after each commit so far.
    #[must_use]
    pub fn take(&self) -> Vec<MemoryStore> {
        self.store.hooks().taken.take()
    }

    /// What the store holds now.
    #[must_use]
    pub fn now(&self) -> MemoryStore {
        self.store.store().snapshot()
    }
}

impl fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots")
            .field("taken", &self.store.hooks().taken.borrow().len())
            .finish()
    }
}

impl Clone for Snapshots {
    fn clone(&self) -> Self {
        Self { store: Hooked::new(self.store.store().shared(), self.store.hooks().clone()) }
    }
}

impl Hooks<MemoryStore> for Watch {
    fn before(&self, _: &MemoryStore, operation: &Operation<'_>) -> Result<()> {
        if !operation.is_commit() {
            return Ok(());
        }
        self.commits.set(self.commits.get() + 1);
        match self.crash.get() {
            Some(Crash::Before(commit)) if self.commits.get() >= commit => self.end(),
            _ => Ok(()),
        }
    }

    fn committed(&self, store: &MemoryStore, _: u64) -> Result<()> {
        if !self.forgets {
            self.taken.borrow_mut().push(store.snapshot());
        }
        match self.crash.get() {
            Some(Crash::After(commit)) if self.commits.get() >= commit => self.end(),
            _ => Ok(()),
        }
    }
}

impl Watch {
    fn end(&self) -> Result<()> {
        Err(Error::refused("the simulated process was told to end here"))
    }
}

impl Store for Snapshots {
    forward_store!(|this| this.store);
}
