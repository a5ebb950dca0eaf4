//! What an executor knows by its name.

use alloc::boxed::Box;

use super::Builder;
use crate::context::Ctx;
use crate::error::{BoxError, Result};
#[cfg(feature = "export")]
use crate::name::Channel;
use crate::name::Workflow;
use crate::queue::{self, Queue};
use crate::schedule::{Schedule, Scheduled, Tick};
use crate::values::{Value, Values};

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
    /// see [`Executor::schedules`](crate::Executor::schedules).
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
}
