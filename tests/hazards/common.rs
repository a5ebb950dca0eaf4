//! What the programs of this folder are made of, and how they are run.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{self, Recorder, Report, Sim, Snapshots, VirtualClock};
use dacapo::store::{MemoryStore, Store};
use dacapo::{Attempt, Builder, Ctx, Executor, Result, Step, Timestamp, Value, Workflow};

use crate::coverage;

/// The lines in which a program writes down what it saw, in the order in which it saw it.
pub(super) type Lines = Vec<String>;

/// Lines that all branches and tasks of one run write.
#[derive(Clone, Default)]
pub(super) struct Log(Rc<RefCell<Lines>>);

impl Log {
    pub(super) fn line(&self, line: impl Display) {
        self.0.borrow_mut().push(line.to_string());
    }

    pub(super) fn lines(&self) -> Lines {
        self.0.borrow().clone()
    }
}

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A step whose body takes a random while.
pub(super) fn slow<T: Value + Clone>(
    ctx: &Ctx,
    sim: &Sim,
    name: &'static str,
    value: T,
) -> Step<T> {
    let sim = sim.clone();
    ctx.step_with(name, async move |attempt: Attempt| -> Result<T> {
        sim.note(&attempt);
        sim.latency().await;
        Ok(value.clone())
    })
}

/// The same; its outcome is its name.
pub(super) fn named(ctx: &Ctx, sim: &Sim, name: &'static str) -> Step<String> {
    slow(ctx, sim, name, name.to_owned())
}

/// Two steps, one after the other, that write down when they are done.
pub(super) async fn two_steps(ctx: &Ctx, sim: &Sim, log: &Log, who: &str) -> Result<String> {
    let first = slow(ctx, sim, "first", format!("{who}1")).await?;
    log.line(&first);
    let second = slow(ctx, sim, "second", format!("{first} {who}2")).await?;
    log.line(&second);
    Ok(second)
}

/// The name of the workflow that runs the program under test.
pub(super) fn hazard<O>() -> Workflow<(), O> {
    Workflow::new("hazard")
}

/// Registers a program in a process.
pub(super) fn build<O: Value>(
    sim: &Sim,
    program: impl AsyncFn(&Ctx, &Sim) -> Result<O> + 'static,
) -> Builder {
    let sim = sim.clone();
    Executor::builder().workflow(hazard(), async move |ctx: &Ctx, ()| program(ctx, &sim).await)
}

/// Runs a program with every seed and again from every commit, and looks at each output.
///
/// `least` is how many different outputs must have been seen: if all seeds gave one order, nothing
/// was shown. It returns the outputs.
pub(super) fn check<O: Value + Ord + Clone>(
    seeds: Range<u64>,
    least: usize,
    program: impl AsyncFn(&Ctx, &Sim) -> Result<O> + Copy + 'static,
    expect: impl Fn(&O),
) -> BTreeSet<O> {
    check_as(simulated().seeds(seeds), least, program, expect)
}

/// One run of a program.
pub(super) fn simulated<O: Value>() -> sim::Check<(), O> {
    sim::check(hazard()).start(RUN, ())
}

/// The same in a simulation of its own.
pub(super) fn check_as<O: Value + Ord + Clone>(
    simulated: sim::Check<(), O>,
    least: usize,
    program: impl AsyncFn(&Ctx, &Sim) -> Result<O> + Copy + 'static,
    expect: impl Fn(&O),
) -> BTreeSet<O> {
    let outputs = RefCell::new(BTreeSet::new());
    let report = simulated.run(
        |sim| build(sim, program),
        |output| {
            expect(output);
            outputs.borrow_mut().insert(output.clone());
        },
    );
    let outputs = outputs.into_inner();
    // With `--nocapture` this is the table of what was covered.
    println!("{} different outputs", outputs.len());
    cover(1, report);
    assert!(outputs.len() >= least, "only {} of {least} different outputs", outputs.len());
    outputs
}

/// Says what was covered: with `--nocapture`, and where CI adds it up.
pub(super) fn cover(programs: u64, report: Report) {
    coverage::add(&format!("programs={programs} {report}"));
}

/// What the simulation says of a program that is not deterministic.
pub(super) fn found<O: Value>(
    program: impl AsyncFn(&Ctx, &Sim) -> Result<O> + Copy + 'static,
) -> String {
    let check = || simulated().seeds(0..50).run(|sim| build(sim, program), |_: &O| ());
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the simulation finds it");
    *panic.downcast::<String>().expect("its message has particulars")
}

/// One process over what an earlier one stored, for tests that drive the executor themselves.
pub(super) struct Process {
    pub(super) executor: Executor,
    pub(super) sim: Sim,
    pub(super) store: Snapshots,
    pub(super) recorder: Recorder,
}

/// The id of the run in such tests.
pub(super) const RUN: &str = "run";

impl Process {
    /// Opens `stored`, `outage` after its last commit.
    pub(super) fn open(
        seed: u64,
        stored: MemoryStore,
        outage: Duration,
        build: impl Fn(&Sim) -> Builder,
    ) -> Self {
        let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()) + outage);
        let sim = Sim::new(seed, clock);
        let (store, recorder) = (Snapshots::new(stored), Recorder::default());
        let builder = sim.apply(build(&sim)).seed(seed).observer(recorder.clone());
        let executor = builder.open_with(store.clone()).expect("memory can be read");
        Self { executor, sim, store, recorder }
    }

    /// A process that begins with nothing, and the program that it runs.
    pub(super) fn new<O: Value>(
        seed: u64,
        program: impl AsyncFn(&Ctx, &Sim) -> Result<O> + Copy + 'static,
    ) -> Self {
        Self::open(seed, MemoryStore::new(), Duration::ZERO, |sim| build(sim, program))
    }

    /// Starts the run, or attaches to it, and drives it to its end.
    pub(super) fn finish<O: Value>(&self) -> Result<O> {
        let run = self.executor.start(hazard::<O>(), RUN, ())?;
        self.executor.block_on(run)
    }

    pub(super) fn trace(&self) -> Lines {
        self.recorder.trace(RUN)
    }
}
