//! Runs with something pending stay, and those that left come back whole.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::MemoryStore;
use dacapo::{Builder, Ctx, Error, Executor, Result, Retry, Timestamp, Workflow, join, yield_now};
use futures::FutureExt;

use super::{Alive, NAP, build};

const BIG: Workflow<u64, u64> = Workflow::new("big");
const BUSY: Workflow<u64, ()> = Workflow::new("busy");

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A workflow that has panicked at its first run, and sleeps when it is mended.
fn build_mended(clock: &VirtualClock, is_mended: &Rc<Cell<bool>>) -> Builder {
    let is_mended = is_mended.clone();
    let program = async move |ctx: &Ctx, millis: u64| -> Result<u64> {
        assert!(is_mended.get(), "not mended");
        ctx.sleep(ms(millis)).await;
        Ok(millis)
    };
    Executor::builder().clock(clock.clone()).resident_max(0).workflow(NAP, program)
}

/// That it is no longer parked is not committed yet: it must not leave before that.
#[test]
fn a_run_that_was_just_resumed() {
    let (clock, is_mended) = (VirtualClock::default(), Rc::new(Cell::new(false)));
    let executor = build_mended(&clock, &is_mended).in_memory();
    let run = executor.start(NAP, "run", 30).expect("new");
    assert!(executor.block_on(run).expect_err("it panicked").is_parked());
    is_mended.set(true);
    let other = executor.start(NAP, "other", 9_000).expect("new");
    executor.block_on(other.accepted()).expect("it is committed, and leaves");

    executor.resume("run").expect("it is mended");
    let run = executor.attach(NAP, "run").expect("it runs");
    drop(executor.attach(NAP, "other").expect("which makes too many"));
    let again = executor.attach(NAP, "run").expect("it runs");
    clock.set(Timestamp::from_nanos(50_000_000));
    assert_eq!(executor.block_on(run).expect("it ends"), 30);
    assert_eq!(executor.block_on(again).expect("it ended"), 30);
}

/// A commit of more than 16 MiB is split: between its halves the first run only sleeps, and yet
/// the end of that sleep is on its way.
#[test]
fn a_timer_that_a_split_commit_puts_off() {
    let (clock, charges) = (VirtualClock::default(), Rc::new(Cell::new(0)));
    let slow = |clock: &VirtualClock, millis, size| {
        let clock = clock.clone();
        move |ctx: &Ctx| {
            let clock = clock.clone();
            ctx.step("slow", async move || {
                clock.sleep(ms(millis)).await;
                Result::<String>::Ok("x".repeat(size))
            })
        }
    };
    let (quick, big, busy) = (slow(&clock, 10, 1), slow(&clock, 10, 17 << 20), slow(&clock, 99, 1));
    let (body_clock, counted) = (clock.clone(), charges.clone());
    let charge = async move |ctx: &Ctx, n: u64| -> Result<u64> {
        join(quick(ctx), ctx.sleep(ms(10))).await.0?;
        let (clock, charges) = (body_clock.clone(), counted.clone());
        let charge = async move || {
            charges.set(charges.get() + 1);
            clock.sleep(ms(1_500)).await;
            Result::<u64>::Ok(n)
        };
        ctx.step("charge", charge).await
    };
    let executor = Executor::builder()
        .clock(clock.clone())
        .resident_max(2)
        .workflow(NAP, charge)
        .workflow(BIG, async move |ctx: &Ctx, n: u64| -> Result<u64> {
            big(ctx).await?;
            ctx.sleep(ms(2_000)).await;
            Ok(n)
        })
        .workflow(BUSY, async move |ctx: &Ctx, _: u64| busy(ctx).await.map(drop))
        .in_memory();
    let charged = executor.start(NAP, "charged", 7).expect("new");
    drop(executor.start(BIG, "big", 1).expect("new"));
    let main = async {
        clock.sleep(ms(600)).await;
        drop(executor.start(BUSY, "one", 1).expect("new"));
        drop(executor.start(BUSY, "two", 1).expect("new"));
        charged.await
    };
    assert_eq!(executor.block_on(main).expect("it is charged"), 7);
    assert_eq!(charges.get(), 1, "once");
}

/// A sleep whose length is another one in the replay: the time for which the run left does not
/// count when it is back.
#[test]
fn a_sleep_of_another_length_when_it_is_back() {
    let (clock, lengths) = (VirtualClock::default(), Cell::new(100_u64));
    let body_clock = clock.clone();
    let executor = Executor::builder()
        .clock(clock)
        .resident_max(1)
        .workflow(NAP, async |ctx: &Ctx, n: u64| -> Result<u64> {
            ctx.sleep(ms(n)).await;
            Ok(n)
        })
        .workflow(BIG, async move |ctx: &Ctx, n: u64| -> Result<u64> {
            lengths.set((lengths.get() + 200).min(500));
            ctx.sleep(ms(lengths.get())).await;
            let clock = body_clock.clone();
            let busy = async move || {
                clock.sleep(ms(1_000)).await;
                Result::<u64>::Ok(n)
            };
            ctx.step("busy", busy).await
        })
        .in_memory();
    // It sleeps longest, for 300 ms, and leaves; back it sleeps for 500 ms, and leaves again.
    let run = executor.start(BIG, "run", 1).expect("new");
    let other = executor.start(NAP, "other", 200).expect("new");
    executor.block_on(join(run.accepted(), other.accepted())).0.expect("they are committed");
    assert_eq!(executor.block_on(run).expect("it ends"), 1);
    executor.verify("run").expect("its history can be replayed");
}

/// The teardown of a run that leaves wakes one of its tasks: that is no foreign wake, which would
/// keep the next run from leaving, and be held against the run when it is back.
#[test]
fn a_task_that_the_teardown_wakes() {
    let build = || {
        let program = async |ctx: &Ctx, n: u64| -> Result<u64> {
            let (sender, receiver) = futures::channel::oneshot::channel::<()>();
            let waits = ctx.spawn(async move |_| receiver.await.is_err());
            // It is dropped before the handle of the task that it wakes.
            let sender = sender;
            ctx.sleep(ms(n)).await;
            drop(sender);
            assert!(waits.await);
            Ok(n)
        };
        let clock = VirtualClock::default();
        Executor::builder().clock(clock).resident_max(0).workflow(NAP, program)
    };
    let store = MemoryStore::new();
    let executor = build().open_with(store.shared()).expect("it opens");
    let runs = ["one", "two", "three"].map(|id| executor.start(NAP, id, 5).expect("new"));
    executor.block_on(runs[2].accepted()).expect("they are committed, and leave");
    assert_eq!(format!("{executor:?}"), "Executor { runs: 0, .. }");
    drop((executor, runs));

    let executor = build().open_with(store).expect("it opens");
    assert_eq!(format!("{executor:?}"), "Executor { runs: 0, .. }", "they leave at once");
    for id in ["one", "two", "three"] {
        let run = executor.attach(NAP, id).expect("it is there");
        assert_eq!(executor.block_on(run).expect("it ends"), 5);
    }
}

/// Many are due at one time: they do not all come back at once.
#[test]
fn a_crowd_with_one_deadline() {
    let alive = Alive::default();
    let executor = build(&alive).resident_max(10).in_memory();
    for n in 0..5_000 {
        drop(executor.start(NAP, &n.to_string(), 500).expect("new"));
        if n % 100 == 0 {
            executor.block_on(yield_now());
        }
    }
    let last = executor.start(NAP, "last", 500).expect("new");
    executor.block_on(last).expect("it ends");
    assert!(alive.most.get() <= 1_200, "{} at once", alive.most.get());
}

/// A run that awaited many operations may leave when it awaits few.
#[test]
fn nine_sleeps_of_which_one_is_left() {
    let alive = Alive::default();
    let counted = alive.clone();
    let clock = VirtualClock::default();
    let executor = Executor::builder()
        .clock(clock.clone())
        .resident_max(0)
        .workflow(NAP, async move |ctx: &Ctx, n: u64| -> Result<u64> {
            let _living = counted.one_more();
            futures::future::join_all((1..=9).map(|n| ctx.sleep(ms(n * n)))).await;
            Ok(n)
        })
        .in_memory();
    let run = executor.start(NAP, "run", 1).expect("new");
    executor.block_on(clock.sleep(ms(65)));
    assert_eq!(alive.now.get(), 0, "it awaits the last of them, and has left");
    assert_eq!(executor.block_on(run).expect("it ends"), 1);
}

/// A drop that attaches to the run that is leaving must not bring it back, for ever.
#[test]
fn a_workflow_that_attaches_to_itself_when_it_is_dropped() {
    struct Clinging(Rc<Cell<Option<Rc<Executor>>>>, Rc<Cell<u32>>);
    impl Drop for Clinging {
        fn drop(&mut self) {
            if let Some(executor) = self.0.take() {
                // A panic here is kept from the test.
                let refused = u32::from(executor.attach(NAP, "run").is_err());
                self.1.set(self.1.get() + refused);
                self.0.set(Some(executor));
            }
        }
    }
    let (held, drops) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(0)));
    let (holds, counted) = (held.clone(), drops.clone());
    let executor = Executor::builder()
        .clock(VirtualClock::default())
        .resident_max(0)
        .workflow(NAP, async move |ctx: &Ctx, n: u64| -> Result<u64> {
            let _clinging = Clinging(holds.clone(), counted.clone());
            ctx.sleep(ms(n)).await;
            Ok(n)
        })
        .in_memory();
    let executor = Rc::new(executor);
    held.set(Some(executor.clone()));
    let run = executor.start(NAP, "run", 5).expect("new");
    executor.block_on(run.accepted()).expect("it leaves");
    assert_eq!(drops.get(), 1);
    held.take();
    assert_eq!(executor.block_on(run).expect("it ends"), 5);
}

/// Who gives up waiting leaves nothing behind.
#[test]
fn handles_that_are_dropped() {
    struct Quiet;
    impl Wake for Quiet {
        fn wake(self: std::sync::Arc<Self>) {}
    }
    let executor = build(&Alive::default()).in_memory();
    let _run = executor.start(NAP, "run", 5).expect("new");
    let quiet = std::sync::Arc::new(Quiet);
    for _ in 0..100 {
        let waker = quiet.clone().into();
        let mut handle = executor.attach(NAP, "run").expect("it runs");
        assert_eq!(handle.poll_unpin(&mut Context::from_waker(&waker)).map(drop), Poll::Pending);
    }
    assert_eq!(std::sync::Arc::strong_count(&quiet), 1);
}

/// What the end of a process interrupted is pending until it is delivered, and not for ever.
#[test]
fn a_step_that_was_interrupted_and_may_not_run_again() {
    let store = MemoryStore::new();
    let open = || {
        let builder = Executor::builder().clock(VirtualClock::default()).resident_max(0);
        let program = async |ctx: &Ctx, n: u64| -> Result<u64> {
            let endless = async || std::future::pending::<Result<u64>>().await;
            let interrupted = ctx.step("once", endless).at_most_once().await;
            assert!(interrupted.expect_err("it never ends").is_interrupted());
            ctx.sleep(ms(n)).await;
            Ok(n)
        };
        builder.workflow(NAP, program).open_with(store.shared()).expect("it opens")
    };
    let executor = open();
    let run = executor.start(NAP, "run", 1_000).expect("new");
    executor.block_on(async {
        run.accepted().await.expect("it is committed");
        dacapo::yield_now().await;
        dacapo::yield_now().await;
    });
    drop(executor);
    let executor = open();
    for _ in 0..5 {
        executor.block_on(dacapo::yield_now());
    }
    assert_eq!(format!("{executor:?}"), "Executor { runs: 0, .. }", "it sleeps, and has left");
    assert_eq!(executor.block_on(executor.attach(NAP, "run").unwrap()).unwrap(), 1_000);
}

/// Steps that come to no outcome of their own, as a workflow that asks for one.
type Cut = for<'a> fn(&'a Ctx) -> futures::future::LocalBoxFuture<'a, Result<u64>>;

async fn endless() -> Result<u64> {
    std::future::pending().await
}

fn gives_up(ctx: &Ctx) -> futures::future::LocalBoxFuture<'_, Result<u64>> {
    let fails = async || Err(Error::new("no answer"));
    Box::pin(ctx.step("pay", fails).retry(Retry::exponential(ms(1)).max_attempts(3)))
}

fn gives_up_what_runs_once(ctx: &Ctx) -> futures::future::LocalBoxFuture<'_, Result<u64>> {
    let fails = async || Err(Error::new("no answer"));
    Box::pin(ctx.step("pay", fails).at_most_once())
}

fn takes_too_long(ctx: &Ctx) -> futures::future::LocalBoxFuture<'_, Result<u64>> {
    Box::pin(ctx.step("pay", endless).timeout(ms(5)).at_most_once())
}

fn is_dropped(ctx: &Ctx) -> futures::future::LocalBoxFuture<'_, Result<u64>> {
    let step = ctx.step("pay", endless).at_most_once();
    Box::pin(async move { ctx.timeout(ms(5), step).await? })
}

fn ends_processes(ctx: &Ctx) -> futures::future::LocalBoxFuture<'_, Result<u64>> {
    Box::pin(ctx.step("pay", endless).retry(Retry::exponential(ms(1)).max_attempts(2)))
}

/// What was done for it counts no longer when it is over: the run sleeps behind it, and leaves.
#[test]
fn steps_that_were_given_up() {
    let cuts: [(Cut, usize); 5] = [
        (gives_up, 0),
        (gives_up_what_runs_once, 0),
        (takes_too_long, 0),
        (is_dropped, 0),
        (ends_processes, 2),
    ];
    for (at, (cut, ends)) in cuts.into_iter().enumerate() {
        let (store, clock) = (MemoryStore::new(), VirtualClock::default());
        let open = || {
            let builder = Executor::builder().clock(clock.clone()).resident_max(0);
            let program = async move |ctx: &Ctx, n: u64| -> Result<u64> {
                cut(ctx).await.expect_err("it comes to nothing");
                ctx.sleep(Duration::from_secs(n)).await;
                Ok(n)
            };
            builder.workflow(NAP, program).open_with(store.shared()).expect("it opens")
        };
        let mut executor = open();
        let _run = executor.start(NAP, "run", 1_000).expect("new");
        for _ in 0..ends {
            (0..9).for_each(|_| executor.block_on(dacapo::yield_now()));
            // It is killed.
            std::mem::forget(executor);
            executor = open();
        }
        executor.block_on(clock.sleep(ms(50)));
        let shown = format!("{executor:?}");
        assert_eq!(shown, "Executor { runs: 0, .. }", "case {at}: it sleeps, and has left");
        let run = executor.attach(NAP, "run").expect("it is there");
        assert_eq!(executor.block_on(run).expect("it ends"), 1_000);
    }
}
