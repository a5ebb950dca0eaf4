//! A sleep until a time: past, far, far beyond, and another one in a replay.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use dacapo::sim::{self, Sim};
use dacapo::store::{MemoryStore, Store};
use dacapo::{Builder, Ctx, Executor, ParkReason, Result, Workflow, join_all, select};

use super::open;

const W: Workflow<Vec<u64>, Vec<usize>> = Workflow::new("w");
const HOUR: Duration = Duration::from_secs(3_600);

fn hours(n: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + u32::try_from(n).expect("a short while") * HOUR
}

/// Sleeps until each of these hours at once, and tells in which order that came.
fn build() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, until: Vec<u64>| -> Result<_> {
        let order = std::cell::RefCell::new(Vec::new());
        let sleeps = (0..).zip(&until).map(async |(index, &until)| {
            ctx.sleep_until(hours(until)).await;
            assert!(ctx.now() >= hours(until));
            order.borrow_mut().push(index);
        });
        join_all(sleeps).await;
        Ok(order.into_inner())
    })
}

#[test]
fn sleeps_end_in_the_order_of_their_times_and_then_of_their_numbers() {
    let (executor, _) = open(build(), MemoryStore::new());
    let run = executor.start(W, "run", vec![3, 1, 2, 1]).expect("new");
    assert_eq!(executor.block_on(run).expect("it ends"), [1, 3, 2, 0]);
    executor.verify("run").expect("it replays");
}

/// What is past is due at once, and still a sleep: it ends by a record.
#[test]
fn a_time_that_has_passed() {
    const LATE: Workflow<(), Duration> = Workflow::new("late");
    let late = Executor::builder().workflow(LATE, async |ctx: &Ctx, ()| -> Result<_> {
        ctx.sleep(5 * HOUR).await;
        let before = ctx.now();
        ctx.sleep_until(hours(1)).await;
        ctx.sleep_until(SystemTime::UNIX_EPOCH).await;
        ctx.sleep_until(SystemTime::UNIX_EPOCH - HOUR).await;
        ctx.sleep_until(before).await;
        Ok(ctx.now().duration_since(before).expect("time never goes back"))
    });
    let (executor, store) = open(late, MemoryStore::new());
    let waited = executor.block_on(executor.start(LATE, "run", ()).expect("new"));
    assert_eq!(waited.expect("it ends"), Duration::ZERO);
    let store = store.now();
    let row = store.find("run").expect("memory can be read").expect("it is stored");
    let history = store.history(row.key).expect("memory can be read");
    assert_eq!(history.len(), 7, "a start, five sleeps, an end");
    executor.verify("run").expect("it replays");
}

/// What is beyond the end of time is cut short there.
#[test]
fn a_time_beyond_the_end_of_time() {
    const LONG: Workflow<(), bool> = Workflow::new("long");
    let long = Executor::builder().workflow(LONG, async |ctx: &Ctx, ()| -> Result<_> {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::MAX / 2_000_000_000);
        let beyond = far + Duration::from_secs(1 << 40);
        let first = select(ctx.sleep_until(beyond), ctx.sleep_until(far)).await;
        Ok(matches!(first, dacapo::Either::Second(())))
    });
    let (executor, _) = open(long, MemoryStore::new());
    assert!(executor.block_on(executor.start(LONG, "run", ()).expect("new")).expect("it ends"));
    executor.verify("run").expect("it replays");
}

/// The mistake that its documentation warns of, and its message.
#[test]
fn a_time_that_is_another_one_in_a_replay() {
    const CLOCK: Workflow<(), ()> = Workflow::new("clock");
    let build = || {
        let calls = Cell::new(0);
        Executor::builder().workflow(CLOCK, async move |ctx: &Ctx, ()| -> Result<()> {
            calls.set(calls.get() + 1); // As the system's clock: it goes on.
            ctx.sleep_until(hours(calls.get())).await;
            Ok(())
        })
    };
    let (executor, _) = open(build(), MemoryStore::new());
    executor.block_on(executor.start(CLOCK, "run", ()).expect("new")).expect("it ends");
    let error = executor.verify("run").expect_err("it sleeps longer this time");
    assert_eq!(error.park_reason(), Some(ParkReason::Diverged));
    let both = "holds end of sleep 1, due at 3600.000000000, but the code asks for sleep 1, due at \
                7200.000000000; ";
    assert!(error.to_string().contains(both), "{error}");
}

#[test]
fn crashed_at_every_commit_it_sleeps_no_longer() {
    let build = |_: &Sim| build();
    let report =
        sim::check(W).start("a", vec![1, 30, 2]).start("b", vec![]).run_all(build, |ends| {
            assert_eq!(*ends.of("a").as_ref().expect("it ends"), [0, 2, 1]);
        });
    assert!(report.restarts > 0);
}
