//! What processes store in: memory with what it held after each commit, or a disk that fails.

use dacapo::sim::{Disk, Snapshots};
use dacapo::store::{MemoryStore, Options, Result, Store};

pub(crate) trait Storage {
    /// The store for a process.
    fn open(&self) -> Result<Box<dyn Store>>;

    /// A store of its own that holds what this one holds now.
    fn copy(&self) -> Box<dyn Store>;

    /// Whether it was told to fail.
    fn may_fail(&self) -> bool;

    /// Whether it begins with an earlier state than the process before it left.
    fn is_snapshot(&self) -> bool;
}

pub(crate) struct Memory {
    opened: MemoryStore,
    store: Snapshots,
}

impl Memory {
    pub(crate) fn new(opened: &MemoryStore) -> Self {
        Self { opened: opened.snapshot(), store: Snapshots::new(opened.snapshot()) }
    }

    /// What it held after each commit; first what it began with, if that was something.
    pub(crate) fn commits(&self) -> Vec<MemoryStore> {
        let opened = (self.opened.last_commit() > 0).then(|| self.opened.snapshot());
        opened.into_iter().chain(self.store.take()).collect()
    }
}

impl Storage for Memory {
    fn open(&self) -> Result<Box<dyn Store>> {
        Ok(Box::new(self.store.clone()))
    }

    fn copy(&self) -> Box<dyn Store> {
        Box::new(self.store.now())
    }

    fn may_fail(&self) -> bool {
        false
    }

    fn is_snapshot(&self) -> bool {
        true
    }
}

pub(crate) struct OnDisk {
    pub(crate) disk: Disk,
    pub(crate) may_fail: bool,
    /// How long a journal becomes until it is folded.
    pub(crate) fold_bytes: usize,
}

impl OnDisk {
    fn options(&self) -> Options {
        Options::new().fold_bytes(self.fold_bytes).cache_bytes(1 << 20)
    }
}

impl Storage for OnDisk {
    fn open(&self) -> Result<Box<dyn Store>> {
        Ok(Box::new(self.options().open_backend(self.disk.clone())?))
    }

    fn copy(&self) -> Box<dyn Store> {
        let disk = Disk::new(self.disk.bytes());
        Box::new(self.options().open_backend(disk).expect("a copy does not fail"))
    }

    fn may_fail(&self) -> bool {
        self.may_fail
    }

    fn is_snapshot(&self) -> bool {
        false
    }
}
