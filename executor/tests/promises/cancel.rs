//! Promise 5: dropping a handle cancels its task there and then.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo_executor::{FifoExecutor, Task, raw, yield_now};

use crate::trace::{Event, Trace, check, on_drop, pause, waker};

/// A handle that some task takes out and drops.
type Place = Rc<RefCell<Option<Task<()>>>>;

#[test]
fn promise_5_the_future_is_dropped_there_and_then() {
    check("run before ~task after", |executor, trace| {
        let (guard, log) = (trace.on_drop("~task"), trace.clone());
        let task = executor.spawn(async move {
            let _guard = guard;
            log.log("run");
            yield_now().await;
            log.log("never");
        });
        executor.try_tick();
        trace.log("before");
        drop(task);
        trace.log("after");
    });
}

#[test]
fn promise_5_a_task_may_be_cancelled_before_its_first_poll() {
    check("~task after", |executor, trace| {
        let guard = trace.on_drop("~task");
        drop(executor.spawn(async move { drop(guard) }));
        trace.log("after");
        assert_eq!(executor.run_until_stalled(), 0);
    });
}

#[test]
fn promise_5_a_detached_task_goes_on() {
    check("1 2", |executor, trace| {
        let log = trace.clone();
        executor
            .spawn(async move {
                log.log(1);
                yield_now().await;
                log.log(2);
            })
            .detach();
    });
}

/// Spawns a task that holds `children` and says when it is dropped.
fn holder(
    executor: &FifoExecutor,
    trace: &Trace,
    name: &'static str,
    children: Vec<Task<()>>,
) -> Task<()> {
    let guard = trace.on_drop(name);
    executor.spawn(async move {
        let _guard = guard;
        let _children = children;
        std::future::pending::<()>().await;
    })
}

#[test]
fn promise_5_a_cancelled_task_takes_those_it_holds_with_it() {
    check("cancel leaf1 leaf2 left leaf3 right root done", |executor, trace| {
        let leaf1 = holder(executor, trace, "leaf1", vec![]);
        let leaf2 = holder(executor, trace, "leaf2", vec![]);
        let left = holder(executor, trace, "left", vec![leaf1, leaf2]);
        let leaf3 = holder(executor, trace, "leaf3", vec![]);
        let right = holder(executor, trace, "right", vec![leaf3]);
        let root = holder(executor, trace, "root", vec![left, right]);
        executor.run_until_stalled();
        trace.log("cancel");
        drop(root);
        trace.log("done");
        assert!(!executor.has_ready());
    });
}

#[test]
fn promise_5_nothing_of_a_cancelled_task_runs_again() {
    check("a a b", |executor, trace| {
        let (log, event) = (trace.clone(), Event::default());
        let waits = event.clone();
        let task = executor.spawn(async move {
            log.log("a");
            yield_now().await;
            log.log("a");
            waits.wait().await;
            log.log("never");
        });
        executor.run_until_stalled();
        // Woken, in the queue, and then cancelled.
        event.set();
        assert!(executor.has_ready());
        drop(task);
        let log = trace.clone();
        executor.spawn(async move { log.log("b") }).detach();
    });
}

#[test]
fn promise_5_a_task_that_drops_its_own_handle_finishes_its_poll_first() {
    check("start dropped still-here ~task other", |executor, trace| {
        let place = Place::default();
        let (mine, log, guard) = (place.clone(), trace.clone(), trace.on_drop("~task"));
        let task = executor.spawn(async move {
            let _guard = guard;
            log.log("start");
            drop(mine.take());
            log.log("dropped");
            log.log("still-here");
            // Not even a wake of its own brings it back.
            yield_now().await;
            log.log("never");
        });
        place.replace(Some(task));
        let log = trace.clone();
        executor.spawn(async move { log.log("other") }).detach();
    });
}

#[test]
fn promise_5_a_task_that_drops_its_own_handle_may_end_in_that_poll() {
    check("end ~task", |executor, trace| {
        let place = Place::default();
        let (mine, log, guard) = (place.clone(), trace.clone(), trace.on_drop("~task"));
        let task = executor.spawn(async move {
            let _guard = guard;
            drop(mine.take());
            log.log("end");
        });
        place.replace(Some(task));
        assert_eq!(executor.run_until_stalled(), 1);
    });
}

#[test]
fn promise_5_a_task_may_drop_an_ancestor_that_awaits_it() {
    // The root awaits the middle, which awaits the leaf, which drops the root.
    check("leaf ~middle ~root still-here ~leaf", |executor, trace| {
        let place = Place::default();
        let (root_place, log, guard) = (place.clone(), trace.clone(), trace.on_drop("~leaf"));
        let leaf = executor.spawn(async move {
            let _guard = guard;
            yield_now().await;
            log.log("leaf");
            drop(root_place.take());
            log.log("still-here");
            yield_now().await;
            log.log("never");
        });
        let mut below = leaf;
        for name in ["~middle", "~root"] {
            let (log, guard) = (trace.clone(), trace.on_drop(name));
            below = executor.spawn(async move {
                let _guard = guard;
                below.await;
                log.log("never");
            });
        }
        place.replace(Some(below));
    });
}

#[test]
fn promise_5_dropping_wakes_nobody() {
    check("end", |executor, trace| {
        let (log, victim) = (trace.clone(), executor.spawn(std::future::pending::<()>()));
        let id = raw::task_id(&victim);
        let awaiter = executor.spawn(async move {
            victim.await;
            log.log("never");
        });
        executor.run_until_stalled();
        executor.raw().abort(id);
        assert!(!executor.has_ready());
        assert!(!executor.raw().is_alive(id));
        assert!(executor.raw().is_alive(raw::task_id(&awaiter)));
        trace.log("end");
        awaiter.detach();
    });
}

#[test]
fn promise_5_abort_by_id_is_void_for_an_ended_task_whose_slot_is_used_again() {
    check("old new", |executor, trace| {
        let (old, new) = (trace.clone(), trace.clone());
        let old = executor.raw().spawn_boxed(Box::pin(async move { old.log("old") }));
        executor.run_until_stalled();
        let new = executor.raw().spawn_boxed(Box::pin(async move { new.log("new") }));
        executor.raw().abort(old);
        assert!(executor.raw().is_alive(new));
        assert!(!executor.raw().is_alive(old));
    });
}

#[test]
fn promise_5_a_task_that_aborts_itself_is_dropped_when_its_poll_returns() {
    check("here ~task b", |executor, trace| {
        let id = Rc::new(std::cell::Cell::new(None));
        let (mine, handle, log) = (id.clone(), executor.clone(), trace.clone());
        let guard = trace.on_drop("~task");
        id.set(Some(executor.raw().spawn_boxed(Box::pin(async move {
            let _guard = guard;
            let id = mine.get().expect("set before the first poll");
            assert!(handle.raw().is_alive(id));
            handle.raw().abort(id);
            handle.raw().abort(id);
            assert!(!handle.raw().is_alive(id));
            // A new task may have the slot already: it is another task.
            let inner = log.clone();
            handle.spawn(async move { inner.log("b") }).detach();
            log.log("here");
            waker().await.wake();
            pause().await;
            log.log("never");
        }))));
    });
}

#[test]
fn promise_5_a_drop_may_spawn_wake_and_abort() {
    check("~victim woken spawned", |executor, trace| {
        let event = Event::default();
        let (waits, log) = (event.clone(), trace.clone());
        executor
            .spawn(async move {
                waits.wait().await;
                log.log("woken");
            })
            .detach();
        let bystander = executor.spawn(std::future::pending::<()>());
        executor.run_until_stalled();
        let (handle, log, id) = (executor.clone(), trace.clone(), raw::task_id(&bystander));
        let guard = on_drop(move || {
            log.log("~victim");
            event.set();
            handle.raw().abort(id);
            let inner = log.clone();
            handle.spawn(async move { inner.log("spawned") }).detach();
        });
        drop(executor.spawn(async move { drop(guard) }));
        assert!(bystander.is_finished());
    });
}

#[test]
fn promise_5_a_drop_may_drop_the_handle_of_its_own_task() {
    check("~task end", |executor, trace| {
        let place = Place::default();
        let (mine, log) = (place.clone(), trace.clone());
        let guard = on_drop(move || {
            drop(mine.take());
            log.log("~task");
        });
        let task = executor.spawn(async move { drop(guard) });
        let id = raw::task_id(&task);
        place.replace(Some(task));
        executor.raw().abort(id);
        trace.log("end");
    });
}

#[test]
fn promise_5_a_task_is_finished_once_it_runs_no_more() {
    check("", |executor, _| {
        let (ends, aborted) = (executor.spawn(async {}), executor.spawn(async {}));
        assert!(!ends.is_finished() && !aborted.is_finished());
        executor.raw().abort(raw::task_id(&aborted));
        assert!(aborted.is_finished());
        executor.run_until_stalled();
        assert!(ends.is_finished());
    });
}
