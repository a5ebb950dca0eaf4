//! What is swept: a few runs of small workflows, and what must come of them.

use std::time::Duration;

use dacapo::sim::Sim;
use dacapo::{Attempt, Builder, Ctx, Executor, Result, Step, Value, Workflow};

/// What a run returns: lines that hold every outcome that it saw.
pub(super) type Lines = Vec<String>;

/// Registers the workflows of one build.
pub(super) type Build = fn(&Sim) -> Builder;

/// The name of the workflow in scenarios that have only one.
pub(super) const W: &str = "w";

#[derive(Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) build: Build,
    /// Id and workflow; the input is the place in this list.
    pub(super) runs: &'static [(&'static str, &'static str)],
    pub(super) compare: Compare,
    /// What earlier processes did, whose disk the sweep begins with.
    pub(super) before: &'static [Before],
    /// The runs that are taken up again if they are found parked.
    pub(super) resumed: &'static [&'static str],
    /// The runs of workflows that the build does not have.
    pub(super) unregistered: &'static [&'static str],
    /// Whether each run is started when the one before has ended.
    pub(super) one_by_one: bool,
}

/// A process that was there before the sweep. It ended when each of its runs slept or had ended.
#[derive(Clone, Copy)]
pub(super) struct Before {
    pub(super) build: Build,
    pub(super) runs: &'static [(&'static str, &'static str)],
}

/// What is the same in all processes, whatever order the outcomes arrive in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compare {
    /// The results, and the operations that they came from.
    All,
    /// The results.
    Results,
    /// The results with their lines in order.
    Sorted,
    /// The results are among these, their lines put together with commas.
    OneOf(&'static [&'static str]),
}

impl Scenario {
    pub(super) const fn new(name: &'static str, compare: Compare, build: Build) -> Self {
        Self {
            name,
            build,
            runs: &[("run", W)],
            compare,
            before: &[],
            resumed: &[],
            unregistered: &[],
            one_by_one: false,
        }
    }

    pub(super) const fn runs(self, runs: &'static [(&'static str, &'static str)]) -> Self {
        Self { runs, ..self }
    }

    pub(super) const fn before(self, before: &'static [Before]) -> Self {
        Self { before, ..self }
    }

    pub(super) const fn resumed(self, resumed: &'static [&'static str]) -> Self {
        Self { resumed, ..self }
    }

    pub(super) const fn unregistered(self, unregistered: &'static [&'static str]) -> Self {
        Self { unregistered, ..self }
    }

    pub(super) const fn one_by_one(self) -> Self {
        Self { one_by_one: true, ..self }
    }
}

/// A build with one workflow.
pub(super) fn one(
    sim: &Sim,
    program: impl AsyncFn(&Ctx, &Sim, u32) -> Result<Lines> + Copy + 'static,
) -> Builder {
    add(Executor::builder(), sim, W, program)
}

/// Registers a program.
pub(super) fn add(
    builder: Builder,
    sim: &Sim,
    name: &'static str,
    program: impl AsyncFn(&Ctx, &Sim, u32) -> Result<Lines> + Copy + 'static,
) -> Builder {
    let sim = sim.clone();
    let body = async move |ctx: &Ctx, n: u32| program(ctx, &sim, n).await;
    builder.workflow(Workflow::<u32, Lines>::new(name), body)
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

/// A step whose outcome is text.
pub(super) fn say(ctx: &Ctx, sim: &Sim, name: &'static str, text: impl ToString) -> Step<String> {
    slow(ctx, sim, name, text.to_string())
}

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
