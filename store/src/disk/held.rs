use alloc::sync::Arc;
use core::fmt;
use core::ops::Bound;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use redb::{BackendError, StorageBackend};

use super::writes::Writes;

/// A backend whose writes are held in memory until they are [released](Held::release).
///
/// redb writes to a file as soon as it opens it, and more if it has to repair it; whether the file
/// can be used is known when the store, and the engine above it, have read it. So one that is
/// refused is left as it was, whatever redb did to it meanwhile, closing it included.
pub(super) struct Held<B>(Arc<Inner<B>>);

struct Inner<B> {
    below: B,
    /// Set once, when nothing is held any more.
    is_released: AtomicBool,
    held: Mutex<Writes>,
}

impl<B: StorageBackend> Held<B> {
    pub(super) fn new(below: B) -> Held<B> {
        let held = Mutex::default();
        Held(Arc::new(Inner { below, is_released: AtomicBool::new(false), held }))
    }

    /// Writes all that was held, with its syncs, in the order in which it came: a crash on the way
    /// leaves what it would have left without holding. From then on nothing is held.
    ///
    /// # Errors
    /// If the backend refuses. What follows is held for ever then.
    pub(super) fn release(&self) -> io::Result<()> {
        if let Some(mut held) = self.held() {
            held.carry_out(&self.0.below)?;
            self.0.is_released.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// What is held, or `None` if nothing is any more.
    fn held(&self) -> Option<MutexGuard<'_, Writes>> {
        let is_released = || self.0.is_released.load(Ordering::Acquire);
        if is_released() {
            return None;
        }
        let held = self.0.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        (!is_released()).then_some(held)
    }
}

impl<B: StorageBackend> StorageBackend for Held<B> {
    fn len(&self) -> io::Result<u64> {
        let below = &self.0.below;
        self.held().map_or_else(|| below.len(), |held| held.length(below))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let below = &self.0.below;
        match self.held() {
            Some(held) => held.read(below, offset, out),
            None => below.read(offset, out),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let below = &self.0.below;
        match self.held() {
            Some(mut held) => held.set_length(below, length),
            None => below.set_len(length),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.held() {
            Some(mut held) => {
                held.sync();
                Ok(())
            }
            None => self.0.below.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let below = &self.0.below;
        match self.held() {
            Some(mut held) => held.write(below, offset, data),
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

impl<B> Clone for Held<B> {
    /// Another handle to the same.
    fn clone(&self) -> Held<B> {
        Held(self.0.clone())
    }
}

impl<B: fmt::Debug> fmt::Debug for Held<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.below.fmt(f)
    }
}
