use alloc::boxed::Box;

use dacapo_store::{Options, Result, Store};

use super::{Disk, Snapshots};
use crate::record::SEMANTICS_VERSION;

/// What the processes of a simulation store in.
pub(super) enum Storage {
    Memory(Snapshots),
    Disk {
        disk: Disk,
        /// How long a journal becomes until it is folded.
        fold_bytes: usize,
    },
}

impl Storage {
    /// The store for the next process.
    pub(super) fn open(&self) -> Result<Box<dyn Store>> {
        match self {
            Self::Memory(store) => Ok(Box::new(store.clone())),
            Self::Disk { disk, fold_bytes } => open(disk, *fold_bytes),
        }
    }

    /// A store of its own that holds what this one holds now.
    pub(super) fn copy(&self) -> Result<Box<dyn Store>> {
        match self {
            Self::Memory(store) => Ok(Box::new(store.now())),
            Self::Disk { disk, fold_bytes } => open(&Disk::new(disk.bytes()), *fold_bytes),
        }
    }
}

fn open(disk: &Disk, fold_bytes: usize) -> Result<Box<dyn Store>> {
    let options = Options::new().fold_bytes(fold_bytes).cache_bytes(1 << 20);
    let options = options.semantics_version(SEMANTICS_VERSION);
    Ok(Box::new(options.open_backend(disk.clone())?))
}
