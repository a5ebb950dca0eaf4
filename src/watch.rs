//! Where futures wait for something that a commit brings: that a start is accepted, that a run ends.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, OnceCell, RefCell};
use core::task::{Context, Poll, Waker};

use crate::error::{Error, Result};
use crate::record::Outcome;

/// What becomes of one run, for all who wait for it.
#[derive(Default)]
pub(crate) struct Watch {
    /// Whether the start is committed, or never will be.
    accepted: OnceCell<Result<()>>,
    ended: OnceCell<Result<Outcome<'static>>>,
    /// By the number of the future that waits.
    waiting: RefCell<BTreeMap<u64, Waker>>,
    next: Cell<u64>,
}

/// A future's part in a [`Watch`]: when it is dropped its waker is.
pub(crate) struct Waiting {
    watch: Rc<Watch>,
    number: u64,
}

impl Watch {
    /// Of a run whose start is committed.
    pub(crate) fn accepted() -> Rc<Self> {
        let watch = Rc::<Self>::default();
        watch.accept();
        watch
    }

    /// Of a run that has ended, or of which nothing is to be expected.
    pub(crate) fn ended(ended: Result<Outcome<'static>>) -> Rc<Self> {
        let watch = Rc::<Self>::default();
        watch.end(ended);
        watch
    }

    pub(crate) fn accept(&self) {
        self.tell(Ok(()));
    }

    /// What was asked for is committed, or why it is not.
    pub(crate) fn tell(&self, told: Result<()>) {
        if self.accepted.set(told).is_ok() {
            self.wake();
        }
    }

    /// Ends the wait: with the recorded outcome, or with why there is none.
    pub(crate) fn end(&self, ended: Result<Outcome<'static>>) {
        let _ = self.accepted.set(ended.as_ref().map(|_| ()).map_err(Error::clone));
        if self.ended.set(ended).is_ok() {
            self.wake();
        }
    }

    fn wake(&self) {
        self.waiting.take().into_values().for_each(Waker::wake);
    }
}

impl Waiting {
    pub(crate) fn new(watch: Rc<Watch>) -> Self {
        let number = watch.next.replace(watch.next.get() + 1);
        Self { watch, number }
    }

    /// Waits for the same run.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.watch.clone())
    }

    pub(crate) fn poll_accepted(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.poll(|watch| &watch.accepted, cx)
    }

    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<Result<Outcome<'static>>> {
        self.poll(|watch| &watch.ended, cx)
    }

    fn poll<T: Clone>(&self, cell: fn(&Watch) -> &OnceCell<T>, cx: &Context<'_>) -> Poll<T> {
        if let Some(value) = cell(&self.watch).get() {
            return Poll::Ready(value.clone());
        }
        // Foreign wakers are cloned and dropped while nothing is borrowed.
        let waker = cx.waker().clone();
        let _before = self.watch.waiting.borrow_mut().insert(self.number, waker);
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _waker = self.watch.waiting.borrow_mut().remove(&self.number);
    }
}
