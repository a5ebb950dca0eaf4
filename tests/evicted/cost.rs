//! What runs that come and go cost: their replays, and those that have ended.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::{Filter, MemoryStore};
use dacapo::{Ctx, Error, Event, Executor, Observer, Result, Workflow, join_all};

const TICKS: Workflow<(u32, u64), u32> = Workflow::new("ticks");

async fn ticks(ctx: &Ctx, (ticks, millis): (u32, u64)) -> Result<u32> {
    for _ in 0..ticks {
        ctx.sleep(Duration::from_millis(millis)).await;
    }
    Ok(ticks)
}

/// How many records were delivered, in replays too.
#[derive(Clone, Default)]
struct Delivered(Rc<Cell<u64>>);

impl Observer for Delivered {
    fn observe(&self, _: &str, event: Event<'_>) {
        self.0.set(self.0.get() + u64::from(matches!(event, Event::Delivered(..))));
    }
}

fn delivered(runs: u32, input: (u32, u64)) -> u64 {
    let delivered = Delivered::default();
    let executor = Executor::builder()
        .workflow(TICKS, ticks)
        .clock(VirtualClock::default())
        .observer(delivered.clone())
        .resident_max(2)
        .in_memory();
    let start = |n: u32| executor.start(TICKS, &format!("run-{n}"), input).expect("new");
    let ends = executor.block_on(join_all((0..runs).map(start).collect::<Vec<_>>()));
    assert!(ends.into_iter().all(|end| end.expect("it ends") == input.0));
    delivered.0.get()
}

/// Twenty runs that tick 800 times, where two may be in memory. Each return costs the whole history; so
/// long histories stay, unless the run sleeps for long.
#[test]
fn runs_that_tick_are_not_replayed_for_most_of_the_time() {
    let records = u64::from(20 * (800_u32 + 2));
    let quick = delivered(20, (800, 10));
    assert!((records..3 * records).contains(&quick), "{quick} deliveries of {records} records");
    // They leave as ever if it is worth it.
    let slow = delivered(20, (100, 60_000));
    assert!(slow > 20 * 20 * 102, "{slow}");
}

/// Of the runs that have ended so many are kept; who holds a handle has the end all the same.
#[test]
fn ended_runs_are_forgotten() {
    let store = MemoryStore::new();
    let builder = || Executor::builder().workflow(TICKS, ticks).clock(VirtualClock::default());
    let executor = builder().ended_max(10).open_with(store.shared()).expect("memory");
    let start = |n: u32| executor.start(TICKS, &format!("run-{n}"), (n % 7, 1)).expect("new");
    let runs: Vec<_> = (0..100).map(start).collect();
    let ends: Result<Vec<_>> = executor.block_on(join_all(runs)).into_iter().collect();
    assert_eq!(ends.expect("they end").len(), 100);
    executor.block_on(dacapo::yield_now());
    let kept = executor.runs(&Filter::new()).expect("memory");
    assert_eq!(kept.len(), 10);
    // The id is free, and a run that failed and goes on is not forgotten.
    let again = executor.start(TICKS, "run-0", (1, 1)).expect("it is free");
    assert!(again.is_new());
    assert_eq!(executor.block_on(again).expect("it ends"), 1);
    drop(executor);
    let executor = builder().open_with(store.shared()).expect("memory");
    assert!(executor.runs(&Filter::new()).expect("memory").len() <= 11);
    let run = executor.attach(TICKS, "run-0").expect("it is kept");
    assert_eq!(executor.block_on(run).expect("it ended"), 1);
}

/// A run that is taken up again while it waits to be forgotten goes on.
#[test]
fn a_run_that_is_retried_is_not_forgotten() -> Result<()> {
    const FAILS: Workflow<u32, u32> = Workflow::new("fails");
    let is_mended = Rc::<Cell<bool>>::default();
    let mended = is_mended.clone();
    let executor = Executor::builder()
        .workflow(FAILS, async move |ctx: &Ctx, n: u32| {
            let mended = mended.clone();
            ctx.sleep(Duration::from_millis(5)).await;
            ctx.step("try", async move || if mended.get() { Ok(n) } else { Err(Error::new("no")) })
                .await
        })
        .clock(VirtualClock::default())
        .ended_max(2)
        .in_memory();
    for n in 0..2 {
        executor.block_on(executor.start(FAILS, &n.to_string(), n)?).expect_err("it fails");
    }
    is_mended.set(true);
    executor.retry("0")?;
    assert_eq!(executor.block_on(executor.attach(FAILS, "0")?)?, 0);
    executor.block_on(dacapo::yield_now());
    assert_eq!(executor.block_on(executor.attach(FAILS, "0")?)?, 0, "it has ended just now");
    for n in 2..6 {
        executor.block_on(executor.start(FAILS, &n.to_string(), n)?)?;
    }
    executor.block_on(dacapo::yield_now());
    assert!(executor.attach(FAILS, "1").expect_err("it is forgotten").is_not_found());
    assert_eq!(executor.runs(&Filter::new())?.len(), 2);
    Ok(())
}
