//! What is in a commit, and in which order: its parts, what does not fit, what is void.

use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{Recorder, VirtualClock};
use dacapo::{Builder, Ctx, Executor, Result, Step, Timestamp, Workflow, join, race, yield_now};

const W: Workflow<(), ()> = Workflow::new("w");
const BIG: Workflow<(), ()> = Workflow::new("big");

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn build(clock: &VirtualClock, recorder: &Recorder) -> Builder {
    Executor::builder().clock(clock.clone()).observer(recorder.clone())
}

/// The records that were delivered to a run.
fn delivered(recorder: &Recorder) -> Vec<String> {
    let trace = recorder.trace("run").into_iter();
    trace.filter_map(|event| Some(event.strip_prefix("deliver ")?.to_owned())).collect()
}

/// A step that ends at this time with so many bytes.
fn until(
    ctx: &Ctx,
    clock: &VirtualClock,
    name: &'static str,
    end: u64,
    size: usize,
) -> Step<String> {
    let clock = clock.clone();
    ctx.step(name, async move || -> Result<String> {
        clock.sleep(ms(end)).await;
        Ok("x".repeat(size))
    })
}

/// What the run asked for comes first, then outcomes, then timers, although it all came to be in one
/// round, and the timers first of all.
#[test]
fn the_parts_of_a_commit_come_in_their_order() {
    let (clock, recorder) = (VirtualClock::default(), Recorder::default());
    let its_clock = clock.clone();
    let executor = build(&clock, &recorder)
        .workflow(W, async move |ctx: &Ctx, ()| -> Result<()> {
            let asks = async {
                ctx.step("quick", async || Result::<()>::Ok(())).await?;
                ctx.step("once", async || Result::<()>::Ok(())).at_most_once().await
            };
            let clock = its_clock.clone();
            // It ends in the round after the one in which "quick" did, and so late that both sleeps
            // are over.
            let slow = ctx.step("slow", async move || -> Result<()> {
                yield_now().await;
                clock.set(Timestamp::default() + ms(10));
                Ok(())
            });
            let sleeps = join(ctx.sleep(ms(10)), ctx.sleep(ms(5)));
            let ((asked, slow), _) = join(join(asks, slow), sleeps).await;
            asked.and(slow)
        })
        .in_memory();
    executor.block_on(executor.start(W, "run", ()).expect("new")).expect("it ends");
    let expected = [
        r#"0: start of workflow "w""#,
        r#"1: outcome of step 4 "quick""#,
        "2: start of step 5",
        r#"3: outcome of step 1 "slow""#,
        "4: end of sleep 3",
        "5: end of sleep 2",
        r#"6: outcome of step 5 "once""#,
        "7: end of the run with an output",
    ];
    assert_eq!(delivered(&recorder), expected);
    executor.verify("run").expect("a replay is the same");
}

/// A commit takes no further run when it has 16 MiB: what is left keeps its order.
#[test]
fn outcomes_that_are_left_over_keep_their_order() {
    let (clock, recorder) = (VirtualClock::default(), Recorder::default());
    let (big, small) = (clock.clone(), clock.clone());
    let executor = build(&clock, &recorder)
        .workflow(BIG, async move |ctx: &Ctx, ()| -> Result<()> {
            until(ctx, &big, "big", 10, 17 << 20).await.map(drop)
        })
        .workflow(W, async move |ctx: &Ctx, ()| -> Result<()> {
            let step = |name| until(ctx, &small, name, 10, 1);
            dacapo::try_join_all(["c", "a", "b"].map(step)).await.map(drop)
        })
        .in_memory();
    let _big = executor.start(BIG, "big", ()).expect("new");
    executor.block_on(executor.start(W, "run", ()).expect("new")).expect("it ends");
    let outcomes = ["c", "a", "b"].into_iter().zip(1..);
    let outcomes: Vec<_> =
        outcomes.map(|(name, n)| format!(r#"{n}: outcome of step {n} "{name}""#)).collect();
    assert_eq!(delivered(&recorder)[1..4], outcomes);
}

/// A timer that did not fit, and whose sleep was dropped by what did: it leaves no record, and keeps
/// its run in memory no longer.
#[test]
fn a_timer_that_is_left_over_and_void() {
    let (clock, recorder) = (VirtualClock::default(), Recorder::default());
    let (big, small, sleep) = (clock.clone(), clock.clone(), Rc::new(clock.clone()));
    let executor = build(&clock, &recorder)
        .resident_max(0)
        .workflow(W, async move |ctx: &Ctx, ()| -> Result<()> {
            let late = async {
                ctx.sleep(ms(10)).await;
                Ok(String::new())
            };
            race(until(ctx, &small, "quick", 10, 1), late).await?;
            ctx.sleep(ms(100_000)).await;
            Ok(())
        })
        .workflow(BIG, async move |ctx: &Ctx, ()| -> Result<()> {
            until(ctx, &big, "big", 10, 17 << 20).await.map(drop)
        })
        .in_memory();
    let run = executor.start(W, "run", ()).expect("new");
    let _big = executor.start(BIG, "big", ()).expect("new");
    executor.block_on(sleep.sleep(ms(5_000)));
    assert_eq!(format!("{executor:?}"), "Executor { runs: 0, .. }", "it sleeps, and has left");
    executor.block_on(run).expect("it ends");
    let expected = [
        r#"0: start of workflow "w""#,
        r#"1: outcome of step 1 "quick""#,
        "2: end of sleep 3",
        "3: end of the run with an output",
    ];
    assert_eq!(delivered(&recorder), expected);
}
