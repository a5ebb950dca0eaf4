//! What somebody who looks after an executor is told, beside what is wrong with runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use dacapo::store::MemoryStore;
use dacapo::{
    Channel, Clock, Ctx, Error, Event, Executor, Notice, Observer, ParkReason, Question, Result,
    Retry, Start, Timestamp, Workflow,
};
use futures::FutureExt;

const WORK: Workflow<u64, ()> = Workflow::new("work");
const ASK: Question<u64, u64> = Question::new("ask");

/// What observers are told of bodies that block.
#[derive(Clone, Default)]
struct Told(Rc<RefCell<Vec<String>>>);

impl Observer for Told {
    fn observe(&self, _: &str, _: Event<'_>) {}

    fn notify(&self, notice: &Notice<'_>) {
        if let Notice::Blocked { .. } = notice {
            self.0.borrow_mut().push(notice.to_string());
        }
    }
}

/// A clock in milliseconds that bodies set forward.
#[derive(Clone, Default)]
struct Ticks(Rc<Cell<u64>>);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.get() * 1_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.get())
    }
}

#[test]
fn a_body_that_blocks_the_thread() {
    let (ticks, told) = (Ticks::default(), Told::default());
    let clock = ticks.clone();
    let executor = Executor::builder()
        .clock(clock)
        .observer(told.clone())
        .workflow(WORK, async move |ctx: &Ctx, millis: u64| -> Result<()> {
            let ticks = ticks.clone();
            let body = async move || {
                dacapo::yield_now().await;
                ticks.0.set(ticks.0.get() + millis);
                Ok::<_, Error>(())
            };
            ctx.step("grind", body).await
        })
        .in_memory();
    for (id, millis) in [("short", 99), ("long", 100)] {
        let run = executor.start(WORK, id, millis).expect("new");
        executor.block_on(run).expect("it ends");
    }
    let blocked = r#"run "long": step 1 "grind" blocked the thread of all runs for 100ms: "#;
    assert_eq!(*told.0.borrow(), [format!("{blocked}see Ctx::step_blocking")]);
}

/// It cannot be stopped, and so comes to its end; but it took too long, and a longer limit is not what its
/// caller asked for. One that another body kept waiting was ready in time.
#[test]
fn a_limit_that_passes_while_a_body_blocks_the_thread() {
    let ticks = Ticks::default();
    let (clock, limit) = (ticks.clone(), Duration::from_millis(100));
    let executor = Executor::builder()
        .clock(clock)
        .workflow(WORK, async move |ctx: &Ctx, millis: u64| -> Result<()> {
            let (blocks, waits) = (ticks.clone(), async || {
                dacapo::yield_now().await;
                Ok::<_, Error>(())
            });
            let body = async move |attempt: dacapo::Attempt| {
                blocks.0.set(blocks.0.get() + millis / u64::from(attempt.number()));
                Ok::<_, Error>(())
            };
            let twice = Retry::exponential(Duration::ZERO).max_attempts(2);
            let waiting = ctx.step("wait", waits).timeout(limit);
            let blocking = ctx.step_with("grind", body).timeout(limit).retry(twice);
            let (waiting, blocking) = dacapo::join(waiting, blocking).await;
            waiting.expect("it was ready");
            blocking
        })
        .in_memory();
    let end = |id, millis| {
        let run = executor.start(WORK, id, millis).expect("new");
        executor.block_on(run)
    };
    end("in time", 99).expect("it is shorter");
    end("once more", 199).expect("the second attempt takes half of it");
    let error = end("too long", 300).expect_err("both take longer");
    let message = r#"step 2 "grind" failed, after 2 attempts: not ready within 100ms"#;
    assert!(error.is_elapsed() && error.to_string() == message, "{error}");
}

#[test]
fn a_body_that_lacks_a_runtime_of_tokio() {
    let executor = Executor::builder()
        .workflow(WORK, async |ctx: &Ctx, millis: u64| -> Result<()> {
            let body = async move || {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok::<_, Error>(())
            };
            ctx.step("nap", body).await
        })
        .in_memory();
    let run = executor.start(WORK, "run", 1).expect("new");
    let error = executor.block_on(run).expect_err("there is none").to_string();
    assert!(
        error.contains("`let _entered = runtime.enter();` before Executor::block_on"),
        "{error}"
    );
}

/// A service that waits for something else learns that nothing goes on any more.
#[test]
fn an_executor_that_has_stopped_tells() {
    let store = MemoryStore::new();
    store.fail_after(0);
    let build = || Executor::builder().workflow(WORK, async |_: &Ctx, _: u64| Ok::<_, Error>(()));
    let executor = build().open_with(store).expect("it opens");
    let mut failed = Box::pin(executor.failed());
    assert!((&mut failed).now_or_never().is_none(), "nothing has failed yet");
    let run = executor.start(WORK, "run", 1).expect("new");
    assert!(executor.block_on(failed).is_store());
    assert!(executor.block_on(executor.failed()).is_store(), "whoever asks later is told, too");
    drop(run);

    let executor = build().in_memory();
    let failed = executor.failed();
    drop(executor);
    assert!(failed.now_or_never().expect("it is told").is_closed());
}

/// After a bad deployment: those that can go on do, and the others are left as they are.
#[test]
fn all_runs_that_are_parked_for_one_reason() {
    let is_broken = Rc::new(Cell::new(true));
    let breaks = is_broken.clone();
    let executor = Executor::builder()
        .workflow(WORK, async move |_: &Ctx, n: u64| -> Result<()> {
            match (n, breaks.get()) {
                (0, true) => std::future::pending().await,
                (1, _) | (_, true) => panic!("no cup"),
                _ => Ok(()),
            }
        })
        .in_memory();
    for n in 0..4 {
        let run = executor.start(WORK, &format!("run-{n}"), n).expect("new");
        assert!(executor.block_on(run).expect_err("it is parked").is_parked());
    }
    is_broken.set(false);
    let resumed = executor.resume_all(ParkReason::Panicked).expect("readable");
    assert_eq!(resumed, ["run-2", "run-3"]);
    executor.block_on(dacapo::yield_now());
    let parked = executor.parked().expect("readable").into_iter();
    let parked: Vec<_> = parked.map(|run| (run.id, run.reason)).collect();
    let left = [("run-0", ParkReason::Stalled), ("run-1", ParkReason::Panicked)];
    assert_eq!(parked, left.map(|(id, reason)| (id.to_owned(), reason)));
}

/// Each once, in the words that the caller has; not what ended as it was asked to, nor what was late.
#[test]
fn calls_that_are_refused_are_told() {
    const TEXT: Channel<String> = Channel::new("text");
    const OTHER: Workflow<u64, ()> = Workflow::new("other");
    let told = super::Told::default();
    let executor = Executor::builder()
        .observer(told.clone())
        .workflow(WORK, async |ctx: &Ctx, _: u64| {
            ctx.receive(TEXT).await;
            Ok::<_, Error>(())
        })
        .in_memory();
    let run = executor.start(WORK, "run", 1).expect("new");
    executor.block_on(run.accepted()).expect("it is committed");
    assert!(told.0.take().is_empty());

    let same = Start::new().same_input();
    let mut refused = vec![
        executor.start(OTHER, "run", 1).expect_err("it is of another workflow"),
        executor.start(OTHER, "new", 1).expect_err("there is no such workflow"),
        executor.start_with(WORK, "run", 2, same).expect_err("it has another input"),
        executor.block_on(executor.send("none", TEXT, "a".into())).expect_err("it is not there"),
        executor.block_on(executor.cancel("none")).expect_err("it is not there"),
        executor.block_on(executor.ask("none", ASK, 1)).expect_err("it is not there"),
    ];
    executor.block_on(executor.send("run", TEXT, "a".into())).expect("it waits");
    executor.block_on(run).expect("it ends");
    executor.block_on(executor.cancel("run")).expect("it has what it wants");
    refused.push(executor.block_on(executor.send("run", TEXT, "b".into())).expect_err("late"));
    let mut expected: Vec<_> =
        refused.iter().map(|error| format!("a call was refused: {error}")).collect();
    expected.insert(6, r#"run "run" has ended"#.into());
    assert_eq!(told.0.take(), expected);
}
