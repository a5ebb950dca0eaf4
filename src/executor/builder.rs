use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::time::Duration;
#[cfg(feature = "redb")]
use std::path::Path;

use dacapo_store::{MemoryStore, Store};

use super::Executor;
use crate::choices::Choices;
use crate::clock::{Clock, Timestamp};
use crate::context::Ctx;
use crate::engine::{Engine, Guard, Limits};
use crate::error::{BoxError, Error, Result};
use crate::instance::{Setup, World};
#[cfg(feature = "export")]
use crate::name::Channel;
use crate::name::Workflow;
use crate::panics::Caught;
use crate::queue::{self, Queue};
use crate::registry::Registry;
use crate::retention::{Retention, Rules};
use crate::schedule::{Schedule, Scheduled, Tick};
use crate::store_id::StoreId;
use crate::telemetry::Telemetry;
use crate::timer::Timers;
use crate::trace::Observer;
use crate::values::{Value, Values};

/// Collects what an [`Executor`] needs; made by [`Executor::builder`].
#[must_use = "a builder does nothing until it opens a store"]
pub struct Builder {
    registry: Registry,
    clock: Option<Rc<dyn Clock>>,
    seed: Option<u64>,
    poll_budget: u64,
    retries_from: Duration,
    observer: Option<Rc<dyn Observer>>,
    choices: Option<Rc<dyn Choices>>,
    resident_max: Option<usize>,
    ended_max: Option<usize>,
    keep_keys: Duration,
    retention: Rules,
    guard: Guard,
    value_max: usize,
    build_id: Option<Rc<str>>,
    schedules: Vec<Scheduled>,
}

impl Executor {
    /// Starts to build an executor.
    pub fn builder() -> Builder {
        Builder {
            registry: Registry::default(),
            clock: None,
            seed: None,
            poll_budget: 1_000_000,
            retries_from: Duration::from_secs(1),
            observer: None,
            choices: None,
            resident_max: None,
            ended_max: None,
            guard: Guard::default(),
            retention: Rules::default(),
            keep_keys: Duration::from_secs(24 * 60 * 60),
            value_max: 64 << 20,
            build_id: None,
            schedules: Vec::new(),
        }
    }
}

impl Builder {
    /// Registers the function behind a workflow's name.
    ///
    /// It must be deterministic apart from what it awaits: its operations and what they feed.
    ///
    /// # Panics
    ///
    /// Panics if the name is registered already.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// use std::rc::Rc;
    ///
    /// const GREET: Workflow<String, String> = Workflow::new("greet");
    ///
    /// async fn greet(ctx: &Ctx, greeting: &Rc<String>, name: String) -> Result<String> {
    ///     let greeting = greeting.clone();
    ///     ctx.step("compose", async move || Ok::<_, dacapo::Error>(format!("{greeting} {name}"))).await
    /// }
    ///
    /// // What bodies use is captured here and handed on.
    /// let greeting = Rc::new("good day,".to_owned());
    /// let executor = Executor::builder()
    ///     .workflow(GREET, async move |ctx: &Ctx, name| greet(ctx, &greeting, name).await)
    ///     .in_memory();
    /// let run = executor.start(GREET, "greet-ada", "ada".into())?;
    /// assert_eq!(executor.block_on(run)?, "good day, ada");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn workflow<I: Value, O: Value, E: Into<BoxError> + 'static>(
        mut self,
        workflow: Workflow<I, O>,
        body: impl AsyncFn(&Ctx, I) -> Result<O, E> + 'static,
    ) -> Self {
        self.registry.add(workflow, body);
        self
    }

    /// Starts runs of a workflow by itself, at the times of a schedule: `Cron::new("0 3 * * *")` (feature
    /// `cron`), [`Schedule::every`], [`Schedule::at`]. `input` makes the input of each.
    ///
    /// Each tick has one run, whose id is the name and the time in UTC, `nightly@2026-10-25T01:00:00Z`, also
    /// over restarts and when clocks are set: that it is started, and that the tick is over, are one commit. A run
    /// with that id counts as the one of the tick. It has the attribute `schedule`, the name.
    ///
    /// A schedule that is new begins now, and so does one whose times are others than in the build before. Ticks
    /// that came while nothing ran are made up for as [`Schedule::missed`] says.
    ///
    /// `input` is called before the commit that starts the run, perhaps more than once if that is refused; it
    /// must not block. If it panics, or makes what cannot be recorded, the schedule is paused, with the reason:
    /// see [`Executor::schedules`].
    ///
    /// What is wrong with a schedule (a line of cron, a zone that the system does not know, a workflow that is not
    /// registered) is an error of [`open`](Self::open), and a panic of [`in_memory`](Self::in_memory).
    ///
    /// # Panics
    ///
    /// Panics if there is a schedule of this name already, or the name is empty.
    ///
    /// ```
    /// use std::time::Duration;
    /// use dacapo::{Ctx, Error, Executor, Schedule, Workflow, sim::VirtualClock, store::Filter};
    ///
    /// const SWEEP: Workflow<String, ()> = Workflow::new("sweep");
    /// let hourly = Schedule::every(Duration::from_secs(3_600));
    /// let clock = VirtualClock::default();
    /// let executor = Executor::builder()
    ///     .clock(clock.clone())
    ///     .workflow(SWEEP, async |_: &Ctx, _| Ok::<_, Error>(()))
    ///     .schedule("hourly", hourly, SWEEP, |tick| format!("{:?}", tick.time()))
    ///     .in_memory();
    /// executor.block_on(clock.sleep(Duration::from_secs(10_000)));
    /// let runs = executor.runs(&Filter::new().attribute("schedule", "hourly"))?;
    /// let ids: Vec<_> = runs.iter().map(|run| run.id.as_str()).collect();
    /// assert_eq!(ids, ["hourly@1970-01-01T01:00:00Z", "hourly@1970-01-01T02:00:00Z"]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn schedule<I: Value, O: Value>(
        mut self,
        name: &'static str,
        schedule: impl Into<Schedule>,
        workflow: Workflow<I, O>,
        input: impl Fn(Tick) -> I + 'static,
    ) -> Self {
        assert!(!name.is_empty(), "a schedule needs a name");
        let is_known = self.schedules.iter().any(|known| known.name == name);
        assert!(!is_known, "the schedule {name:?} is registered twice");
        let (schedule, workflow) = (schedule.into(), workflow.name());
        let input = Box::new(move |tick, values: &Values| values.encode(&input(tick)));
        self.schedules.push(Scheduled { name, schedule, workflow, input });
        self
    }

    /// Defines a queue: runs that are [started into it](crate::Start::queue) wait until these limits have room
    /// for them.
    ///
    /// What waits is in the file alone, but for its place in the order. That a run is admitted is recorded
    /// with the commit in which it takes its room, and how much room there is follows from the rows of the
    /// file: so the limits hold over restarts, and a later build may have others. Runs in a queue that a
    /// build does not define wait for one that does.
    ///
    /// # Panics
    ///
    /// Panics if the queue is defined already.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use dacapo::{Ctx, Error, Executor, Start, Workflow, sim::VirtualClock};
    /// use dacapo::{Limits, Queue};
    ///
    /// const MAIL: Workflow<u32, SystemTime> = Workflow::new("mail");
    /// const OUTGOING: Queue = Queue::new("outgoing");
    ///
    /// // Two mails a minute.
    /// let limits = Limits::new().rate(2, Duration::from_secs(60));
    /// let mail = async |ctx: &Ctx, _: u32| Ok::<_, Error>(ctx.now());
    /// let builder = Executor::builder().workflow(MAIL, mail).queue(OUTGOING, limits);
    /// let executor = builder.clock(VirtualClock::default()).in_memory();
    /// let mut runs = Vec::new();
    /// for n in 0..4 {
    ///     let options = Start::new().queue(OUTGOING);
    ///     runs.push(executor.start_with(MAIL, &n.to_string(), n, options)?);
    /// }
    /// let mut began = Vec::new();
    /// for run in runs {
    ///     began.push(executor.block_on(run)?);
    /// }
    /// let waited = began.iter().map(|at| at.duration_since(began[0]).unwrap().as_secs());
    /// assert_eq!(waited.collect::<Vec<_>>(), [0, 0, 60, 60]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn queue(mut self, queue: Queue, limits: queue::Limits) -> Self {
        self.registry.add_queue(queue, limits);
        self
    }

    /// Makes the type of a channel known, so that messages on it may come as JSON
    /// ([`Executor::send_json`](super::Executor::send_json)). Nothing else needs it.
    ///
    /// ```
    /// use dacapo::{Channel, Executor};
    ///
    /// const APPROVAL: Channel<bool> = Channel::new("approval");
    /// let executor = Executor::builder().channel(APPROVAL).in_memory();
    /// # drop(executor);
    /// ```
    #[cfg(feature = "export")]
    pub fn channel<T: Value>(mut self, channel: Channel<T>) -> Self {
        self.registry.add_channel(channel);
        self
    }

    /// Takes the time from `clock`. Without `std` there is no other, and this must be called.
    ///
    /// ```
    /// use dacapo::{Clock, Ctx, Error, Executor, Timestamp, Workflow};
    ///
    /// /// The clock of a device that has none: it always shows the same time.
    /// struct Stopped;
    ///
    /// impl Clock for Stopped {
    ///     fn now(&self) -> Timestamp {
    ///         Timestamp::from_nanos(7_000)
    ///     }
    ///
    ///     fn monotonic(&self) -> Duration {
    ///         Duration::ZERO
    ///     }
    /// }
    ///
    /// # use std::time::{Duration, SystemTime};
    /// const WHEN: Workflow<(), SystemTime> = Workflow::new("when");
    /// let executor = Executor::builder()
    ///     .clock(Stopped)
    ///     .workflow(WHEN, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.now()))
    ///     .in_memory();
    /// let now = executor.block_on(executor.start(WHEN, "when-1", ())?)?;
    /// assert_eq!(now, SystemTime::UNIX_EPOCH + Duration::from_nanos(7_000));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Some(Rc::new(clock)), ..self }
    }

    /// Records that an attempt of a step failed, with its error and the time of the next one, if that is
    /// to wait for `wait` or longer: 1 s by default.
    ///
    /// What is recorded outlives the process: the number of the attempt, limits and waits go on after a
    /// restart. What waits for less is over so soon that it is not worth a commit; those attempts are
    /// forgotten with the process. The record shares a commit with whatever else there is.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use dacapo::Executor;
    /// // All of them: also those of a policy that waits for no time at all.
    /// let executor = Executor::builder().record_retries(Duration::ZERO).in_memory();
    /// # drop(executor);
    /// ```
    pub fn record_retries(self, wait: Duration) -> Self {
        Self { retries_from: wait, ..self }
    }

    /// Opens without replaying the run with this id: it is parked
    /// ([`ParkReason::OnRequest`](crate::ParkReason::OnRequest)), as long as it has not ended, until it is
    /// resumed. For a run that ends or blocks the process whenever it is replayed. If there is no such run, that
    /// is told ([`Notice::NotHeld`](crate::Notice::NotHeld)).
    ///
    /// One that ended the process in three replays in a row is parked without being asked for
    /// ([`ParkReason::EndedProcess`](crate::ParkReason::EndedProcess)).
    ///
    /// ```
    /// use dacapo::store::MemoryStore;
    /// use dacapo::{Channel, Ctx, Error, Executor, ParkReason, Workflow};
    ///
    /// const WAIT: Workflow<(), u8> = Workflow::new("wait");
    /// const ANSWER: Channel<u8> = Channel::new("answer");
    /// let store = MemoryStore::new();
    /// let wait = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(ANSWER).await);
    /// let executor = Executor::builder().workflow(WAIT, wait).open_with(store.shared())?;
    /// executor.block_on(executor.start(WAIT, "order-7", ())?.accepted())?;
    /// drop(executor);
    ///
    /// let builder = Executor::builder().workflow(WAIT, wait).hold("order-7");
    /// let executor = builder.open_with(store.shared())?;
    /// executor.block_on(dacapo::yield_now());
    /// assert_eq!(executor.parked()?[0].reason, ParkReason::OnRequest);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn hold(mut self, id: &str) -> Self {
        self.guard.held.get_mut().insert(id.into(), "it was held when the file was opened");
        self
    }

    /// Says which build of your program this is: a version, or the hash of a commit.
    ///
    /// When a store is opened, runs that another build parked since they diverged or a recorded value did not
    /// decode are tried again by themselves; what this build parks, it does not try again. So a rollback
    /// takes up what a bad deployment has parked. Runs that were parked by a build that did not say which it
    /// is are tried, too. Without an id nobody is: see [`Executor::resume_all`].
    ///
    /// ```
    /// use dacapo::store::MemoryStore;
    /// use dacapo::{Channel, Ctx, Error, Executor, Result, Workflow};
    ///
    /// const ORDER: Workflow<(), u8> = Workflow::new("order");
    /// const CENTS: Channel<u8> = Channel::new("cents");
    /// let good = async |ctx: &Ctx, ()| -> Result<u8> {
    ///     ctx.step("pay", async || Ok::<_, Error>(())).await?;
    ///     Ok(ctx.receive(CENTS).await)
    /// };
    /// let bad = async |ctx: &Ctx, ()| -> Result<u8> {
    ///     ctx.step("charge", async || Ok::<_, Error>(())).await?;
    ///     Ok(ctx.receive(CENTS).await)
    /// };
    /// let store = MemoryStore::new();
    /// let open = |builder: dacapo::Builder| builder.open_with(store.shared());
    /// let executor = open(Executor::builder().build_id("1.0").workflow(ORDER, good))?;
    /// let run = executor.start(ORDER, "order-7", ())?;
    /// executor.block_on(async {
    ///     run.accepted().await?;
    ///     dacapo::yield_now().await; // The step's body, and its outcome.
    ///     dacapo::yield_now().await;
    ///     Ok::<_, Error>(())
    /// })?;
    /// drop(executor);
    ///
    /// let executor = open(Executor::builder().build_id("1.1").workflow(ORDER, bad))?;
    /// assert!(executor.parked()?[0].message.contains(r#"parked by build "1.1""#));
    /// executor.block_on(dacapo::yield_now());
    /// drop(executor);
    ///
    /// let executor = open(Executor::builder().build_id("1.0").workflow(ORDER, good))?;
    /// assert!(executor.parked()?.is_empty());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn build_id(self, id: &str) -> Self {
        Self { build_id: Some(id.into()), ..self }
    }

    /// Has `tell` called, on a thread of its own, with a line that names the run, whenever a replay takes
    /// longer than `limit`: while it lasts no other run goes on. By default nobody is told.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use dacapo::Executor;
    /// let builder = Executor::builder();
    /// let builder = builder.replay_limit(Duration::from_secs(5), |line| eprintln!("{line}"));
    /// # drop(builder.in_memory());
    /// ```
    #[cfg(feature = "std")]
    pub fn replay_limit(mut self, limit: Duration, tell: impl Fn(&str) + Send + 'static) -> Self {
        self.guard.watchdog = Some(crate::watchdog::Watchdog::new(limit, Box::new(tell)));
        self
    }

    /// Makes the seeds of runs a function of `seed` and the order of their starts. By default they
    /// are as random as the system's hash maps (without `std`: derived from 0).
    ///
    /// For tests: with one seed, [`Ctx::random`] gives the same numbers each time.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Result, Workflow};
    /// const DICE: Workflow<(), u64> = Workflow::new("dice");
    ///
    /// fn roll(seed: u64) -> Result<u64> {
    ///     let dice = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.random());
    ///     let executor = Executor::builder().workflow(DICE, dice).seed(seed).in_memory();
    ///     executor.block_on(executor.start(DICE, "dice-1", ())?)
    /// }
    ///
    /// assert_eq!(roll(1)?, roll(1)?);
    /// assert_ne!(roll(1)?, roll(2)?);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Parks a run when one delivery takes more than `polls` polls of its tasks; 1 million by
    /// default. Other runs wait meanwhile. A run that spawns more tasks than that at once needs
    /// more.
    ///
    /// It is not part of the history: a run that needed more polls under an earlier, larger budget
    /// is parked by its replay under a smaller one.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, ParkReason, Result, Workflow, yield_now};
    /// const SPIN: Workflow<(), ()> = Workflow::new("spin");
    ///
    /// async fn spin(_: &Ctx, (): ()) -> Result<()> {
    ///     loop {
    ///         yield_now().await;
    ///     }
    /// }
    ///
    /// let executor = Executor::builder().workflow(SPIN, spin).poll_budget(1_000).in_memory();
    /// let error = executor.block_on(executor.start(SPIN, "spin-1", ())?).unwrap_err();
    /// assert!(error.is_parked());
    /// assert_eq!(executor.parked()?[0].reason, ParkReason::LiveLock);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn poll_budget(self, polls: u64) -> Self {
        Self { poll_budget: polls, ..self }
    }

    /// Keeps at most `runs` runs in memory while there are some that only sleep: those that will
    /// sleep longest leave it, and are replayed when their time has come. Without this all
    /// unfinished runs stay in memory, but for those that sleep when the store is opened.
    ///
    /// A run stays all the same if its replay would be long for the time that it sleeps: it leaves if it
    /// sleeps for 0.5 ms or more for each record of its history, so that at most a hundredth of the time goes
    /// into replays.
    ///
    /// It changes nothing but memory and time. A run that has left takes some 100 bytes instead of
    /// some 700. Runs whose steps are under way always stay; those that await more than 8 sleeps at
    /// once leave last.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow, try_join_all};
    /// use std::time::Duration;
    ///
    /// const NAP: Workflow<u64, u64> = Workflow::new("nap");
    ///
    /// async fn nap(ctx: &Ctx, millis: u64) -> Result<u64> {
    ///     ctx.sleep(Duration::from_millis(millis)).await;
    ///     Ok(millis)
    /// }
    ///
    /// let executor = Executor::builder().workflow(NAP, nap).resident_max(10).in_memory();
    /// let start = |n: u64| executor.start(NAP, &format!("nap-{n}"), n % 7);
    /// let runs: Vec<_> = (0..100).map(start).collect::<Result<_>>()?;
    /// assert_eq!(executor.block_on(try_join_all(runs))?.len(), 100);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn resident_max(self, runs: usize) -> Self {
        Self { resident_max: Some(runs), ..self }
    }

    /// Keeps `runs` of the runs that end in this process, and deletes the one that ended first when there is
    /// one more: with [`in_memory`](Self::in_memory) 10,000 by default, else all. Those that earlier
    /// processes left stay.
    ///
    /// A handle that was there before has its end; the id is free, and nobody finds the run any more.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).ended_max(2).in_memory();
    /// for n in 0..5 {
    ///     executor.block_on(executor.start(ECHO, &n.to_string(), n)?)?;
    /// }
    /// executor.block_on(dacapo::yield_now());
    /// assert!(executor.attach(ECHO, "0").unwrap_err().is_not_found());
    /// assert_eq!(executor.block_on(executor.attach(ECHO, "4")?)?, 4);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn ended_max(self, runs: usize) -> Self {
        Self { ended_max: Some(runs), ..self }
    }

    /// Deletes runs that have ended as a rule says. Of several rules the first one that is about a run
    /// decides; what no rule is about is kept.
    ///
    /// It is done piece by piece, 20 runs at most every 2 ms (a hundred every 10 ms if none is in memory), with
    /// the commits of whatever else there is to do, or by itself. All rows of ended runs are looked through when the first one may be due,
    /// but no more often than once in a sixteenth of the shortest age (or a second), and when a sixteenth
    /// of the smallest count has ended: so a run may stay that much longer. What is freed in the file is used again.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dacapo::{Ctx, Error, Executor, Workflow, sim::VirtualClock};
    /// use dacapo::Retention;
    ///
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let clock = VirtualClock::default();
    /// let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let hour = Duration::from_secs(3_600);
    /// let builder = Executor::builder().retention(Retention::new().age(hour));
    /// let executor = builder.clock(clock.clone()).workflow(ECHO, echo).in_memory();
    /// executor.block_on(executor.start(ECHO, "one", 1)?)?;
    /// executor.block_on(clock.sleep(hour / 2));
    /// assert_eq!(executor.runs(&Default::default())?.len(), 1);
    /// executor.block_on(clock.sleep(hour));
    /// assert!(executor.runs(&Default::default())?.is_empty());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn retention(mut self, rule: Retention) -> Self {
        self.retention.add(rule);
        self
    }

    /// How long the next pass of a run ([`Ctx::again`]) knows the keys of messages that were taken in
    /// those before: a day by default. Within a pass keys are known as long as it lasts.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let week = Duration::from_secs(7 * 24 * 60 * 60);
    /// let executor = dacapo::Executor::builder().keep_keys(week).in_memory();
    /// # drop(executor);
    /// ```
    pub fn keep_keys(self, time: Duration) -> Self {
        Self { keep_keys: time, ..self }
    }

    /// How many bytes a value may take: an input, an outcome, an output, a message, what is published.
    /// By default 64 MiB (67,108,864 bytes), and 1 GiB at most. A larger one is refused where it is to be
    /// recorded: by [`start`](Executor::start) with an error, of a step as a permanent failure.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// const REPEAT: Workflow<usize, String> = Workflow::new("repeat");
    ///
    /// async fn repeat(ctx: &Ctx, times: usize) -> Result<String> {
    ///     ctx.step("repeat", async move || Ok::<_, dacapo::Error>("tea ".repeat(times))).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(REPEAT, repeat).value_max(100).in_memory();
    /// assert_eq!(executor.block_on(executor.start(REPEAT, "few", 2)?)?, "tea tea ");
    /// let error = executor.block_on(executor.start(REPEAT, "many", 30)?).unwrap_err();
    /// assert!(error.to_string().ends_with("at most 100 can be recorded: see Builder::value_max"));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn value_max(self, bytes: usize) -> Self {
        Self { value_max: bytes.min(1 << 30), ..self }
    }

    /// Shows `observer` what happens to every run.
    ///
    /// An `Rc` of one is an observer too, so that what it saw can be looked at.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Event, Executor, Observer, Workflow};
    /// # use std::{cell::Cell, rc::Rc};
    /// /// Counts the steps that have come to their outcome.
    /// #[derive(Default)]
    /// struct Steps(Cell<u32>);
    ///
    /// impl Observer for Steps {
    ///     fn observe(&self, _run: &str, event: Event<'_>) {
    ///         if let Event::Delivered(_, record) = event
    ///             && record.finished_step() == Some("compose")
    ///         {
    ///             self.0.set(self.0.get() + 1);
    ///         }
    ///     }
    /// }
    ///
    /// const GREET: Workflow<(), String> = Workflow::new("greet");
    /// let greet = async |ctx: &Ctx, ()| {
    ///     ctx.step("compose", async || Ok::<_, Error>("hello".to_owned())).await
    /// };
    /// let steps = Rc::new(Steps::default());
    /// let executor = Executor::builder().workflow(GREET, greet).observer(steps.clone()).in_memory();
    /// executor.block_on(executor.start(GREET, "greet-1", ())?)?;
    /// assert_eq!(steps.0.get(), 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        Self { observer: Some(Rc::new(observer)), ..self }
    }

    /// Has a simulation decide what circumstance decides otherwise.
    #[cfg(feature = "sim")]
    pub(crate) fn choices(self, choices: impl Choices + 'static) -> Self {
        Self { choices: Some(Rc::new(choices)), ..self }
    }

    /// Opens the file at `path`, or creates it, and replays the unfinished runs in it, but for those
    /// that sleep for long: these are replayed when they are due.
    ///
    /// # Errors
    ///
    /// If the file is in use by another executor, here or in another process; if it is not a
    /// store, is damaged, or was written by a newer format; or if the file system refuses. The
    /// file is left as it is. What is wrong with a single run is no error here: the run is parked.
    ///
    /// ```
    /// # use dacapo::Executor;
    /// let directory = std::env::temp_dir();
    /// let path = directory.join(format!("dacapo-doc-{}.redb", std::process::id()));
    /// let executor = Executor::builder().open(&path)?;
    /// let error = Executor::builder().open(&path).unwrap_err();
    /// assert!(error.is_store());
    /// drop(executor);
    /// std::fs::remove_file(&path).expect("it was created");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[cfg(feature = "redb")]
    pub fn open(self, path: impl AsRef<Path>) -> Result<Executor> {
        self.open_with(options().open(path).map_err(|error| Error::store(&error))?)
    }

    /// The same over any store.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or a [schedule](Self::schedule) is wrong. What is wrong with a single run is
    /// no error here.
    ///
    /// # Panics
    ///
    /// Panics without `std` if there is no [`clock`](Self::clock).
    pub fn open_with(mut self, store: impl Store + 'static) -> Result<Executor> {
        let schedules = mem::take(&mut self.schedules);
        let mut engine = self.over(store)?;
        engine.open_schedules(schedules)?;
        engine.recover()?;
        Ok(Executor::over(engine))
    }

    /// Before any run is taken up.
    pub(super) fn over(self, store: impl Store + 'static) -> Result<Engine> {
        let clock = self.clock.or_else(system_clock).expect("without std a clock must be set");
        let caught = Rc::<Caught>::default();
        let last_commit = Timestamp::from_nanos(store.time());
        let timers = Timers::new(clock, last_commit, caught.clone());
        let shapes = store.shapes().map_err(|error| Error::store(&error))?;
        let values = Values::new(&shapes, self.value_max, self.choices.is_some());
        let seed = self.seed.unwrap_or_else(random_seed);
        let setup = Setup {
            poll_budget: self.poll_budget,
            retries_from: self.retries_from,
            observer: self.observer,
            store_id: StoreId::of(&store, seed)?,
            build_id: self.build_id,
            choices: self.choices,
            places: None,
            caught,
        };
        let world = World::new(timers, values, setup, Telemetry::default());
        let limits = Limits {
            resident_max: self.resident_max.unwrap_or(usize::MAX),
            keep_keys: self.keep_keys,
            ended_max: self.ended_max.unwrap_or(usize::MAX),
        };
        Ok(Engine::new(
            world,
            self.registry,
            seed,
            Box::new(store),
            limits,
            self.guard,
            self.retention,
        ))
    }

    /// The same over memory: for tests, and for runs that need not outlive the process. Of those that have
    /// ended the last 10,000 are kept; see [`ended_max`](Self::ended_max).
    ///
    /// # Panics
    ///
    /// Panics without `std` if there is no [`clock`](Self::clock).
    #[must_use]
    pub fn in_memory(mut self) -> Executor {
        self.ended_max.get_or_insert(10_000);
        self.open_with(MemoryStore::new()).expect("an empty memory can be read")
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

/// How files are opened.
#[cfg(feature = "redb")]
pub(super) fn options() -> dacapo_store::Options {
    dacapo_store::Options::new().semantics_version(crate::record::SEMANTICS_VERSION)
}

fn system_clock() -> Option<Rc<dyn Clock>> {
    #[cfg(feature = "std")]
    return Some(Rc::new(crate::clock::SystemClock::new()));
    #[cfg(not(feature = "std"))]
    return None;
}

fn random_seed() -> u64 {
    #[cfg(feature = "std")]
    {
        use core::hash::BuildHasher;
        std::hash::RandomState::new().hash_one(0)
    }
    #[cfg(not(feature = "std"))]
    0
}
