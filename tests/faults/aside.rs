//! Panics of whoever waits for an executor: of their wakers, and of what they left there. Runs go on.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use dacapo::{Channel, Ctx, Error, Executor, Result, Workflow, yield_now};

const ECHO: Workflow<u32, u32> = Workflow::new("echo");
const TAKE: Workflow<(), u32> = Workflow::new("take");
const NUMBERS: Channel<u32> = Channel::new("numbers");

fn open() -> Executor {
    Executor::builder()
        .workflow(ECHO, async |ctx: &Ctx, n: u32| {
            ctx.step("echo", async move || Ok::<_, Error>(n)).await
        })
        .workflow(TAKE, async |ctx: &Ctx, ()| -> Result<u32> { Ok(ctx.receive(NUMBERS).await) })
        .in_memory()
}

/// A waker that panics when it is woken.
struct AtWake;

impl Wake for AtWake {
    fn wake(self: Arc<Self>) {
        panic!("woken");
    }
}

/// One that panics when it is dropped, once it is armed.
#[derive(Default)]
struct AtDrop(Arc<AtomicBool>);

impl Wake for AtDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for AtDrop {
    fn drop(&mut self) {
        assert!(!self.0.load(Ordering::SeqCst) || std::thread::panicking(), "dropped");
    }
}

/// A waker whose only owner is who waits, and what arms it.
fn at_drop() -> (Waker, Arc<AtomicBool>) {
    let is_armed = Arc::<AtomicBool>::default();
    (Waker::from(Arc::new(AtDrop(is_armed.clone()))), is_armed)
}

fn poll_once<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

fn turns(executor: &Executor) {
    for _ in 0..10 {
        executor.block_on(yield_now());
    }
}

/// Others run as ever.
#[track_caller]
fn all_is_well(executor: &Executor, panics: u64) {
    assert_eq!(executor.caught_panics(), panics);
    let run = executor.start(ECHO, "after", 7).expect("it takes runs");
    assert_eq!(executor.block_on(run).expect("it ends"), 7);
    assert!(executor.parked().expect("memory").is_empty());
}

/// Each of those who wait is told, whatever the waker of another does.
#[test]
fn a_waker_of_a_handle_that_panics() {
    let executor = open();
    let mut first = pin!(executor.start(ECHO, "one", 1).expect("new"));
    let second = executor.attach(ECHO, "one").expect("it is there");
    assert!(poll_once(first.as_mut(), &Waker::from(Arc::new(AtWake))).is_pending());
    assert_eq!(executor.block_on(second).expect("it ends"), 1);
    assert_eq!(executor.block_on(first).expect("it has ended"), 1);
    all_is_well(&executor, 1);
}

#[test]
fn a_waker_of_a_handle_that_panics_when_it_is_dropped() {
    let executor = open();
    for (id, is_told) in [("told", true), ("dropped", false)] {
        let mut handle = Box::pin(executor.start(ECHO, id, 1).expect("new"));
        let (waker, is_armed) = at_drop();
        assert!(poll_once(handle.as_mut(), &waker).is_pending());
        drop(waker);
        is_armed.store(true, Ordering::SeqCst);
        if is_told {
            turns(&executor);
        }
        drop(handle);
    }
    all_is_well(&executor, 2);
}

/// The same in other threads: calls, posts, and what is told at the end.
#[test]
fn wakers_of_remote_futures_that_panic() {
    let executor = open();
    let take = executor.start(TAKE, "take", ()).expect("new");
    executor.block_on(take.accepted()).expect("it is committed");
    let remote = executor.remote();
    let mut call = pin!(remote.with(|executor| executor.runs(&Default::default()).map(drop)));
    let mut sent = pin!(remote.send("take", NUMBERS, 5));
    let mut failed = pin!(remote.failed());
    let mut near = pin!(executor.failed());
    let waker = Waker::from(Arc::new(AtWake));
    assert!(poll_once(call.as_mut(), &waker).is_pending());
    assert!(poll_once(sent.as_mut(), &waker).is_pending());
    assert!(poll_once(failed.as_mut(), &waker).is_pending());
    assert!(poll_once(near.as_mut(), &waker).is_pending());
    assert_eq!(executor.block_on(take).expect("the message arrived"), 5);
    let caught = executor.caught_panics();
    assert!(caught >= 1);
    all_is_well(&executor, caught);
    drop(executor);
    assert!(poll_once(call, Waker::noop()).is_ready());
    assert!(poll_once(sent, Waker::noop()).is_ready());
    assert!(poll_once(failed, Waker::noop()).is_ready());
    assert!(poll_once(near, Waker::noop()).is_ready());
}

/// Calls own what they are called with, and are dropped with it.
#[test]
fn calls_whose_drop_panics() {
    struct Brittle;
    impl Drop for Brittle {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "dropped");
        }
    }
    let executor = open();
    let remote = executor.remote();
    let brittle = Brittle;
    let mut called = pin!(remote.with(move |_| drop(brittle)));
    assert!(poll_once(called.as_mut(), Waker::noop()).is_pending());
    turns(&executor);
    assert!(poll_once(called, Waker::noop()).map(|called| called.is_err()) == Poll::Ready(true));
    all_is_well(&executor, 0);
    let brittle = Brittle;
    let mut left = pin!(remote.with(move |_| drop(brittle)));
    assert!(poll_once(left.as_mut(), Waker::noop()).is_pending());
    drop(executor);
    assert!(futures::executor::block_on(left).is_err(), "nobody calls it any more");
}
