//! What the executor's module of this name has, for loom.
//!
//! Where a part is not one of loom's, it promises the least that the real one does: what holds here
//! holds there.

use std::ops::Deref;
use std::sync::Mutex;
use std::task::Waker;

use loom::sync::atomic::AtomicBool;
pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering, fence};

/// Two numbers to a word, so that four need a second level and eight a third.
pub(crate) const WORD_BITS: usize = 2;

/// Counts as `std`'s does; loom's own tells the count in a way that orders more.
pub(crate) struct Arc<T> {
    count: std::sync::Arc<AtomicUsize>,
    value: std::sync::Arc<T>,
}

impl<T> Arc<T> {
    pub(crate) fn new(value: T) -> Arc<T> {
        Arc { count: std::sync::Arc::new(AtomicUsize::new(1)), value: std::sync::Arc::new(value) }
    }

    pub(crate) fn strong_count(this: &Arc<T>) -> usize {
        this.count.load(Ordering::Relaxed)
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Arc<T> {
        self.count.fetch_add(1, Ordering::Relaxed);
        Arc { count: self.count.clone(), value: self.value.clone() }
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Release);
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A queue with one consumer: a push is ordered before the pop that takes it, and nothing else.
///
/// Whoever pops may not see yet that something was pushed, unless it knows from elsewhere.
pub(crate) struct SegQueue<T> {
    pushed: AtomicUsize,
    popped: std::sync::atomic::AtomicUsize,
    slots: [(AtomicBool, Mutex<Option<T>>); 4],
}

impl<T> SegQueue<T> {
    pub(crate) fn new() -> SegQueue<T> {
        SegQueue {
            pushed: AtomicUsize::new(0),
            popped: Default::default(),
            slots: std::array::from_fn(|_| (AtomicBool::new(false), Mutex::new(None))),
        }
    }

    pub(crate) fn push(&self, value: T) {
        let (is_there, slot) = &self.slots[self.pushed.fetch_add(1, Ordering::Relaxed)];
        *slot.lock().expect("nothing panics under this lock") = Some(value);
        is_there.store(true, Ordering::Release);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        let place = self.popped.load(Ordering::Relaxed);
        if place == self.pushed.load(Ordering::Relaxed) {
            return None;
        }
        let (is_there, slot) = &self.slots[place];
        while !is_there.load(Ordering::Acquire) {
            loom::thread::yield_now();
        }
        self.popped.store(place + 1, Ordering::Relaxed);
        slot.lock().expect("nothing panics under this lock").take()
    }
}

/// A waker under a lock: of a `register` and a `wake` one sees the other, as in the real one.
pub(crate) struct AtomicWaker(loom::sync::Mutex<Option<Waker>>);

impl AtomicWaker {
    pub(crate) fn new() -> AtomicWaker {
        AtomicWaker(loom::sync::Mutex::new(None))
    }

    pub(crate) fn register(&self, waker: &Waker) {
        *self.0.lock().expect("nothing panics under this lock") = Some(waker.clone());
    }

    pub(crate) fn take(&self) -> Option<Waker> {
        self.0.lock().expect("nothing panics under this lock").take()
    }

    pub(crate) fn wake(&self) {
        self.take().into_iter().for_each(Waker::wake);
    }
}
