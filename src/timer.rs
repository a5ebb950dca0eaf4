//! Timers: those of runs, which are recorded when they fire, and those of bodies, which are not.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use dacapo_store::RunKey;

use crate::clock::{Clock, Timestamp};
use crate::record::Number;

/// A run's timer. The derived order is the order of firing: by deadline, then by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RunTimer {
    pub(crate) deadline: Timestamp,
    pub(crate) run: RunKey,
    pub(crate) number: Number,
}

/// All timers of an executor, and its time.
pub(crate) struct Timers {
    pub(crate) clock: Rc<dyn Clock>,
    runs: RefCell<BTreeSet<RunTimer>>,
    /// The runs that are out of memory, by when they go on by themselves.
    returns: RefCell<BTreeSet<(Timestamp, RunKey)>>,
    /// Bodies that wait, by deadline and number of registration. Their deadlines are in the clock's
    /// own time, which may go back: what a run remembers of a clock that was wrong is not theirs.
    bodies: RefCell<BTreeMap<(Timestamp, u64), Waker>>,
    registered: Cell<u64>,
    now: Cell<Timestamp>,
    /// The clock's own time as of the last advance.
    clock_now: Cell<Timestamp>,
}

impl Timers {
    /// Those of an executor whose store was last written at `last_commit`.
    pub(crate) fn new(clock: Rc<dyn Clock>, last_commit: Timestamp) -> Rc<Self> {
        Rc::new(Self {
            clock,
            runs: RefCell::default(),
            returns: RefCell::default(),
            bodies: RefCell::default(),
            registered: Cell::default(),
            now: Cell::new(last_commit),
            clock_now: Cell::default(),
        })
    }

    pub(crate) fn add(&self, timer: RunTimer) {
        self.runs.borrow_mut().insert(timer);
    }

    pub(crate) fn remove(&self, timer: &RunTimer) {
        self.runs.borrow_mut().remove(timer);
    }

    /// Forgets the timers of all runs: nothing of them goes on.
    pub(crate) fn forget_runs(&self) {
        self.runs.take();
        self.returns.take();
    }

    /// A run leaves memory until `at`.
    pub(crate) fn add_return(&self, at: Timestamp, run: RunKey) {
        self.returns.borrow_mut().insert((at, run));
    }

    /// Many that were found asleep.
    pub(crate) fn add_returns(&self, mut asleep: Vec<(Timestamp, RunKey)>) {
        let mut returns = self.returns.borrow_mut();
        asleep.extend(returns.iter());
        // A tree that is made at once has full nodes.
        *returns = asleep.into_iter().collect();
    }

    /// Whether a run is out of memory until `at`.
    pub(crate) fn has_return(&self, at: Timestamp, run: RunKey) -> bool {
        self.returns.borrow().contains(&(at, run))
    }

    pub(crate) fn remove_return(&self, at: Timestamp, run: RunKey) {
        self.returns.borrow_mut().remove(&(at, run));
    }

    /// The next run that is out of memory and due, by the time and its key.
    pub(crate) fn next_return(&self) -> Option<(Timestamp, RunKey)> {
        self.returns.borrow().first().copied().filter(|(at, _)| *at <= self.now.get())
    }

    /// Moves the time forward, and never back, and wakes the bodies that are due.
    pub(crate) fn advance(&self) {
        self.clock_now.set(self.clock.now());
        self.now.set(self.now.get().max(self.clock_now.get()));
        while let Some(waker) = self.next_due_body() {
            waker.wake();
        }
    }

    /// How long it is from this moment to the next timer of any kind; `None`: there is none.
    #[cfg(feature = "std")]
    pub(crate) fn wait(&self) -> Option<Duration> {
        let clock_now = self.clock.now();
        let run = self.next_run_deadline();
        // What is due by the time of the runs is due, though the clock may have gone back since.
        let run = run.map(|deadline| match deadline <= self.now.get() {
            true => Duration::ZERO,
            false => deadline.since(clock_now),
        });
        let body = self.next_body_deadline().map(|deadline| deadline.since(clock_now));
        run.into_iter().chain(body).min()
    }

    fn next_due_body(&self) -> Option<Waker> {
        let mut bodies = self.bodies.borrow_mut();
        let first = bodies.first_entry()?;
        (first.key().0 <= self.clock_now.get()).then(|| first.remove())
    }

    /// Takes the next run's timer that is due, in the order of firing.
    pub(crate) fn next_due(&self) -> Option<RunTimer> {
        let mut runs = self.runs.borrow_mut();
        let is_due = runs.first()?.deadline <= self.now.get();
        is_due.then(|| runs.pop_first()).flatten()
    }

    /// When the next timer of any kind is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.next_run_deadline().into_iter().chain(self.next_body_deadline()).min()
    }

    fn next_run_deadline(&self) -> Option<Timestamp> {
        let timer = self.runs.borrow().first().map(|timer| timer.deadline);
        // What only something from outside brings back is nothing to wait for.
        let back = self.returns.borrow().first().map(|&(at, _)| at);
        let back = back.filter(|at| *at != Timestamp::NEVER);
        timer.into_iter().chain(back).min()
    }

    fn next_body_deadline(&self) -> Option<Timestamp> {
        self.bodies.borrow().first_key_value().map(|(&(deadline, _), _)| deadline)
    }

    /// The time as of the last [`advance`](Self::advance).
    pub(crate) fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// A wait of a body, which begins at this moment.
    pub(crate) fn sleep(self: &Rc<Self>, duration: Duration) -> BodyTimer {
        let number = self.registered.replace(self.registered.get() + 1);
        BodyTimer { timers: self.clone(), key: (self.clock.now() + duration, number) }
    }
}

/// See [`Timers::sleep`].
pub(crate) struct BodyTimer {
    timers: Rc<Timers>,
    key: (Timestamp, u64),
}

impl Future for BodyTimer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.key.0 <= self.timers.clock.now() {
            return Poll::Ready(());
        }
        let _replaced = self.timers.bodies.borrow_mut().insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for BodyTimer {
    fn drop(&mut self) {
        let _removed = self.timers.bodies.borrow_mut().remove(&self.key);
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    /// A clock that is read from outside.
    struct Read(Rc<Cell<u64>>);

    impl Clock for Read {
        fn now(&self) -> Timestamp {
            Timestamp::from_nanos(self.0.get())
        }
    }

    /// The time of runs stands still while a clock is behind, so a short sleep waits for the clock:
    /// its own length would be waited for again and again.
    #[test]
    fn a_clock_that_was_set_back_is_waited_for() {
        let clock = Rc::new(Cell::new(60_000));
        let timers = Timers::new(Rc::new(Read(clock.clone())), Timestamp::default());
        timers.advance();
        let number = Number { task: 0, local: 1 };
        timers.add(RunTimer { deadline: Timestamp::from_nanos(60_001), run: RunKey(1), number });
        clock.set(10_000);
        timers.advance();
        assert_eq!(timers.wait(), Some(Duration::from_nanos(50_001)));
        clock.set(60_001);
        timers.advance();
        clock.set(10_000);
        assert_eq!(timers.wait(), Some(Duration::ZERO), "it is due, whatever the clock says since");
    }
}
