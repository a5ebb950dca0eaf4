//! When runs are started by themselves, and with what.

#[cfg(feature = "cron")]
mod cron;
mod rfc3339;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

#[cfg(feature = "cron")]
pub use cron::Cron;
#[cfg(feature = "cron")]
use cron::Line;
pub(crate) use rfc3339::rfc3339;

use crate::bytes::Bytes;
use crate::clock::{Now, Timestamp};
use crate::queue::Queue;
use crate::values::Values;

/// When a [schedule](crate::Builder::schedule) has ticks, and what becomes of those that it missed.
///
/// ```
/// use std::time::Duration;
/// use dacapo::{Missed, Overlap, Schedule};
///
/// let minutely = Schedule::every(Duration::from_secs(60)).missed(Missed::Skip);
/// let one_at_a_time = Schedule::every(Duration::from_secs(3_600)).overlap(Overlap::Skip);
/// # drop((minutely, one_at_a_time));
/// ```
#[derive(Clone, Debug)]
#[must_use = "it says when, and Builder::schedule what"]
pub struct Schedule {
    when: When,
    pub(crate) missed: Missed,
    pub(crate) overlap: Overlap,
}

#[derive(Clone, Debug)]
enum When {
    Every(Duration),
    At(Timestamp),
    #[cfg(feature = "cron")]
    Cron(Cron),
}

/// Which of the ticks that came while nothing ran are made up for, at the next open: runs for them are
/// started then. While an executor lives, the last tick that is due is none of these, however late it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Missed {
    /// The last one.
    #[default]
    Latest,
    /// The last ones, so many at most.
    All(u32),
    /// None.
    Skip,
}

/// What becomes of a tick when the run of the one before has not ended. One that is parked, or whose workflow
/// is not registered, does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Overlap {
    /// Both run.
    #[default]
    Allow,
    /// It is passed over.
    Skip,
    /// Its run is started into this queue, and waits there as its limits say: with a concurrency of 1 until the
    /// runs of all ticks before have ended. So do runs that are [triggered](crate::Executor::trigger) or
    /// [filled in](crate::Executor::backfill).
    ///
    /// ```
    /// use std::time::Duration;
    /// use dacapo::{Ctx, Error, Executor, Limits, Overlap, Queue, Schedule, Workflow};
    ///
    /// const SWEEP: Workflow<String, ()> = Workflow::new("sweep");
    /// const SWEEPS: Queue = Queue::new("sweeps");
    ///
    /// let hourly = Schedule::every(Duration::from_secs(3_600)).overlap(Overlap::Queue(SWEEPS));
    /// let executor = Executor::builder()
    ///     .workflow(SWEEP, async |ctx: &Ctx, _| {
    ///         ctx.sleep(Duration::from_secs(7_200)).await;
    ///         Ok::<_, Error>(())
    ///     })
    ///     .queue(SWEEPS, Limits::new().concurrency(1))
    ///     .schedule("hourly", hourly, SWEEP, |tick| tick.run_id())
    ///     .in_memory();
    /// let [_first, second] = [executor.trigger("hourly")?, executor.trigger("hourly")?];
    /// executor.block_on(executor.attach(SWEEP, &second)?.accepted())?;
    /// assert_eq!(executor.queue(SWEEPS)?.waiting, 1);
    /// # Ok::<(), Error>(())
    /// ```
    Queue(Queue),
}

/// One time that a schedule names: what the input of its run is made of.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use dacapo::{Ctx, Error, Executor, Schedule, Tick, Workflow};
///
/// const REPORT: Workflow<SystemTime, ()> = Workflow::new("report");
/// let executor = Executor::builder()
///     .workflow(REPORT, async |_: &Ctx, _| Ok::<_, Error>(()))
///     .schedule("hourly", Schedule::every(Duration::from_secs(3_600)), REPORT, |tick: Tick| {
///         assert_eq!(tick.schedule(), "hourly");
///         tick.time()
///     })
///     .in_memory();
/// # drop(executor);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tick {
    schedule: &'static str,
    time: Timestamp,
}

/// A schedule of this build.
pub(crate) struct Scheduled {
    pub(crate) name: &'static str,
    pub(crate) schedule: Schedule,
    pub(crate) workflow: &'static str,
    pub(crate) input: Box<MakeInput>,
}

type MakeInput = dyn Fn(Tick, &Values) -> Result<Bytes<'static>, dacapo_values::Error>;

/// The times of a schedule.
pub(crate) enum Times {
    Every(u64),
    At(Timestamp),
    #[cfg(feature = "cron")]
    Line(Line),
}

impl Schedule {
    fn of(when: When) -> Self {
        Self { when, missed: Missed::default(), overlap: Overlap::default() }
    }

    /// A tick each time that so long has passed since the schedule was new.
    ///
    /// It knows of no hours and days: a `Cron` line does.
    pub fn every(interval: Duration) -> Self {
        Self::of(When::Every(interval))
    }

    /// One tick, at this time; without `std` it is a [`Timestamp`]. A schedule that is new when the time has
    /// passed has none.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use dacapo::Schedule;
    ///
    /// let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    /// assert!(format!("{:?}", Schedule::at(tomorrow)).contains("At"));
    /// ```
    pub fn at(time: Now) -> Self {
        Self::of(When::At(Timestamp::from_now(time)))
    }

    /// Says which of the ticks that it missed are made up for: the last one, if nothing is said.
    pub fn missed(self, missed: Missed) -> Self {
        Self { missed, ..self }
    }

    /// Says what becomes of a tick whose forerunner has not ended: both run, if nothing is said.
    pub fn overlap(self, overlap: Overlap) -> Self {
        Self { overlap, ..self }
    }

    /// The queue that its runs are started into.
    pub(crate) fn queue(&self) -> Option<Queue> {
        match self.overlap {
            Overlap::Queue(queue) => Some(queue),
            Overlap::Allow | Overlap::Skip => None,
        }
    }

    /// The times, or why there are none.
    pub(crate) fn times(&self) -> Result<Times, String> {
        match &self.when {
            When::Every(interval) => match u64::try_from(interval.as_nanos()) {
                Ok(0) => Err("its interval is zero: say how long it is from tick to tick".into()),
                Ok(nanos) => Ok(Times::Every(nanos)),
                Err(_) => Err("its interval is longer than 500 years".into()),
            },
            When::At(time) => Ok(Times::At(*time)),
            #[cfg(feature = "cron")]
            When::Cron(cron) => Line::new(cron).map(Times::Line),
        }
    }
}

/// What tells a schedule from what it was in another build.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::Every(interval) => write!(f, "every {interval:?}"),
            When::At(time) => write!(f, "at {}", rfc3339(*time)),
            #[cfg(feature = "cron")]
            When::Cron(cron) => cron.fmt(f),
        }
    }
}

#[cfg(feature = "cron")]
impl From<Cron> for Schedule {
    fn from(cron: Cron) -> Self {
        Self::of(When::Cron(cron))
    }
}

impl Tick {
    /// The attribute of runs that schedules started: the name of theirs.
    pub(crate) const ATTRIBUTE: &'static str = "schedule";

    pub(crate) fn new(schedule: &'static str, time: Timestamp) -> Self {
        Self { schedule, time }
    }

    /// The time that the schedule names; without `std` it is a [`Timestamp`]. The run may begin later.
    #[must_use]
    pub fn time(&self) -> Now {
        self.time.to_now()
    }

    /// The name of the schedule.
    #[must_use]
    pub fn schedule(&self) -> &'static str {
        self.schedule
    }

    /// The id of the run that is started for it: the name and the time, `nightly@2026-10-25T01:00:00Z`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dacapo::{Ctx, Error, Executor, Schedule, Tick, Workflow};
    /// # const REPORT: Workflow<String, String> = Workflow::new("report");
    /// let executor = Executor::builder()
    ///     .workflow(REPORT, async |_: &Ctx, id: String| Ok::<_, Error>(id))
    ///     .schedule("hourly", Schedule::every(Duration::from_secs(3_600)), REPORT, |tick| tick.run_id())
    ///     .in_memory();
    /// let id = executor.trigger("hourly")?;
    /// assert!(id.starts_with("hourly@20"));
    /// assert_eq!(executor.block_on(executor.attach(REPORT, &id)?)?, id);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn run_id(&self) -> String {
        alloc::format!("{}@{}", self.schedule, rfc3339(self.time))
    }
}

impl Times {
    /// The first one behind `after`, if it is ever.
    pub(crate) fn next(&self, since: Timestamp, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(nanos) => {
                let (since, after) = (i128::from(since.as_nanos()), i128::from(after.as_nanos()));
                let nanos = i128::from(*nanos);
                let next = after + nanos - (after - since).rem_euclid(nanos);
                u64::try_from(next).ok().map(Timestamp::from_nanos)
            }
            Self::At(time) => Some(*time).filter(|time| *time > after),
            #[cfg(feature = "cron")]
            Self::Line(line) => line.next(after),
        }
    }

    /// The last ones behind `after` up to `until`, so many at most, in their order.
    pub(crate) fn last(
        &self,
        since: Timestamp,
        (after, until): (Timestamp, Timestamp),
        most: usize,
    ) -> Vec<Timestamp> {
        // Looked for backwards, in windows that grow: after a long outage few of very many are wanted.
        let mut window = Self::WINDOW;
        loop {
            let from = until.minus(window).max(after);
            let next = |time: &Timestamp| self.next(since, *time);
            let times = core::iter::successors(next(&from), next);
            let mut times: Vec<_> = times.take_while(|time| *time <= until).collect();
            if times.len() >= most || from == after {
                times.drain(..times.len().saturating_sub(most));
                return times;
            }
            window = window.saturating_mul(4);
        }
    }

    /// The first window holds few of the shortest that a line can say.
    const WINDOW: Duration = Duration::from_secs(600);
}
