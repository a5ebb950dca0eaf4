use alloc::sync::Arc;
use core::fmt;
use core::ops::Bound;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use redb::{BackendError, StorageBackend};

use super::pending::PendingWrites;

/// A backend whose writes are buffered in memory until they are [flushed](Buffered::flush).
///
/// redb writes to a file as soon as it opens it, and more if it has to repair it; whether the file
/// can be used is known when the store, and the engine above it, have read it. So one that is
/// refused is left as it was, whatever redb did to it meanwhile, closing it included.
pub(super) struct Buffered<B>(Arc<Inner<B>>);

struct Inner<B> {
    below: B,
    /// Set once, when nothing is buffered any more.
    is_flushed: AtomicBool,
    buffered: Mutex<PendingWrites>,
}

impl<B: StorageBackend> Buffered<B> {
    pub(super) fn new(below: B) -> Buffered<B> {
        let buffered = Mutex::default();
        Buffered(Arc::new(Inner { below, is_flushed: AtomicBool::new(false), buffered }))
    }

    /// Writes all that was buffered, with its syncs, in the order in which it came: a crash on the way
    /// leaves what it would have left without holding. From then on nothing is buffered.
    ///
    /// # Errors
    /// If the backend refuses. What follows is buffered for ever then.
    pub(super) fn flush(&self) -> io::Result<()> {
        if let Some(mut buffered) = self.buffered() {
            buffered.flush(&self.0.below)?;
            self.0.is_flushed.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// What is buffered, or `None` if nothing is any more.
    fn buffered(&self) -> Option<MutexGuard<'_, PendingWrites>> {
        let is_flushed = || self.0.is_flushed.load(Ordering::Acquire);
        if is_flushed() {
            return None;
        }
        let buffered = self.0.buffered.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        (!is_flushed()).then_some(buffered)
    }
}

impl<B: StorageBackend> StorageBackend for Buffered<B> {
    fn len(&self) -> io::Result<u64> {
        let below = &self.0.below;
        self.buffered().map_or_else(|| below.len(), |buffered| buffered.length(below))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let below = &self.0.below;
        match self.buffered() {
            Some(buffered) => buffered.read(below, offset, out),
            None => below.read(offset, out),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let below = &self.0.below;
        match self.buffered() {
            Some(mut buffered) => buffered.set_length(below, length),
            None => below.set_len(length),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.buffered() {
            Some(mut buffered) => {
                buffered.sync();
                Ok(())
            }
            None => self.0.below.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let below = &self.0.below;
        match self.buffered() {
            Some(mut buffered) => buffered.write(below, offset, data),
            None => below.write(offset, data),
        }
    }

    fn close(&self) -> io::Result<()> {
        self.0.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.below.query_lock_range(start, end)
    }
}

impl<B> Clone for Buffered<B> {
    /// Another handle to the same.
    fn clone(&self) -> Buffered<B> {
        Buffered(self.0.clone())
    }
}

impl<B: fmt::Debug> fmt::Debug for Buffered<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.below.fmt(f)
    }
}
