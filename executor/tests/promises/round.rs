//! Promise 4: rounds, and wakes from other threads.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Waker;
use std::thread;

use dacapo_executor::{FifoExecutor, yield_now};

use crate::trace::{Trace, check, pause, waker};

/// Spawns tasks that leave their wakers, and runs them until they wait.
fn waiting_tasks(executor: &FifoExecutor, trace: &Trace, names: &[&'static str]) -> Vec<Waker> {
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    for &name in names {
        let (trace, wakers) = (trace.clone(), wakers.clone());
        executor
            .spawn(async move {
                let waker = waker().await;
                wakers.borrow_mut().push(waker);
                pause().await;
                trace.log(name);
            })
            .detach();
    }
    executor.run_until_stalled();
    wakers.take()
}

fn wake_elsewhere(wakers: Vec<Waker>) {
    let thread = thread::spawn(move || wakers.into_iter().for_each(Waker::wake));
    thread.join().expect("the thread only wakes");
}

#[test]
fn promise_4_a_round_is_the_tasks_queued_when_it_begins() {
    // Each task spawns one that belongs to the next round.
    check("a b c | a1 b1 c1 | a2 b2 c2", |executor, trace| {
        for name in ["a", "b", "c"] {
            let (handle, log) = (executor.clone(), trace.clone());
            executor
                .spawn(async move {
                    log.log(name);
                    if name == "c" {
                        log.log("|");
                    }
                    let inner = log.clone();
                    handle
                        .spawn(async move {
                            inner.log(format_args!("{name}1"));
                            if name == "c" {
                                inner.log("|");
                            }
                            yield_now().await;
                            inner.log(format_args!("{name}2"));
                        })
                        .detach();
                })
                .detach();
        }
    });
}

#[test]
fn promise_4_wakes_of_another_thread_come_in_its_order() {
    check("c a b", |executor, trace| {
        let mut wakers = waiting_tasks(executor, trace, &["a", "b", "c"]);
        wakers.rotate_right(1);
        wake_elsewhere(wakers);
    });
}

#[test]
fn promise_4_a_wake_of_another_thread_goes_behind_the_round_that_runs() {
    check("a b woken next", |executor, trace| {
        let wakers = waiting_tasks(executor, trace, &["woken"]);
        let (handle, log) = (executor.clone(), trace.clone());
        executor
            .spawn(async move {
                wake_elsewhere(wakers);
                log.log("a");
                let inner = log.clone();
                handle.spawn(async move { inner.log("next") }).detach();
            })
            .detach();
        let log = trace.clone();
        executor.spawn(async move { log.log("b") }).detach();
    });
}

#[test]
fn promise_4_a_wake_of_another_thread_during_the_poll_is_a_self_wake() {
    check("a b a:", |executor, trace| {
        let log = trace.clone();
        executor
            .spawn(async move {
                log.log("a");
                wake_elsewhere(vec![waker().await; 3]);
                pause().await;
                log.log("a:");
            })
            .detach();
        let log = trace.clone();
        executor.spawn(async move { log.log("b") }).detach();
    });
}

#[test]
fn promise_4_wakes_of_ended_tasks_are_void_from_other_threads_too() {
    check("new", |executor, trace| {
        let wakers = waiting_tasks(executor, &Trace::default(), &["old"]);
        wake_elsewhere(wakers.clone());
        executor.run_until_stalled();
        let log = trace.clone();
        executor
            .spawn(async move {
                log.log("new");
                pause().await;
                log.log("never");
            })
            .detach();
        executor.run_until_stalled();
        wake_elsewhere(wakers);
    });
}

#[test]
fn promise_4_no_wake_of_another_thread_is_lost() {
    const MESSAGES: u32 = 2_000;
    let (to_there, there) = mpsc::channel::<(u32, Waker)>();
    let (to_here, here) = mpsc::channel();
    // Answers every message and then wakes, over and over while the executor goes to sleep.
    let thread = thread::spawn(move || {
        for (message, waker) in there {
            to_here.send(message).expect("the executor listens");
            waker.wake();
        }
    });
    let executor = FifoExecutor::new();
    executor.block_on(async move {
        for message in 0..MESSAGES {
            to_there.send((message, waker().await)).expect("the thread listens");
            let answer = std::future::poll_fn(|_| match here.try_recv() {
                Ok(answer) => std::task::Poll::Ready(answer),
                Err(_) => std::task::Poll::Pending,
            });
            assert_eq!(answer.await, message);
        }
    });
    thread.join().expect("the thread only answers");
}

#[test]
fn promise_4_wakes_of_many_threads_reach_every_task() {
    let executor = FifoExecutor::new();
    let trace = Trace::default();
    let wakers = waiting_tasks(&executor, &trace, &["t"; 400]);
    let threads: Vec<_> = wakers
        .chunks(100)
        .map(|wakers| wakers.iter().cloned().chain(wakers.iter().cloned()).collect::<Vec<_>>())
        .map(|wakers| thread::spawn(move || wakers.into_iter().for_each(Waker::wake)))
        .collect();
    let mut polls = 0;
    while !threads.iter().all(thread::JoinHandle::is_finished) {
        polls += executor.run_until_stalled();
    }
    polls += executor.run_until_stalled();
    // Each task ends at its first wake, and the second one is void.
    assert_eq!(polls, 400);
    threads.into_iter().for_each(|thread| thread.join().expect("the threads only wake"));
}
