//! What goes wrong when a run comes back.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::MemoryStore;
use dacapo::{Clock, Ctx, Error, Executor, ParkReason, Result, Timestamp};

use super::{Alive, NAP, build};
use crate::faults::Told;

/// Code that is not deterministic is found out when it comes back: the run is parked, and whoever
/// waits is told.
#[test]
fn a_run_that_comes_back_as_another() {
    let replays = Rc::new(Cell::new(0));
    let executor = Executor::builder()
        .clock(VirtualClock::new(Timestamp::default()))
        .resident_max(0)
        .workflow(NAP, async move |ctx: &Ctx, n: u64| -> Result<u64> {
            replays.set(replays.get() + 1);
            ctx.sleep(Duration::from_millis(n)).await;
            if replays.get() > 3 {
                ctx.step("not before", async || Result::<u64>::Ok(1)).await?;
            }
            ctx.sleep(Duration::from_millis(n)).await;
            ctx.sleep(Duration::from_millis(n)).await;
            Ok(n)
        })
        .in_memory();
    let run = executor.start(NAP, "run", 5).expect("new");
    let error = executor.block_on(run).expect_err("it is another");
    assert!(error.is_parked(), "{error}");
    let parked = executor.parked().expect("readable");
    assert_eq!((parked[0].id.as_str(), parked[0].reason), ("run", ParkReason::Diverged));
}

/// A run that is not in memory is running all the same.
#[test]
fn a_run_that_has_left_is_not_parked_nor_started_twice() {
    let alive = Alive::default();
    let executor = build(&alive).resident_max(0).in_memory();
    let first = executor.start(NAP, "run", 5).expect("new");
    executor.block_on(first.accepted()).expect("it is committed");
    assert_eq!(alive.now.get(), 0);

    let error = executor.resume("run").expect_err("it is not parked");
    assert_eq!(error.to_string(), r#"run "run" is not parked, so it cannot be resumed"#);
    assert!(executor.parked().expect("readable").is_empty());
    executor.verify("run").expect("it is as it was");
    let second = executor.start(NAP, "run", 6).expect("attached");
    assert_eq!(alive.now.get(), 0, "it has left again");
    assert_eq!(executor.block_on(second).expect("it ends"), 5);
    assert_eq!(executor.block_on(first).expect("it has ended"), 5);
}

/// What a run owns panics whenever it leaves: that is told with its name, and it comes back and ends.
#[test]
fn a_run_that_panics_when_it_leaves() {
    struct Brittle(Rc<Cell<bool>>);
    impl Drop for Brittle {
        fn drop(&mut self) {
            assert!(!self.0.get() || std::thread::panicking(), "it broke");
        }
    }
    let (is_brittle, told) = (Rc::new(Cell::new(true)), Told::default());
    let executor = Executor::builder()
        .clock(VirtualClock::new(Timestamp::default()))
        .resident_max(0)
        .observer(told.clone())
        .workflow(NAP, async move |ctx: &Ctx, n: u64| -> Result<u64> {
            let _cup = Brittle(is_brittle.clone());
            ctx.sleep(Duration::from_millis(n)).await;
            ctx.sleep(Duration::from_millis(n)).await;
            let breaks = is_brittle.clone();
            ctx.step("mend", async move || {
                breaks.set(false);
                Ok::<_, Error>(n)
            })
            .await
        })
        .in_memory();
    let run = executor.start(NAP, "run", 5).expect("new");
    assert_eq!(executor.block_on(run).expect("it ends"), 5);
    let line = r#"run "run" left memory, and its code panicked when it was dropped: it broke"#;
    assert_eq!(told.0.borrow().iter().filter(|told| *told == line).count(), 2);
    assert!(executor.parked().expect("readable").is_empty());
}

/// Those who wait for a run that has left are told when the executor goes.
#[test]
fn the_executor_goes_while_somebody_waits() {
    let alive = Alive::default();
    let executor = build(&alive).resident_max(0).in_memory();
    let run = executor.start(NAP, "run", 5).expect("new");
    executor.block_on(run.accepted()).expect("it is committed");
    drop(executor);
    let error = futures::executor::block_on(run).expect_err("nobody drives it");
    assert!(error.to_string().contains("the executor was dropped"), "{error}");
}

/// A workflow may not attach to a run, and nothing is brought back by that.
#[test]
fn a_workflow_that_attaches() {
    let alive = Alive::default();
    let executor = Rc::new(Cell::new(None::<Rc<Executor>>));
    let held = executor.clone();
    const CURIOUS: dacapo::Workflow<(), ()> = dacapo::Workflow::new("curious");
    let builder = build(&alive).resident_max(0);
    let built = Rc::new(
        builder
            .workflow(CURIOUS, async move |_: &Ctx, ()| -> Result<()> {
                let executor = held.take().expect("it is set");
                let error = executor.attach(NAP, "run").expect_err("it is refused");
                assert!(error.to_string().contains("by a workflow"), "{error}");
                Ok(())
            })
            .in_memory(),
    );
    executor.set(Some(built.clone()));
    let run = built.start(NAP, "run", 5).expect("new");
    built.block_on(run.accepted()).expect("it is committed");
    let curious = built.start(CURIOUS, "curious", ()).expect("new");
    built.block_on(curious).expect("it ends");
    assert_eq!(built.block_on(run).expect("it ends"), 5);
}

/// Time that goes on by itself.
struct Ahead(Cell<u64>);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.replace(self.0.get() + 1_000_000))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.get())
    }
}

/// Several timers of one run are past when it comes back: they fire in the order of their times.
#[test]
fn timers_that_are_past_when_a_run_comes_back() {
    let history = |resident_max: usize| {
        let store = MemoryStore::new();
        let executor = Executor::builder()
            .seed(1)
            .clock(Ahead(Cell::new(0)))
            .resident_max(resident_max)
            .workflow(NAP, async |ctx: &Ctx, n: u64| -> Result<u64> {
                let naps = [9, 3, 7, 3, 5].map(|n| ctx.sleep(Duration::from_millis(n)));
                futures::future::join_all(naps).await;
                Ok(n)
            })
            .open_with(store.shared())
            .expect("it opens");
        let run = executor.start(NAP, "run", 5).expect("new");
        assert_eq!(executor.block_on(run).expect("it ends"), 5);
        crate::faults::history(&store.snapshot(), "run")
    };
    let records =
        |room| history(room).iter().map(|entry| entry.record.to_vec()).collect::<Vec<_>>();
    assert_eq!(records(0), records(1));
}

/// A timer that nobody takes any more must not keep the main loop awake once the store has failed.
#[test]
fn an_executor_that_has_stopped_waits_although_a_run_was_away() {
    let (clock, store) = (VirtualClock::new(Timestamp::default()), MemoryStore::new());
    let builder = Executor::builder().clock(clock.clone()).resident_max(0);
    let executor = builder
        .workflow(NAP, async |ctx: &Ctx, n: u64| super::nap(ctx, &Alive::default(), n).await)
        .open_with(store.shared())
        .expect("it opens");
    let away = executor.start(NAP, "away", 5).expect("new");
    executor.block_on(away.accepted()).expect("it is committed");
    store.fail_after(0);
    let refused = executor.start(NAP, "refused", 5).expect("new");
    assert!(executor.block_on(refused).expect_err("it is refused").is_store());
    assert!(executor.block_on(away).expect_err("it is told").is_store());

    let mut main = std::pin::pin!(executor.run(clock.sleep(Duration::from_secs(9))));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let ends = (0..1_000).any(|_| std::future::Future::poll(main.as_mut(), &mut cx).is_ready());
    assert!(ends, "it looks for a timer that is due, and time stands still");
}

/// What the simulation does to runs and disks, with room for one run of two.
#[test]
fn every_fault_of_the_disk_with_runs_that_leave() {
    let build = |sim: &dacapo::sim::Sim| {
        let sim = sim.clone();
        let program = async move |ctx: &Ctx, n: u64| -> Result<u64> {
            let sim = sim.clone();
            let step = async move || -> Result<()> {
                sim.latency().await;
                Ok(())
            };
            ctx.step("before", step).await?;
            ctx.sleep(Duration::from_secs(30 * 86_400)).await;
            Ok(n)
        };
        Executor::builder().resident_max(1).workflow(NAP, program)
    };
    let check = dacapo::sim::check(NAP).start("one", 1).start("two", 2).seeds(0..2).disk_faults();
    let report = check.run(build, |n| assert!([1, 2].contains(n)));
    assert!(report.storage_faults > 150, "{report}");
}
