//! Spans of runs, steps and attempts; a replay opens none of them twice.

use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::MemoryStore;
use dacapo::{Attempt, Builder, Ctx, Error, Executor, Result, Retry, Workflow};
use tracing::subscriber::with_default;

use crate::alone;
use crate::collected::Spans;

const ORDER: Workflow<u32, u32> = Workflow::new("order");
const HOUR: Duration = Duration::from_secs(3_600);

async fn order(ctx: &Ctx, cents: u32) -> Result<u32> {
    tracing::info!(target: "shop", "the order is looked at");
    let reserve = async || {
        tracing::info!(target: "shop", "reserves");
        Ok::<_, Error>(1_u32)
    };
    let stock = ctx.step("reserve", reserve).label("tea").await?;
    ctx.sleep(HOUR).await;
    let charge = async move |attempt: Attempt| match attempt.number() {
        1 => Err(Error::new("the bank is closed")),
        _ => Ok(cents + stock),
    };
    ctx.step_with("charge", charge).retry(Retry::exponential(Duration::ZERO)).await
}

fn builder(clock: &VirtualClock) -> Builder {
    Executor::builder().workflow(ORDER, order).clock(clock.clone())
}

#[test]
fn spans_say_what_a_run_does() {
    let _alone = alone();
    let (spans, clock) = (Spans::default(), VirtualClock::default());
    with_default(spans.clone(), || {
        let executor = builder(&clock).in_memory();
        let run = executor.start(ORDER, "order-1", 700).expect("new");
        assert_eq!(executor.block_on(run).expect("it is well"), 701);
    });
    assert_eq!(
        spans.tree(),
        [
            r#"run run="order-1" workflow="order" pass=1 resumed=false outcome="completed""#,
            r#"  step run="order-1" number=1 name="reserve" label="tea" attempts=1"#,
            r#"    attempt attempt=1"#,
            r#"  step run="order-1" number=3 name="charge" attempts=2"#,
            r#"    attempt attempt=1 error=the bank is closed"#,
            r#"    attempt attempt=2"#,
        ]
    );
    assert_eq!(spans.open(), 0);
    assert_eq!(
        spans.take_events(),
        [
            "run/INFO: the order is looked at",
            "attempt/INFO: reserves",
            r#"WARN: run "order-1": attempt 1 of step 3 "charge" failed: the bank is closed; the next one begins in 0ns"#,
            r#"INFO: run "order-1" has ended"#,
        ]
    );
}

/// The run leaves memory while it sleeps, and is replayed to go on.
#[test]
fn a_replay_in_the_same_process_opens_no_span_of_the_run_again() {
    let _alone = alone();
    let (spans, clock) = (Spans::default(), VirtualClock::default());
    with_default(spans.clone(), || {
        let executor = builder(&clock).resident_max(0).in_memory();
        let run = executor.start(ORDER, "order-1", 700).expect("new");
        assert_eq!(executor.block_on(run).expect("it is well"), 701);
    });
    assert_eq!(
        spans.tree(),
        [
            r#"run run="order-1" workflow="order" pass=1 resumed=false outcome="completed""#,
            r#"  step run="order-1" number=1 name="reserve" label="tea" attempts=1"#,
            r#"    attempt attempt=1"#,
            r#"  step run="order-1" number=3 name="charge" attempts=2"#,
            r#"    attempt attempt=1 error=the bank is closed"#,
            r#"    attempt attempt=2"#,
            r#"replay run="order-1" workflow="order" pass=1 records=2 after run"#,
        ]
    );
    assert_eq!(spans.open(), 0);
    let looked = spans.take_events().into_iter().filter(|event| event.contains("looked at"));
    assert_eq!(
        looked.collect::<Vec<_>>(),
        ["run/INFO: the order is looked at", "replay/INFO: the order is looked at",]
    );
}

/// What is replayed of another process: its steps are not opened, and the run follows from the replay.
#[test]
fn the_next_process_opens_the_run_behind_its_replay() {
    let _alone = alone();
    let (clock, store) = (VirtualClock::default(), MemoryStore::new());
    let open = || builder(&clock).open_with(store.shared()).expect("it is read");
    let executor = open();
    drop(executor.start(ORDER, "order-1", 700).expect("new"));
    executor.block_on(async {
        for _ in 0..9 {
            dacapo::yield_now().await;
        }
    });
    drop(executor);

    let spans = Spans::default();
    with_default(spans.clone(), || {
        let executor = open();
        executor.verify("order-1").expect("it is as it was");
        let run = executor.attach(ORDER, "order-1").expect("it is there");
        assert_eq!(executor.block_on(run).expect("it is well"), 701);
    });
    assert_eq!(
        spans.tree(),
        [
            r#"replay run="order-1" workflow="order" pass=1 records=2"#,
            r#"run run="order-1" workflow="order" pass=1 resumed=true outcome="completed" after replay"#,
            r#"  step run="order-1" number=3 name="charge" attempts=2"#,
            r#"    attempt attempt=1 error=the bank is closed"#,
            r#"    attempt attempt=2"#,
        ]
    );
    assert_eq!(spans.open(), 0);
}

/// A step that is dropped with its run ends its spans, and so does a run that is parked.
#[test]
fn what_is_dropped_or_parked_leaves_no_span_open() {
    let _alone = alone();
    const STUCK: Workflow<(), ()> = Workflow::new("stuck");
    let stuck = async |ctx: &Ctx, ()| -> Result<()> {
        let wait = async || std::future::pending::<Result<()>>().await;
        let _waits = ctx.spawn(async move |ctx: &Ctx| ctx.step("wait", wait).await);
        ctx.sleep(HOUR).await;
        panic!("no tea")
    };
    let (spans, clock) = (Spans::default(), VirtualClock::default());
    with_default(spans.clone(), || {
        let executor = Executor::builder().workflow(STUCK, stuck).clock(clock).in_memory();
        let run = executor.start(STUCK, "stuck-1", ()).expect("new");
        executor.block_on(run).expect_err("it is parked");
    });
    let tree = spans.tree();
    assert_eq!(
        tree[0],
        r#"run run="stuck-1" workflow="stuck" pass=1 resumed=false outcome="parked""#
    );
    assert_eq!(tree.len(), 3, "{tree:#?}");
    assert_eq!(spans.open(), 0);
}

/// Where a thread of its own works for an attempt, what it tells is within the attempt.
#[test]
fn a_blocking_step_tells_within_its_attempt() {
    let _alone = alone();
    const COUNT: Workflow<(), u32> = Workflow::new("count");
    let count = async |ctx: &Ctx, ()| -> Result<u32> {
        let body = |_: &Attempt| {
            tracing::info!(target: "shop", "counts");
            Ok::<_, Error>(3)
        };
        ctx.step_blocking("count", body).await
    };
    let spans = Spans::default();
    let told = spans.clone();
    with_default(spans.clone(), || {
        let executor = Executor::builder().workflow(COUNT, count).in_memory();
        let run = executor.start(COUNT, "count-1", ()).expect("new");
        assert_eq!(executor.block_on(run).expect("it is well"), 3);
    });
    // The thread has no subscriber of its own here: a span knows the one that made it, an event does not.
    assert_eq!(told.tree()[2], "    attempt attempt=1");
    assert_eq!(spans.open(), 0);
}

/// Without anybody who collects, nothing is kept.
#[test]
fn nobody_who_collects_costs_no_span() {
    let _alone = alone();
    let spans = Spans::default();
    let executor = builder(&VirtualClock::default()).in_memory();
    let run = executor.start(ORDER, "order-1", 700).expect("new");
    assert_eq!(executor.block_on(run).expect("it is well"), 701);
    assert!(spans.tree().is_empty());
}
