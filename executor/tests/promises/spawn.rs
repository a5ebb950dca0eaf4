//! Promise 1: `spawn` puts a task at the tail and never runs it.

use dacapo_executor::{raw, yield_now};

use crate::trace::check;

#[test]
fn promise_1_tasks_are_first_polled_in_spawn_order() {
    check("spawned a b c", |executor, trace| {
        for name in ["a", "b", "c"] {
            let trace = trace.clone();
            executor.spawn(async move { trace.log(name) }).detach();
        }
        trace.log("spawned");
    });
}

#[test]
fn promise_1_spawn_in_a_task_goes_behind_those_that_wait() {
    check("a a: b: c: b", |executor, trace| {
        let (handle, log) = (executor.clone(), trace.clone());
        executor
            .spawn(async move {
                log.log("a");
                let inner = log.clone();
                handle.spawn(async move { inner.log("b") }).detach();
                log.log("a:");
            })
            .detach();
        for name in ["b:", "c:"] {
            let trace = trace.clone();
            executor.spawn(async move { trace.log(name) }).detach();
        }
    });
}

#[test]
fn promise_1_a_task_spawned_from_outside_goes_behind_those_that_were_woken() {
    check("wait woken new", |executor, trace| {
        let event = crate::trace::Event::default();
        let (waits, log) = (event.clone(), trace.clone());
        executor
            .spawn(async move {
                log.log("wait");
                waits.wait().await;
                log.log("woken");
            })
            .detach();
        executor.run_until_stalled();
        event.set();
        let log = trace.clone();
        executor.spawn(async move { log.log("new") }).detach();
    });
}

#[test]
fn promise_1_boxed_and_joinable_tasks_share_the_queue() {
    check("a b c a b c", |executor, trace| {
        for name in ["a", "b", "c"] {
            let trace = trace.clone();
            let task = async move {
                trace.log(name);
                yield_now().await;
                trace.log(name);
            };
            if name == "b" {
                executor.raw().spawn_boxed(Box::pin(task));
            } else {
                executor.spawn(task).detach();
            }
        }
    });
}

#[test]
fn promise_1_ids_are_ordered_by_spawn_even_if_slots_are_reused() {
    check("", |executor, _| {
        let mut ids = Vec::new();
        for _ in 0..3 {
            let (keep, drop) = (executor.spawn(async {}), executor.spawn(async {}));
            ids.extend([raw::task_id(&keep), raw::task_id(&drop)]);
            keep.detach();
        }
        assert!(ids.is_sorted());
        ids.dedup();
        assert_eq!(ids.len(), 6);
    });
}
