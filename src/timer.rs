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
use crate::panics::Caught;
use crate::record::Number;

/// A run's timer. The derived order is the order of firing: by deadline, then by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RunTimer {
    pub(crate) deadline: Timestamp,
    pub(crate) run: RunKey,
    pub(crate) number: Number,
}

/// All timers of an executor, and its two times.
///
/// The time of runs is what the wall clock shows, and never goes back: it decides when deadlines of
/// runs are due, and stands in histories. What lasts without being recorded is measured in monotonic
/// time.
pub(crate) struct Timers {
    clock: Rc<dyn Clock>,
    caught: Rc<Caught>,
    runs: RefCell<BTreeSet<RunTimer>>,
    /// The runs that are out of memory, by when they go on by themselves.
    returns: RefCell<BTreeSet<(Timestamp, RunKey)>>,
    /// When a run that waits in a queue may be admitted by the time alone.
    next_admission: Cell<Option<Timestamp>>,
    /// Bodies that wait, by deadline in monotonic time and number of registration.
    bodies: RefCell<BTreeMap<(Duration, u64), Waker>>,
    registered: Cell<u64>,
    /// The time of runs as of the last advance.
    now: Cell<Timestamp>,
    /// A moment in both times, from which the time of runs goes on if the wall clock turns out to be
    /// behind.
    anchor: Cell<Option<(Timestamp, Duration)>>,
    /// Whether the wall clock is behind, and that was told.
    is_behind: Cell<bool>,
    /// What the clocks showed when they were read last.
    read_wall: Cell<Timestamp>,
    read_monotonic: Cell<Duration>,
}

impl Timers {
    /// By less than this a wall clock may be behind without a word: clocks are corrected all the time.
    const TOLERANCE: Duration = Duration::from_secs(1);

    /// Those of an executor whose store was last written at `last_commit`.
    pub(crate) fn new(
        clock: Rc<dyn Clock>,
        last_commit: Timestamp,
        caught: Rc<Caught>,
    ) -> Rc<Self> {
        Rc::new(Self {
            clock,
            caught,
            runs: RefCell::default(),
            returns: RefCell::default(),
            next_admission: Cell::default(),
            bodies: RefCell::default(),
            registered: Cell::default(),
            now: Cell::new(last_commit),
            anchor: Cell::default(),
            is_behind: Cell::default(),
            read_wall: Cell::default(),
            read_monotonic: Cell::default(),
        })
    }

    /// Those of a rehearsal: the same clock, and no time.
    pub(crate) fn beside(&self) -> Rc<Self> {
        Self::new(self.clock.clone(), Timestamp::default(), self.caught.clone())
    }

    /// What the wall clock shows.
    fn wall(&self) -> Timestamp {
        let now = self.caught.or(self.read_wall.get(), || self.clock.now());
        self.read_wall.set(now);
        now
    }

    /// Monotonic time, at this moment.
    pub(crate) fn monotonic(&self) -> Duration {
        let now = self.caught.or(self.read_monotonic.get(), || self.clock.monotonic());
        self.read_monotonic.set(now);
        now
    }

    /// The time of runs at this moment; behind its last advance it cannot be.
    pub(crate) fn present(&self) -> Timestamp {
        let (wall, now) = (self.wall(), self.now.get());
        if wall >= now {
            return wall;
        }
        self.anchor
            .get()
            .map_or(now, |(time, at)| now.max(time + self.monotonic().saturating_sub(at)))
    }

    /// By how much the wall clock is behind the time of runs, if that is more than clocks are corrected all the time.
    pub(crate) fn behind(&self) -> Duration {
        let behind = self.present().since(self.wall());
        if behind > Self::TOLERANCE { behind } else { Duration::ZERO }
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
        self.next_admission.set(None);
    }

    /// A run leaves memory until `at`.
    pub(crate) fn add_return(&self, at: Timestamp, run: RunKey) {
        self.returns.borrow_mut().insert((at, run));
    }

    /// A run that waits in a queue may be admitted then.
    pub(crate) fn set_next_admission(&self, at: Option<Timestamp>) {
        self.next_admission.set(at);
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

    /// Moves the time forward, and never back, and wakes the bodies that are due. Gives by how much the
    /// wall clock is behind, once when it comes to be so.
    #[must_use]
    pub(crate) fn advance(&self) -> Option<Duration> {
        let now = self.present();
        self.now.set(now);
        self.wake_bodies();
        if now == self.read_wall.get() {
            // A clock that is right is read once a turn, and the other one only before a wait.
            self.anchor.set(None);
            self.is_behind.set(false);
            return None;
        }
        let behind = now.since(self.read_wall.get());
        self.anchor.set((!behind.is_zero()).then(|| (now, self.monotonic())));
        let is_behind = behind >= Self::TOLERANCE || (self.is_behind.get() && !behind.is_zero());
        let was_told = self.is_behind.replace(is_behind);
        (is_behind && !was_told).then_some(behind)
    }

    /// How long it is from this moment to the next timer of any kind; `None`: there is none.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let (now, monotonic) = (self.present(), self.monotonic());
        self.anchor.set(Some((now, monotonic)));
        let run = self.next_run_deadline().map(|deadline| deadline.since(now));
        let body = self.next_body_deadline().map(|deadline| deadline.saturating_sub(monotonic));
        run.into_iter().chain(body).min()
    }

    fn wake_bodies(&self) {
        if self.bodies.borrow().is_empty() {
            return;
        }
        let monotonic = self.monotonic();
        while let Some(waker) = self.next_due_body(monotonic) {
            waker.wake();
        }
    }

    fn next_due_body(&self, monotonic: Duration) -> Option<Waker> {
        let mut bodies = self.bodies.borrow_mut();
        let first = bodies.first_entry()?;
        (first.key().0 <= monotonic).then(|| first.remove())
    }

    /// Takes the next run's timer that is due, in the order of firing.
    pub(crate) fn next_due(&self) -> Option<RunTimer> {
        let mut runs = self.runs.borrow_mut();
        let is_due = runs.first()?.deadline <= self.now.get();
        is_due.then(|| runs.pop_first()).flatten()
    }

    fn next_run_deadline(&self) -> Option<Timestamp> {
        let timer = self.runs.borrow().first().map(|timer| timer.deadline);
        // What only something from outside brings back is nothing to wait for.
        let back = self.returns.borrow().first().map(|&(at, _)| at);
        let back = back.filter(|at| *at != Timestamp::NEVER);
        timer.into_iter().chain(back).chain(self.next_admission.get()).min()
    }

    fn next_body_deadline(&self) -> Option<Duration> {
        self.bodies.borrow().first_key_value().map(|(&(deadline, _), _)| deadline)
    }

    /// Whether the wall clock is so far behind that it was told.
    pub(crate) fn is_without_a_clock(&self) -> bool {
        self.is_behind.get()
    }

    /// The same, and a run waits for a time.
    pub(crate) fn runs_wait_without_a_clock(&self) -> bool {
        self.is_without_a_clock() && self.next_run_deadline().is_some()
    }

    /// The time as of the last [`advance`](Self::advance).
    pub(crate) fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// A wait of a body, which begins at this moment.
    pub(crate) fn sleep(self: &Rc<Self>, duration: Duration) -> BodyTimer {
        let number = self.registered.replace(self.registered.get() + 1);
        let deadline = self.monotonic().saturating_add(duration);
        BodyTimer { timers: self.clone(), key: (deadline, number) }
    }

    /// Whether the clock skips ahead, by `wait` at the most.
    pub(crate) fn skip(&self, wait: Option<Duration>) -> bool {
        self.clock.skip(wait)
    }
}

/// See [`Timers::sleep`].
pub(crate) struct BodyTimer {
    timers: Rc<Timers>,
    key: (Duration, u64),
}

impl BodyTimer {
    pub(crate) fn is_due(&self) -> bool {
        self.key.0 <= self.timers.monotonic()
    }
}

impl Future for BodyTimer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_due() {
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

    /// Two clocks that are set from outside, in seconds.
    #[derive(Default)]
    struct Set {
        wall: Cell<u64>,
        monotonic: Cell<u64>,
    }

    impl Set {
        fn pass(&self, seconds: u64) {
            self.wall.set(self.wall.get() + seconds);
            self.monotonic.set(self.monotonic.get() + seconds);
        }
    }

    impl Clock for Rc<Set> {
        fn now(&self) -> Timestamp {
            seconds(self.wall.get())
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.monotonic.get())
        }
    }

    fn seconds(seconds: u64) -> Timestamp {
        Timestamp::default() + Duration::from_secs(seconds)
    }

    fn timers(clock: &Rc<Set>, last_commit: u64) -> Rc<Timers> {
        Timers::new(Rc::new(clock.clone()), seconds(last_commit), Rc::default())
    }

    fn sleeper(deadline: u64) -> RunTimer {
        let number = Number { task: 0, local: 1 };
        RunTimer { deadline: seconds(deadline), run: RunKey(1), number }
    }

    /// The last commit was made by a clock that was ten thousand seconds ahead.
    #[test]
    fn time_goes_on_from_the_last_commit() {
        let clock = Rc::new(Set::default());
        clock.pass(60);
        let timers = timers(&clock, 10_060);
        assert_eq!(timers.advance(), Some(Duration::from_secs(10_000)));
        timers.add(sleeper(10_065));
        for passed in 0..5 {
            assert_eq!(timers.wait(), Some(Duration::from_secs(5 - passed)));
            assert_eq!(timers.next_due(), None);
            clock.pass(1);
            assert_eq!(timers.advance(), None, "it was told");
        }
        assert_eq!(timers.next_due(), Some(sleeper(10_065)));
    }

    /// A clock that is set back while a timer runs: it fires when it should have.
    #[test]
    fn a_clock_that_is_set_back() {
        let clock = Rc::new(Set::default());
        clock.pass(1_000);
        let timers = timers(&clock, 0);
        let _told = timers.advance();
        timers.add(sleeper(1_005));
        assert_eq!(timers.wait(), Some(Duration::from_secs(5)));
        clock.pass(2);
        clock.wall.set(100);
        assert_eq!(timers.advance(), Some(Duration::from_secs(902)));
        assert_eq!((timers.now(), timers.wait()), (seconds(1_002), Some(Duration::from_secs(3))));
        clock.pass(3);
        let _told = timers.advance();
        assert_eq!(timers.next_due(), Some(sleeper(1_005)));
        // Set right again, and back once more: it is told again.
        clock.wall.set(2_000);
        assert_eq!(timers.advance(), None);
        clock.wall.set(1_000);
        assert_eq!(timers.advance(), Some(Duration::from_secs(1_000)));
    }

    /// What lasts is not changed by what is done to the wall clock, whether or not it was read.
    #[test]
    fn waits_of_bodies_are_monotonic() {
        for wall in [0, 500, 1_000, 5_000] {
            let clock = Rc::new(Set::default());
            clock.pass(1_000);
            let timers = timers(&clock, 1_000);
            let _told = timers.advance();
            let mut wait = timers.sleep(Duration::from_secs(10));
            let mut poll = || Pin::new(&mut wait).poll(&mut Context::from_waker(Waker::noop()));
            clock.wall.set(wall);
            let _told = timers.advance();
            assert_eq!(poll(), Poll::Pending);
            clock.pass(9);
            let _told = timers.advance();
            assert_eq!((poll(), timers.wait()), (Poll::Pending, Some(Duration::from_secs(1))));
            clock.pass(1);
            let _told = timers.advance();
            assert_eq!(poll(), Poll::Ready(()));
        }
    }

    /// A deadline that a step of the wall clock makes due is due.
    #[test]
    fn a_clock_that_is_set_forward() {
        let clock = Rc::new(Set::default());
        let timers = timers(&clock, 0);
        timers.add(sleeper(3_600));
        assert_eq!(timers.wait(), Some(Duration::from_secs(3_600)));
        clock.wall.set(3_600);
        assert_eq!(timers.wait(), Some(Duration::ZERO));
        let _told = timers.advance();
        assert_eq!(timers.next_due(), Some(sleeper(3_600)));
    }
}
