//! Events, queues and locks as asyncio has them, line for line, over futures of our own: what is
//! compared is the order of the executor.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// An `asyncio.Future` as these use them: completed once, awaited by one task.
#[derive(Clone, Default)]
pub(crate) struct Waiter(Rc<WaiterState>);

#[derive(Default)]
struct WaiterState {
    done: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Waiter {
    pub(crate) fn complete(&self) {
        self.0.done.set(true);
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }

    fn is_done(&self) -> bool {
        self.0.done.get()
    }
}

impl Future for Waiter {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_done() {
            return Poll::Ready(());
        }
        self.0.waker.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

/// Those who wait, the first in front.
#[derive(Default)]
struct Line(RefCell<VecDeque<Waiter>>);

impl Line {
    /// Waits at the end of the line. If the wait is given up, `pass_on` is called, with whether the
    /// wake had come already: what asyncio does at the victim's next turn.
    async fn stand(&self, pass_on: impl Fn(bool)) {
        let waiter = Waiter::default();
        self.0.borrow_mut().push_back(waiter.clone());
        let mut place = Place { line: self, waiter: waiter.clone(), pass_on: Some(pass_on) };
        waiter.await;
        place.pass_on = None;
    }

    fn first(&self) -> Option<Waiter> {
        self.0.borrow().front().cloned()
    }

    /// Takes out the first, and completes it: `Queue._wakeup_next`.
    fn wake_next(&self) {
        let first = self.0.borrow_mut().pop_front();
        first.iter().for_each(Waiter::complete);
    }
}

/// A place in a line, left when it is dropped.
struct Place<'a, F: Fn(bool)> {
    line: &'a Line,
    waiter: Waiter,
    /// `None` when the wait is over.
    pass_on: Option<F>,
}

impl<F: Fn(bool)> Drop for Place<'_, F> {
    fn drop(&mut self) {
        self.line.0.borrow_mut().retain(|other| !Rc::ptr_eq(&other.0, &self.waiter.0));
        if let Some(pass_on) = &self.pass_on {
            pass_on(self.waiter.is_done());
        }
    }
}

/// `asyncio.Event`.
#[derive(Default)]
pub(crate) struct Event {
    set: Cell<bool>,
    line: Line,
}

impl Event {
    pub(crate) async fn wait(&self) {
        if !self.set.get() {
            self.line.stand(|_| ()).await;
        }
    }

    pub(crate) fn set(&self) {
        if self.set.replace(true) {
            return;
        }
        let waiters = self.line.0.borrow().clone();
        waiters.iter().filter(|waiter| !waiter.is_done()).for_each(Waiter::complete);
    }

    pub(crate) fn clear(&self) {
        self.set.set(false);
    }
}

/// `asyncio.Lock`.
#[derive(Default)]
pub(crate) struct Lock {
    locked: Cell<bool>,
    line: Line,
}

impl Lock {
    pub(crate) async fn acquire(&self) {
        if !self.locked.get() && self.line.first().is_none() {
            self.locked.set(true);
            return;
        }
        let pass_on = |_| {
            if !self.locked.get() {
                self.wake_first();
            }
        };
        self.line.stand(pass_on).await;
        self.locked.set(true);
    }

    pub(crate) fn release(&self) {
        assert!(self.locked.replace(false), "only the holder releases a lock");
        self.wake_first();
    }

    /// Completes the first, who stays in the line until its turn: nobody is to pass it.
    fn wake_first(&self) {
        if let Some(first) = self.line.first().filter(|first| !first.is_done()) {
            first.complete();
        }
    }
}

/// `asyncio.Queue`; its capacity is without bound if it is 0.
#[derive(Default)]
pub(crate) struct Queue {
    capacity: usize,
    items: RefCell<VecDeque<usize>>,
    getters: Line,
    putters: Line,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Queue {
        Queue { capacity, ..Queue::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.borrow().is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.capacity > 0 && self.items.borrow().len() >= self.capacity
    }

    pub(crate) async fn put(&self, item: usize) {
        while self.is_full() {
            let pass_on = |woken| {
                if woken && !self.is_full() {
                    self.putters.wake_next();
                }
            };
            self.putters.stand(pass_on).await;
        }
        self.put_nowait(item);
    }

    pub(crate) fn put_nowait(&self, item: usize) {
        assert!(!self.is_full(), "the queue is full");
        self.items.borrow_mut().push_back(item);
        self.getters.wake_next();
    }

    pub(crate) async fn get(&self) -> usize {
        while self.is_empty() {
            let pass_on = |woken| {
                if woken && !self.is_empty() {
                    self.getters.wake_next();
                }
            };
            self.getters.stand(pass_on).await;
        }
        self.get_nowait()
    }

    pub(crate) fn get_nowait(&self) -> usize {
        let item = self.items.borrow_mut().pop_front().expect("the queue is empty");
        self.putters.wake_next();
        item
    }
}
