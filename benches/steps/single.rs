//! One run: steps in sequence, steps at once, replays.

use std::time::{Duration, Instant};

use dacapo::{Builder, Ctx, Executor, Result, Workflow, try_join_all};

use super::Options;
use super::forgetful::Forgetful;
use super::latency::Stopwatch;
use super::report::{Report, median, nanos_each, per_second};

pub(crate) const SEQUENCE: Workflow<u32, u64> = Workflow::new("sequence");
/// The same sequence, whose steps say what they are about.
pub(crate) const SEQUENCE_OF: Workflow<u32, u64> = Workflow::new("sequence-of");
pub(crate) const FAN_OUT: Workflow<u32, u64> = Workflow::new("fan-out");
/// The same sequence, with a stopwatch.
pub(crate) const TIMED: Workflow<u32, u64> = Workflow::new("timed");

async fn sequence(ctx: &Ctx, steps: u32) -> Result<u64> {
    let mut sum = 0;
    for n in 0..steps {
        sum += ctx.step("add", async move || Result::<u64>::Ok(n.into())).await?;
    }
    Ok(sum)
}

async fn sequence_of(ctx: &Ctx, steps: u32) -> Result<u64> {
    let mut sum = 0;
    for n in 0..steps {
        sum += ctx.step("add", async move || Result::<u64>::Ok(n.into())).of(&n).await?;
    }
    Ok(sum)
}

async fn fan_out(ctx: &Ctx, steps: u32) -> Result<u64> {
    let add = |n: u32| ctx.step("add", async move || Result::<u64>::Ok(n.into()));
    Ok(try_join_all((0..steps).map(add)).await?.iter().sum())
}

/// Looks at the clock between steps, which a workflow must not do: nothing depends on it here.
async fn timed(ctx: &Ctx, steps: u32) -> Result<u64> {
    let mut stopwatch = Stopwatch::start();
    let mut sum = 0;
    for n in 0..steps {
        sum += ctx.step("add", async move || Result::<u64>::Ok(n.into())).await?;
        stopwatch.lap();
    }
    Ok(sum)
}

pub(crate) fn build() -> Builder {
    let builder = Executor::builder().workflow(SEQUENCE, sequence);
    let builder = builder.workflow(SEQUENCE_OF, sequence_of);
    builder.workflow(FAN_OUT, fan_out).workflow(TIMED, timed)
}

pub(crate) fn measure(options: &Options, report: &mut Report) {
    let steps = options.size(200_000, 1_000_000);
    report.row("memory_step", "ns/step", || {
        let times = (0..5).map(|_| without_store(SEQUENCE, steps).0).collect();
        nanos_each(median(times), steps.into())
    });
    report.row("memory_of_step", "ns/step", || {
        let times = (0..5).map(|_| without_store(SEQUENCE_OF, steps).0).collect();
        nanos_each(median(times), steps.into())
    });
    for steps in [10, 1_000, 100_000] {
        report.row(&format!("fan_out_{steps}"), "ns/step", || {
            let again = (100_000 / steps).max(3);
            let times = (0..again).map(|_| without_store(FAN_OUT, steps).0).collect();
            nanos_each(median(times), steps.into())
        });
    }
    report.row("replay", "records/s", || {
        let (_, executor) = in_memory(SEQUENCE, steps);
        let start = Instant::now();
        executor.verify("run").expect("it replays");
        per_second(start.elapsed(), steps.into())
    });
}

/// Runs a workflow of so many steps over a store that forgets, and gives the time.
fn without_store(workflow: Workflow<u32, u64>, steps: u32) -> (Duration, Executor) {
    run_in(build().open_with(Forgetful::default()).expect("nothing is read"), workflow, steps)
}

/// The same over a store in memory.
fn in_memory(workflow: Workflow<u32, u64>, steps: u32) -> (Duration, Executor) {
    run_in(build().in_memory(), workflow, steps)
}

fn run_in(executor: Executor, workflow: Workflow<u32, u64>, steps: u32) -> (Duration, Executor) {
    let start = Instant::now();
    let run = executor.start(workflow, "run", steps).expect("new");
    let sum = executor.block_on(run).expect("it ends");
    let took = start.elapsed();
    assert_eq!(sum, u64::from(steps) * u64::from(steps - 1) / 2);
    (took, executor)
}
