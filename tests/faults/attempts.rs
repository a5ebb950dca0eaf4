//! Attempts that failed, in one process and then in others: numbers, limits and waits go on.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::{MemoryStore, Store};
use dacapo::{Attempt, Clock, Ctx, Error, Executor, Result, Retry, Timestamp, Workflow, race};

use super::Told;

const PAY: Workflow<(), u32> = Workflow::new("pay");
const SECOND: Duration = Duration::from_secs(1);
const PATIENT: Retry = Retry::exponential(SECOND).max_attempts(4);

/// The attempts that were begun, with the virtual time in milliseconds.
type Log = Rc<RefCell<Vec<(u32, u64)>>>;

struct Shop {
    stored: MemoryStore,
    log: Log,
    told: Told,
    retry: Retry,
    retries_from: Duration,
}

impl Shop {
    fn new(retry: Retry) -> Self {
        let (stored, log, told) = (MemoryStore::new(), Log::default(), Told::default());
        Self { stored, log, told, retry, retries_from: SECOND }
    }

    /// A process that begins `outage` after the last commit. Every attempt fails.
    fn open(&self, outage: Duration) -> (Executor, VirtualClock) {
        let clock = VirtualClock::new(Timestamp::from_nanos(self.stored.time()) + outage);
        let (log, time, retry) = (self.log.clone(), clock.clone(), self.retry);
        let builder = Executor::builder().workflow(PAY, async move |ctx: &Ctx, ()| {
            let (log, time) = (log.clone(), time.clone());
            let charge = async move |attempt: Attempt| -> Result<u32> {
                let millis = time.now().as_nanos() / 1_000_000;
                log.borrow_mut().push((attempt.number(), millis));
                Err(Error::new(format_args!("no answer to {}", attempt.number())))
            };
            ctx.step_with("charge", charge).retry(retry).await
        });
        let builder = builder.clock(clock.clone()).observer(self.told.clone());
        let builder = builder.record_retries(self.retries_from);
        (builder.open_with(self.stored.shared()).expect("memory"), clock)
    }

    /// Runs until `until`, in milliseconds; whether the run has ended.
    fn drive(&self, (executor, clock): &(Executor, VirtualClock), until: u64) -> bool {
        let run = executor.start(PAY, "order-7", ()).expect("it starts, or is there");
        let until = Timestamp::from_nanos(until * 1_000_000).since(clock.now());
        let ended = async { Some(run.await.expect_err("every attempt fails")) };
        let passed = async {
            clock.sleep(until).await;
            None
        };
        let Some(error) = executor.block_on(race(ended, passed)) else { return false };
        assert_eq!(
            error.to_string(),
            r#"step 1 "charge" failed, after 4 attempts: no answer to 4"#
        );
        true
    }
}

/// A process that is killed drops nothing.
fn kill(process: (Executor, VirtualClock)) {
    std::mem::forget(process);
}

const UNDISTURBED: [(u32, u64); 4] = [(1, 0), (2, 1_000), (3, 3_000), (4, 7_000)];

/// Wherever processes end between the attempts, crashed or in order, however often: the calls are the
/// same, at the same times.
#[test]
fn numbers_limits_and_waits_go_on() {
    for every in [500, 700, 1_500, 2_500, 6_900, 10_000] {
        for is_in_order in [false, true] {
            let shop = Shop::new(PATIENT);
            // By the clock of the outside world, which goes on between two processes.
            let mut until = every;
            let mut processes = 1;
            loop {
                let outage = Duration::from_millis(until - every)
                    .saturating_sub(Duration::from_nanos(shop.stored.time()));
                let process = shop.open(outage);
                if shop.drive(&process, until) {
                    break;
                }
                if is_in_order {
                    process.0.block_on(process.0.shutdown(SECOND)).expect("it ends in order");
                }
                kill(process);
                until += every;
                processes += 1;
            }
            assert_eq!(*shop.log.borrow(), UNDISTURBED, "{every} ms, {is_in_order}");
            assert!(every > 7_000 || processes > 1);
        }
    }
}

/// An outage in which the next attempt was due: after a crash nobody knows whether it was made, so it
/// counts; after an end in order it was not.
#[test]
fn an_outage_over_the_time_of_the_next_attempt() {
    for (is_in_order, calls) in [
        (false, vec![(1, 0), (3, 100_500), (4, 104_500)]),
        (true, vec![(1, 0), (2, 100_000), (3, 102_000), (4, 106_000)]),
    ] {
        let shop = Shop::new(PATIENT);
        let process = shop.open(Duration::ZERO);
        assert!(!shop.drive(&process, 500));
        if is_in_order {
            process.0.block_on(process.0.shutdown(SECOND)).expect("it ends in order");
        }
        kill(process);
        let outage = Duration::from_millis(100_000);
        let last = Duration::from_nanos(shop.stored.time());
        let process =
            shop.open(if is_in_order { outage - last } else { outage + SECOND / 2 - last });
        assert!(shop.drive(&process, 1_000_000));
        assert_eq!(*shop.log.borrow(), calls);
    }
}

/// Whoever lists runs sees until when one waits for its next attempt, as of one that sleeps, and not while an
/// attempt of anything is under way.
#[test]
fn until_when_a_run_waits_for_its_next_attempt() -> Result<()> {
    const HOUR: Duration = Duration::from_secs(3_600);
    let shop = Shop::new(Retry::exponential(HOUR).max_delay(HOUR).max_attempts(4));
    let wake_at = |executor: &Executor| -> Result<Option<Duration>> {
        let wake_at = executor.info("order-7")?.wake_at;
        assert_eq!(executor.runs(&Default::default())?[0].wake_at, wake_at);
        Ok(wake_at.map(|at| at.since(Timestamp::default())))
    };
    let process = shop.open(Duration::ZERO);
    assert!(!shop.drive(&process, 500));
    assert_eq!(wake_at(&process.0)?, Some(HOUR));
    assert!(!shop.drive(&process, 3_600_500));
    assert_eq!(wake_at(&process.0)?, Some(2 * HOUR));
    kill(process);
    let process = shop.open(Duration::ZERO);
    assert!(!shop.drive(&process, 3_700_000));
    assert_eq!(wake_at(&process.0)?, Some(2 * HOUR));

    let executor = Executor::builder().workflow(PAY, async |ctx: &Ctx, ()| -> Result<u32> {
        let fails = ctx.step("fails", async || Err::<u32, _>(Error::new("not yet")));
        let fails = fails.retry(Retry::exponential(HOUR));
        let works = ctx.step("works", async || std::future::pending::<Result<u32>>().await);
        dacapo::try_join(fails, works).await.map(|(n, _)| n)
    });
    let executor = executor.in_memory();
    executor.block_on(executor.start(PAY, "order-7", ())?.accepted())?;
    for _ in 0..5 {
        executor.block_on(dacapo::yield_now());
    }
    assert_eq!((executor.retrying()?.len(), wake_at(&executor)?), (1, None));
    Ok(())
}

/// What waits for less than the limit is forgotten, and what waits for as long is not.
#[test]
fn which_attempts_are_recorded() {
    let quick = Retry::exponential(SECOND / 10).max_delay(SECOND / 10).max_attempts(4);
    for (retries_from, first_of_the_second_process) in [(SECOND, 2), (SECOND / 10, 3)] {
        let shop = Shop { retries_from, ..Shop::new(quick) };
        let process = shop.open(Duration::ZERO);
        assert!(!shop.drive(&process, 150));
        let now = Duration::from_nanos(process.1.now().as_nanos());
        kill(process);
        let outage = now - Duration::from_nanos(shop.stored.time());
        let before = shop.log.borrow().len();
        assert_eq!(before, 2);
        assert!(shop.drive(&shop.open(outage), 10_000));
        assert_eq!(shop.log.borrow()[before].0, first_of_the_second_process);
    }
}

/// Each failed attempt is told, with its error and the time of the next, and what waits is listed: by
/// this process and by the next.
#[test]
fn failed_attempts_are_told_and_listed() {
    let shop = Shop::new(PATIENT);
    let process = shop.open(Duration::ZERO);
    assert!(!shop.drive(&process, 1_500));
    let told = |attempt, then: &str| {
        format!(
            "run \"order-7\": attempt {attempt} of step 1 \"charge\" failed: no answer to {attempt}; {then}"
        )
    };
    let two = [told(1, "the next one begins in 1s"), told(2, "the next one begins in 2s")];
    assert_eq!(*shop.told.0.borrow(), two);
    let listed = |executor: &Executor| {
        let retrying = executor.retrying().expect("memory");
        let [step] = &*retrying else { panic!("{retrying:?}") };
        assert_eq!((&*step.run, &*step.step), ("order-7", r#"step 1 "charge""#));
        (step.attempts, step.error.to_string(), step.next_at.as_nanos() / 1_000_000)
    };
    let known = (2, "no answer to 2".to_owned(), 3_000);
    assert_eq!(listed(&process.0), known);
    drop(process);
    let process = shop.open(SECOND / 2);
    assert_eq!(listed(&process.0), known, "the history tells");
    assert!(shop.drive(&process, 100_000));
    assert_eq!(
        shop.told.0.borrow()[2..4],
        [told(3, "the next one begins in 4s"), told(4, "it was the last"),]
    );
    assert!(process.0.retrying().expect("memory").is_empty());
    process.0.verify("order-7").expect("it replays");
}

/// Long waits between attempts, dropped by timeouts, crashed anywhere: every replay makes the same polls.
#[test]
fn long_waits_at_every_crash() {
    let build = |sim: &Sim| {
        let sim = sim.clone();
        Executor::builder().workflow(PAY, async move |ctx: &Ctx, ()| {
            let attempts = |name: &'static str, needed: u32| {
                let sim = sim.clone();
                let body = async move |attempt: Attempt| {
                    sim.latency().await;
                    sim.note(&attempt);
                    let enough = attempt.number() >= needed;
                    if enough { Ok(needed) } else { Err(Error::new("not yet")) }
                };
                ctx.step_with(name, body).retry(Retry::exponential(SECOND))
            };
            let (quick, slow) = (attempts("quick", 2), attempts("slow", 4));
            let limited = ctx.timeout(5 * SECOND, slow);
            let (quick, slow) = dacapo::join(quick, limited).await;
            Ok::<_, Error>(quick? + slow.map_or(Ok(0), |slow| slow)?)
        })
    };
    let check = || sim::check(PAY).start("a", ()).start("b", ()).seeds(0..25);
    let report = check().crash_loops().run(build, |sum| assert!(*sum == 2 || *sum == 6));
    assert!(report.crashes > 100, "{report}");
    check().clock_jumps().run(build, |sum| assert!(*sum == 2 || *sum == 6));
}
