//! Promise 2: a wake puts a task at the tail, once until it is polled.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;

use dacapo_executor::yield_now;

use crate::trace::{Event, check, pause, waker};

#[test]
fn promise_2_many_wakes_are_one_poll() {
    check("a woken b", |executor, trace| {
        let kept: Rc<RefCell<Vec<Waker>>> = Rc::default();
        let (keep, log) = (kept.clone(), trace.clone());
        executor
            .spawn(async move {
                log.log("a");
                let waker = waker().await;
                keep.borrow_mut().push(waker);
                pause().await;
                log.log("woken");
                pause().await;
                log.log("never");
            })
            .detach();
        executor.run_until_stalled();
        let waker = kept.borrow_mut().pop().expect("the task left its waker");
        waker.wake_by_ref();
        let log = trace.clone();
        executor.spawn(async move { log.log("b") }).detach();
        waker.wake_by_ref();
        waker.wake();
    });
}

#[test]
fn promise_2_a_self_wake_goes_behind_what_the_same_poll_woke_and_spawned() {
    // `a` wakes itself first, then `w`, then spawns `s`; its own turn comes after theirs.
    check("w a w: s a: ", |executor, trace| {
        let event = Event::default();
        let (waits, log) = (event.clone(), trace.clone());
        executor
            .spawn(async move {
                log.log("w");
                waits.wait().await;
                log.log("w:");
            })
            .detach();
        let (handle, log) = (executor.clone(), trace.clone());
        executor
            .spawn(async move {
                log.log("a");
                waker().await.wake();
                event.set();
                let inner = log.clone();
                handle.spawn(async move { inner.log("s") }).detach();
                pause().await;
                log.log("a:");
            })
            .detach();
        let log = trace.clone();
        executor.run_until_stalled();
        log.log("");
    });
}

#[test]
fn promise_2_a_yield_lets_all_that_wait_go_first() {
    check("a1 b1 c1 a2 b2 c2 a3 b3 c3", |executor, trace| {
        for name in ["a", "b", "c"] {
            let trace = trace.clone();
            executor
                .spawn(async move {
                    for turn in 1..=3 {
                        trace.log(format_args!("{name}{turn}"));
                        yield_now().await;
                    }
                })
                .detach();
        }
    });
}

#[test]
fn promise_2_a_wake_before_the_first_poll_is_no_second_poll() {
    check("a b", |executor, trace| {
        let (a, b) = (trace.clone(), trace.clone());
        let task = executor.spawn(async move {
            a.log("a");
            pause().await;
            a.log("never");
        });
        // The task is queued already; aborting and waking others must not queue it again.
        executor.spawn(async move { b.log("b") }).detach();
        task.detach();
    });
}

#[test]
fn promise_2_a_self_wake_in_the_last_poll_is_void() {
    check("a", |executor, trace| {
        let trace = trace.clone();
        executor
            .spawn(async move {
                trace.log("a");
                waker().await.wake();
            })
            .detach();
        assert_eq!(executor.run_until_stalled(), 1);
    });
}

#[test]
fn promise_2_a_waker_of_an_ended_task_is_void_when_its_slot_is_used_again() {
    check("first second", |executor, trace| {
        let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
        let (keep, log) = (kept.clone(), trace.clone());
        executor
            .spawn(async move {
                log.log("first");
                let waker = waker().await;
                keep.replace(Some(waker));
            })
            .detach();
        executor.run_until_stalled();
        let log = trace.clone();
        executor
            .spawn(async move {
                log.log("second");
                pause().await;
                log.log("never");
            })
            .detach();
        executor.run_until_stalled();
        kept.take().expect("the task left its waker").wake();
        assert!(!executor.has_ready());
    });
}

#[test]
fn promise_2_a_queue_entry_of_an_ended_task_is_void_when_its_slot_is_used_again() {
    // `new` has the slot of `old`, whose entry is still at the head of the queue.
    check("b new", |executor, trace| {
        let (old, b, new) = (trace.clone(), trace.clone(), trace.clone());
        let old = executor.spawn(async move { old.log("old") });
        executor.spawn(async move { b.log("b") }).detach();
        drop(old);
        executor.spawn(async move { new.log("new") }).detach();
    });
}

#[test]
fn promise_2_an_inbox_entry_of_an_ended_task_is_void_when_its_slot_is_used_again() {
    check("b new", |executor, trace| {
        let event = Event::default();
        let waits = event.clone();
        let old = executor.spawn(async move { waits.wait().await });
        executor.run_until_stalled();
        event.set();
        drop(old);
        let (b, new) = (trace.clone(), trace.clone());
        let b = executor.spawn(async move { b.log("b") });
        executor.spawn(async move { new.log("new") }).detach();
        b.detach();
    });
}
