//! Promise 4 and 6: who sleeps while nothing is ready is woken, once.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use dacapo_executor::raw::Parker;
use dacapo_executor::{FifoExecutor, yield_now};

use crate::trace::{Event, Wakes};

fn counted_waker() -> (Arc<Wakes>, Waker) {
    let wakes = Arc::new(Wakes::default());
    (wakes.clone(), wakes.into())
}

#[test]
fn a_spawn_wakes_who_registered_once() {
    let (executor, (wakes, waker)) = (FifoExecutor::new(), counted_waker());
    executor.raw().register(&waker);
    assert_eq!(wakes.count(), 0);
    executor.spawn(async {}).detach();
    executor.spawn(async {}).detach();
    assert_eq!(wakes.count(), 1);
    executor.raw().register(&waker);
    executor.raw().spawn_boxed(Box::pin(async {}));
    assert_eq!(wakes.count(), 2);
}

#[test]
fn a_wake_wakes_who_registered_once() {
    let (executor, (wakes, waker)) = (FifoExecutor::new(), counted_waker());
    let event = Event::default();
    for _ in 0..2 {
        let event = event.clone();
        executor.spawn(async move { event.wait().await }).detach();
    }
    executor.run_until_stalled();
    executor.raw().register(&waker);
    assert!(!executor.has_ready());
    event.set();
    assert!(executor.has_ready());
    assert_eq!(wakes.count(), 1);
}

#[test]
fn a_guest_woken_elsewhere_wakes_who_registered() {
    let (executor, (wakes, waker)) = (FifoExecutor::new(), counted_waker());
    let guest = executor.raw().guest();
    let mut task = None;
    executor.raw().tick_with(&guest, &mut |cx| {
        task = Some(cx.waker().clone());
        Poll::Pending
    });
    executor.raw().register(&waker);
    let task = task.expect("the guest was polled");
    thread::spawn(move || task.wake()).join().expect("the thread only wakes");
    assert_eq!(wakes.count(), 1);
    assert!(executor.has_ready());
}

#[test]
fn all_who_registered_are_woken() {
    let (executor, (wakes, waker), (others, other)) =
        (FifoExecutor::new(), counted_waker(), counted_waker());
    for waker in [&waker, &other, &waker] {
        executor.raw().register(waker);
    }
    executor.spawn(async {}).detach();
    executor.spawn(async {}).detach();
    assert_eq!((wakes.count(), others.count()), (1, 1));
    executor.raw().register(&other);
    executor.spawn(async {}).detach();
    assert_eq!((wakes.count(), others.count()), (1, 2));
}

#[test]
fn a_cancelled_task_and_a_void_wake_wake_nobody() {
    let (executor, (wakes, waker)) = (FifoExecutor::new(), counted_waker());
    let event = Event::default();
    let waits = event.clone();
    let task = executor.spawn(async move { waits.wait().await });
    executor.run_until_stalled();
    executor.raw().register(&waker);
    drop(task);
    event.set();
    assert_eq!(wakes.count(), 0);
}

#[test]
fn a_loop_that_registers_looks_and_parks_loses_no_wake() {
    let executor = FifoExecutor::new();
    let parker = Parker::new();
    let waker = parker.waker();
    let (sender, mut receiver) = futures::channel::mpsc::channel(0);
    let thread = thread::spawn(move || {
        let mut sender = sender;
        for message in 0..2_000 {
            while sender.try_send(message).is_err() {
                thread::yield_now();
            }
        }
    });
    let task = executor.spawn(async move {
        use futures::StreamExt;
        let mut count = 0;
        while receiver.next().await.is_some() {
            count += 1;
        }
        count
    });
    while !task.is_finished() {
        if executor.try_tick() {
            continue;
        }
        executor.raw().register(&waker);
        if !executor.has_ready() {
            parker.park();
        }
    }
    assert_eq!(executor.block_on(task), 2_000);
    thread.join().expect("the thread only sends");
}

#[test]
fn a_wake_before_the_park_is_remembered_once() {
    let parker = Parker::new();
    parker.waker().wake_by_ref();
    parker.waker().wake();
    parker.park();
    parker.park_timeout(Duration::ZERO);
    let waker = parker.waker();
    let thread = thread::spawn(move || waker.wake());
    parker.park();
    thread.join().expect("the thread only wakes");
}

#[test]
fn queued_counts_the_round_that_begins() {
    let executor = FifoExecutor::new();
    for _ in 0..3 {
        executor.spawn(async { yield_now().await }).detach();
    }
    drop(executor.spawn(async {}));
    assert_eq!(executor.raw().queued(), 3);
    for _ in 0..executor.raw().queued() {
        executor.try_tick();
    }
    assert_eq!(executor.raw().queued(), 3);
    assert_eq!(executor.run_until_stalled(), 3);
    assert_eq!(executor.raw().queued(), 0);
}

#[test]
fn a_notification_wakes_who_registered_once_and_queues_nothing() {
    let (executor, (wakes, waker)) = (FifoExecutor::new(), counted_waker());
    executor.raw().notify();
    executor.raw().register(&waker);
    executor.raw().notify();
    executor.raw().notify();
    executor.spawn(async {}).detach();
    assert_eq!(wakes.count(), 1);
    assert_eq!(executor.run_until_stalled(), 1);
}
