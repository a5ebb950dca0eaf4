//! How much there may be of what, and for how long.

#[cfg(feature = "std")]
use alloc::boxed::Box;
use core::time::Duration;

use super::Builder;
use crate::retention::Retention;

impl Builder {
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
    /// It is done piece by piece, 15 runs at most every 2 ms (a hundred every 10 ms if none is in memory), with
    /// the commits of whatever else there is to do, or by itself. All rows of ended runs are looked through when the first one may be due,
    /// but no more often than once in a sixteenth of the shortest age (or a second), and when a sixteenth
    /// of the smallest count has ended: so a run may stay that much longer. What is freed in the
    /// file is used again; if most of it is, the file becomes shorter ([`Executor::compact`](crate::Executor::compact)).
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

    /// How long the next pass of a run ([`Ctx::again`](crate::Ctx::again)) knows the keys of messages that were taken in
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
    /// recorded: by [`start`](crate::Executor::start) with an error, of a step as a permanent failure.
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
}
