//! Panics of whoever waits for an executor: of their wakers, and of what they left there. Runs go on.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use dacapo::{Channel, Ctx, Error, Executor, Question, Result, Topic, Workflow, yield_now};
use futures::channel::oneshot;
use futures::{FutureExt, StreamExt};

const ECHO: Workflow<u32, u32> = Workflow::new("echo");
const TAKE: Workflow<(), u32> = Workflow::new("take");
const NUMBERS: Channel<u32> = Channel::new("numbers");
const NAP: Workflow<u64, u64> = Workflow::new("nap");
const TALK: Workflow<(), u32> = Workflow::new("talk");
const SAID: Topic<u32> = Topic::new("said");
const DOUBLE: Question<u32, u32> = Question::new("double");

fn open() -> Executor {
    Executor::builder()
        .workflow(ECHO, async |ctx: &Ctx, n: u32| {
            ctx.step("echo", async move || Ok::<_, Error>(n)).await
        })
        .workflow(TAKE, async |ctx: &Ctx, ()| -> Result<u32> { Ok(ctx.receive(NUMBERS).await) })
        .workflow(NAP, async |ctx: &Ctx, millis: u64| -> Result<u64> {
            ctx.sleep(Duration::from_millis(millis)).await;
            Ok(millis)
        })
        .workflow(TALK, async |ctx: &Ctx, ()| -> Result<u32> {
            let asked = ctx.receive(DOUBLE).await;
            let n = asked.question;
            asked.answer(ctx, 2 * n);
            ctx.publish(SAID, n);
            Ok(ctx.receive(NUMBERS).await)
        })
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

/// The waker of a runtime around: it counts and tells, and panics once it is armed.
struct Around {
    woken: AtomicU32,
    tells: Mutex<Sender<()>>,
    panics_at_wake: AtomicBool,
    panics_at_drop: AtomicBool,
}

impl Around {
    fn new() -> (Arc<Self>, Receiver<()>) {
        let (tells, told) = channel();
        let (woken, tells) = (AtomicU32::default(), Mutex::new(tells));
        let (panics_at_wake, panics_at_drop) = Default::default();
        (Arc::new(Self { woken, tells, panics_at_wake, panics_at_drop }), told)
    }
}

impl Wake for Around {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        let _ = self.tells.lock().map(|tells| tells.send(()));
        assert!(!self.panics_at_wake.load(Ordering::SeqCst), "woken");
    }
}

impl Drop for Around {
    fn drop(&mut self) {
        assert!(!self.panics_at_drop.load(Ordering::SeqCst) || thread::panicking(), "dropped");
    }
}

/// Polls an executor's loop until it waits, and says whether it is ready.
fn until_it_waits<F: Future>(mut main: Pin<&mut F>, around: &Arc<Around>) -> Poll<F::Output> {
    let waker = Waker::from(around.clone());
    loop {
        let before = around.woken.load(Ordering::SeqCst);
        let polled = poll_once(main.as_mut(), &waker);
        if polled.is_ready() || around.woken.load(Ordering::SeqCst) == before {
            return polled;
        }
    }
}

/// Whoever has something for an executor, in whatever thread, and the thread of its timers, do not meet the
/// panics of the runtime around; and the loop is woken.
#[test]
fn a_waker_of_the_runtime_around_that_panics() {
    let executor = open();
    let (around, told) = Around::new();
    let (give, given) = oneshot::channel::<u32>();
    let remote = executor.remote();
    let nap = executor.start(NAP, "nap", 30).expect("new");
    let mut main = pin!(executor.run(async {
        given.await.expect("it is given");
        nap.await.expect("it ends")
    }));
    let armed = |what: &mut dyn FnMut()| {
        told.try_iter().for_each(drop);
        around.panics_at_wake.store(true, Ordering::SeqCst);
        what();
        told.recv().expect("it is woken");
        around.panics_at_wake.store(false, Ordering::SeqCst);
    };
    assert!(until_it_waits(main.as_mut(), &around).is_pending());
    let mut call = Some(remote.with(|_| 7));
    armed(&mut || {
        let call = call.take().expect("it is called once");
        let posted = thread::spawn(move || call.now_or_never().is_none());
        assert!(posted.join().expect("it does not panic"));
    });
    assert!(until_it_waits(main.as_mut(), &around).is_pending());
    let mut give = Some(give);
    armed(&mut || {
        let give = give.take().expect("it is given once");
        let given = thread::spawn(move || give.send(1));
        given.join().expect("it does not panic").expect("it is awaited");
    });
    let waits = until_it_waits(main.as_mut(), &around);
    // It may be due by now.
    let ended = match waits {
        Poll::Ready(nap) => nap,
        Poll::Pending => {
            armed(&mut || ());
            loop {
                if let Poll::Ready(nap) = until_it_waits(main.as_mut(), &around) {
                    break nap;
                }
                told.recv().expect("the timer goes on");
            }
        }
    };
    assert_eq!(ended, 30);
}

/// One that is replaced goes with whatever its drop does, and the next one is woken all the same.
#[test]
fn a_waker_of_the_runtime_around_that_panics_when_it_is_dropped() {
    let executor = open();
    let remote = executor.remote();
    let mut main = pin!(executor.run(std::future::pending::<()>()));
    let (brittle, _) = Around::new();
    assert!(until_it_waits(main.as_mut(), &brittle).is_pending());
    brittle.panics_at_drop.store(true, Ordering::SeqCst);
    // Whoever waits has the last of it.
    drop(brittle);
    let (around, told) = Around::new();
    assert!(until_it_waits(main.as_mut(), &around).is_pending());
    told.try_iter().for_each(drop);
    let called = thread::spawn(move || futures::executor::block_on(remote.with(|_| 7)));
    while !called.is_finished() {
        // It would wait for ever.
        told.recv_timeout(Duration::from_secs(60)).expect("it is woken");
        let _ = until_it_waits(main.as_mut(), &around);
    }
    assert_eq!(called.join().expect("no panic").expect("it is called"), 7);
}

/// Those who follow a topic, and who ask, here and elsewhere.
#[test]
fn wakers_of_followers_and_askers_that_panic() {
    let executor = open();
    let remote = executor.remote();
    let talk = executor.start(TALK, "talk", ()).expect("new");
    executor.block_on(talk.accepted()).expect("it is committed");
    let waker = Waker::from(Arc::new(AtWake));
    let mut near = executor.follow("talk", SAID, 0);
    let mut far = remote.follow("talk", SAID, 0);
    for _ in 0..3 {
        // They read what is there before they wait.
        assert!(poll_once(pin!(near.next()), Waker::noop()).is_pending());
        assert!(poll_once(pin!(far.next()), Waker::noop()).is_pending());
        turns(&executor);
    }
    let mut asks = pin!(executor.ask("talk", DOUBLE, 4));
    let mut asks_from_afar = pin!(remote.ask("talk", DOUBLE, 5));
    assert!(poll_once(pin!(near.next()), &waker).is_pending());
    assert!(poll_once(pin!(far.next()), &waker).is_pending());
    assert!(poll_once(asks.as_mut(), &waker).is_pending());
    assert!(poll_once(asks_from_afar.as_mut(), &waker).is_pending());
    turns(&executor);
    let answered = poll_once(asks, Waker::noop());
    assert!(matches!(answered, Poll::Ready(Ok(8))), "{answered:?}");
    assert!(matches!(near.next().now_or_never(), Some(Some(Ok((0, 4))))));
    let first = executor.block_on(far.next()).expect("it goes on");
    assert_eq!(first.expect("it is read"), (0, 4));
    executor.block_on(executor.send("talk", NUMBERS, 1)).expect("it waits");
    assert_eq!(executor.block_on(talk).expect("it ends"), 1);
    turns(&executor);
    assert!(matches!(poll_once(asks_from_afar, Waker::noop()), Poll::Ready(Err(_))));
    let caught = executor.caught_panics();
    assert!(caught >= 3, "{caught}");
    all_is_well(&executor, caught);
}
