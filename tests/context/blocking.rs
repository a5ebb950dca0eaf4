//! Steps whose bodies block a thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use dacapo::sim::{self, Sim};
use dacapo::store::MemoryStore;
use dacapo::{
    Attempt, Builder, Ctx, Either, Error, Executor, ParkReason, Result, Retry, Workflow, join_all,
    select,
};

use super::open;

const W: Workflow<(), u32> = Workflow::new("w");
const MS: Duration = Duration::from_millis(1);
const AGAIN: Retry = Retry::exponential(Duration::ZERO);

/// What bodies did, from any thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn line(&self, line: impl ToString) {
        self.0.lock().expect("nobody panics with it").push(line.to_string());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics with it").clone()
    }
}

/// A body whose first call says that it has begun and waits until it may end.
struct Held {
    log: Log,
    begun: Sender<()>,
    may_end: Mutex<Receiver<()>>,
    has_waited: AtomicBool,
}

impl Held {
    fn new(log: &Log) -> (Arc<Self>, Receiver<()>, Sender<()>) {
        let (begun, has_begun) = mpsc::channel();
        let (end, may_end) = mpsc::channel();
        let (may_end, has_waited) = (Mutex::new(may_end), AtomicBool::new(false));
        let held = Self { log: log.clone(), begun, may_end, has_waited };
        (Arc::new(held), has_begun, end)
    }

    fn call(&self, attempt: &Attempt) -> Result<u32> {
        let is_first = !self.has_waited.swap(true, Ordering::SeqCst);
        let who = if is_first { "first" } else { "later" };
        self.log.line(format_args!("{who} begins"));
        if is_first {
            self.begun.send(()).expect("the test goes on");
            let _ = self.may_end.lock().expect("one at a time").recv();
        }
        self.log.line(format_args!("{who} ends"));
        Ok(attempt.number())
    }
}

#[test]
fn outcomes_errors_and_panics_are_those_of_any_step() {
    let build = Executor::builder().workflow(W, async |ctx: &Ctx, ()| -> Result<u32> {
        let here = thread::current().id();
        let body = move |attempt: &Attempt| match attempt.number() {
            1 => Err(Error::new("busy")),
            2 => panic!("no tea"),
            number => {
                assert_ne!(thread::current().id(), here, "it has a thread of its own");
                assert_eq!(attempt.run_id(), "run");
                assert!(attempt.key().starts_with("run/1/work/"));
                Ok(number)
            }
        };
        let number = ctx.step_blocking("work", body).retry(AGAIN).await?;

        let refused = |_: &Attempt| Err::<(), _>(Error::new("no").permanent());
        let error = ctx.step_blocking("refuse", refused).retry(AGAIN).await.unwrap_err();
        assert_eq!(error.to_string(), r#"step 2 "refuse" failed: no"#);
        assert!(error.is_permanent());

        let panics = |_: &Attempt| -> Result<()> { panic!("no tea") };
        let error = ctx.step_blocking("panic", panics).await.unwrap_err();
        assert_eq!(error.to_string(), r#"step 3 "panic" failed: panicked: no tea"#);
        assert!(error.is_panic());

        let io = |_: &Attempt| std::fs::read_to_string("no/such/file");
        assert!(ctx.step_blocking("read", io).at_most_once().await.is_err());
        Ok(number)
    });
    let executor = build.in_memory();
    let run = executor.start(W, "run", ()).expect("new");
    // Inside of another runtime, whose waker it is that the threads wake.
    let end = futures::executor::block_on(executor.run(run));
    assert_eq!(end.expect("it ends"), 3);
    executor.verify("run").expect("it replays");
}

/// Each waits for the other, and virtual time, which would pass at once, waits for both.
#[test]
fn bodies_block_side_by_side_and_no_virtual_time_passes() {
    let build = Executor::builder().workflow(W, async |ctx: &Ctx, ()| -> Result<u32> {
        let (all, before) = (Arc::new(Barrier::new(4)), ctx.now());
        let steps = (0..4).map(|n| {
            let all = all.clone();
            let body = move |_: &Attempt| Ok::<u32, Error>(u32::from(all.wait().is_leader()));
            ctx.step_blocking("meet", body).label(n).timeout(MS)
        });
        let met = ctx.timeout(MS, join_all(steps)).await?;
        assert_eq!(ctx.now(), before);
        met.into_iter().sum()
    });
    let (executor, _) = open(build, MemoryStore::new());
    let run = executor.start(W, "run", ()).expect("new");
    assert_eq!(executor.block_on(run).expect("all met"), 1);
}

/// The first attempt outlasts its limit, and so do those that wait for its thread.
#[test]
fn an_attempt_that_took_too_long_goes_on_and_the_next_one_waits_for_it() {
    let log = Log::default();
    let (held, has_begun, end) = Held::new(&log);
    let (logged, opened) = (log.clone(), Arc::new(Mutex::new(Some((has_begun, end)))));
    let build = Executor::builder().workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
        let held = held.clone();
        let step = ctx.step_blocking("hold", move |attempt: &Attempt| held.call(attempt));
        let mut step = std::pin::pin!(step.timeout(20 * MS).retry(AGAIN));
        // Long enough for a second attempt to begin, if it did not wait.
        let Either::Second(()) = select(&mut step, ctx.sleep(100 * MS)).await else {
            panic!("the first attempt holds it")
        };
        let (log, opened) = (logged.clone(), opened.clone());
        let open = async move || {
            let (has_begun, end) = opened.lock().unwrap().take().expect("it is called once");
            has_begun.recv().expect("the first attempt has begun");
            log.line("opened");
            end.send(()).map_err(Error::new)
        };
        ctx.step("open", open).await?;
        step.await
    });
    let executor = build.in_memory();
    let number = executor.block_on(executor.start(W, "run", ()).expect("new"));
    assert!(number.expect("a later attempt succeeds") > 1);
    let lines = log.lines();
    assert_eq!(lines[..3], ["first begins", "opened", "first ends"]);
    // On a busy machine a later one may be late as well.
    let mut later = lines[3..].chunks(2);
    assert!(later.len() > 0 && later.all(|one| one == ["later begins", "later ends"]), "{lines:?}");
    executor.verify("run").expect("it replays");
}

/// Says on which thread it was dropped.
#[derive(serde::Serialize, serde::Deserialize)]
struct Told {
    #[serde(skip)]
    dropped: Option<Sender<thread::ThreadId>>,
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(dropped) = self.dropped.take() {
            dropped.send(thread::current().id()).expect("the test waits for it");
        }
    }
}

#[test]
fn the_outcome_of_a_dropped_step_reaches_nobody() {
    let log = Log::default();
    let (held, has_begun, end) = Held::new(&log);
    let (dropped, is_dropped) = mpsc::channel();
    let has_begun = Arc::new(Mutex::new(has_begun));
    let build = Executor::builder().workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
        let (held, dropped, has_begun) = (held.clone(), dropped.clone(), has_begun.clone());
        let body = move |attempt: &Attempt| {
            held.call(attempt).map(|_| Told { dropped: Some(dropped.clone()) })
        };
        let begun = move |_: &Attempt| has_begun.lock().unwrap().recv().map_err(Error::new);
        let lost = select(ctx.step_blocking("hold", body), ctx.step_blocking("wait", begun)).await;
        assert!(matches!(lost, Either::Second(Ok(()))));
        Ok(1)
    });
    let executor = build.in_memory();
    assert_eq!(executor.block_on(executor.start(W, "run", ()).expect("new")).expect("it ends"), 1);
    executor.verify("run").expect("it replays");
    drop(executor); // It does not wait for the thread, either.
    assert_eq!(log.lines(), ["first begins"]);
    end.send(()).expect("the thread waits");
    assert_ne!(is_dropped.recv().expect("it is dropped"), thread::current().id());
    assert_eq!(log.lines(), ["first begins", "first ends"]);
}

/// A run that is parked drops its bodies; when it is taken up again, its next attempt waits.
#[test]
fn a_resumed_run_waits_for_the_thread_of_its_last_life() {
    let log = Log::default();
    let (held, has_begun, end) = Held::new(&log);
    let (is_mended, has_begun) = (Arc::new(AtomicBool::new(false)), Mutex::new(has_begun));
    let (mended, has_begun) = (is_mended.clone(), Arc::new(has_begun));
    let build = Executor::builder().workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
        let (held, has_begun) = (held.clone(), has_begun.clone());
        let hold = ctx.step_blocking("hold", move |attempt: &Attempt| held.call(attempt));
        let hold = ctx.spawn(async move |_: &Ctx| hold.await);
        let begun = move |_: &Attempt| has_begun.lock().unwrap().recv().map_err(Error::new);
        ctx.step_blocking("wait", begun).await?;
        assert!(mended.load(Ordering::SeqCst), "broken");
        hold.await
    });
    let executor = build.in_memory();
    let error = executor.block_on(executor.start(W, "run", ()).expect("new")).unwrap_err();
    assert_eq!(error.park_reason(), Some(ParkReason::Panicked));
    is_mended.store(true, Ordering::SeqCst);
    executor.resume("run").expect("it is mended");
    // Turns in which a second attempt would begin.
    executor.block_on(async {
        for _ in 0..100 {
            dacapo::yield_now().await;
        }
    });
    assert_eq!(log.lines(), ["first begins"]);
    end.send(()).expect("the thread waits");
    let end = executor.block_on(executor.attach(W, "run").expect("it goes on"));
    assert_eq!(end.expect("it ends"), 2, "the first attempt was interrupted");
    assert_eq!(log.lines(), ["first begins", "first ends", "later begins", "later ends"]);
}

/// There a body runs where it is, and its order is the seed's.
#[test]
fn in_a_simulation_bodies_need_no_thread() {
    const ALL: Workflow<(), Vec<u32>> = Workflow::new("all");
    let build = |sim: &Sim| -> Builder {
        let _ = sim;
        Executor::builder().workflow(ALL, async |ctx: &Ctx, ()| -> Result<_> {
            let (first, order) = (thread::current().id(), std::cell::RefCell::new(Vec::new()));
            let steps = (0..4).map(async |n| {
                let body = move |_: &Attempt| {
                    assert_eq!(thread::current().id(), first);
                    Ok::<_, Error>(n)
                };
                let step = ctx.step_blocking("work", body).label(n).timeout(MS);
                let outcome = step.await?;
                order.borrow_mut().push(outcome);
                Ok::<_, Error>(())
            });
            join_all(steps).await.into_iter().collect::<Result<()>>()?;
            Ok(order.into_inner())
        })
    };
    let report = sim::check(ALL).start("run", ()).crash_loops().run_all(build, |ends| {
        // A chain of crashes may use up the attempts.
        if let Ok(order) = ends.of("run") {
            assert_eq!(order.len(), 4);
        }
    });
    assert!(report.distinct_traces > 10, "{report}");
}
