//! One call that simulates a user's workflow: what it is to cover, and what it found.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::ops::Range;

use futures::future::LocalBoxFuture;

use super::plan::Plan;
use super::{Ends, Report, Sim};
use crate::error::Result;
use crate::executor::{Builder, Executor};
use crate::name::Workflow;
use crate::values::Value;

/// A simulation of a workflow, made by [`check`]: which runs, how many seeds, which faults.
#[must_use = "a check does nothing until it is run"]
#[derive(Debug)]
pub struct Check<I, O> {
    pub(super) workflow: Workflow<I, O>,
    /// Id and input.
    pub(super) runs: Vec<(String, I)>,
    pub(super) seeds: Range<u64>,
    pub(super) has_crash_loops: bool,
    pub(super) has_disk_faults: bool,
    pub(super) has_clock_jumps: bool,
    pub(super) may_count_polls: bool,
    pub(super) clients: Vec<Client>,
}

/// What somebody outside does in each process; see [`Check::client`].
#[derive(Clone)]
pub(super) struct Client(Rc<Script>);

type Script = dyn for<'a> Fn(&'a Executor, &'a Sim) -> LocalBoxFuture<'a, Result<()>>;

impl Client {
    pub(super) fn call<'a>(
        &self,
        executor: &'a Executor,
        sim: &'a Sim,
    ) -> LocalBoxFuture<'a, Result<()>> {
        (self.0)(executor, sim)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// Simulates a workflow: [`start`](Check::start) says with which input, and [`run`](Check::run)
/// runs it, for each seed once to its end and then crashed at each of its commits.
///
/// Clock, seed and observer of the executor are the simulation's, and so is every choice: which of
/// the bodies that are ready is polled next, how many outcomes share a commit, whether a task is
/// polled for no reason, how long nobody restarts the process. See [`sim`](super) for an example.
pub fn check<I: Value + Clone, O: Value>(workflow: Workflow<I, O>) -> Check<I, O> {
    Check {
        workflow,
        runs: Vec::new(),
        seeds: 0..20,
        has_crash_loops: false,
        has_disk_faults: false,
        has_clock_jumps: false,
        may_count_polls: false,
        clients: Vec::new(),
    }
}

impl<I: Value + Clone, O: Value> Check<I, O> {
    /// Starts a run with this id and input. Called again, it adds a run to the same executor, which
    /// begins when a seed says so; so runs that share what bodies use are tested together.
    pub fn start(mut self, id: &str, input: I) -> Self {
        self.runs.push((id.into(), input));
        self
    }

    /// Adds what somebody outside does: `script` runs beside the runs, from the beginning of each
    /// process. It sends messages, asks runs to end, starts others; [`Sim::latency`] takes a random while.
    ///
    /// A client outlives no process, so after a crash it does all of it again: messages need keys. An
    /// error that it returns fails the check, but for those of a store that was crashed.
    ///
    /// ```
    /// use dacapo::sim::{self, Sim};
    /// use dacapo::{Channel, Ctx, Executor, Result, Workflow};
    ///
    /// const ORDER: Workflow<(), bool> = Workflow::new("order");
    /// const APPROVAL: Channel<bool> = Channel::new("approval");
    ///
    /// async fn order(ctx: &Ctx, (): ()) -> Result<bool> {
    ///     let granted = ctx.receive(APPROVAL).await;
    ///     ctx.step("file", async || Ok::<_, dacapo::Error>(())).await?;
    ///     Ok(granted)
    /// }
    ///
    /// let build = |_: &Sim| Executor::builder().workflow(ORDER, order);
    /// let check = sim::check(ORDER).start("order-1", ()).client(async |executor, sim| {
    ///     sim.latency().await;
    ///     let sent = executor.send("order-1", APPROVAL, true).key("webhook-7").await;
    ///     // After a restart it may have ended.
    ///     sent.or_else(|error| if error.is_ended() { Ok(()) } else { Err(error) })
    /// });
    /// check.run(build, |granted| assert!(granted));
    /// ```
    pub fn client(mut self, script: impl AsyncFn(&Executor, &Sim) -> Result<()> + 'static) -> Self {
        let script = Rc::new(script);
        self.clients.push(Client(Rc::new(move |executor, sim| {
            let script = script.clone();
            Box::pin(async move { script(executor, sim).await })
        })));
        self
    }

    /// Repeats everything for each of these seeds; 20 by default.
    pub fn seeds(self, seeds: Range<u64>) -> Self {
        Self { seeds, ..self }
    }

    /// Adds, for each seed, a chain of processes each of which crashes after a few commits.
    ///
    /// Each of them uses up an attempt of the steps that are under way, so steps whose policy limits
    /// the attempts may well give up, and those without a policy do after
    /// [`INTERRUPTED_ATTEMPTS`](crate::Retry::INTERRUPTED_ATTEMPTS).
    pub fn crash_loops(self) -> Self {
        Self { has_crash_loops: true, ..self }
    }

    /// Adds, for each seed, a crash or an error at every operation on the disk, under the store that
    /// programs really use, and at times another in the recovery. It takes some milliseconds each.
    pub fn disk_faults(self) -> Self {
        Self { has_disk_faults: true, ..self }
    }

    /// Has the wall clock be wrong: in each process it may begin behind the last commit, or far ahead of it,
    /// and be set forward or back by up to a day whenever nothing happens. Monotonic time goes on.
    ///
    /// So sleeps, timeouts and deadlines may be over early, as they are when somebody sets the clock of a
    /// machine.
    pub fn clock_jumps(self) -> Self {
        Self { has_clock_jumps: true, ..self }
    }

    /// Lets the workflow do otherwise when it is polled more often, or less.
    ///
    /// Replays make the same polls, so a workflow that counts them, or that takes turns between what is
    /// ready (streams that merge others do), is replayed right. But it would not outlive another
    /// version of a library that polls otherwise; so each history is replayed with other spurious
    /// polls too, and what differs is reported unless this is said.
    pub fn may_count_polls(self) -> Self {
        Self { may_count_polls: true, ..self }
    }

    /// Carries it out; `build` registers the workflow (and what else it needs) in a new process, and
    /// `expect` looks at the output of each run.
    ///
    /// # Panics
    ///
    /// With the seed, the crash, the trace and what to change, if
    /// - a run ends with an error, is parked, stalls, or goes on and on;
    /// - a replay makes other polls, asks for other operations or ends otherwise than the run did;
    /// - something that was delivered, or the end of a run that somebody was told, is lost;
    /// - a body that uses [`Sim::note`] runs again although its outcome was recorded, or with an
    ///   attempt's number that it had before the process ended;
    /// - `expect` panics.
    ///
    /// Also if there is no run, or the workflow is not registered. A body that waits for something
    /// that never comes hangs it.
    pub fn run(self, build: impl Fn(&Sim) -> Builder, expect: impl Fn(&O)) -> Report {
        self.run_all(build, |ends| {
            for (id, end) in ends.iter() {
                match end {
                    Ok(output) => expect(output),
                    Err(error) => panic!("run {id:?} ended with an error: {error:?}"),
                }
            }
        })
    }

    /// The same for workflows that may end with an error, and for looking at what the processes
    /// did: `expect` is shown the ends of all runs each time that they have ended. Children that were asked to
    /// end may still clean up then: what has to be over by then must be waited for, by the parent or a client.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run), but not for runs that end with an error of their own.
    ///
    /// ```
    /// use dacapo::sim::{self, Sim};
    /// use dacapo::{Builder, Ctx, Error, Executor, Result, Workflow};
    ///
    /// const HALVE: Workflow<u32, u32> = Workflow::new("halve");
    ///
    /// async fn halve(ctx: &Ctx, sim: &Sim, n: u32) -> Result<u32> {
    ///     let sim = sim.clone();
    ///     let halve = async move |attempt: dacapo::Attempt| {
    ///         sim.note(&attempt);
    ///         if n % 2 == 0 { Ok(n / 2) } else { Err(Error::new("it is odd")) }
    ///     };
    ///     ctx.step_with("halve", halve).await
    /// }
    ///
    /// let build = |sim: &Sim| -> Builder {
    ///     let sim = sim.clone();
    ///     Executor::builder().workflow(HALVE, async move |ctx: &Ctx, n| halve(ctx, &sim, n).await)
    /// };
    /// let report = sim::check(HALVE).start("six", 6).start("seven", 7).run_all(build, |ends| {
    ///     assert_eq!(*ends.of("six").as_ref().unwrap(), 3);
    ///     assert!(ends.of("seven").as_ref().unwrap_err().to_string().contains("it is odd"));
    ///     assert!(ends.sim().effects()["six/1/halve"] >= 1);
    /// });
    /// assert_eq!(report.runs, 40);
    /// assert!(report.restarts >= 60);
    /// ```
    pub fn run_all(self, build: impl Fn(&Sim) -> Builder, expect: impl Fn(&Ends<O>)) -> Report {
        assert!(!self.runs.is_empty(), "a check needs a run: add one with `start`");
        let traces = RefCell::default();
        let mut report = Report::default();
        for seed in self.seeds.clone() {
            let plan = Plan {
                check: &self,
                seed,
                build: &build,
                expect: &expect,
                traces: &traces,
                report: Cell::default(),
            };
            if let Err(what) = plan.carry_out() {
                let again = format!(".seeds({seed}..{})", seed + 1);
                panic!("seed {seed}, {what}\n\nTo see this failure alone: {again}");
            }
            report += plan.report.get();
        }
        report.distinct_traces = traces.take().len() as u64;
        report
    }
}
