//! What the lives of a world store in: memory that keeps what it held after each commit, or a disk that
//! fails; and reads that are refused.

use std::cell::Cell;
use std::rc::Rc;

use dacapo::sim::{Crash, Disk, Snapshots};
use dacapo::store::{Error, Hooked, Hooks, MemoryStore, Operation, Options, Result, Store};

use super::{End, Fault, Life};

/// What one life leaves to the next.
pub(super) enum Kept {
    Memory(MemoryStore),
    Disk(Disk),
}

/// That of one life.
pub(super) struct Storage {
    base: Base,
    watch: Rc<Watch>,
}

enum Base {
    Memory(Snapshots),
    Disk(Disk),
}

#[derive(Default)]
struct Watch {
    commits: Cell<u64>,
    /// So many reads go well before one is refused. `None`: all do.
    reads: Cell<Option<u64>>,
    /// Whether one was refused.
    has_refused: Cell<bool>,
}

/// A journal that is folded at every second commit or so.
const FOLD_BYTES: usize = 400;

impl Kept {
    /// Nothing yet. A file that is being made is tested elsewhere.
    pub(super) fn nothing(on_disk: bool) -> Result<Self> {
        if !on_disk {
            return Ok(Kept::Memory(MemoryStore::new()));
        }
        let disk = Disk::default();
        drop(open(&disk)?);
        Ok(Kept::Disk(Disk::new(disk.bytes())))
    }

    /// A store that holds the same.
    pub(super) fn copy(&self) -> Result<Box<dyn Store>> {
        match self {
            Kept::Memory(store) => Ok(Box::new(store.snapshot())),
            Kept::Disk(disk) => open(&Disk::new(disk.bytes())),
        }
    }
}

fn open(disk: &Disk) -> Result<Box<dyn Store>> {
    let options = Options::new().fold_bytes(FOLD_BYTES).cache_bytes(1 << 20);
    Ok(Box::new(options.open_backend(disk.clone())?))
}

impl Storage {
    pub(super) fn new(kept: &Kept, life: &Life) -> Self {
        let base = match kept {
            Kept::Memory(store) => Base::Memory(Snapshots::new(store.snapshot())),
            Kept::Disk(disk) => Base::Disk(Disk::new(disk.bytes())),
        };
        match (&base, life.end) {
            (Base::Memory(store), End::CrashBefore(commit)) => store.crash(Crash::Before(commit)),
            (Base::Memory(store), End::CrashAfter(commit)) => store.crash(Crash::After(commit)),
            (Base::Disk(disk), End::Fault(Fault { operation, fault, .. })) => {
                disk.fail(operation, fault);
            }
            _ => {}
        }
        let watch = Rc::<Watch>::default();
        watch.reads.set(life.unreadable);
        Self { base, watch }
    }

    /// The store of its process.
    pub(super) fn open(&self) -> Result<Box<dyn Store>> {
        let store: Box<dyn Store> = match &self.base {
            Base::Memory(store) => Box::new(store.clone()),
            Base::Disk(disk) => open(disk)?,
        };
        Ok(Box::new(Hooked::new(store, self.watch.clone())))
    }

    /// No read is refused from here on.
    pub(super) fn heal(&self) {
        self.watch.reads.set(None);
    }

    /// Whether anything was told to fail.
    pub(super) fn may_fail(&self, life: &Life) -> bool {
        self.watch.has_refused.get() || matches!(life.end, End::Fault(_))
    }

    /// What it holds now.
    pub(super) fn now(&self) -> Kept {
        match &self.base {
            Base::Memory(store) => Kept::Memory(store.now()),
            Base::Disk(disk) => Kept::Disk(Disk::new(disk.bytes())),
        }
    }

    /// How many commits its process has made.
    pub(super) fn commits(&self) -> u64 {
        self.watch.commits.get()
    }

    /// What it held after each of them, if it keeps that.
    pub(super) fn take(&self) -> Vec<MemoryStore> {
        match &self.base {
            Base::Memory(store) => store.take(),
            Base::Disk(_) => Vec::new(),
        }
    }

    /// What the next life finds, with whether something has failed.
    pub(super) fn end(&self, life: &Life) -> (Kept, bool) {
        match (&self.base, life.end) {
            (Base::Disk(disk), End::Fault(Fault { operation, loss, .. })) => {
                (Kept::Disk(disk.after_crash(loss)), disk.operations() >= operation)
            }
            _ => (self.now(), self.watch.has_refused.get()),
        }
    }
}

impl Hooks<Box<dyn Store>> for Watch {
    fn before(&self, _: &Box<dyn Store>, operation: &Operation<'_>) -> Result<()> {
        if operation.is_commit() || matches!(operation, Operation::Fold) {
            return Ok(());
        }
        match self.reads.get() {
            None => Ok(()),
            Some(0) => {
                self.reads.set(None);
                self.has_refused.set(true);
                Err(Error::refused("the disk was told not to answer"))
            }
            Some(left) => {
                self.reads.set(Some(left - 1));
                Ok(())
            }
        }
    }

    fn committed(&self, _: &Box<dyn Store>, _: u64) -> Result<()> {
        self.commits.set(self.commits.get() + 1);
        Ok(())
    }
}
