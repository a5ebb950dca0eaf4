//! Where wakes arrive, from any thread, and whom they rouse.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU8, Ordering};
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
    /// [`MAIL`] and [`SLEEPING`], in one place: one load tells that there is nothing to do.
    notes: AtomicU8,
    sleeper: AtomicWaker,
}

/// The queue may hold something.
const MAIL: u8 = 1;
/// `sleeper` waits to be roused.
const SLEEPING: u8 = 2;

impl Inbox {
    pub(crate) fn new(gate: Option<Arc<dyn Gate>>) -> Inbox {
        Inbox { gate, queue: SegQueue::new(), notes: AtomicU8::new(0), sleeper: AtomicWaker::new() }
    }

    /// Leaves a woken task here.
    pub(crate) fn put(&self, id: TaskId) {
        self.queue.push(id);
        // Of a thread that puts and one that lies down, whichever writes the notes second sees
        // what the other wrote.
        if self.notes.fetch_or(MAIL, Ordering::AcqRel) & SLEEPING != 0 {
            self.rouse();
        }
    }

    /// Whether there is neither mail nor a sleeper.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.notes.load(Ordering::Relaxed) == 0
    }

    /// Wakes the sleeper, once. Runs a foreign waker: hold no borrow.
    pub(crate) fn rouse(&self) {
        if self.is_sleeping() && self.notes.fetch_and(!SLEEPING, Ordering::AcqRel) & SLEEPING != 0 {
            self.sleeper.wake();
        }
    }

    /// Moves all that was left here to the tail of `ready`.
    pub(crate) fn empty_into(&self, ready: &mut VecDeque<TaskId>) {
        if self.has_mail() {
            // Before the queue is emptied: what comes in meanwhile is noted again.
            self.notes.fetch_and(!MAIL, Ordering::AcqRel);
            while let Some(woken) = self.queue.pop() {
                ready.push_back(woken);
            }
        }
    }

    pub(crate) fn has_mail(&self) -> bool {
        self.notes.load(Ordering::Relaxed) & MAIL != 0
    }

    /// Has `waker` roused by the next `put`; look at the queues once more before sleeping.
    pub(crate) fn sleep(&self, waker: &Waker) {
        self.sleeper.register(waker);
        self.notes.fetch_or(SLEEPING, Ordering::AcqRel);
    }

    /// Whether a sleeper is still to be roused.
    pub(crate) fn is_sleeping(&self) -> bool {
        self.notes.load(Ordering::Relaxed) & SLEEPING != 0
    }

    /// Nobody needs to be roused any more.
    pub(crate) fn stay_awake(&self) {
        self.notes.fetch_and(!SLEEPING, Ordering::Relaxed);
    }
}
