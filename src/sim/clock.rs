use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::random;

/// A clock that moves only when nothing else can: a sleep of a year takes no time at all.
///
/// Wall and monotonic time go on together, but for a [`jump`](Self::jump). Its clones are one clock.
///
/// It waits for nobody in other threads: under [`spawn`](crate::spawn), or while a caller with a
/// [`Remote`](crate::Remote) thinks, the executor has nothing else to do, and days pass. Drive the executor
/// and all who call it on one thread.
///
/// ```
/// use dacapo::sim::VirtualClock;
/// use dacapo::{Ctx, Executor, Result, Timestamp, Workflow};
/// use std::time::Duration;
///
/// const YEAR: Workflow<(), ()> = Workflow::new("year");
///
/// async fn year(ctx: &Ctx, (): ()) -> Result<()> {
///     ctx.sleep(Duration::from_secs(31_536_000)).await;
///     Ok(())
/// }
///
/// let clock = VirtualClock::new(Timestamp::default());
/// let executor = Executor::builder().workflow(YEAR, year).clock(clock).in_memory();
/// executor.block_on(executor.start(YEAR, "year-1", ())?)?;
/// # Ok::<(), dacapo::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct VirtualClock {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    now: Cell<Timestamp>,
    monotonic: Cell<Duration>,
    sleeps: Cell<u64>,
    /// By monotonic time, and number of the sleep.
    sleepers: RefCell<BTreeMap<(Duration, u64), Waker>>,
}

/// A wait for a virtual time; see [`VirtualClock::sleep`].
#[derive(Debug)]
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct VirtualSleep {
    shared: Rc<Shared>,
    key: (Duration, u64),
}

/// A clock that stands at the beginning of 1970.
impl Default for VirtualClock {
    fn default() -> Self {
        Self::new(Timestamp::default())
    }
}

impl VirtualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let (monotonic, sleeps, sleepers) = (Cell::default(), Cell::new(0), RefCell::default());
        Self { shared: Rc::new(Shared { now: Cell::new(now), monotonic, sleeps, sleepers }) }
    }

    /// Waits for a while of virtual time: for bodies and the main future, not for workflows.
    pub fn sleep(&self, duration: Duration) -> VirtualSleep {
        let number = self.shared.sleeps.replace(self.shared.sleeps.get() + 1);
        let key = (self.shared.monotonic.get().saturating_add(duration), number);
        VirtualSleep { shared: self.shared.clone(), key }
    }

    /// Lets the time pass until the wall clock shows `time`, and wakes whom that concerns.
    pub fn set(&self, time: Timestamp) {
        self.pass(time.since(self.shared.now.get()));
    }

    /// Sets the wall clock, forward or back, as a person or a time server does: no time passes by it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use dacapo::{Clock, Timestamp, sim::VirtualClock};
    ///
    /// let clock = VirtualClock::new(Timestamp::from_nanos(1_000));
    /// clock.jump(Timestamp::from_nanos(10));
    /// assert_eq!((clock.now().as_nanos(), clock.monotonic()), (10, Duration::ZERO));
    /// ```
    pub fn jump(&self, to: Timestamp) {
        self.shared.now.set(to);
    }

    fn pass(&self, time: Duration) {
        self.shared.now.set(self.shared.now.get() + time);
        self.shared.monotonic.set(self.shared.monotonic.get().saturating_add(time));
        while let Some(waker) = self.shared.next_due() {
            waker.wake();
        }
    }
}

impl Shared {
    fn next_due(&self) -> Option<Waker> {
        let mut sleepers = self.sleepers.borrow_mut();
        let first = sleepers.first_entry()?;
        (first.key().0 <= self.monotonic.get()).then(|| first.remove())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.shared.now.get()
    }

    fn monotonic(&self) -> Duration {
        self.shared.monotonic.get()
    }

    fn skip(&self, wait: Option<Duration>) -> bool {
        let sleeper = self.shared.sleepers.borrow().first_key_value().map(|(key, _)| key.0);
        let sleeper = sleeper.map(|until| until.saturating_sub(self.shared.monotonic.get()));
        let Some(next) = sleeper.into_iter().chain(wait).min() else { return false };
        self.pass(next);
        true
    }
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.key.0 <= self.shared.monotonic.get() {
            return Poll::Ready(());
        }
        let _replaced = self.shared.sleepers.borrow_mut().insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for VirtualSleep {
    fn drop(&mut self) {
        let _removed = self.shared.sleepers.borrow_mut().remove(&self.key);
    }
}

/// Has the wall clock be set, as a seed says.
pub(super) struct Jumps {
    seed: u64,
    drawn: Cell<u64>,
}

impl Jumps {
    /// By so many milliseconds.
    const BY: [u64; 4] = [7, 40, 2_000, 86_400_000];

    /// A clock that may be wrong from the beginning.
    pub(super) fn new(seed: u64, clock: &VirtualClock) -> Self {
        let jumps = Self { seed: random::mix(seed, 0xC10C), drawn: Cell::default() };
        jumps.at_times(clock);
        jumps
    }

    /// Sets the clock, one time in four.
    pub(super) fn at_times(&self, clock: &VirtualClock) {
        let draw = random::mix(self.seed, self.drawn.replace(self.drawn.get() + 1));
        let by = Duration::from_millis(Self::BY[(draw >> 8) as usize % Self::BY.len()]);
        match draw % 8 {
            0 => clock.jump(clock.now() + by),
            1 => clock.jump(clock.now().minus(by)),
            _ => {}
        }
    }
}
