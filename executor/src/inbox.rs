//! Where wakes arrive, from any thread, and whom they rouse.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering, fence};
use core::task::Waker;

use crossbeam_queue::SegQueue;
use futures::task::AtomicWaker;

use crate::gate::Gate;
use crate::id::TaskId;

/// The only part of an executor that other threads touch.
pub(crate) struct Inbox {
    /// `None`: every wake is let in.
    pub(crate) gate: Option<Arc<dyn Gate>>,
    queue: SegQueue<TaskId>,
    /// Whether `sleeper` waits to be roused, so that a wake costs one load while nobody sleeps.
    sleeping: AtomicBool,
    sleeper: AtomicWaker,
}

impl Inbox {
    pub(crate) fn new(gate: Option<Arc<dyn Gate>>) -> Inbox {
        Inbox {
            gate,
            queue: SegQueue::new(),
            sleeping: AtomicBool::new(false),
            sleeper: AtomicWaker::new(),
        }
    }

    /// Leaves a woken task here.
    pub(crate) fn put(&self, id: TaskId) {
        self.queue.push(id);
        // Pairs with the fence in `sleep`: of a thread that puts and then looks for a sleeper,
        // and one that lies down and then looks for tasks, at least one sees the other.
        fence(Ordering::SeqCst);
        self.rouse();
    }

    /// Wakes the sleeper, once. Runs a foreign waker: hold no borrow.
    pub(crate) fn rouse(&self) {
        if self.sleeping.load(Ordering::Relaxed) && self.sleeping.swap(false, Ordering::AcqRel) {
            self.sleeper.wake();
        }
    }

    /// The oldest task left here.
    pub(crate) fn take(&self) -> Option<TaskId> {
        // `pop` on an empty queue costs a fence, `is_empty` two loads.
        if self.queue.is_empty() { None } else { self.queue.pop() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Has `waker` roused by the next `put`; look at the queues once more before sleeping.
    pub(crate) fn sleep(&self, waker: &Waker) {
        self.sleeper.register(waker);
        self.sleeping.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Whether a sleeper is still to be roused.
    pub(crate) fn is_sleeping(&self) -> bool {
        self.sleeping.load(Ordering::Relaxed)
    }

    /// Nobody needs to be roused any more.
    pub(crate) fn stay_awake(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }
}
