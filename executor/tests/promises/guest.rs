//! Promise 1, main futures: each is a task with a place and turns of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use dacapo_executor::raw::Guest;
use dacapo_executor::{FifoExecutor, yield_now};
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;

use crate::trace::{Event, Trace, check};

/// Ticks with a guest that logs its name and yields, for so many turns.
fn tick_guest(executor: &FifoExecutor, trace: &Trace, guest: &Guest, name: &str, ticks: usize) {
    for _ in 0..ticks {
        executor.raw().tick_with(guest, &mut |cx| {
            trace.log(name);
            cx.waker().wake_by_ref();
            Poll::Pending
        });
    }
}

fn spawn_yielding(executor: &FifoExecutor, trace: &Trace, name: &'static str, turns: usize) {
    let trace = trace.clone();
    executor
        .spawn(async move {
            for _ in 0..turns {
                trace.log(name);
                yield_now().await;
            }
        })
        .detach();
}

#[test]
fn promise_1_the_main_future_has_its_own_turn() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    spawn_yielding(&executor, &trace, "a", 3);
    let (handle, log) = (executor.clone(), trace.clone());
    executor.block_on(async move {
        log.log("main");
        spawn_yielding(&handle, &log, "b", 3);
        yield_now().await;
        log.log("main");
        yield_now().await;
        log.log("end");
    });
    assert_eq!(trace.take(), "a main a b main a b end");
    executor.run_until_stalled();
    assert_eq!(trace.take(), "b");
}

#[test]
fn promise_1_a_guest_goes_behind_what_its_poll_woke_and_spawned() {
    check("guest b guest b guest", |executor, trace| {
        let guest = executor.raw().guest();
        let mut spawned = false;
        for _ in 0..5 {
            executor.raw().tick_with(&guest, &mut |cx| {
                trace.log("guest");
                cx.waker().wake_by_ref();
                if !std::mem::replace(&mut spawned, true) {
                    spawn_yielding(executor, trace, "b", 2);
                }
                Poll::Pending
            });
        }
    });
}

#[test]
fn promise_1_a_guest_takes_its_place_when_it_is_made() {
    check("a guest b", |executor, trace| {
        spawn_yielding(executor, trace, "a", 1);
        let guest = executor.raw().guest();
        spawn_yielding(executor, trace, "b", 1);
        tick_guest(executor, trace, &guest, "guest", 3);
    });
}

#[test]
fn promise_1_a_guest_is_not_polled_unless_it_was_woken() {
    check("guest", |executor, trace| {
        let guest = executor.raw().guest();
        let mut poll = |_: &mut std::task::Context<'_>| {
            trace.log("guest");
            Poll::Pending
        };
        assert!(executor.raw().tick_with(&guest, &mut poll));
        assert!(!executor.raw().tick_with(&guest, &mut poll));
    });
}

#[test]
fn promise_1_a_guest_that_is_ready_or_dropped_is_gone() {
    check("ready", |executor, trace| {
        let guest = executor.raw().guest();
        let mut waker = None;
        executor.raw().tick_with(&guest, &mut |cx| {
            waker = Some(cx.waker().clone());
            trace.log("ready");
            Poll::Ready(())
        });
        waker.expect("the guest was polled").wake();
        assert!(!executor.raw().tick_with(&guest, &mut |_| unreachable!("the guest has ended")));
        drop(executor.raw().guest());
        assert!(!executor.try_tick());
        assert_eq!(executor.raw().queued(), 0);
    });
}

#[test]
fn promise_1_a_guest_passed_over_has_its_turn_when_its_owner_ticks() {
    check("a guest b guest", |executor, trace| {
        let guest = executor.raw().guest();
        spawn_yielding(executor, trace, "a", 1);
        // Nobody's loop but the guest's own can poll it.
        assert!(executor.try_tick());
        assert!(guest.is_overdue());
        spawn_yielding(executor, trace, "b", 1);
        tick_guest(executor, trace, &guest, "guest", 1);
        assert!(!guest.is_overdue());
        // `a` ends in the turn that it had before.
        tick_guest(executor, trace, &guest, "guest", 3);
    });
}

#[test]
fn promise_1_loops_may_be_nested() {
    // The inner loop comes upon the outer main's turn, which waits until the inner loop ends.
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    let (handle, log) = (executor.clone(), trace.clone());
    let task = executor.spawn(async move {
        log.log("task");
        yield_now().await;
        let inner = log.clone();
        let value = handle.block_on(async move {
            for _ in 0..3 {
                inner.log("inner");
                yield_now().await;
            }
            5
        });
        log.log("task:");
        value
    });
    spawn_yielding(&executor, &trace, "other", 3);
    let log = trace.clone();
    let value = executor.block_on(async move {
        for _ in 0..3 {
            log.log("outer");
            yield_now().await;
        }
        task.await
    });
    assert_eq!(value, 5);
    let expected = "task other outer other inner other inner inner task: outer outer";
    assert_eq!(trace.take(), expected);
}

#[test]
fn promise_1_a_main_future_may_block_on_another() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    spawn_yielding(&executor, &trace, "a", 2);
    let value = executor.block_on(async {
        trace.log("outer");
        let value = executor.block_on(async {
            trace.log("inner");
            yield_now().await;
            3
        });
        trace.log("outer");
        value + 1
    });
    assert_eq!(value, 4);
    assert_eq!(trace.take(), "a outer a inner outer");
}

#[test]
#[should_panic(expected = "a guest is ticked by the executor that gave it")]
fn a_guest_of_another_executor_is_refused() {
    let guest = FifoExecutor::new().raw().guest();
    FifoExecutor::new().raw().tick_with(&guest, &mut |_| Poll::Pending);
}

#[test]
fn block_on_in_teardown_panics_rather_than_hangs() {
    let executor = FifoExecutor::new();
    let main = async { executor.raw().close() };
    executor.block_on(main);
    let end = catch_unwind(AssertUnwindSafe(|| executor.block_on(async {})));
    assert!(end.is_err());
    let closes = FifoExecutor::new();
    let handle = closes.clone();
    let end = catch_unwind(AssertUnwindSafe(|| {
        closes.block_on(async {
            handle.raw().close();
            yield_now().await;
        });
    }));
    assert!(end.is_err());
}

#[test]
fn the_executor_runs_inside_another_one() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    let mut pool = LocalPool::new();
    let event = Event::default();
    let (sets, log) = (event.clone(), trace.clone());
    // The pool's task wakes a task of ours, while nobody ticks us.
    pool.spawner()
        .spawn_local(async move {
            yield_now().await;
            log.log("pool");
            sets.set();
        })
        .expect("the pool is alive");
    spawn_yielding(&executor, &trace, "a", 2);
    let log = trace.clone();
    let value = pool.run_until(executor.run(async {
        log.log("main");
        event.wait().await;
        log.log("main");
        7
    }));
    assert_eq!(value, 7);
    assert_eq!(trace.take(), "a main a pool main");
}

#[test]
fn two_loops_share_one_executor_inside_another_one() {
    let executor = Rc::new(FifoExecutor::new());
    let trace = Trace::default();
    let mut pool = LocalPool::new();
    let (to_b, to_a) = (Event::default(), Event::default());
    for (name, sets, waits) in [("b", &to_a, &to_b), ("a", &to_b, &to_a)] {
        let (sets, waits, log) = (sets.clone(), waits.clone(), trace.clone());
        let executor = executor.clone();
        pool.spawner()
            .spawn_local(async move {
                let main = async {
                    for _ in 0..3 {
                        if name == "b" {
                            waits.wait().await;
                        }
                        log.log(name);
                        sets.set();
                        if name == "a" {
                            waits.wait().await;
                        }
                    }
                };
                executor.run(main).await;
                log.log(format_args!("{name}:"));
            })
            .expect("the pool is alive");
    }
    pool.run();
    assert_eq!(trace.take(), "a b a b a b b: a:");
}

#[test]
fn a_busy_executor_lets_the_runtime_around_it_go_on() {
    let executor = FifoExecutor::new();
    let mut pool = LocalPool::new();
    let stop = Rc::new(std::cell::Cell::new(false));
    let stops = stop.clone();
    pool.spawner().spawn_local(async move { stops.set(true) }).expect("the pool is alive");
    pool.run_until(executor.run(async {
        while !stop.get() {
            yield_now().await;
        }
    }));
}
