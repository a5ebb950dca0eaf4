//! Promise 3: who waits for a completion, and when it goes on.

use dacapo_executor::{raw, yield_now};

use crate::trace::{Event, check, on_drop};

#[test]
fn promise_3_waiters_wake_in_the_order_in_which_they_began_to_wait() {
    check("set b c a", |executor, trace| {
        let event = Event::default();
        for (name, yields) in [("a", 2), ("b", 0), ("c", 1)] {
            let (trace, event) = (trace.clone(), event.clone());
            executor
                .spawn(async move {
                    for _ in 0..yields {
                        yield_now().await;
                    }
                    event.wait().await;
                    trace.log(name);
                })
                .detach();
        }
        executor.run_until_stalled();
        trace.log("set");
        event.set();
    });
}

#[test]
fn promise_3_the_future_is_dropped_before_the_awaiter_wakes() {
    // In its last poll the task wakes `x`, and the drop of its future wakes `y`: both go before
    // the awaiter, which began to wait first.
    check("end x y awaiter", |executor, trace| {
        let (x, y) = (Event::default(), Event::default());
        let (wakes_x, wakes_y, log) = (x.clone(), y.clone(), trace.clone());
        let task = executor.spawn(async move {
            let _guard = on_drop(move || wakes_y.set());
            yield_now().await;
            yield_now().await;
            wakes_x.set();
            log.log("end");
        });
        let log = trace.clone();
        executor
            .spawn(async move {
                task.await;
                log.log("awaiter");
            })
            .detach();
        for (name, event) in [("x", x), ("y", y)] {
            let trace = trace.clone();
            executor
                .spawn(async move {
                    event.wait().await;
                    trace.log(name);
                })
                .detach();
        }
    });
}

#[test]
fn promise_3_captured_values_are_dropped_before_the_awaiter_wakes() {
    check("dropped awaiter", |executor, trace| {
        let (guard, log) = (trace.on_drop("dropped"), trace.clone());
        let task = executor.spawn(async move {
            yield_now().await;
            drop(guard);
        });
        executor
            .spawn(async move {
                task.await;
                log.log("awaiter");
            })
            .detach();
    });
}

#[test]
fn promise_3_awaiting_an_ended_task_does_not_suspend() {
    check("a b: b c", |executor, trace| {
        let log = trace.clone();
        let task = executor.spawn(async move {
            log.log("a");
            7
        });
        let (log, other) = (trace.clone(), trace.clone());
        executor
            .spawn(async move {
                log.log("b:");
                assert!(task.is_finished());
                assert_eq!(task.await, 7);
                log.log("b");
            })
            .detach();
        executor.spawn(async move { other.log("c") }).detach();
    });
}

#[test]
fn promise_3_the_awaiter_goes_to_the_tail() {
    check("end other awaiter", |executor, trace| {
        let (log, other) = (trace.clone(), trace.clone());
        let ends = trace.clone();
        let task = executor.spawn(async move {
            yield_now().await;
            ends.log("end");
        });
        executor
            .spawn(async move {
                task.await;
                log.log("awaiter");
            })
            .detach();
        executor
            .spawn(async move {
                yield_now().await;
                other.log("other");
            })
            .detach();
    });
}

#[test]
fn promise_3_a_handle_can_be_moved_to_another_task_while_it_is_awaited() {
    use std::future::Future;
    check("second 5", |executor, trace| {
        let mut task = Box::pin(executor.spawn(async {
            for _ in 0..3 {
                yield_now().await;
            }
            5
        }));
        let (handle, log) = (executor.clone(), trace.clone());
        executor
            .spawn(async move {
                // The first poller is not woken, the last one is.
                std::future::poll_fn(|cx| {
                    assert!(task.as_mut().poll(cx).is_pending());
                    std::task::Poll::Ready(())
                })
                .await;
                let inner = log.clone();
                handle
                    .spawn(async move {
                        inner.log("second");
                        inner.log(task.await);
                    })
                    .detach();
                crate::trace::pause().await;
                log.log("never");
            })
            .detach();
    });
}

#[test]
fn promise_3_a_dead_task_is_never_ready() {
    check("", |executor, trace| {
        let (task, trace) = (raw::dead_task::<()>(), trace.clone());
        assert!(task.is_finished());
        assert!(!executor.raw().is_alive(raw::task_id(&task)));
        executor
            .spawn(async move {
                task.await;
                trace.log("never");
            })
            .detach();
    });
}

#[test]
fn promise_3_an_output_outlives_its_executor() {
    let executor = dacapo_executor::FifoExecutor::new();
    let task = executor.spawn(async { "kept" });
    executor.run_until_stalled();
    drop(executor);
    assert_eq!(futures::executor::block_on(task), "kept");
}

#[test]
fn promise_3_an_output_nobody_wants_is_dropped() {
    check("dropped then", |executor, trace| {
        let guard = trace.on_drop("dropped");
        executor.spawn(async move { guard }).detach();
        executor.run_until_stalled();
        trace.log("then");
    });
}
