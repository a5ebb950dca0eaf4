//! Rows that say when their runs go on: who sleeps for long is not replayed before that.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{self, Recorder, Sim, Snapshots, VirtualClock};
use dacapo::store::{Filter, Hooked, MemoryStore, Operation, Store};
use dacapo::{Attempt, Builder, Ctx, Executor, Result, Timestamp, Workflow, yield_now};

const LONG: Workflow<u64, u64> = Workflow::new("long");

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::default() + s(seconds)
}

/// Sleeps for so many seconds, does a step, and sleeps once more.
async fn long(ctx: &Ctx, seconds: u64) -> Result<u64> {
    ctx.sleep(s(seconds)).await;
    let between = ctx.step("between", async move || Result::<u64>::Ok(seconds)).await?;
    ctx.sleep(s(seconds)).await;
    Ok(between)
}

struct Process {
    executor: Executor,
    clock: VirtualClock,
    store: Snapshots,
    recorder: Recorder,
}

impl Process {
    /// Opens what is stored when the clock shows `now`.
    fn open(stored: MemoryStore, now: Timestamp) -> Self {
        Self::built(Executor::builder().workflow(LONG, long), stored, now)
    }

    fn built(builder: Builder, stored: MemoryStore, now: Timestamp) -> Self {
        let (clock, recorder) = (VirtualClock::new(now), Recorder::default());
        let store = Snapshots::new(stored);
        let builder = builder.seed(1).clock(clock.clone()).observer(recorder.clone());
        let executor = builder.open_with(store.clone()).expect("memory can be read");
        Self { executor, clock, store, recorder }
    }

    /// Lets virtual time go on until then.
    fn drive(&self, until: Timestamp) {
        self.executor.block_on(self.clock.sleep(until.since(dacapo::Clock::now(&self.clock))));
    }

    fn wake_at(&self) -> Option<Timestamp> {
        self.executor.runs(&Filter::new()).expect("memory can be read")[0].wake_at
    }

    fn is_replayed(&self) -> bool {
        !self.recorder.trace("run").is_empty()
    }
}

/// What is stored of a run that sleeps until 100 s, some seconds after it began to.
fn asleep() -> MemoryStore {
    let process = Process::open(MemoryStore::new(), at(0));
    let _run = process.executor.start(LONG, "run", 100).expect("new");
    process.executor.block_on(yield_now());
    assert_eq!(process.wake_at(), None, "nothing is written for it alone while there is work");
    process.drive(at(5));
    assert_eq!(process.wake_at(), Some(at(100)));
    process.store.now()
}

#[test]
fn who_sleeps_for_long_is_not_replayed_before_it_is_due() {
    let process = Process::open(asleep(), at(6));
    assert_eq!(format!("{:?}", process.executor), "Executor { runs: 0, .. }");
    assert_eq!(process.wake_at(), Some(at(100)));
    let run = process.executor.attach(LONG, "run").expect("it is there");
    process.executor.block_on(run.accepted()).expect("it was committed long ago");
    process.drive(at(99));
    assert!(!process.is_replayed(), "neither the open nor who waits has it replayed");
    assert!(process.executor.resume("run").is_err_and(|error| !error.is_parked()));
    assert_eq!(process.executor.block_on(run).expect("it ends"), 100);
    assert!(process.is_replayed());
    assert_eq!(dacapo::Clock::now(&process.clock), at(200));
}

#[test]
fn a_sleeper_is_verified_all_the_same() {
    let process = Process::open(asleep(), at(6));
    process.executor.verify("run").expect("it is as it was");
    assert!(process.is_replayed());

    let other = Executor::builder().workflow(LONG, async |ctx: &Ctx, seconds| -> Result<u64> {
        ctx.step("other", async || Result::<()>::Ok(())).await?;
        long(ctx, seconds).await
    });
    let process = Process::built(other, asleep(), at(101));
    assert!(process.executor.parked().expect("readable").is_empty(), "nothing is recorded yet");
    process.executor.verify("run").expect("nothing of it differs yet");
}

/// Also when nobody drives the executor yet.
#[test]
fn who_is_due_is_replayed_by_the_open() {
    for now in [100, 101, 1_000_000] {
        let process = Process::open(asleep(), at(now));
        assert!(process.is_replayed(), "at {now} s");
        let run = process.executor.attach(LONG, "run").expect("it is there");
        assert_eq!(process.executor.block_on(run).expect("it ends"), 100);
    }
}

/// The first record takes back what the row says, and the next long sleep says it anew.
#[test]
fn a_row_says_when_for_each_long_sleep() {
    let process = Process::open(asleep(), at(6));
    process.drive(at(100) + Duration::from_millis(500));
    assert_eq!(process.wake_at(), None);
    let later = Process::open(process.store.now(), at(101));
    assert!(later.is_replayed(), "its row says nothing");

    process.drive(at(150));
    assert_eq!(process.wake_at(), Some(at(200)));
    let later = Process::open(process.store.now(), at(151));
    assert!(!later.is_replayed(), "its row says when");
    process.drive(at(201));
    assert_eq!(process.wake_at(), None, "it has ended");
}

/// A machine that stood still: the sleep is over before its row was written.
#[test]
fn a_row_is_not_written_of_a_run_that_goes_on() {
    for resident_max in [0, 9] {
        let builder = Executor::builder().workflow(LONG, long).resident_max(resident_max);
        let process = Process::built(builder, MemoryStore::new(), at(0));
        let run = process.executor.start(LONG, "run", 20).expect("new");
        process.executor.block_on(run.accepted()).expect("it is committed");
        process.clock.set(at(25));
        assert_eq!(process.executor.block_on(run).expect("it ends"), 20);
        let mut written = 0;
        for stored in process.store.take() {
            let row = stored.find("run").expect("readable").expect("it is there");
            let wake_at = row.wake_at.map(Timestamp::from_nanos);
            assert!([None, Some(at(20)), Some(at(45))].contains(&wake_at), "{wake_at:?}");
            let is_due =
                wake_at.is_some_and(|wake_at| wake_at <= Timestamp::from_nanos(stored.time()));
            assert!(!is_due, "it was due when that was written");
            written += usize::from(wake_at.is_some());
        }
        assert!(written > 0);
    }
}

/// Crashes after every commit around two long sleeps, some of them with a long outage.
#[test]
fn nothing_is_lost_around_a_long_sleep() {
    let build = |resident_max: usize| {
        move |sim: &Sim| {
            let sim = sim.clone();
            let program = async move |ctx: &Ctx, seconds: u64| -> Result<u64> {
                let step = |name| {
                    let sim = sim.clone();
                    ctx.step_with(name, async move |attempt: Attempt| -> Result<()> {
                        sim.note(&attempt);
                        sim.latency().await;
                        Ok(())
                    })
                };
                step("before").await?;
                ctx.sleep(s(seconds)).await;
                step("between").await?;
                dacapo::race(ctx.sleep(s(seconds)), ctx.sleep(s(seconds + 1))).await;
                step("after").await?;
                Ok(seconds)
            };
            Executor::builder().workflow(LONG, program).resident_max(resident_max)
        }
    };
    for resident_max in [0, 1, usize::MAX] {
        let check = sim::check(LONG).start("one", 20).start("two", 23).start("short", 2);
        let report = check.seeds(0..8).crash_loops().run(build(resident_max), |seconds| {
            assert!([20, 23, 2].contains(seconds));
        });
        assert!(report.restarts > 150, "{report}");
    }
}

/// What nobody waits for is done when nothing else is to be done, once.
#[test]
fn an_executor_that_rests_folds_the_journal_once() {
    let (folds, clock) = (Rc::new(Cell::new(0)), VirtualClock::default());
    let counted = folds.clone();
    let store = Hooked::new(MemoryStore::new(), move |operation: &Operation<'_>| {
        counted.set(counted.get() + u32::from(matches!(operation, Operation::Fold)));
        Ok(())
    });
    let executor = Executor::builder().workflow(LONG, long).clock(clock.clone()).open_with(store);
    let executor = executor.expect("memory can be read");
    let drive = |millis| executor.block_on(clock.sleep(Duration::from_millis(millis)));
    let _run = executor.start(LONG, "run", 100).expect("new");
    drive(900);
    assert_eq!(folds.get(), 0, "it may be busy again at once");
    drive(50_000);
    assert_eq!(folds.get(), 1, "once, however long nothing happens");
    drive(60_000);
    assert_eq!(folds.get(), 3, "after the main future had its turn, and after the sleep");
}

/// A store that fails while the executor rests stops it, and keeps nobody awake.
#[test]
fn a_rest_that_the_store_refuses() {
    let (clock, fails) = (VirtualClock::default(), Rc::new(RefCell::new(0)));
    let counted = fails.clone();
    let store = Hooked::new(MemoryStore::new(), move |operation: &Operation<'_>| {
        if matches!(operation, Operation::Fold) {
            *counted.borrow_mut() += 1;
            return Err(dacapo::store::Error::refused("the disk is full"));
        }
        Ok(())
    });
    let executor = Executor::builder().workflow(LONG, long).clock(clock.clone()).open_with(store);
    let executor = executor.expect("memory can be read");
    let run = executor.start(LONG, "run", 100).expect("new");
    assert!(executor.block_on(run).expect_err("it stops").is_store());
    executor.block_on(clock.sleep(s(1_000)));
    assert_eq!(*fails.borrow(), 1);
}
