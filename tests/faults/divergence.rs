//! The code asks for something else than the history holds.

use std::time::Duration;

use dacapo::store::{MemoryStore, Store};
use dacapo::{Builder, Ctx, Executor, ParkReason, Result, Workflow};

use super::{assert_parked, history, open};

const W: Workflow<u32, u32> = Workflow::new("w");
const MEND: &str = "restore the code that wrote this history (if it did not change, it is not \
    deterministic), then call `Executor::resume`";

/// A build, as the workflow that it registers.
type Build = fn() -> Builder;

async fn value(n: u32) -> Result<u32> {
    Ok(n)
}

/// The build that makes the histories: two steps, a long sleep, a third step.
fn original() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        let a = ctx.step("first", async move || value(n).await).label("tea").await?;
        let b = ctx.step("second", async move || value(a + 1).await).await?;
        ctx.sleep(Duration::from_secs(60)).await;
        ctx.step("third", async move || value(b * 10).await).await
    })
}

fn with_other_name() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        let a = ctx.step("primary", async move || value(n).await).label("tea").await?;
        ctx.step("second", async move || value(a + 1).await).await
    })
}

fn with_other_label() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        ctx.step("first", async move || value(n).await).label("cup").await
    })
}

fn with_other_kind() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, _: u32| -> Result<u32> {
        ctx.sleep(Duration::from_secs(1)).await;
        Ok(1)
    })
}

fn with_other_order() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        let a = ctx.step("first", async move || value(n).await).label("tea").await?;
        ctx.sleep(Duration::from_secs(60)).await;
        ctx.step("second", async move || value(a + 1).await).await
    })
}

fn without_second() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        ctx.step("first", async move || value(n).await).label("tea").await
    })
}

fn that_asks_in_a_task() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        let task = ctx.spawn(async move |ctx: &Ctx| {
            ctx.step("first", async move || value(n).await).label("tea").await
        });
        task.await
    })
}

/// What a run of the original build has stored when two outcomes are committed.
fn stored() -> MemoryStore {
    let (executor, store) = open(original(), MemoryStore::new());
    let run = executor.start(W, "order-7", 4).expect("it is new");
    assert_eq!(executor.block_on(run).expect("it ends"), 50);
    store.take().swap_remove(2)
}

#[track_caller]
fn check(build: Build, message: &str) {
    let stored = stored();
    let before = history(&stored, "order-7");
    assert_eq!(before.len(), 3, "a start and two outcomes");

    let (executor, store) = open(build(), stored);
    let run = executor.attach(W, "order-7").expect("it is there");
    let error = executor.block_on(run).expect_err("it diverges");
    assert_parked(&executor, "order-7", &error, &format!("diverged: {message}; {MEND}"));
    assert_eq!(executor.parked().expect("readable")[0].reason, ParkReason::Diverged);
    assert_eq!(history(&store.now(), "order-7"), before, "nothing is appended");
    drop(executor);

    // The next open does not try again, not even with the build that fits; `resume` does.
    let (executor, store) = open(original(), store.now());
    assert_eq!(executor.parked().expect("readable").len(), 1);
    executor.resume("order-7").expect("the build fits");
    let run = executor.attach(W, "order-7").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 50);
    assert!(executor.parked().expect("readable").is_empty());
    assert_eq!(before.len(), 3);
    assert!(history(&store.now(), "order-7").starts_with(&before));
}

#[test]
fn another_name() {
    check(
        with_other_name,
        r#"record 1 of the history holds outcome of step 1 "first" [tea], but the code asks for step 1 "primary" [tea]"#,
    );
}

#[test]
fn another_label() {
    check(
        with_other_label,
        r#"record 1 of the history holds outcome of step 1 "first" [tea], but the code asks for step 1 "first" [cup]"#,
    );
}

#[test]
fn another_kind() {
    check(
        with_other_kind,
        r#"record 1 of the history holds outcome of step 1 "first" [tea], but the code asks for sleep 1"#,
    );
}

#[test]
fn another_order() {
    check(
        with_other_order,
        r#"record 2 of the history holds outcome of step 2 "second", but the code asks for sleep 2"#,
    );
}

#[test]
fn an_earlier_end() {
    check(
        without_second,
        r#"record 2 of the history holds outcome of step 2 "second", but the code ended before it"#,
    );
}

#[test]
fn another_number() {
    check(
        that_asks_in_a_task,
        r#"record 1 of the history holds outcome of step 1 "first" [tea], but the code asks for no operation 1 here; it awaits step 1.1 "first" [tea]"#,
    );
}

/// How long a sleep is, is compared: with the time until which the code has it sleep now. A sleep
/// that is not over is in no record, so its length may change.
#[test]
fn another_duration() {
    const NAP: Workflow<u64, u64> = Workflow::new("nap");
    fn build(first: u64, second: u64) -> Builder {
        Executor::builder().workflow(NAP, async move |ctx: &Ctx, n: u64| -> Result<u64> {
            ctx.sleep(Duration::from_secs(first)).await;
            ctx.sleep(Duration::from_secs(second)).await;
            Ok(n)
        })
    }
    let (executor, store) = open(build(5, 5), MemoryStore::new());
    executor.block_on(executor.start(NAP, "nap", 1).expect("new")).expect("it ends");
    let between = store.take().into_iter().find(|stored| history(stored, "nap").len() == 2);
    let between = between.expect("one commit has the end of the first sleep");
    drop(executor);

    let (executor, _) = open(build(6, 5), between.snapshot());
    let run = executor.attach(NAP, "nap").expect("it is there");
    let error = executor.block_on(run).expect_err("it slept for another while");
    let message = format!(
        "diverged: record 1 of the history holds end of sleep 1, due at 5.000000000, but the code \
         asks for sleep 1, due at 6.000000000; {MEND}"
    );
    assert_parked(&executor, "nap", &error, &message);

    let (executor, _) = open(build(5, 1_000), between);
    let run = executor.attach(NAP, "nap").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 1);
}

/// A run that has ended is not touched by an open; `verify` holds its end against the code.
#[test]
fn another_end() {
    let (executor, store) = open(original(), MemoryStore::new());
    executor.block_on(executor.start(W, "order-7", 4).expect("new")).expect("it ends");
    drop(executor);
    let other_output: Build = || {
        Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
            let a = ctx.step("first", async move || value(n).await).label("tea").await?;
            let b = ctx.step("second", async move || value(a + 1).await).await?;
            ctx.sleep(Duration::from_secs(60)).await;
            Ok(1 + ctx.step("third", async move || value(b * 10).await).await?)
        })
    };
    let no_end: Build = || {
        Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
            let a = ctx.step("first", async move || value(n).await).label("tea").await?;
            let b = ctx.step("second", async move || value(a + 1).await).await?;
            ctx.sleep(Duration::from_secs(60)).await;
            ctx.step("third", async move || value(b * 10).await).await?;
            ctx.step("fourth", async move || value(0).await).await
        })
    };
    let fourth = line!() - 3;
    let goes_on = format!(
        "end of the run with an output, but the code goes on, and awaits step 5 \"fourth\", at {}:{fourth}",
        file!()
    );
    let ends = "end of the run with an output, but the code ends here with another output";
    let cases = [(other_output, ends), (no_end, &goes_on)];
    for (build, message) in cases {
        let (executor, store) = open(build(), store.now());
        let error = executor.verify("order-7").expect_err("it diverges");
        let mend = MEND.strip_suffix(", then call `Executor::resume`").expect("it is not parked");
        let message = format!("diverged: record 5 of the history holds {message}; {mend}");
        let expected = format!(r#"run "order-7" is not repeated by this build: {message}"#);
        assert_eq!(error.to_string(), expected);
        assert!(executor.parked().expect("readable").is_empty(), "verify changes nothing");
        assert!(store.take().is_empty(), "verify commits nothing");
        // The recorded output is what everybody gets.
        let run = executor.attach(W, "order-7").expect("it is there");
        assert_eq!(executor.block_on(run).expect("it ended"), 50);
    }
}

/// Records that share a commit with the one that ended the run reach nobody, live and in replay;
/// records of a later commit mean that the code ends too early.
#[test]
fn an_end_in_the_midst_of_a_commit() {
    const RACE: Workflow<(), u32> = Workflow::new("race");
    let build = || {
        Executor::builder().workflow(RACE, async |ctx: &Ctx, ()| -> Result<u32> {
            let slow = ctx.step("slow", async || value(1).await);
            let fast = ctx.step("fast", async || value(2).await);
            dacapo::race(slow, fast).await
        })
    };
    let (executor, store) = open(build(), MemoryStore::new());
    let run = executor.start(RACE, "race-1", ()).expect("new");
    assert_eq!(executor.block_on(run).expect("it ends"), 1);
    let commits = store.take();
    assert_eq!(commits.len(), 3, "the start, both outcomes, the end");
    assert_eq!(history(&commits[1], "race-1").len(), 3);
    for stored in commits {
        let (executor, store) = open(build(), stored);
        let run = executor.attach(RACE, "race-1").expect("it is there");
        assert_eq!(executor.block_on(run).expect("it ends"), 1);
        executor.verify("race-1").expect("it ends again as it did");
        let row = store.find("race-1").expect("readable").expect("stored");
        assert!(row.state.has_ended());
    }
}
