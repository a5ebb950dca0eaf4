//! A run that is woken from outside is parked, wherever the wake comes from.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use dacapo::store::MemoryStore;
use dacapo::{Builder, Ctx, Executor, Result, Workflow};
use futures::channel::oneshot;

use super::{assert_parked, history, open};

const W: Workflow<(), u32> = Workflow::new("w");
const MESSAGE: &str = "foreign wake: a task was woken or dropped while nothing was delivered \
    to the run, so it depends on something that the history does not know; await sockets, timers \
    and channels from outside of the run in a step (inside tokio, run the executor under \
    tokio::task::unconstrained), then call `Executor::resume`";

/// Runs the workflow of `builder` to its parking, which must be for a foreign wake.
#[track_caller]
fn check(builder: Builder) {
    let (executor, store) = open(builder, MemoryStore::new());
    let error = executor.block_on(executor.start(W, "run", ()).expect("new"));
    assert_parked(&executor, "run", &error.expect_err("it is parked"), MESSAGE);
    let records = history(&store.now(), "run").len();
    assert!(records <= 2, "nothing follows the wake: {records} records");
}

#[test]
fn by_a_body_through_a_side_channel() {
    check(Executor::builder().workflow(W, async |ctx: &Ctx, ()| -> Result<u32> {
        let (sender, receiver) = oneshot::channel();
        let sender = RefCell::new(Some(sender));
        let tell = ctx.step("tell", async move || -> Result<u32> {
            let sender = sender.take().expect("it is told once");
            sender.send(7).expect("someone listens");
            futures::future::pending().await
        });
        let listen = async move { Ok(receiver.await.expect("it is told")) };
        dacapo::race(tell, listen).await
    }));
}

/// The other thread waits until the run is quiescent, and the executor parks its own.
#[test]
fn by_another_thread() {
    check(Executor::builder().workflow(W, async |ctx: &Ctx, ()| -> Result<u32> {
        let (sender, receiver) = oneshot::channel();
        let (begin, begun) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            begun.recv().expect("the body tells when it begins");
            sender.send(7)
        });
        let step = ctx.step("begin", async move || -> Result<u32> {
            begin.send(()).expect("the thread waits");
            futures::future::pending().await
        });
        dacapo::race(step, async { Ok(receiver.await.expect("it is told")) }).await
    }));
}

/// The waker of one run, in the hands of another run's body.
#[test]
fn by_another_run() {
    let waker = Rc::new(RefCell::new(None::<Waker>));
    let (theirs, ours) = (waker.clone(), waker);
    const OTHER: Workflow<(), ()> = Workflow::new("other");
    let builder = Executor::builder()
        .workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
            let step =
                ctx.step("never", async || -> Result<u32> { futures::future::pending().await });
            let wait = poll_fn(|cx| {
                theirs.replace(Some(cx.waker().clone()));
                Poll::Pending
            });
            dacapo::race(step, wait).await
        })
        .workflow(OTHER, async move |ctx: &Ctx, ()| -> Result<()> {
            let ours = ours.clone();
            ctx.step("wait", async || Ok::<_, dacapo::Error>(())).await?;
            if let Some(waker) = ours.borrow().as_ref() {
                waker.wake_by_ref();
            }
            Ok(())
        });
    let (executor, _) = open(builder, MemoryStore::new());
    let run = executor.start(W, "run", ()).expect("new");
    let other = executor.start(OTHER, "other", ()).expect("new");
    executor.block_on(other).expect("the one that woke goes on");
    let error = executor.block_on(run).expect_err("it is parked");
    assert_parked(&executor, "run", &error, MESSAGE);
}

/// Wakes of runs that have ended, and of tasks that have, mean nothing.
#[test]
fn after_the_end() {
    let waker = Rc::new(RefCell::new(Vec::<Waker>::new()));
    let kept = waker.clone();
    let keep = move |waker: &Waker| kept.borrow_mut().push(waker.clone());
    let builder = Executor::builder().workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
        let keep = keep.clone();
        let task = ctx.spawn(async move |_: &Ctx| {
            poll_fn(|cx| {
                keep(cx.waker());
                Poll::Ready(())
            })
            .await;
        });
        task.await;
        ctx.step("one", async || Ok::<_, dacapo::Error>(1)).await
    });
    let (executor, _) = open(builder, MemoryStore::new());
    let run = executor.start(W, "run", ()).expect("new");
    let woken = waker.clone();
    let main = async move {
        run.accepted().await?;
        woken.borrow().iter().for_each(Waker::wake_by_ref);
        run.await
    };
    assert_eq!(executor.block_on(main).expect("the wake of an ended task is void"), 1);
    waker.borrow().iter().for_each(Waker::wake_by_ref);
    executor.block_on(async {});
    assert!(executor.parked().expect("readable").is_empty());
    assert_eq!(waker.borrow().len(), 1, "the task was polled once");
}

/// An operation that is polled in another run than its own.
#[test]
fn an_operation_in_foreign_hands() {
    type Smuggled = Rc<RefCell<Option<dacapo::Sleep>>>;
    const THIEF: Workflow<(), ()> = Workflow::new("thief");
    let smuggled = Smuggled::default();
    let (put, get) = (smuggled.clone(), smuggled);
    let builder = Executor::builder()
        .workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
            put.replace(Some(ctx.sleep(std::time::Duration::from_secs(1))));
            ctx.step("never", async || -> Result<u32> { futures::future::pending().await }).await
        })
        .workflow(THIEF, async move |ctx: &Ctx, ()| -> Result<()> {
            let sleep = get.take().expect("the other run came first");
            ctx.timeout(std::time::Duration::from_secs(5), sleep).await.ok();
            Ok(())
        });
    let (executor, _) = open(builder, MemoryStore::new());
    let run = executor.start(W, "run", ()).expect("new");
    let thief = executor.start(THIEF, "thief", ()).expect("new");
    let error = executor.block_on(run).expect_err("it is parked");
    assert_parked(&executor, "run", &error, MESSAGE);
    executor.block_on(thief).expect("it waits in vain, and ends");
}

/// A body that owns a task's handle, and with it drops the task.
#[test]
fn a_task_that_a_body_drops() {
    check(Executor::builder().workflow(W, async |ctx: &Ctx, ()| -> Result<u32> {
        let task = ctx.spawn(async |ctx: &Ctx| {
            ctx.sleep(std::time::Duration::from_secs(1)).await;
        });
        let task = RefCell::new(Some(task));
        let cancel = async move || -> Result<u32> {
            drop(task.take());
            futures::future::pending().await
        };
        ctx.step("cancel", cancel).await
    }));
}
