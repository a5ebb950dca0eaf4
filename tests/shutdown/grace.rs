//! What happens between the call and the end.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{Snapshots, VirtualClock};
use dacapo::store::{Filter, MemoryStore, RunState, Store};
use dacapo::{Attempt, Ctx, Error, Executor, Result, Retry, Timestamp, Workflow};
use futures::FutureExt;

use super::{MAIL, SECOND, Server, mail, open};
use crate::faults::history;

const TWO: Workflow<(), u32> = Workflow::new("two");

/// An executor over a clock that can be looked at, and a workflow whose first step takes a while.
fn slow_then_quick(took: Duration, clock: &VirtualClock) -> (Executor, Snapshots, Rc<Cell<u32>>) {
    let (begun, clock_of_bodies) = (Rc::new(Cell::new(0)), clock.clone());
    let count = begun.clone();
    let builder = Executor::builder().workflow(TWO, async move |ctx: &Ctx, ()| -> Result<u32> {
        let (clock, count) = (clock_of_bodies.clone(), count.clone());
        let count_too = count.clone();
        let slow = async move || -> Result<u32> {
            count.set(count.get() + 1);
            clock.sleep(took).await;
            Ok(1)
        };
        let first = ctx.step("slow", slow).await?;
        let quick = async move || -> Result<u32> {
            count_too.set(count_too.get() + 1);
            Ok(2)
        };
        Ok(first + ctx.step("quick", quick).await?)
    });
    let store = Snapshots::new(MemoryStore::new());
    let executor = builder.clock(clock.clone()).open_with(store.clone()).expect("it opens");
    (executor, store, begun)
}

async fn begun(count: &Cell<u32>) {
    while count.get() == 0 {
        dacapo::yield_now().await;
    }
}

#[test]
fn what_ends_within_the_grace_is_recorded_and_nothing_new_begins() {
    let clock = VirtualClock::default();
    let (executor, store, count) = slow_then_quick(3 * SECOND, &clock);
    let run = executor.start(TWO, "two-1", ()).expect("new");
    executor.block_on(async {
        begun(&count).await;
        executor.shutdown(10 * SECOND).await.expect("it ends in order");
    });
    let now = dacapo::Clock::now(&clock).as_nanos();
    assert_eq!(now, 3_000_000_000, "it does not wait for the rest of the grace");
    assert_eq!(count.get(), 1, "the second step did not begin");
    assert_eq!(history(&store.now(), "two-1").len(), 2, "the start, and the first outcome");
    let error = run.now_or_never().expect("it is told").expect_err("it has not ended");
    let why = "the executor was shut down: its runs go on in the next process that opens the store";
    assert_eq!(error.to_string(), why);
}

/// The end of a run is one of the things that it asks for.
#[test]
fn a_run_whose_last_step_ends_within_the_grace_ends() {
    let (server, clock) = (Server::default(), VirtualClock::default());
    let store = Snapshots::new(MemoryStore::new());
    let (slow, timer) = (server.clone(), clock.clone());
    let builder = Executor::builder().workflow(MAIL, async move |ctx: &Ctx, ()| {
        let (server, clock) = (slow.clone(), timer.clone());
        server.0.is_up.set(true);
        let body = async move |attempt: Attempt| {
            let sent = server.send(&attempt).await;
            clock.sleep(SECOND).await;
            sent
        };
        ctx.step_with("send", body).await
    });
    let executor = builder.clock(clock).open_with(store.clone()).expect("it opens");
    let run = executor.start(MAIL, "mail-1", ()).expect("new");
    executor.block_on(async {
        server.has_seen(1).await;
        executor.shutdown(10 * SECOND).await.expect("it ends in order");
    });
    assert_eq!(run.now_or_never().expect("it has ended").expect("well"), 1);
    let row = store.now().find("mail-1").expect("readable").expect("stored");
    assert_eq!(row.state, RunState::Completed);
}

#[test]
fn a_body_that_ignores_the_grace_is_dropped_at_its_end() {
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let (clock, dropped) = (VirtualClock::default(), Rc::new(Cell::new(false)));
    let mark = dropped.clone();
    let builder = Executor::builder().clock(clock.clone());
    let executor = builder
        .workflow(MAIL, async move |ctx: &Ctx, ()| {
            let mark = mark.clone();
            let body = async move || -> Result<u32> {
                let _dropped = Dropped(mark.clone());
                std::future::pending().await
            };
            ctx.step("send", body).await
        })
        .in_memory();
    let _run = executor.start(MAIL, "mail-1", ()).expect("new");
    executor.block_on(async {
        executor.attach(MAIL, "mail-1").expect("new").accepted().await.expect("committed");
        dacapo::yield_now().await;
        executor.shutdown(7 * SECOND).await.expect("it ends in order");
    });
    assert_eq!(dacapo::Clock::now(&clock).as_nanos(), 7_000_000_000);
    assert!(dropped.get());
}

/// One that is ready all the time leaves the thread no rest, and is cut off by the clock.
#[test]
fn a_body_that_is_never_idle_is_cut_off_too() {
    let polls = Rc::new(Cell::new(0));
    let count = polls.clone();
    let executor = Executor::builder()
        .workflow(MAIL, async move |ctx: &Ctx, ()| {
            let count = count.clone();
            let body = async move || -> Result<u32> {
                loop {
                    count.set(count.get() + 1);
                    dacapo::yield_now().await;
                }
            };
            ctx.step("spin", body).await
        })
        .in_memory();
    let _run = executor.start(MAIL, "mail-1", ()).expect("new");
    executor.block_on(async {
        begun(&polls).await;
        executor.shutdown(Duration::from_millis(2)).await.expect("it ends in order");
    });
    assert!(executor.attach(MAIL, "mail-1").expect_err("it has stopped").is_closed());
}

#[test]
fn with_nothing_under_way_it_ends_at_once_and_again() {
    let server = Server::default();
    let (executor, store) = open(mail(&server, Retry::never()), MemoryStore::new());
    executor.block_on(executor.shutdown(SECOND)).expect("it ends in order");
    executor.block_on(executor.shutdown(SECOND)).expect("it has");
    assert_eq!(store.now().last_commit(), 1, "the note");
    assert!(executor.start(MAIL, "mail-1", ()).expect_err("it has stopped").is_closed());
    assert_eq!(executor.block_on(async { 7 }), 7, "the main future goes on");
    drop(executor);
    // The note is there already.
    let (executor, store) = open(mail(&server, Retry::never()), store.now());
    executor.block_on(executor.shutdown(Duration::MAX)).expect("it ends in order");
    assert_eq!(store.now().last_commit(), 1);
}

/// Whoever is in a hurry asks again.
#[test]
fn of_two_graces_the_shorter_counts() {
    for (first, second) in [(60, 5), (5, 60)] {
        let clock = VirtualClock::default();
        let (executor, _, count) = slow_then_quick(3_600 * SECOND, &clock);
        let _run = executor.start(TWO, "two-1", ()).expect("new");
        let ends = executor.block_on(async {
            begun(&count).await;
            let shutdown = |seconds| executor.shutdown(seconds * SECOND);
            dacapo::join(shutdown(first), shutdown(second)).await
        });
        assert_eq!(ends, (Ok(()), Ok(())));
        assert_eq!(dacapo::Clock::now(&clock).as_nanos(), 5_000_000_000);
    }
}

/// It is not an attempt that is under way.
#[test]
fn a_wait_for_the_next_attempt_is_not_waited_for() {
    let count = Rc::new(Cell::new(0));
    let tried = count.clone();
    let clock = VirtualClock::default();
    let executor = Executor::builder()
        .clock(clock.clone())
        .workflow(MAIL, async move |ctx: &Ctx, ()| {
            let tried = tried.clone();
            let body = async move |_: Attempt| -> Result<u32> {
                tried.set(tried.get() + 1);
                Err(Error::new("busy"))
            };
            ctx.step_with("send", body).retry(Retry::exponential(60 * SECOND)).await
        })
        .in_memory();
    let _run = executor.start(MAIL, "mail-1", ()).expect("new");
    executor.block_on(async {
        begun(&count).await;
        executor.shutdown(3_600 * SECOND).await.expect("it ends in order");
    });
    assert_eq!((count.get(), dacapo::Clock::now(&clock).as_nanos()), (1, 0));
}

/// A timer that is due within the grace is the next process's.
#[test]
fn timers_do_not_fire_and_rows_say_when_they_will() {
    const NAPS: Workflow<(), ()> = Workflow::new("naps");
    let (server, clock) = (Server::default(), VirtualClock::default());
    let store = Snapshots::new(MemoryStore::new());
    let builder = mail(&server, Retry::never()).clock(clock.clone()).workflow(
        NAPS,
        async |ctx: &Ctx, ()| -> Result<()> {
            for _ in 0..10 {
                ctx.sleep(60 * SECOND).await;
            }
            Ok(())
        },
    );
    let executor = builder.open_with(store.clone()).expect("it opens");
    let _naps = executor.start(NAPS, "naps-1", ()).expect("new");
    let _mail = executor.start(MAIL, "mail-1", ()).expect("new");
    executor.block_on(async {
        server.has_seen(1).await;
        executor.shutdown(3_600 * SECOND).await.expect("it ends in order");
    });
    assert_eq!(dacapo::Clock::now(&clock).as_nanos(), 3_600_000_000_000);
    assert_eq!(history(&store.now(), "naps-1").len(), 1, "no nap is over");
    let naps = Filter::new().workflow("naps");
    let row = store.now().list(&naps).expect("readable").pop().expect("stored");
    assert_eq!(row.wake_at, Some(60_000_000_000));
}

/// What a body needs to end well it gets: it would fail for good otherwise.
#[test]
fn a_body_may_start_runs_within_the_grace() {
    const PARENT: Workflow<(), String> = Workflow::new("parent");
    let (server, clock) = (Server::default(), VirtualClock::default());
    let store = Snapshots::new(MemoryStore::new());
    let weak = Rc::new(std::cell::OnceCell::<dacapo::WeakExecutor>::new());
    let (slot, timer) = (weak.clone(), clock.clone());
    let builder = mail(&server, Retry::never()).clock(clock).workflow(
        PARENT,
        async move |ctx: &Ctx, ()| -> Result<String> {
            let (slot, clock) = (slot.clone(), timer.clone());
            let body = async move || -> Result<String> {
                clock.sleep(SECOND).await;
                let weak = slot.get().expect("it is set");
                let run = weak.with(|executor| executor.start(MAIL, "mail-1", ()))??;
                run.accepted().await?;
                Ok(run.id().to_owned())
            };
            ctx.step("start", body).await
        },
    );
    let executor = builder.open_with(store.clone()).expect("it opens");
    assert!(weak.set(executor.weak()).is_ok());
    let parent = executor.start(PARENT, "parent-1", ()).expect("new");
    executor.block_on(async {
        parent.accepted().await.expect("it is committed");
        dacapo::yield_now().await;
        executor.shutdown(60 * SECOND).await.expect("it ends in order");
    });
    assert_eq!(parent.now_or_never().expect("it has ended").expect("well"), "mail-1");
    assert!(server.seen().is_empty(), "its body did not begin");
    assert!(store.now().find("mail-1").expect("readable").is_some());
}

/// What other threads asked for before is done, and what they ask for later refused.
#[test]
fn calls_before_and_after() {
    let server = Server::default();
    server.0.is_up.set(true);
    let (executor, store) = open(mail(&server, Retry::never()), MemoryStore::new());
    let remote = executor.remote();
    let mut failed = Box::pin(remote.failed());
    assert!((&mut failed).now_or_never().is_none());
    let before = remote.start(MAIL, "before", ());
    let mut ended = Box::pin(remote.shutdown(SECOND));
    assert!((&mut ended).now_or_never().is_none());
    let ended = executor.block_on(ended);
    let after = remote.start(MAIL, "after", ());
    ended.expect("it ends in order");
    assert_eq!(before.accepted().now_or_never(), Some(Ok(())));
    assert!(before.now_or_never().expect("told").expect_err("it has not ended").is_closed());
    assert!(after.now_or_never().expect("told").expect_err("it is refused").is_closed());
    assert!(failed.now_or_never().expect("told").is_closed());
    assert!(store.now().find("after").expect("readable").is_none());
}

/// Then it is no end in order, and everybody is told why.
#[test]
fn a_store_that_fails_meanwhile() {
    for commits in 1..4 {
        let (server, clock) = (Server::default(), VirtualClock::default());
        let store = MemoryStore::new();
        store.fail_after(commits);
        let builder = mail(&server, Retry::never()).clock(clock);
        let executor = builder.open_with(store.shared()).expect("it opens");
        let run = executor.start(MAIL, "mail-1", ()).expect("new");
        let failed = executor.remote().failed();
        let ended = executor.block_on(async {
            server.has_seen(1).await;
            let ended = executor.shutdown(SECOND).await;
            (ended.clone(), executor.shutdown(SECOND).await == ended)
        });
        drop(failed);
        let is_refused = commits == 1;
        assert_eq!(ended, (ended.0.clone(), true));
        assert_eq!(ended.0.is_err_and(|error| error.is_store()), is_refused, "{commits}");
        let error = run.now_or_never().expect("told").expect_err("it has not ended");
        assert_eq!(error.is_store(), is_refused);
    }
}

/// A run that sleeps is known while the executor ends: whoever attaches to it, or starts it once more, is
/// told that this is what happens, and not that its workflow is missing.
#[test]
fn a_sleeping_run_is_known_meanwhile() {
    const NAP: Workflow<(), ()> = Workflow::new("nap");
    let store = MemoryStore::new();
    let open = || {
        let clock = VirtualClock::new(Timestamp::from_nanos(1_000));
        let builder = Executor::builder().clock(clock).workflow(NAP, async |ctx: &Ctx, ()| {
            ctx.sleep(3_600 * SECOND).await;
            Ok::<_, Error>(())
        });
        builder.open_with(store.shared()).expect("memory can be read")
    };
    let executor = open();
    executor.block_on(async {
        executor.start(NAP, "nap", ()).expect("new").accepted().await.expect("it is committed");
        executor.shutdown(Duration::ZERO).await.expect("it ends");
    });
    drop(executor);
    let executor = open();
    executor.block_on(async {
        let known = async {
            let attached = executor.attach(NAP, "nap").expect("it is known");
            let started = executor.start(NAP, "nap", ()).expect("it is known");
            assert!(!started.is_new());
            (attached.await, started.await)
        };
        let (ended, told) = dacapo::join(executor.shutdown(SECOND), known).await;
        ended.expect("it ends in order");
        assert!(told.0.unwrap_err().is_closed() && told.1.unwrap_err().is_closed());
    });
}
