//! Promise 5, teardown: tasks are dropped in spawn order, and nothing their drops do counts.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo_executor::{FifoExecutor, Task, raw};

use crate::trace::{Event, Trace, on_drop, pause, waker};

fn spawn_pending(executor: &FifoExecutor, trace: &Trace, name: &'static str) -> Task<()> {
    let guard = trace.on_drop(name);
    executor.spawn(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    })
}

#[test]
fn promise_5_teardown_is_in_spawn_order_not_in_slot_order() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    let early = spawn_pending(&executor, &trace, "early");
    spawn_pending(&executor, &trace, "a").detach();
    executor.run_until_stalled();
    drop(early);
    // It has the slot of `early`, the first one.
    spawn_pending(&executor, &trace, "b").detach();
    spawn_pending(&executor, &trace, "c").detach();
    trace.log("|");
    drop(executor);
    assert_eq!(trace.take(), "early | a b c");
}

#[test]
fn promise_5_teardown_takes_a_child_at_its_own_place() {
    // The parent's drop drops the child's handle, which is void by then.
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    let place: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    let (holds, guard) = (place.clone(), trace.on_drop("parent"));
    executor
        .spawn(async move {
            let _guard = guard;
            let _child = holds.take();
            std::future::pending::<()>().await;
        })
        .detach();
    spawn_pending(&executor, &trace, "between").detach();
    place.replace(Some(spawn_pending(&executor, &trace, "child")));
    executor.run_until_stalled();
    executor.raw().close();
    assert_eq!(trace.take(), "parent between child");
}

#[test]
fn promise_5_nothing_that_a_drop_does_in_teardown_has_an_effect() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    let event = Event::default();
    let (sets, handle, log) = (event.clone(), executor.clone(), trace.clone());
    let last = Rc::new(std::cell::Cell::new(None));
    let victim = last.clone();
    let guard = on_drop(move || {
        sets.set();
        let victim = victim.get().expect("set before the teardown");
        assert!(!handle.raw().is_alive(victim), "the teardown has begun");
        handle.raw().abort(victim);
        let unpolled = log.on_drop("~unpolled");
        let dead = handle.spawn(async move { drop(unpolled) });
        assert!(!handle.raw().is_alive(raw::task_id(&dead)) && dead.is_finished());
        let boxed = handle.raw().spawn_boxed(Box::pin(async {}));
        assert!(!handle.raw().is_alive(boxed));
        assert!(!handle.try_tick() && !handle.has_ready());
        handle.raw().close();
        log.log("first");
    });
    executor.spawn(async move { drop(guard) }).detach();
    let (waits, guard) = (event.clone(), trace.on_drop("second"));
    executor
        .spawn(async move {
            let _guard = guard;
            waits.wait().await;
        })
        .detach();
    last.set(Some(raw::task_id(&spawn_pending(&executor, &trace, "last"))));
    // `last`'s handle was dropped: it is gone before the teardown.
    assert_eq!(trace.take(), "last");
    let third = spawn_pending(&executor, &trace, "third");
    last.set(Some(raw::task_id(&third)));
    executor.raw().close();
    assert_eq!(trace.take(), "~unpolled first second third");
    assert!(!executor.has_ready());
}

#[test]
fn promise_5_wakers_are_void_after_teardown() {
    let executor = FifoExecutor::new();
    let wakers = Rc::new(RefCell::new(Vec::new()));
    let keep = wakers.clone();
    executor
        .spawn(async move {
            let waker = waker().await;
            keep.borrow_mut().push(waker);
            pause().await;
        })
        .detach();
    executor.run_until_stalled();
    executor.raw().close();
    wakers.take().into_iter().for_each(std::task::Waker::wake);
    assert!(!executor.has_ready());
    assert_eq!(executor.run_until_stalled(), 0);
}

#[test]
fn promise_5_tasks_that_hold_the_executor_do_not_keep_it() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    for name in ["a", "b"] {
        let (handle, guard) = (executor.clone(), trace.on_drop(name));
        executor
            .spawn(async move {
                let _guard = guard;
                let _handle = handle;
                std::future::pending::<()>().await;
            })
            .detach();
    }
    executor.run_until_stalled();
    let left = executor.clone();
    drop(executor);
    assert_eq!(trace.take(), "a b");
    assert!(left.spawn(async {}).is_finished(), "what is left is an executor in teardown");
}

#[test]
fn promise_5_a_task_that_closes_its_executor_finishes_its_poll() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    spawn_pending(&executor, &trace, "before").detach();
    let (handle, log, guard) = (executor.clone(), trace.clone(), trace.on_drop("~closer"));
    executor
        .spawn(async move {
            let _guard = guard;
            handle.raw().close();
            log.log("here");
            waker().await.wake();
            pause().await;
            log.log("never");
        })
        .detach();
    spawn_pending(&executor, &trace, "after").detach();
    assert_eq!(executor.run_until_stalled(), 2);
    assert_eq!(trace.take(), "before after here ~closer");
}

#[test]
fn promise_5_teardown_goes_on_when_a_drop_panics() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    spawn_pending(&executor, &trace, "a").detach();
    let guard = on_drop(|| panic!("on purpose"));
    executor.spawn(async move { drop(guard) }).detach();
    spawn_pending(&executor, &trace, "b").detach();
    let closed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| executor.raw().close()));
    assert!(closed.is_err());
    assert_eq!(trace.take(), "a b");
}
