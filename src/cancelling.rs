//! Whether a run was asked to end, and who in it waits for that.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::Waker;

use crate::record::CancelCause;

/// Of one run.
#[derive(Default)]
pub(crate) struct Cancelling {
    /// The first request counts, but for one that terminates.
    cause: Cell<Option<CancelCause>>,
    /// The commit that told it to end at once.
    terminated: Cell<Option<u64>>,
    /// Whether any of its code was told.
    is_seen: Cell<bool>,
    /// Who waits to be told, in the order in which they began to.
    waiting: RefCell<BTreeMap<u64, Waker>>,
    next: Cell<u64>,
    /// How many futures are awaited that no cancel may drop.
    shields: Cell<u32>,
}

impl Cancelling {
    pub(crate) fn is_asked(&self) -> bool {
        self.cause.get().is_some()
    }

    pub(crate) fn cause(&self) -> Option<CancelCause> {
        self.cause.get()
    }

    /// The run is asked to end: gives whom to wake, in their order. Until they are ready or dropped
    /// they wait.
    pub(crate) fn ask(&self, cause: CancelCause) -> Vec<Waker> {
        self.cause.set(self.cause.get().or(Some(cause)));
        self.waiting.borrow().values().cloned().collect()
    }

    pub(crate) fn terminate(&self, commit: u64) {
        self.terminated.set(Some(commit));
    }

    pub(crate) fn terminated(&self) -> Option<u64> {
        self.terminated.get()
    }

    /// The cause, if there is one, for code that is told of it.
    pub(crate) fn see(&self) -> Option<CancelCause> {
        let cause = self.cause.get();
        self.is_seen.set(self.is_seen.get() || cause.is_some());
        cause
    }

    /// The number of a future that will wait to be told.
    pub(crate) fn next_waiter(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    pub(crate) fn wait(&self, waiter: u64, waker: Waker) {
        let _before = self.waiting.borrow_mut().insert(waiter, waker);
    }

    pub(crate) fn forget(&self, waiter: u64) {
        let _waker = self.waiting.borrow_mut().remove(&waiter);
    }

    pub(crate) fn shield(&self) {
        self.shields.set(self.shields.get() + 1);
    }

    pub(crate) fn unshield(&self) {
        self.shields.set(self.shields.get() - 1);
    }

    /// Whether something in the run waits to be told, or must not be dropped.
    pub(crate) fn is_awaited(&self) -> bool {
        self.shields.get() > 0 || !self.waiting.borrow().is_empty()
    }

    /// Why a quiescent run is dropped, if it is: it was asked to end, and none of its code has looked or is
    /// going to.
    pub(crate) fn drops(&self) -> Option<CancelCause> {
        self.cause().filter(|_| !self.is_seen.get() && !self.is_awaited())
    }
}
