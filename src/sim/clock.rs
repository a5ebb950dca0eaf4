use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use crate::clock::{Clock, Timestamp};

/// A clock that moves only when nothing else can: a sleep of a year takes no time at all.
///
/// Its clones are one clock.
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
    sleeps: Cell<u64>,
    sleepers: RefCell<BTreeMap<(Timestamp, u64), Waker>>,
}

/// A wait for a virtual time; see [`VirtualClock::sleep`].
#[derive(Debug)]
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct VirtualSleep {
    shared: Rc<Shared>,
    key: (Timestamp, u64),
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
        let (sleeps, sleepers) = (Cell::new(0), RefCell::default());
        Self { shared: Rc::new(Shared { now: Cell::new(now), sleeps, sleepers }) }
    }

    /// Waits for a while of virtual time: for bodies and the main future, not for workflows.
    pub fn sleep(&self, duration: Duration) -> VirtualSleep {
        let number = self.shared.sleeps.replace(self.shared.sleeps.get() + 1);
        let key = (self.shared.now.get() + duration, number);
        VirtualSleep { shared: self.shared.clone(), key }
    }

    /// Moves the time forward to `time`, and wakes whom that concerns.
    pub fn set(&self, time: Timestamp) {
        self.shared.now.set(time.max(self.shared.now.get()));
        while let Some(waker) = self.shared.next_due() {
            waker.wake();
        }
    }
}

impl Shared {
    fn next_due(&self) -> Option<Waker> {
        let mut sleepers = self.sleepers.borrow_mut();
        let first = sleepers.first_entry()?;
        (first.key().0 <= self.now.get()).then(|| first.remove())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.shared.now.get()
    }

    fn skip_to(&self, until: Option<Timestamp>) -> bool {
        let sleeper = self.shared.sleepers.borrow().first_key_value().map(|(key, _)| key.0);
        let Some(next) = sleeper.into_iter().chain(until).min() else { return false };
        self.set(next);
        true
    }
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.key.0 <= self.shared.now.get() {
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
