//! Where wakes arrive, from any thread, and who is told of them.
//!
//! A loop that finds nothing to do registers a waker, looks once more, and parks. The two sides
//! meet in one atomic byte:
//!
//! | who | function | what it does |
//! |---|---|---|
//! | any thread | [`push`](Inbox::push) | queue, then set `NONEMPTY`; if `REGISTERED` was set, `notify` |
//! | any thread | [`notify`](Inbox::notify) | clear `REGISTERED`; whoever cleared it wakes the waker |
//! | the executor | [`register`](Inbox::register) | store the waker, then set `REGISTERED`; its caller then looks whether `NONEMPTY` is set |
//! | the executor | [`drain_into`](Inbox::drain_into) | clear `NONEMPTY`, then empty the queue |
//! | the executor | [`deregister`](Inbox::deregister) | clear `REGISTERED` |

use alloc::collections::VecDeque;
use core::task::Waker;

use crate::gate::Gate;
use crate::id::TaskId;
use crate::sync::{Arc, AtomicU8, AtomicWaker, Ordering, SegQueue};

/// Set when the queue may hold something.
///
/// Whoever pushes sets it, after the push; the executor clears it before it empties the queue, so
/// that what comes meanwhile sets it again. It may be set over an empty queue, but no task lies in
/// the queue for long without it: whoever pushed is about to set it.
const NONEMPTY: u8 = 1;

/// Set when the registered waker is still to be woken.
///
/// Only the executor sets it. Whoever clears it has to wake the waker, except the executor, which
/// takes a registration back. It can be set together with `NONEMPTY`: the executor looks for that
/// after it registered.
const REGISTERED: u8 = 2;

/// The only part of an executor that other threads touch.
pub(crate) struct Inbox {
    /// `None`: every wake is admitted.
    pub(crate) gate: Option<alloc::sync::Arc<dyn Gate>>,
    queue: SegQueue<TaskId>,
    /// Both in one place, so that they are in one order for all threads, and one load tells that
    /// there is nothing to do.
    flags: AtomicU8,
    registered: AtomicWaker,
}

impl Inbox {
    pub(crate) fn new(gate: Option<alloc::sync::Arc<dyn Gate>>) -> Arc<Inbox> {
        Arc::new(Inbox {
            gate,
            queue: SegQueue::new(),
            flags: AtomicU8::new(0),
            registered: AtomicWaker::new(),
        })
    }

    /// Queues a woken task.
    pub(crate) fn push(&self, id: TaskId) {
        self.queue.push(id);
        // Of a thread that pushes and a loop that registers, whichever writes its flag second sees
        // the other's.
        if self.flags.fetch_or(NONEMPTY, Ordering::AcqRel) & REGISTERED != 0 {
            self.notify();
        }
    }

    /// Wakes the registered waker, once. It may be anybody's: hold no borrow.
    pub(crate) fn notify(&self) {
        if self.is_registered()
            && self.flags.fetch_and(!REGISTERED, Ordering::AcqRel) & REGISTERED != 0
        {
            self.registered.wake();
        }
    }

    /// Whether it is empty and nobody is to be notified.
    #[inline]
    pub(crate) fn is_clear(&self) -> bool {
        self.flags.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & NONEMPTY == 0
    }

    /// Moves all that is queued here to the tail of `ready`.
    pub(crate) fn drain_into(&self, ready: &mut VecDeque<TaskId>) {
        if !self.is_empty() {
            self.flags.fetch_and(!NONEMPTY, Ordering::AcqRel);
            while let Some(woken) = self.queue.pop() {
                ready.push_back(woken);
            }
        }
    }

    /// Has `waker` woken by the next push. What was pushed before wakes nobody: look whether the
    /// inbox [is empty](Inbox::is_empty) before parking.
    pub(crate) fn register(&self, waker: &Waker) {
        self.registered.register(waker);
        self.flags.fetch_or(REGISTERED, Ordering::AcqRel);
    }

    /// Whether a waker is still to be woken.
    pub(crate) fn is_registered(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & REGISTERED != 0
    }

    /// Nobody is to be woken any more.
    pub(crate) fn deregister(&self) {
        self.flags.fetch_and(!REGISTERED, Ordering::Relaxed);
    }
}
