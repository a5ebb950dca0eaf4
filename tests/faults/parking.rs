//! Stalls, live-locks, panics and values of another type park one run and leave the rest alone.

use std::future::pending;
use std::time::Duration;

use dacapo::store::{MemoryStore, Store};
use dacapo::{Builder, Ctx, Executor, ParkReason, Result, Workflow, yield_now};

use super::{assert_parked, history, open};

const W: Workflow<u32, u32> = Workflow::new("w");
const OTHER: Workflow<(), u32> = Workflow::new("other");

async fn value(n: u32) -> Result<u32> {
    Ok(n)
}

/// A run that has nothing to do with the one that is parked.
fn with_other(builder: Builder) -> Builder {
    builder.workflow(OTHER, async |ctx: &Ctx, ()| -> Result<u32> {
        ctx.sleep(Duration::from_secs(5)).await;
        ctx.step("late", async || value(3).await).await
    })
}

/// Starts `W` and another run, expects the first to be parked with this message, and resumes it
/// with a mended build over what was stored.
#[track_caller]
fn check(broken: Builder, reason: ParkReason, message: &str, mended: Builder) {
    let (executor, store) = open(with_other(broken), MemoryStore::new());
    let other = executor.start(OTHER, "other", ()).expect("new");
    let run = executor.start(W, "run", 1).expect("new");
    let error = executor.block_on(run).expect_err("it is parked");
    assert_parked(&executor, "run", &error, message);
    assert_eq!(executor.parked().expect("readable")[0].reason, reason);
    assert_eq!(error.park_reason(), Some(reason));
    assert_eq!(executor.block_on(other).expect("others go on"), 3);
    let before = history(&store.now(), "run");
    drop(executor);

    let (executor, store) = open(with_other(mended), store.now());
    executor.resume("run").expect("the build is mended");
    let run = executor.attach(W, "run").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 2);
    assert!(history(&store.now(), "run").starts_with(&before));
    executor.verify("run").expect("it replays");
}

fn mended() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        ctx.step("one", async move || value(n).await).await?;
        ctx.step("two", async move || value(n + 1).await).await
    })
}

#[test]
fn a_stall() {
    let broken = Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        ctx.step("one", async move || value(n).await).await?;
        let _forever = ctx.spawn(async |_: &Ctx| pending::<()>().await);
        pending().await
    });
    let message = "stalled: the tasks 0, 1 (0 is the root) await no operation of the run; \
                   nothing can wake it: await sockets and timers of another runtime in a step \
                   (inside tokio, run the executor under tokio::task::unconstrained), then call \
                   `Executor::resume`";
    check(broken, ParkReason::Stalled, message, mended());
}

/// A stall right at the start, before anything was asked for.
#[test]
fn a_stall_at_the_start() {
    let broken =
        Executor::builder().workflow(W, async |_: &Ctx, _: u32| -> Result<u32> { pending().await });
    let message = "stalled: task 0 (0 is the root) awaits no operation of the run; \
                   nothing can wake it: await sockets and timers of another runtime in a step \
                   (inside tokio, run the executor under tokio::task::unconstrained), then call \
                   `Executor::resume`";
    check(broken, ParkReason::Stalled, message, mended());
}

/// An operation that was built and never polled keeps nothing alive.
#[test]
fn a_stall_beside_an_operation_that_is_not_polled() {
    let broken = Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        let _never_polled = ctx.step("one", async move || value(n).await);
        pending().await
    });
    let message = "stalled: task 0 (0 is the root) awaits no operation of the run; \
                   nothing can wake it: await sockets and timers of another runtime in a step \
                   (inside tokio, run the executor under tokio::task::unconstrained), then call \
                   `Executor::resume`";
    check(broken, ParkReason::Stalled, message, mended());
}

#[test]
fn a_live_lock() {
    let broken = Executor::builder().poll_budget(1_000);
    let broken = broken.workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        ctx.step("one", async move || value(n).await).await?;
        loop {
            yield_now().await;
        }
    });
    let message = "live-lock: task 0 and others took 1000 polls for one record; \
                   fix the loop that never waits, or raise `Builder::poll_budget` (inside tokio, \
                   run the executor under tokio::task::unconstrained), then call \
                   `Executor::resume`";
    check(broken, ParkReason::LiveLock, message, mended());
}

#[test]
fn a_panic_in_the_root() {
    let broken = Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        ctx.step("one", async move || value(n).await).await?;
        panic!("no tea in order {}", ctx.id())
    });
    let message =
        "panicked: task 0: no tea in order run; fix the workflow, then call `Executor::resume`";
    check(broken, ParkReason::Panicked, message, mended());
}

#[test]
fn a_panic_in_a_spawned_task() {
    let broken = Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        ctx.spawn(async |_: &Ctx| panic!("no cup")).detach();
        ctx.step("one", async move || value(n).await).await?;
        ctx.step("two", async move || value(n + 1).await).await
    });
    let message = "panicked: task 1: no cup; fix the workflow, then call `Executor::resume`";
    check(broken, ParkReason::Panicked, message, mended());
}

#[test]
fn an_outcome_of_another_type() {
    const TEXT: Workflow<u32, u32> = W;
    let original = Executor::builder().workflow(TEXT, async |ctx: &Ctx, _: u32| -> Result<u32> {
        ctx.step("one", async || Ok::<_, dacapo::Error>(("a pot".to_owned(), 300_u32))).await?;
        pending().await
    });
    let (executor, store) = open(original, MemoryStore::new());
    let error = executor.block_on(executor.start(W, "run", 1).expect("new")).expect_err("parked");
    assert!(error.is_parked());
    drop(executor);

    for (build, kind, why) in [narrow(), wide()] {
        let (executor, store) = open(build, store.now());
        let error = executor.resume("run").expect_err("the type does not fit");
        let message = format!(
            "undecodable value: the outcome of step 1 \"one\" does not decode as {kind}: {why}; it was \
             recorded as (String, u32); give what is new a #[serde(default)] and what is renamed an \
             alias, or bring back the type, then call `Executor::resume`"
        );
        assert_parked(&executor, "run", &error, &message);
        executor.block_on(async {});
        let row = store.find("run").expect("readable").expect("stored");
        assert_eq!(row.state, dacapo::store::RunState::Parked);
    }
}

/// A build that reads less than was recorded, and what it is told.
fn narrow() -> (Builder, &'static str, &'static str) {
    let build = Executor::builder().workflow(W, async |ctx: &Ctx, _: u32| -> Result<u32> {
        ctx.step("one", async || Ok::<String, dacapo::Error>(String::new())).await?;
        Ok(0)
    });
    (build, "alloc::string::String", "invalid type: sequence, expected a string")
}

/// A build that reads more than was recorded.
fn wide() -> (Builder, &'static str, &'static str) {
    let build = Executor::builder().workflow(W, async |ctx: &Ctx, _: u32| -> Result<u32> {
        ctx.step("one", async || Ok::<_, dacapo::Error>((String::new(), 0_u32, 0_u32))).await?;
        Ok(0)
    });
    (build, "(alloc::string::String, u32, u32)", "invalid length 2, expected a tuple of size 3")
}

#[test]
fn an_input_of_another_type() {
    let (executor, store) = open(with_other(mended()), MemoryStore::new());
    drop(executor.start(W, "run", 300).expect("new"));
    executor.block_on(async {});
    drop(executor);
    const NARROW: Workflow<bool, u32> = Workflow::new("w");
    let build = Executor::builder()
        .workflow(NARROW, async |_: &Ctx, _: bool| -> Result<u32> { pending().await });
    let (executor, _) = open(build, store.now());
    let run = executor.attach(NARROW, "run").expect("it is there");
    let error = executor.block_on(run).expect_err("the type does not fit");
    let message = "undecodable value: the input does not decode as bool: invalid type: integer `300`, expected \
                   a boolean; it was recorded as u32; give what is new a #[serde(default)] and what is \
                   renamed an alias, or bring back the type, then call `Executor::resume`";
    assert_parked(&executor, "run", &error, message);
}

/// Panics when it is dropped, unless the thread panics already.
struct Brittle;

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped a cup");
    }
}

#[test]
fn a_panic_of_a_task_that_is_dropped_at_the_end() {
    let broken = Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        let cup = Brittle;
        let holds_cup = async move |_: &Ctx| {
            let _cup = cup;
            pending::<()>().await;
        };
        ctx.spawn(holds_cup).detach();
        ctx.step("one", async move || value(n).await).await
    });
    let message = "panicked: a task that was dropped: dropped a cup; \
                   fix the workflow, then call `Executor::resume`";
    check(broken, ParkReason::Panicked, message, mended());
}

/// A body whose drop panics is its own affair: the panic is reported by the hook, and that is all.
#[test]
fn a_panic_of_a_body_that_is_dropped() {
    let builder = Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        let brittle = ctx.step("brittle", async || -> Result<u32> {
            let _cup = Brittle;
            pending().await
        });
        dacapo::race(ctx.step("one", async move || value(n).await), brittle).await
    });
    let (executor, _) = open(builder, MemoryStore::new());
    assert_eq!(executor.block_on(executor.start(W, "run", 9).expect("new")).expect("ends"), 9);
    executor.verify("run").expect("it replays");
}

/// Resuming finds out at once whether it helped, also before the parking is committed.
#[test]
fn resuming_in_vain() {
    let build = || {
        Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
            ctx.step("one", async move || value(n).await).await?;
            pending().await
        })
    };
    let (executor, store) = open(build(), MemoryStore::new());
    let run = executor.start(W, "run", 1).expect("new");
    assert!(executor.resume("run").is_err_and(|error| !error.is_parked()), "it is not parked");
    executor.verify("run").expect("nothing of it is committed");
    assert!(executor.block_on(run).expect_err("it stalls").is_parked());
    for _ in 0..3 {
        assert!(executor.resume("run").expect_err("it stalls again").is_parked());
        assert_eq!(executor.parked().expect("readable").len(), 1);
    }
    executor.block_on(async {});
    drop(executor);
    let (executor, _) = open(with_other(build()), store.now());
    assert!(executor.resume("run").expect_err("it stalls again").is_parked());
}
