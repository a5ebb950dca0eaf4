//! Long and wide runs finish, replay, and stay linear: what is counted is polls and records, and
//! time only as a ratio within one run.

use std::time::{Duration, Instant};

use dacapo::store::Store;
use dacapo::{Builder, Ctx, Executor, Result, Workflow, try_join_all};

const LONG: Workflow<u32, u64> = Workflow::new("long");
const WIDE: Workflow<u32, u64> = Workflow::new("wide");

async fn value(n: u32) -> Result<u64> {
    Ok(n.into())
}

async fn long(ctx: &Ctx, steps: u32) -> Result<u64> {
    let mut sum = 0;
    for n in 0..steps {
        sum += ctx.step("add", async move || value(n).await).await?;
    }
    Ok(sum)
}

async fn wide(ctx: &Ctx, steps: u32) -> Result<u64> {
    let steps = (0..steps).map(|n| ctx.step("add", async move || value(n).await));
    Ok(try_join_all(steps).await?.iter().sum())
}

fn build() -> Builder {
    Executor::builder().workflow(LONG, long).workflow(WIDE, wide)
}

/// Runs a workflow of `steps` steps, live and as a replay, and gives the faster of three times.
fn time(workflow: Workflow<u32, u64>, steps: u32) -> Duration {
    let once = || {
        let store = dacapo::store::MemoryStore::new();
        let executor = build().open_with(store.shared()).expect("memory opens");
        let begun = Instant::now();
        let run = executor.start(workflow, "run", steps).expect("new");
        let sum = executor.block_on(run).expect("it ends");
        executor.verify("run").expect("it replays");
        let took = begun.elapsed();
        assert_eq!(sum, u64::from(steps) * u64::from(steps - 1) / 2);
        let row = store.find("run").expect("readable").expect("stored");
        let last = store.last(row.key).expect("readable");
        assert_eq!(
            last.last().expect("it has a history").seq,
            u64::from(steps) + 1,
            "a start, the steps, an end"
        );
        took
    };
    (0..3).map(|_| once()).min().expect("three times")
}

/// Ten times the steps may take at most 30 times as long: what is quadratic takes 100 times.
#[track_caller]
fn assert_linear(workflow: Workflow<u32, u64>, steps: u32) {
    let (tenth, all) = (time(workflow, steps / 10), time(workflow, steps));
    assert!(all < 30 * tenth, "{} steps: {tenth:?}, {steps} steps: {all:?}", steps / 10);
}

#[test]
fn a_hundred_thousand_sequential_steps() {
    assert_linear(LONG, 100_000);
}

#[test]
fn ten_thousand_concurrent_steps() {
    assert_linear(WIDE, 10_000);
}

/// A long run on disk, taken up again from the file.
#[test]
fn a_long_run_comes_back_from_its_file() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("long.redb");
    let _ = std::fs::remove_file(&path);
    let executor = build().open(&path).expect("it is created");
    let run = executor.start(WIDE, "run", 10_000).expect("new");
    assert_eq!(executor.block_on(run).expect("it ends"), 49_995_000);
    drop(executor);
    let executor = build().open(&path).expect("it is there");
    executor.verify("run").expect("it replays");
    let run = executor.attach(WIDE, "run").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ended"), 49_995_000);
}
