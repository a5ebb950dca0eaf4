//! Attempts: failures, time limits, panics, and the end of the process in the midst of one.

use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::{MemoryStore, Store};
use dacapo::{
    Attempt, Builder, Ctx, Error, Executor, ParkReason, Result, Retry, Timestamp, Workflow,
};

use super::{history, open, open_at};

const W: Workflow<(), u32> = Workflow::new("w");
const SECOND: Duration = Duration::from_secs(1);
const PATIENT: Retry = Retry::exponential(SECOND).max_attempts(4);

/// The attempts that bodies began, with the virtual time in seconds.
type Log = Rc<RefCell<Vec<(u32, u64)>>>;

/// A workflow of one step, whose body logs its attempts and does what `attempt` says.
fn build(
    retry: Retry,
    clock: &VirtualClock,
    log: &Log,
    attempt: fn(u32) -> Result<u32, Error>,
) -> Builder {
    let (clock, log) = (clock.clone(), log.clone());
    Executor::builder().clock(clock.clone()).workflow(W, async move |ctx: &Ctx, ()| {
        let (clock, log) = (clock.clone(), log.clone());
        let body = async move |now: Attempt| {
            let seconds = dacapo::Clock::now(&clock).as_nanos() / 1_000_000_000;
            log.borrow_mut().push((now.number(), seconds));
            attempt(now.number())
        };
        ctx.step_with("try", body).retry(retry).await
    })
}

#[track_caller]
fn check(retry: Retry, attempt: fn(u32) -> Result<u32, Error>, log: &[(u32, u64)]) -> Result<u32> {
    let (clock, found) = (VirtualClock::new(Timestamp::default()), Log::default());
    let builder = build(retry, &clock, &found, attempt);
    let (executor, store) = open_at(builder, MemoryStore::new(), clock.clone());
    let result = executor.block_on(executor.start(W, "run", ()).expect("new"));
    assert_eq!(*found.borrow(), log);
    executor.verify("run").expect("it replays");
    drop(executor);
    // What is recorded is what was returned: message and causes.
    let (executor, _) = open(build(retry, &clock, &found, attempt), store.now());
    let again = executor.block_on(executor.attach(W, "run").expect("it ended"));
    assert_eq!(again, result);
    if let (Err(live), Err(replayed)) = (&result, &again) {
        assert_eq!(format!("{live:?}"), format!("{replayed:?}"));
    }
    assert_eq!(found.borrow().len(), log.len(), "nothing runs again");
    result
}

#[test]
fn a_failure_is_retried_with_growing_delays() {
    let attempt = |n| if n < 4 { Err(Error::new("busy")) } else { Ok(n) };
    let log = [(1, 0), (2, 1), (3, 3), (4, 7)];
    assert_eq!(check(PATIENT, attempt, &log).expect("the last one succeeds"), 4);
}

#[test]
fn attempts_are_used_up() {
    let error = check(PATIENT, |_| Err(Error::new("busy")), &[(1, 0), (2, 1), (3, 3), (4, 7)]);
    let error = error.expect_err("none succeeds");
    assert_eq!(error.to_string(), r#"step 1 "try" failed, after 4 attempts: busy"#);
}

#[test]
fn without_a_policy_a_step_is_tried_once() {
    let error = check(Retry::never(), |_| Err(Error::new("busy")), &[(1, 0)]);
    assert_eq!(error.expect_err("it fails").to_string(), r#"step 1 "try" failed: busy"#);
}

#[test]
fn a_permanent_failure_is_not_retried() {
    let attempt = |n| Err(if n < 2 { Error::new("busy") } else { Error::new("gone").permanent() });
    let error = check(PATIENT, attempt, &[(1, 0), (2, 1)]).expect_err("it is gone");
    assert_eq!(error.to_string(), r#"step 1 "try" failed, after 2 attempts: gone"#);
    assert!(error.is_permanent());
}

#[test]
fn a_panic_is_a_failed_attempt() {
    let attempt = |n| if n < 2 { panic!("attempt {n} fell over") } else { Ok(n) };
    assert_eq!(check(PATIENT, attempt, &[(1, 0), (2, 1)]).expect("the second one succeeds"), 2);
    let error = check(Retry::never(), |_| panic!("fell over"), &[(1, 0)]).expect_err("it panics");
    assert_eq!(error.to_string(), r#"step 1 "try" failed: panicked: fell over"#);
    assert!(error.is_panic());
}

#[test]
fn causes_are_recorded() {
    let io = || std::io::Error::other("cable cut");
    let builder = || {
        Executor::builder().workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
            let body = async move || -> Result<u32, CausedBy> { Err(CausedBy(io())) };
            ctx.step("call", body).await
        })
    };
    let (executor, store) = open(builder(), MemoryStore::new());
    let live = executor.block_on(executor.start(W, "run", ()).expect("new")).expect_err("fails");
    assert_eq!(format!("{live:?}"), r#"step 1 "call" failed: no answer: cable cut"#);
    drop(executor);
    let (executor, _) = open(builder(), store.now());
    let recorded = executor.block_on(executor.attach(W, "run").expect("ended")).expect_err("fails");
    let cause = recorded.source().expect("the cause is recorded");
    assert_eq!((recorded.to_string(), cause.to_string()), (live.to_string(), "cable cut".into()));
}

#[derive(Debug)]
struct CausedBy(std::io::Error);

impl std::fmt::Display for CausedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no answer")
    }
}

impl StdError for CausedBy {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn a_slow_attempt_is_dropped_and_retried() {
    let clock = VirtualClock::new(Timestamp::default());
    let slow = clock.clone();
    let dropped = Rc::new(Cell::new(0));
    let seen = dropped.clone();
    let builder = Executor::builder().workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
        let (slow, dropped) = (slow.clone(), dropped.clone());
        let body = async move |attempt: Attempt| -> Result<u32> {
            let _counts = CountDrop(dropped.clone());
            let seconds = if attempt.number() < 3 { 60 } else { 1 };
            slow.sleep(seconds * SECOND).await;
            Ok(attempt.number())
        };
        ctx.step_with("slow", body).timeout(5 * SECOND).retry(PATIENT).await
    });
    let (executor, _) = open_at(builder, MemoryStore::new(), clock.clone());
    assert_eq!(executor.block_on(executor.start(W, "run", ()).expect("new")).expect("third"), 3);
    // Two attempts of 5 s, delays of 1 s and 2 s, a third attempt of 1 s.
    assert_eq!(dacapo::Clock::now(&clock).as_nanos(), 14_000_000_000);
    assert_eq!(seen.get(), 3);
}

struct CountDrop(Rc<Cell<u32>>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Lets processes end in the midst of the body, one after the other, until the run ends.
fn end_processes(retry: Retry, at_most_once: bool) -> (Vec<u32>, Result<u32>, MemoryStore) {
    let numbers = Rc::new(RefCell::new(Vec::new()));
    let mut stored = MemoryStore::new();
    loop {
        let log = numbers.clone();
        let builder = Executor::builder().workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
            let log = log.clone();
            let body = async move |attempt: Attempt| -> Result<u32> {
                log.borrow_mut().push(attempt.number());
                std::future::pending().await
            };
            let step = ctx.step_with("fatal", body).retry(retry);
            if at_most_once { step.at_most_once().await } else { step.await }
        });
        let (executor, store) = open(builder, stored);
        let run = executor.start(W, "run", ()).expect("the same run");
        let begun = numbers.borrow().len();
        let mut run = std::pin::pin!(run);
        let ended = executor.block_on(std::future::poll_fn(|cx| {
            let ended = run.as_mut().poll(cx).map(Some);
            let has_begun = numbers.borrow().len() > begun;
            cx.waker().wake_by_ref();
            if has_begun { std::task::Poll::Ready(None) } else { ended }
        }));
        stored = store.now();
        if let Some(ended) = ended {
            return (numbers.take(), ended, stored);
        }
    }
}

#[test]
fn a_body_that_ends_the_process_uses_up_its_attempts() {
    let (numbers, ended, stored) = end_processes(PATIENT, false);
    assert_eq!(numbers, [1, 2, 3, 4]);
    let error = ended.expect_err("no attempt is left");
    assert!(error.is_interrupted());
    let why = "it was interrupted in the last of them";
    assert_eq!(error.to_string(), format!(r#"step 1 "fatal" failed, after 4 attempts: {why}"#));
    assert_eq!(history(&stored, "run").len(), 6, "a start, three restarts, an outcome, the end");
}

#[test]
fn a_body_without_a_policy_does_not_end_processes_for_ever() {
    let (numbers, ended, _) = end_processes(Retry::never(), false);
    assert_eq!(numbers, (1..=Retry::INTERRUPTED_ATTEMPTS).collect::<Vec<_>>());
    let error = ended.expect_err("no attempt is left");
    assert_eq!(error.park_reason(), Some(dacapo::ParkReason::EndedProcess));
}

#[test]
fn a_body_that_runs_at_most_once_is_not_run_again() {
    let (numbers, ended, stored) = end_processes(PATIENT, true);
    assert_eq!(numbers, [1]);
    let error = ended.expect_err("it may not run again");
    assert!(error.is_interrupted());
    let why = "it was interrupted after it began, and it may run at most once";
    assert_eq!(error.to_string(), format!(r#"step 1 "fatal" failed: {why}"#));
    assert_eq!(history(&stored, "run").len(), 4, "a start, a beginning, an outcome, the end");
}

/// If the process ends before the body's first poll, an `at_most_once` step still runs.
#[test]
fn a_body_that_did_not_begin_may_begin() {
    let clock = VirtualClock::new(Timestamp::default());
    let ran = Rc::new(Cell::new(0));
    let build = || {
        let ran = ran.clone();
        Executor::builder().workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
            let ran = ran.clone();
            let body = async move || -> Result<u32> {
                ran.set(ran.get() + 1);
                Ok(1)
            };
            ctx.step("once", body).at_most_once().await
        })
    };
    let (executor, store) = open_at(build(), MemoryStore::new(), clock.clone());
    executor.block_on(executor.start(W, "run", ()).expect("new")).expect("it ends");
    let commits = store.take();
    assert_eq!(commits.len(), 4, "start, beginning, outcome, end");
    assert_eq!(ran.replace(0), 1);
    // After the start: it runs. After its beginning: nobody knows. Later: its outcome is there.
    let expected = [(1, false), (0, true), (0, false), (0, false)];
    for (stored, (runs, is_interrupted)) in commits.into_iter().zip(expected) {
        let (executor, store) = open(build(), stored);
        let ended = executor.block_on(executor.attach(W, "run").expect("there"));
        assert_eq!(ran.replace(0), runs);
        assert_eq!(ended.is_err_and(|error| error.is_interrupted()), is_interrupted);
        executor.verify("run").expect("it replays");
        assert!(store.find("run").expect("readable").expect("there").state.has_ended());
    }
}

/// It was interrupted before: at most once would be a second time.
#[test]
fn a_step_that_began_before_it_was_to_run_at_most_once() {
    let ran = Rc::new(Cell::new(0));
    let build = |is_once: bool| {
        let ran = ran.clone();
        Executor::builder().record_retries(Duration::ZERO).workflow(
            W,
            async move |ctx: &Ctx, ()| -> Result<u32> {
                let ran = ran.clone();
                let body = async move || -> Result<u32> {
                    ran.set(ran.get() + 1);
                    if ran.get() == 1 { Err(Error::new("no answer")) } else { Ok(1) }
                };
                let step = ctx.step("pay", body).retry(Retry::exponential(Duration::from_secs(9)));
                if is_once { step.at_most_once().await } else { step.await }
            },
        )
    };
    let (executor, store) = open(build(false), MemoryStore::new());
    executor.block_on(executor.start(W, "run", ()).expect("new")).expect("it ends");
    let mut commits = store.take();
    ran.set(0);
    // After the record of the first attempt.
    let (executor, store) = open(build(true), commits.swap_remove(1));
    let error = executor.block_on(executor.attach(W, "run").expect("there")).expect_err("it began");
    assert_eq!(error.park_reason(), Some(ParkReason::Diverged), "{error}");
    let told = "but the code wants it to run at most once, and did not when it began";
    assert!(error.to_string().contains(told), "{error}");
    assert!(executor.verify("run").expect_err("it diverges").is_parked());
    assert_eq!(ran.get(), 0);
    drop(executor);
    // The build before goes on.
    ran.set(1);
    let (executor, _) = open(build(false), store.now());
    executor.resume("run").expect("it did so before");
    assert_eq!(executor.block_on(executor.attach(W, "run").expect("there")).expect("it ends"), 1);
}
