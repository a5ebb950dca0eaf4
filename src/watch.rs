//! Where futures wait for something that a commit brings: that a start is accepted, that a run ends.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use core::task::{Context, Poll, Waker};

use dacapo_values::Detached;
use futures::channel::oneshot;

use crate::error::{Error, Failure, Kind, Result};
use crate::panics::{self, Theirs};
use crate::record::Outcome;
use crate::table::Table;
use crate::values::Values;

/// What becomes of one run, for all who wait for it.
#[derive(Default)]
pub(crate) struct Watch {
    /// Whether the start is committed, or never will be.
    accepted: OnceCell<Result<()>>,
    ended: OnceCell<Result<Outcome<'static>>>,
    /// By the number of the future that waits.
    waiting: RefCell<Table<u64, Theirs<Waker>>>,
    next: Cell<u64>,
    /// Those who wait in other threads. Most watches have none.
    far: OnceCell<Box<Crowd<Near>>>,
    /// Those who wait for the same end, and for something else before it.
    beside: OnceCell<Box<Crowd<Rc<Watch>>>>,
}

/// Those who wait in other threads. Those who went are never more than those who are there.
pub(crate) struct Crowd<T>(RefCell<Vec<T>>);

/// One who waits in another thread, and is told there. What nobody waits for there is not told.
#[derive(Default)]
pub(crate) struct Far {
    pub(crate) accepted: Option<oneshot::Sender<Result<()>>>,
    pub(crate) ended: Option<oneshot::Sender<FarEnd>>,
}

/// An [`Outcome`] that may go to another thread.
pub(crate) type FarEnd = Result<core::result::Result<Detached, Failure>>;

/// One of them, on the thread of the executor.
struct Near {
    far: Far,
    /// For what the outcome is read with over there.
    values: Rc<Values>,
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
            let beside = self.beside.get().map(|beside| beside.take());
            for other in beside.into_iter().flatten() {
                self.lead(other);
            }
        }
    }

    /// What it ended with, if it has ended.
    pub(crate) fn known_end(&self) -> Option<&Result<Outcome<'static>>> {
        self.ended.get()
    }

    /// The end of this one is that of another, too.
    pub(crate) fn lead(&self, other: Rc<Watch>) {
        match self.ended.get() {
            Some(ended) => other.end(ended.clone()),
            None => {
                self.beside
                    .get_or_init(Box::default)
                    .add(other, |other| !other.is_led_for_someone());
            }
        }
    }

    /// Whether anybody waits here for the end of another.
    fn is_led_for_someone(self: &Rc<Self>) -> bool {
        Rc::strong_count(self) > 1 || self.is_watched_from_afar()
    }

    fn wake(&self) {
        self.waiting.take().into_values().for_each(|waker| waker.give(Waker::wake));
        // Wakers may be anybody's, so nothing is borrowed while they are called.
        let far = self.far.get().map(|far| far.take());
        for near in far.into_iter().flatten() {
            panics::aside(|| self.tell_far(near.far, &near.values));
        }
    }

    /// Tells one who waits in another thread what is known, and the rest as soon as it is.
    pub(crate) fn tell_far(&self, mut far: Far, values: &Rc<Values>) {
        if let Some(accepted) = self.accepted.get()
            && let Some(teller) = far.accepted.take()
        {
            let _ = teller.send(accepted.clone());
        }
        if let Some(ended) = self.ended.get()
            && let Some(teller) = far.ended.take()
        {
            let detached = |outcome: &Outcome<'_>| match outcome {
                Ok(bytes) => match values.detach(bytes.as_slice()) {
                    Ok(detached) => Ok(Ok(detached)),
                    Err(why) => Err(Error::of(Kind::Store, why)),
                },
                Err(failure) => Ok(Err(failure.clone())),
            };
            let _ = teller.send(ended.as_ref().map_err(Error::clone).and_then(detached));
        }
        if !far.is_deserted() {
            let near = Near { far, values: values.clone() };
            self.far.get_or_init(Box::default).add(near, |near| near.far.is_deserted());
        }
    }

    /// Whether anybody waits in another thread.
    pub(crate) fn is_watched_from_afar(&self) -> bool {
        let is_far = |far: &Crowd<Near>| far.0.borrow().iter().any(|near| !near.far.is_deserted());
        let is_led = |beside: &Crowd<Rc<Watch>>| {
            beside.0.borrow().iter().any(|other| other.is_led_for_someone())
        };
        self.far.get().is_some_and(|far| is_far(far))
            || self.beside.get().is_some_and(|beside| is_led(beside))
    }
}

impl<T> Default for Crowd<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> Crowd<T> {
    /// One more, unless it is gone already.
    pub(crate) fn add(&self, one: T, is_gone: impl Fn(&T) -> bool) {
        if is_gone(&one) {
            return;
        }
        let mut all = self.0.borrow_mut();
        if all.len() == all.capacity() {
            all.retain(|one| !is_gone(one));
            // Room for as many again, so that this costs little for each.
            let room = all.len() + 1;
            all.reserve(room);
        }
        all.push(one);
    }

    /// All of them, some of whom may be gone.
    pub(crate) fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

impl Far {
    /// Whether nobody waits any more.
    fn is_deserted(&self) -> bool {
        self.accepted.as_ref().is_none_or(oneshot::Sender::is_canceled)
            && self.ended.as_ref().is_none_or(oneshot::Sender::is_canceled)
    }

    /// Tells why there is nothing to wait for.
    pub(crate) fn refuse(self, why: &Error) {
        if let Some(accepted) = self.accepted {
            let _ = accepted.send(Err(why.clone()));
        }
        if let Some(ended) = self.ended {
            let _ = ended.send(Err(why.clone()));
        }
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
        let waker = Theirs::new(cx.waker().clone());
        let _before = self.watch.waiting.borrow_mut().replace(self.number, waker);
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _waker = self.watch.waiting.borrow_mut().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients that come and go while a run sleeps leave nothing behind.
    #[test]
    fn those_who_went_are_no_more_than_those_who_are_there() {
        let watch = Watch::default();
        let values = Values::new(&[], 1 << 10, false);
        let far = || {
            let (accepted, receiver) = oneshot::channel();
            (Far { accepted: Some(accepted), ended: None }, receiver)
        };
        let stays: Vec<_> = (0..10)
            .map(|_| {
                let (far, receiver) = far();
                watch.tell_far(far, &values);
                receiver
            })
            .collect();
        for _ in 0..10_000 {
            let (far, receiver) = far();
            watch.tell_far(far, &values);
            drop(receiver);
        }
        let kept = watch.far.get().expect("there were some").0.borrow().capacity();
        assert!(kept <= 64, "{kept} places for {}", stays.len());
        drop(stays);
        assert!(!watch.is_watched_from_afar());
    }
}
