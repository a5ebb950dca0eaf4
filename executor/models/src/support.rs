//! What the models are made with.

use std::sync::Arc;
use std::task::{Wake, Waker};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread::JoinHandle;

use crate::id::TaskId;

pub(crate) const TASK: TaskId = TaskId { number: 7, index: 1 };
pub(crate) const OTHER: TaskId = TaskId { number: 8, index: 1 };

/// Runs a model of two threads in every order there is.
pub(crate) fn check(model: impl Fn() + Sync + Send + 'static) {
    loom::model::Builder::new().check(model);
}

/// Runs a model of three threads in every order in which at most three times one of them is
/// interrupted: all of them would take hours, and what goes wrong does with fewer.
pub(crate) fn check_three(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Waits for threads, and panics if one of them did.
pub(crate) fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().expect("it only wakes"));
}

/// Counts its wakes.
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> Arc<Wakes> {
        Arc::new(Wakes(AtomicUsize::new(0)))
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a thread did before it woke somebody; whoever is polled for it must see it.
#[derive(Clone)]
pub(crate) struct Done(Arc<AtomicUsize>);

impl Done {
    pub(crate) fn new() -> Done {
        Done(Arc::new(AtomicUsize::new(0)))
    }

    pub(crate) fn set(&self) {
        self.0.store(1, Ordering::Relaxed);
    }

    pub(crate) fn is_seen(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}
