//! What people do with schedules.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::posted::Posted;
use super::{Executor, admit};
use crate::clock::{Now, Timestamp};
use crate::engine::{Engine, ScheduleInfo};
use crate::error::Result;
use crate::schedule::Tick;
use crate::watch::Watch;

impl Executor {
    /// The schedules of this build, by name: when each has its next tick, and whether it is paused. Of a build that
    /// has none, such as one that only looks at a file, those that the store knows: what they start, and when, is
    /// not recorded.
    ///
    /// # Errors
    ///
    /// If the executor has stopped, or the store failed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dacapo::{Ctx, Error, Executor, Schedule, Workflow};
    /// # const REPORT: Workflow<(), ()> = Workflow::new("report");
    /// let executor = Executor::builder()
    ///     .workflow(REPORT, async |_: &Ctx, ()| Ok::<_, Error>(()))
    ///     .schedule("hourly", Schedule::every(Duration::from_secs(3_600)), REPORT, |_| ())
    ///     .in_memory();
    /// let schedules = executor.schedules()?;
    /// assert_eq!((schedules[0].name.as_str(), schedules[0].paused.as_ref()), ("hourly", None));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn schedules(&self) -> Result<Vec<ScheduleInfo>> {
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("schedules cannot be listed"))?;
        self.shared.engine.schedules()
    }

    /// Pauses a schedule: it has no ticks until it is [resumed](Self::resume_schedule), also after a restart.
    /// `Ok` when that is committed. Runs that it has started go on.
    ///
    /// # Errors
    ///
    /// If this build has no such schedule ([`Error::is_not_found`](crate::Error::is_not_found)), or the store
    /// failed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dacapo::{Ctx, Error, Executor, Schedule, Workflow};
    /// # const REPORT: Workflow<(), ()> = Workflow::new("report");
    /// let executor = Executor::builder()
    ///     .workflow(REPORT, async |_: &Ctx, ()| Ok::<_, Error>(()))
    ///     .schedule("hourly", Schedule::every(Duration::from_secs(3_600)), REPORT, |_| ())
    ///     .in_memory();
    /// executor.block_on(executor.pause_schedule("hourly", "the printer is out of paper"))?;
    /// assert!(executor.schedules()?[0].paused.is_some());
    /// executor.block_on(executor.resume_schedule("hourly"))?;
    /// assert!(executor.schedules()?[0].paused.is_none());
    /// let error = executor.block_on(executor.pause_schedule("daily", "")).unwrap_err();
    /// assert_eq!(error.to_string(), r#"there is no schedule "daily": this build has "hourly""#);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn pause_schedule(&self, name: &str, why: &str) -> Posted {
        let (name, why) = (name.to_owned(), why.to_owned());
        Posted::new(&self.shared, move |engine| pause(engine, &name, Some(why)))
    }

    /// Has a schedule that is paused go on, from now: what it would have had meanwhile it has not missed. See
    /// [`backfill`](Self::backfill) for that.
    ///
    /// # Errors
    ///
    /// As with [`pause_schedule`](Self::pause_schedule).
    pub fn resume_schedule(&self, name: &str) -> Posted {
        let name = name.to_owned();
        Posted::new(&self.shared, move |engine| pause(engine, &name, None))
    }

    /// The same, posted at once; where to wait for the commit.
    pub(crate) fn post_pause(&self, name: &str, why: Option<String>) -> Result<Rc<Watch>> {
        self.shared.engine.check()?;
        pause(&self.shared.engine, name, why)
    }

    /// Starts a run of a schedule now, paused or not, and gives its id: the schedule's name and this time. It is
    /// committed like any start.
    ///
    /// # Errors
    ///
    /// If this build has no such schedule, if its input function panics, or if the store failed.
    pub fn trigger(&self, name: &str) -> Result<String> {
        self.shared.engine.check()?;
        self.start_tick(self.shared.engine.tick_now(name)?)
    }

    /// Starts the runs of all ticks of a schedule in a range of time, as it is in this build, and gives their
    /// ids. Those that are there are left as they are, so this can be done again. Without `std` times are
    /// [`Timestamp`]s.
    ///
    /// # Errors
    ///
    /// If this build has no such schedule, if it has more than 10,000 ticks in that range, if its input function
    /// panics, or if the store failed. What was started by then stays.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use dacapo::{Ctx, Error, Executor, Schedule, Workflow};
    /// # const REPORT: Workflow<(), ()> = Workflow::new("report");
    /// let executor = Executor::builder()
    ///     .workflow(REPORT, async |_: &Ctx, ()| Ok::<_, Error>(()))
    ///     .schedule("hourly", Schedule::every(Duration::from_secs(3_600)), REPORT, |_| ())
    ///     .in_memory();
    /// let now = SystemTime::now();
    /// let ids = executor.backfill("hourly", now - Duration::from_secs(86_400)..now)?;
    /// assert_eq!(ids.len(), 24);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn backfill(&self, name: &str, times: Range<Now>) -> Result<Vec<String>> {
        let engine = &self.shared.engine;
        engine.check()?;
        let (from, to) = (Timestamp::from_now(times.start), Timestamp::from_now(times.end));
        engine.ticks(name, from, to)?.into_iter().map(|tick| self.start_tick(tick)).collect()
    }

    fn start_tick(&self, tick: Tick) -> Result<String> {
        let id = tick.run_id();
        admit(&self.shared.engine, format_args!("run {id:?} cannot be started"))?;
        let (workflow, input, options) = self.shared.engine.tick_start(tick)?;
        self.start_encoded(workflow, &id, options, |_| Ok(input))?;
        Ok(id)
    }
}

fn pause(engine: &Engine, name: &str, why: Option<String>) -> Result<Rc<Watch>> {
    admit(engine, format_args!("the schedule {name:?} cannot be paused or resumed"))?;
    engine.pause(name, why)
}
