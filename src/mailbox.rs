//! What other threads leave for an executor, which takes it between two rounds.

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;

use crossbeam_queue::SegQueue;
use futures::task::AtomicWaker;

use crate::panics;

/// A queue that any thread may add to without waiting, and whose owner is woken.
pub(crate) struct Mailbox<T> {
    queue: SegQueue<T>,
    owner: AtomicWaker,
    is_closed: AtomicBool,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Self {
        let (queue, owner) = (SegQueue::new(), AtomicWaker::new());
        Self { queue, owner, is_closed: AtomicBool::new(false) }
    }

    /// Leaves something, and wakes the owner. What is left behind the end of the owner is dropped.
    pub(crate) fn post(&self, letter: T) {
        self.queue.push(letter);
        if self.is_closed.load(Ordering::SeqCst) {
            self.empty();
        }
        self.owner.wake();
    }

    /// Has `waker` woken by the next [`post`](Self::post). Look once more before you wait. It is one of ours: a
    /// panic of another's would be one of whoever posts, and may leave its place taken for ever.
    pub(crate) fn register(&self, waker: &Waker) {
        self.owner.register(waker);
    }

    /// How much is in it now.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The oldest of what was left.
    pub(crate) fn take(&self) -> Option<T> {
        // `pop` on an empty queue costs a fence, `is_empty` two loads.
        if self.queue.is_empty() { None } else { self.queue.pop() }
    }

    /// The owner is gone.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.empty();
    }

    fn empty(&self) {
        while let Some(letter) = self.queue.pop() {
            panics::aside(|| drop(letter));
        }
    }
}
