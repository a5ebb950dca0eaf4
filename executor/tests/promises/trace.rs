//! What the traces are made with.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use dacapo_executor::FifoExecutor;

/// Runs a program until it stalls and compares its trace.
#[track_caller]
pub(crate) fn check(expected: &str, program: impl FnOnce(&FifoExecutor, &Trace)) {
    let executor = FifoExecutor::new();
    let trace = Trace::default();
    program(&executor, &trace);
    executor.run_until_stalled();
    assert_eq!(trace.take(), expected);
}

/// What happened so far.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn log(&self, what: impl Display) {
        self.0.borrow_mut().push(what.to_string());
    }

    pub(crate) fn take(&self) -> String {
        self.0.take().join(" ")
    }

    /// Logs `what` when it is dropped.
    pub(crate) fn on_drop(&self, what: &'static str) -> OnDrop {
        let trace = self.clone();
        on_drop(move || trace.log(what))
    }
}

/// Does something when it is dropped.
pub(crate) struct OnDrop(Option<Box<dyn FnOnce()>>);

pub(crate) fn on_drop(action: impl FnOnce() + 'static) -> OnDrop {
    OnDrop(Some(Box::new(action)))
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.take().expect("dropped once")();
    }
}

/// Wakes those that wait, in the order in which they began to.
#[derive(Clone, Default)]
pub(crate) struct Event(Rc<RefCell<Vec<Waiter>>>);

/// Whether the event was set since, and whom that wakes.
type Waiter = (Rc<Cell<bool>>, Waker);

impl Event {
    /// Waits for the next `set`.
    pub(crate) async fn wait(&self) {
        let mut set: Option<Rc<Cell<bool>>> = None;
        poll_fn(|cx| match &set {
            Some(set) if set.get() => Poll::Ready(()),
            Some(_) => Poll::Pending,
            None => {
                let mine = set.insert(Rc::default()).clone();
                self.0.borrow_mut().push((mine, cx.waker().clone()));
                Poll::Pending
            }
        })
        .await;
    }

    pub(crate) fn set(&self) {
        let waiters = self.0.take();
        for (set, waker) in waiters {
            set.set(true);
            waker.wake();
        }
    }
}

/// The present task's waker.
pub(crate) async fn waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Is pending once, without waking anybody.
pub(crate) async fn pause() {
    let mut paused = false;
    poll_fn(|_| if std::mem::replace(&mut paused, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

/// Counts its wakes.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
