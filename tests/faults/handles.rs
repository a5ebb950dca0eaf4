//! Handles of an executor that do not keep it: for other threads, and for bodies.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::Filter;
use dacapo::{Clock, Ctx, Error, Executor, Result, Timestamp, WeakExecutor, Workflow};
use futures::FutureExt;
use futures::channel::oneshot;

const ECHO: Workflow<u32, u32> = Workflow::new("echo");

fn build() -> dacapo::Builder {
    Executor::builder().workflow(ECHO, async |_: &Ctx, n: u32| -> Result<u32> { Ok(n) })
}

/// Runs that threads start, and the order of what one of them asks for.
#[test]
fn commands_from_other_threads() {
    let executor = build().in_memory();
    let (mut threads, mut ends) = (Vec::new(), Vec::new());
    for name in 0..4 {
        let (remote, (end, ended)) = (executor.remote(), oneshot::channel());
        ends.push(ended);
        threads.push(thread::spawn(move || {
            let (mut answers, mut first) = (Vec::new(), None);
            for n in 0..50 {
                let start = remote.with(move |executor| {
                    let run = executor.start(ECHO, &format!("{name}-{n}"), n)?;
                    let so_far = Filter::new().id_prefix(format!("{name}-"));
                    Ok::<_, Error>((run.id().to_owned(), executor.runs(&so_far)?.len()))
                });
                let (id, so_far) =
                    futures::executor::block_on(start).expect("it is there").expect("it starts");
                assert_eq!(id, format!("{name}-{n}"));
                assert!(so_far <= n as usize, "the commands before it, and no other");
                first.get_or_insert(so_far);
                answers.push(so_far);
            }
            end.send(answers.is_sorted() && first == Some(0)).expect("somebody waits");
        }));
    }
    let in_order = executor.block_on(futures::future::join_all(ends));
    assert!(in_order.into_iter().all(|is_sorted| is_sorted == Ok(true)));
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    executor.block_on(async {});
    let runs = executor.runs(&Filter::new()).expect("readable");
    assert_eq!(runs.len(), 200);
}

fn assert_gone<T>(answer: Option<Result<T>>) {
    let error = answer.expect("nobody waits for what cannot come").err().expect("it is gone");
    assert!(error.is_closed(), "{error}");
}

#[test]
fn a_command_for_an_executor_that_is_gone_or_goes() {
    let executor = build().in_memory();
    let remote = executor.remote();
    let called = Arc::new(AtomicBool::new(false));
    let marks = called.clone();
    let mut posted = Box::pin(remote.with(move |_| marks.store(true, Ordering::SeqCst)));
    assert!((&mut posted).now_or_never().is_none(), "nobody drives it");
    drop(executor);
    assert_gone(posted.now_or_never());
    assert!(!called.load(Ordering::SeqCst));
    assert_gone(remote.with(|_| ()).now_or_never());
    assert_gone(remote.clone().with(|_| ()).now_or_never());
}

/// What a body or a command that is dropped with the executor does with its handles: all of it is
/// refused, and nobody waits for ever.
#[test]
fn handles_that_are_used_while_the_executor_is_dropped() {
    type Refused = Rc<RefCell<Vec<String>>>;
    struct LastWords(Rc<RefCell<Option<WeakExecutor>>>, dacapo::Remote, Refused);
    impl Drop for LastWords {
        fn drop(&mut self) {
            let Some(weak) = self.0.borrow().clone() else { return };
            let started = weak.with(|executor| executor.start(ECHO, "late", 1));
            let refused = match started {
                Ok(Ok(run)) => run.now_or_never().map(|ended| ended.map(drop)),
                Ok(Err(error)) | Err(error) => Some(Err(error)),
            };
            let refused = refused.expect("nobody waits for ever").expect_err("it is too late");
            self.2.borrow_mut().push(refused.to_string());
            assert_gone(self.1.with(|_| ()).now_or_never());
        }
    }
    const HOLDS: Workflow<(), ()> = Workflow::new("holds");
    let (weak, refused) = (Rc::new(RefCell::new(None)), Refused::default());
    let (held, words) = (weak.clone(), refused.clone());
    let remote = Rc::new(RefCell::new(None::<dacapo::Remote>));
    let remotes = remote.clone();
    let executor = build()
        .workflow(HOLDS, async move |ctx: &Ctx, ()| -> Result<()> {
            let (weak, words) = (held.clone(), words.clone());
            let remote = remotes.borrow().clone().expect("it is set");
            ctx.step("holds", async move || -> Result<()> {
                let _words = LastWords(weak.clone(), remote.clone(), words.clone());
                std::future::pending().await
            })
            .await
        })
        .in_memory();
    *weak.borrow_mut() = Some(executor.weak());
    *remote.borrow_mut() = Some(executor.remote());
    let run = executor.start(HOLDS, "run", ()).expect("new");
    executor.block_on(async {
        run.accepted().await.expect("it is committed");
        dacapo::yield_now().await;
        dacapo::yield_now().await;
    });
    drop(executor);
    assert_eq!(refused.borrow().len(), 1, "the body was under way");
    assert!(refused.borrow()[0].contains("the executor was dropped"), "{refused:?}");
    assert!(weak.borrow().clone().expect("it is set").with(|_| ()).is_err());
    assert!(run.now_or_never().expect("it is told").is_err());
}

/// A body starts another run, and waits for it.
#[test]
fn a_body_starts_a_run_and_awaits_it() {
    const CALLS: Workflow<u32, u32> = Workflow::new("calls");
    let weak = Rc::new(RefCell::new(None::<WeakExecutor>));
    let held = weak.clone();
    let executor = build()
        .workflow(CALLS, async move |ctx: &Ctx, n: u32| -> Result<u32> {
            let weak = held.borrow().clone().expect("it is set");
            let call = async move || -> Result<u32> {
                weak.with(|executor| executor.start(ECHO, "called", n + 1))??.await
            };
            ctx.step("call", call).await
        })
        .in_memory();
    *weak.borrow_mut() = Some(executor.weak());
    assert_eq!(executor.block_on(executor.start(CALLS, "run", 1).expect("new")).expect("ends"), 2);
}

/// A clock that does something at one of the times when it is read.
struct Eventful {
    clock: VirtualClock,
    reads_left: Cell<u32>,
    event: RefCell<Option<Box<dyn FnOnce()>>>,
}

impl Clock for Eventful {
    fn now(&self) -> Timestamp {
        self.reads_left.set(self.reads_left.get().saturating_sub(1));
        if self.reads_left.get() == 0
            && let Some(event) = self.event.take()
        {
            event();
        }
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

/// A waker that remembers whether it was called.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Wherever in a turn a command is posted, it is carried out, or somebody is woken for it.
#[test]
fn a_command_that_is_posted_while_the_executor_is_about_to_wait() {
    let mut posts = 0;
    for reads in 1..12 {
        let remote = Rc::new(RefCell::new(None::<dacapo::Remote>));
        let (called, is_posted) = (Arc::new(AtomicBool::new(false)), Rc::new(Cell::new(false)));
        let (slot, marks, posted) = (remote.clone(), called.clone(), is_posted.clone());
        let event = move || {
            let remote = slot.borrow().clone().expect("the executor is there");
            let with = remote.with(move |_| marks.store(true, Ordering::SeqCst));
            posted.set(with.now_or_never().is_none());
        };
        // One of them is the open.
        let (reads_left, event) = (Cell::new(reads + 1), RefCell::new(Some(Box::new(event) as _)));
        let clock = Eventful { clock: VirtualClock::default(), reads_left, event };
        let executor = build().clock(clock).in_memory();
        *remote.borrow_mut() = Some(executor.remote());
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut driven = pin!(executor.run(std::future::pending::<()>()));
        while woken.0.swap(false, Ordering::SeqCst) {
            assert!(driven.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(called.load(Ordering::SeqCst), is_posted.get(), "at read {reads}");
        posts += u32::from(is_posted.get());
    }
    assert!(posts >= 3, "{posts} of them are in a turn");
}
