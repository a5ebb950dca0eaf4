//! memable: redb beneath, as with dacapo.
//!
//! Each step is a commit of its own with redb's default durability, so it is **synced before its
//! outcome is used**. Steps of several runs do not share a commit, and redb has one writer.
//!
//! A step commits on the thread that polls it and never yields: each of tokio's threads takes one
//! run from its start to its end before it polls the next. A step's time, from its first poll, tells
//! nothing of the runs that wait for a thread meanwhile.

use std::time::{Duration, Instant};

use ::memable::{Context, Engine, EngineError, WorkflowState};
use futures::future::{join_all, try_join_all};

use super::harness::Options;
use super::harness::curve::Point;
use super::harness::latency::Stopwatch;
use super::harness::report::Report;
use super::{replayed, runtime};

const SIZES: [(u32, u32); 5] = [(1, 500), (10, 50), (100, 20), (1_000, 10), (10_000, 5)];

async fn sequence(ctx: Context) -> Result<(), EngineError> {
    let steps = ctx.input::<u32>()?.expect("it is given with each run");
    let mut stopwatch = Stopwatch::start();
    let mut sum = 0;
    for n in 0..steps {
        // A step is remembered by its key, so each needs its own.
        let key = format!("add-{n}:v1");
        sum += ctx.step(&key).run(async move || Ok(u64::from(n))).await?;
        stopwatch.lap();
    }
    assert_eq!(sum, u64::from(steps) * u64::from(steps - 1) / 2);
    Ok(())
}

pub(crate) fn measure(options: &Options, report: &mut Report) {
    let runtime = runtime();
    report.curve(
        options,
        "peer_memable_",
        "memable (redb), synced; blocks its threads",
        &SIZES,
        |size| {
            let path = options.file("memable.redb");
            let engine = Engine::builder().open(path).expect("it is created").build();
            runtime.block_on(async { Point::new(size, run_all(engine, size).await) })
        },
    );
    report.row("peer_memable_replay", "records/s", || {
        // In memory, as is ours.
        let steps = options.size(20_000, 200_000);
        let engine = Engine::builder().in_memory().build();
        replayed(runtime.block_on(replay(engine, steps)), steps)
    });
}

/// From the start of the first of so many runs of so many steps, to the end of the last.
async fn run_all(mut engine: Engine, (runs, steps): (u32, u32)) -> Duration {
    engine.register("sequence", sequence);
    engine.start().await.expect("it starts");
    let start = Instant::now();
    let invocations = (0..runs).map(async |_| engine.invoke("sequence").input(steps).await);
    let invocations = try_join_all(invocations).await.expect("they start");
    let states = join_all(invocations.into_iter().map(|invocation| invocation.wait())).await;
    let took = start.elapsed();
    assert!(states.iter().all(|state| *state == WorkflowState::Completed(None)));
    took
}

/// Runs once more what has ended: each step is found by its key. Two commits are a part of it.
async fn replay(mut engine: Engine, steps: u32) -> Duration {
    engine.register("sequence", sequence);
    engine.start().await.expect("it starts");
    let invocation = engine.invoke("sequence").input(steps).await.expect("it starts");
    let id = invocation.instance_id().to_owned();
    assert_eq!(invocation.wait().await, WorkflowState::Completed(None));
    let start = Instant::now();
    let state = engine.resume("sequence", id).await.expect("it is there").wait().await;
    assert_eq!(state, WorkflowState::Completed(None));
    start.elapsed()
}
