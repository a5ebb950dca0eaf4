//! Time: what a run calls now, and where it comes from.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time, in nanoseconds since the start of 1970 (UTC); it reaches to the year 2554.
///
/// Histories hold times in this form. Where there is `std`, [`Ctx::now`](crate::Ctx::now) gives a
/// [`std::time::SystemTime`] made from it.
///
/// ```
/// use std::time::Duration;
/// use dacapo::Timestamp;
///
/// let start = Timestamp::from_nanos(1_000);
/// assert_eq!((start + Duration::from_nanos(5)).as_nanos(), 1_005);
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The end of time: what waits until then waits for ever.
    ///
    /// ```
    /// use std::time::Duration;
    /// use dacapo::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_nanos(7) + Duration::MAX, Timestamp::NEVER);
    /// ```
    pub const NEVER: Self = Self(u64::MAX);

    /// The point `nanos` nanoseconds after the start of 1970.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start of 1970.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was, or zero if it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// So long before it, or the start of 1970.
    pub(crate) fn minus(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }

    /// The same in nanoseconds.
    pub(crate) fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl core::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// The time `duration` later; the end of time if that is beyond it.
    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// What [`Ctx::now`](crate::Ctx::now) gives: `SystemTime` where there is `std`.
#[cfg(feature = "std")]
pub(crate) type Now = std::time::SystemTime;

/// What [`Ctx::now`](crate::Ctx::now) gives where there is no `std`.
#[cfg(not(feature = "std"))]
pub(crate) type Now = Timestamp;

impl Timestamp {
    #[cfg(feature = "std")]
    pub(crate) fn to_now(self) -> Now {
        std::time::UNIX_EPOCH + Duration::from_nanos(self.0)
    }

    #[cfg(not(feature = "std"))]
    pub(crate) fn to_now(self) -> Now {
        self
    }

    /// The same back. What lies before 1970 is the start of 1970.
    #[cfg(feature = "std")]
    pub(crate) fn from_now(time: Now) -> Self {
        Self::default() + time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
    }

    #[cfg(not(feature = "std"))]
    pub(crate) fn from_now(time: Now) -> Self {
        time
    }
}

/// Where an executor gets the time: a wall clock and a monotonic one.
///
/// With `std` the system's are used if [`Builder::clock`](crate::Builder::clock) names no other.
///
/// The wall clock says what date it is, and may be set, forward or back. Deadlines are of it: a sleep
/// ends when the wall clock has come so far. A run's own time never goes back. While the wall
/// clock is behind the last commit, because it was ahead for a while or is behind now, the time of runs
/// goes on from that commit as the monotonic clock does, so that a sleep of a second lasts a second;
/// observers are told by [`Notice::ClockBehind`](crate::Notice::ClockBehind).
///
/// Lengths of time that no history holds are measured on the monotonic clock alone: limits of attempts,
/// the waits between them, the grace of a shutdown.
///
/// A panic of either is caught (with `std`) and counts as the time that was read before; see
/// [`Executor::caught_panics`](crate::Executor::caught_panics).
///
/// A clock for tests, which a year of sleep takes no time:
///
/// ```
/// use std::cell::Cell;
/// use std::time::{Duration, Instant};
///
/// use dacapo::{Clock, Ctx, Error, Executor, Result, Timestamp, Workflow};
///
/// #[derive(Default)]
/// struct Skipping(Cell<Duration>);
///
/// impl Clock for Skipping {
///     fn now(&self) -> Timestamp {
///         Timestamp::default() + self.0.get()
///     }
///
///     fn monotonic(&self) -> Duration {
///         self.0.get()
///     }
///
///     fn skip(&self, wait: Option<Duration>) -> bool {
///         self.0.set(self.0.get() + wait.unwrap_or_default());
///         wait.is_some()
///     }
/// }
///
/// const NAP: Workflow<(), ()> = Workflow::new("nap");
/// const YEAR: Duration = Duration::from_secs(365 * 86_400);
///
/// async fn nap(ctx: &Ctx, (): ()) -> Result<()> {
///     ctx.sleep(YEAR).await;
///     Ok(())
/// }
///
/// let start = Instant::now();
/// let executor = Executor::builder().workflow(NAP, nap).clock(Skipping::default()).in_memory();
/// executor.block_on(executor.start(NAP, "nap-1", ())?)?;
/// assert!(start.elapsed() < YEAR);
/// # Ok::<(), Error>(())
/// ```
///
/// The feature `sim` has one ready, which many tasks share: `sim::VirtualClock`.
pub trait Clock {
    /// What the wall clock shows now.
    fn now(&self) -> Timestamp;

    /// The time since some moment, the same one in each call, which never goes back: what is done to
    /// the wall clock does not change it.
    fn monotonic(&self) -> Duration;

    /// Called when nothing can happen for so long (`None`: before something outside does).
    ///
    /// A virtual clock moves both of its times forward, by `wait` at the most, and answers `true`. A
    /// real clock answers `false`, as this method does by default, and the executor waits.
    fn skip(&self, wait: Option<Duration>) -> bool {
        let _ = wait;
        false
    }
}

/// The system's clocks.
#[cfg(feature = "std")]
pub(crate) struct SystemClock {
    started: std::time::Instant,
}

#[cfg(feature = "std")]
impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

#[cfg(feature = "std")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_now(std::time::SystemTime::now())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
