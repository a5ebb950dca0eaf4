//! Clocks that are wrong, are set, or panic: a wall clock says when deadlines are due, and nothing else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::MemoryStore;
use dacapo::{
    Clock, Ctx, Error, Event, Executor, Notice, Observer, Result, Retry, Timestamp, Workflow,
};

use super::Told;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);

const NAP: Workflow<u64, u64> = Workflow::new("nap");

async fn nap(ctx: &Ctx, millis: u64) -> Result<u64> {
    let before = ctx.now();
    ctx.sleep(Duration::from_millis(millis)).await;
    Ok(ctx.now().duration_since(before).expect("it never goes back").as_millis() as u64)
}

/// One commit was made while the clock was ten years ahead: runs go on, old ones and new ones, and the
/// observer is told once.
#[test]
fn ten_years_ahead_for_one_commit() {
    let today = Timestamp::default() + 5 * YEARS;
    let stored = MemoryStore::new();
    let open = |now: Timestamp, told: &Told| {
        let clock = VirtualClock::new(now);
        let builder = Executor::builder().workflow(NAP, nap).clock(clock.clone());
        let executor = builder.observer(told.clone()).open_with(stored.shared()).expect("memory");
        (executor, clock)
    };
    let told = Told::default();
    let (executor, _) = open(today + YEARS, &told);
    let old = executor.start(NAP, "old", 60_000).expect("new");
    executor.block_on(old.accepted()).expect("it is committed");
    executor.block_on(dacapo::yield_now());
    drop((old, executor));
    assert_eq!(told.0.take(), [""; 0]);

    let (executor, clock) = open(today, &told);
    let runs = [("old", 60_000), ("new", 50), ("newer", 7_200_000)];
    for (id, millis) in runs {
        let run = executor.start(NAP, id, millis).expect("it starts, or is there");
        assert_eq!(executor.block_on(run).expect("it ends"), millis, "{id}");
    }
    assert!(clock.monotonic() <= 3 * HOUR, "{:?}", clock.monotonic());
    let behind = told.0.borrow().iter().filter(|notice| notice.contains("behind")).count();
    assert_eq!(behind, 1, "{:?}", told.0.borrow());
    assert!(told.0.borrow()[0].starts_with("the clock is 31536000"), "{:?}", told.0.borrow());
}

/// While the clock is behind, a process that is killed every five minutes loses less than one of them: a
/// sleep of half an hour ends in the sixth to eighth.
#[test]
fn time_goes_on_over_kills_while_the_clock_is_behind() {
    let today = Timestamp::default() + 5 * YEARS;
    let stored = MemoryStore::new();
    let mut now = today + YEARS;
    for killed in 0..10 {
        let clock = VirtualClock::new(now);
        let builder = Executor::builder().workflow(NAP, nap).clock(clock.clone());
        let executor = builder.open_with(stored.shared()).expect("memory");
        let run = executor.start(NAP, "half an hour", 1_800_000).expect("it is new, or there");
        executor.block_on(run.accepted()).expect("it is committed");
        let minutes = if killed == 0 { 0 } else { 5 };
        let killed_by = clock.sleep(Duration::from_mins(minutes));
        if let dacapo::Either::First(slept) = executor.block_on(dacapo::select(run, killed_by)) {
            assert!((6..=8).contains(&killed), "{killed}");
            assert_eq!(slept.expect("it ends"), 1_800_000);
            return;
        }
        now = today;
    }
    panic!("it never ends");
}

const WORK: Workflow<u32, (u32, u64)> = Workflow::new("work");

/// A step whose attempts take a second each and may take ten; the first ones fail. How often it was
/// called, and how long it took in all.
fn works(clock: &VirtualClock, to: impl Fn(Timestamp) -> Timestamp + 'static) -> (u32, Duration) {
    let (sim, calls) = (Sim::new(1, clock.clone()), Rc::new(Cell::new(0)));
    let (time, to, called) = (clock.clone(), Rc::new(to), calls.clone());
    let executor = Executor::builder()
        .workflow(WORK, async move |ctx: &Ctx, failures: u32| {
            let (time, to, calls) = (time.clone(), to.clone(), called.clone());
            let body = async move || {
                calls.set(calls.get() + 1);
                time.sleep(SECOND / 2).await;
                time.jump(to(time.now()));
                time.sleep(SECOND / 2).await;
                if calls.get() <= failures { Err(Error::new("not yet")) } else { Ok(calls.get()) }
            };
            let retry = Retry::exponential(SECOND).max_attempts(5);
            let calls = ctx.step("work", body).timeout(10 * SECOND).retry(retry).await?;
            Ok::<_, Error>((calls, 0))
        })
        .clock(sim.clock().clone())
        .in_memory();
    let before = clock.monotonic();
    let ended = executor.block_on(executor.start(WORK, "run", 2).expect("new")).expect("it ends");
    assert_eq!(ended.0, calls.get());
    (calls.get(), clock.monotonic() - before)
}

/// Limits of attempts and the waits between them are not of the wall clock: whatever it does within an
/// attempt, the body is called as often, and all of it takes as long.
#[test]
fn a_clock_that_is_set_within_an_attempt() {
    let start = Timestamp::default() + YEARS;
    let plain = works(&VirtualClock::new(start), |now| now);
    assert_eq!(plain.0, 3);
    type Jump = fn(Timestamp) -> Timestamp;
    let jumps: [Jump; 5] = [
        |now| now + HOUR,
        |now| now + YEARS,
        |now| Timestamp::from_nanos(now.as_nanos() - 60_000_000_000),
        |_| Timestamp::default(),
        |now| if now.as_nanos() % 2 == 0 { now + HOUR } else { Timestamp::default() },
    ];
    for (index, jump) in jumps.into_iter().enumerate() {
        assert_eq!(works(&VirtualClock::new(start), jump), plain, "jump {index}");
    }
}

/// The grace of a shutdown neither.
#[test]
fn a_clock_that_is_set_within_a_shutdown() {
    for to in [Timestamp::default(), Timestamp::default() + 2 * YEARS] {
        let clock = VirtualClock::new(Timestamp::default() + YEARS);
        let (time, set) = (clock.clone(), clock.clone());
        let executor = Executor::builder()
            .workflow(NAP, async move |ctx: &Ctx, _| {
                let time = time.clone();
                let body = async move || {
                    time.sleep(5 * SECOND).await;
                    Ok::<_, Error>(())
                };
                ctx.step("slow", body).await.map(|()| 7)
            })
            .clock(clock.clone())
            .in_memory();
        let run = executor.start(NAP, "run", 0).expect("new");
        let ended = executor.block_on(async {
            run.accepted().await?;
            dacapo::yield_now().await;
            let shutdown = executor.shutdown(6 * SECOND);
            let set_clock = async {
                set.sleep(SECOND).await;
                set.jump(to);
                Ok(())
            };
            dacapo::try_join(shutdown, set_clock).await
        });
        ended.expect("it ends in order");
        assert_eq!(clock.monotonic(), 5 * SECOND, "no longer than the body, and no shorter");
    }
}

/// A wall clock that another thread sets, beside the system's monotonic one.
struct Settable(Arc<AtomicU64>, Instant);

impl Clock for Settable {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::SeqCst)) + self.1.elapsed()
    }

    fn monotonic(&self) -> Duration {
        self.1.elapsed()
    }
}

/// A sleep that a step of the clock (or a suspend) made due is noticed within seconds, whoever drives.
#[test]
fn a_deadline_that_a_step_of_the_clock_made_due() {
    for is_inside in [false, true] {
        let wall = Arc::new(AtomicU64::new(YEARS.as_nanos() as u64));
        let clock = Settable(wall.clone(), Instant::now());
        let executor = Executor::builder().workflow(NAP, nap).clock(clock).in_memory();
        let run = executor.start(NAP, "run", 3_600_000).expect("new");
        executor.block_on(run.accepted()).expect("it is committed");
        let sets = std::thread::spawn(move || {
            // Behind the rest of an executor without work, after a second, which looks at the clock, too.
            std::thread::sleep(Duration::from_millis(1_500));
            wall.fetch_add(HOUR.as_nanos() as u64, Ordering::SeqCst);
        });
        let before = Instant::now();
        let slept = match is_inside {
            false => executor.block_on(run),
            true => futures::executor::block_on(executor.run(run)),
        };
        assert!(slept.expect("it ends") >= 3_600_000);
        assert!(before.elapsed() < 20 * SECOND, "{:?}", before.elapsed());
        sets.join().expect("it does not panic");
    }
}

/// A clock that panics at some of its readings.
struct Poisoned(VirtualClock, Rc<Cell<u32>>);

impl Poisoned {
    fn read<T>(&self, read: impl FnOnce(&VirtualClock) -> T) -> T {
        self.1.set(self.1.get() + 1);
        assert!(!self.1.get().is_multiple_of(3), "a poisoned lock");
        read(&self.0)
    }
}

impl Clock for Poisoned {
    fn now(&self) -> Timestamp {
        self.read(VirtualClock::now)
    }

    fn monotonic(&self) -> Duration {
        self.read(VirtualClock::monotonic)
    }

    fn skip(&self, wait: Option<Duration>) -> bool {
        self.0.skip(wait)
    }
}

#[test]
fn a_panic_of_a_clock() {
    let clock = VirtualClock::new(Timestamp::default() + YEARS);
    let (time, reads) = (clock.clone(), Rc::<Cell<u32>>::default());
    let executor = Executor::builder()
        .workflow(NAP, async move |ctx: &Ctx, n: u64| {
            let time = time.clone();
            let body = async move || {
                time.sleep(Duration::from_millis(n)).await;
                if n > 5 { Err(Error::new("not within the limit")) } else { Ok(n) }
            };
            let retry = Retry::exponential(SECOND).max_attempts(2);
            let step = ctx.step("wait", body).timeout(SECOND).retry(retry);
            let slept = nap(ctx, 1_000).await?;
            Ok::<_, Error>(step.await.map_or(slept, |n| slept + n))
        })
        .clock(Poisoned(clock, reads.clone()))
        .in_memory();
    let runs = (0..10).map(|n| executor.start(NAP, &n.to_string(), n).expect("new"));
    let ends = executor.block_on(dacapo::join_all(runs.collect::<Vec<_>>()));
    let ends: Result<Vec<_>> = ends.into_iter().collect();
    assert!(ends.expect("they end").iter().all(|slept| *slept >= 1_000));
    assert!(executor.parked().expect("memory").is_empty());
    assert_eq!(executor.caught_panics(), u64::from(reads.get() / 3));
    assert!(executor.caught_panics() > 5);
}

const RACE: Workflow<(), u32> = Workflow::new("race");

/// Sleeps, limits, retries and deadlines, while seeds set the wall clock: no replay makes other polls.
#[test]
fn clocks_that_are_set_at_any_time() {
    let build = |sim: &Sim| {
        let sim = sim.clone();
        Executor::builder().workflow(RACE, async move |ctx: &Ctx, ()| {
            let mut done = 0;
            for n in 0..3 {
                let work = {
                    let sim = sim.clone();
                    ctx.step_with("work", async move |attempt| {
                        sim.latency().await;
                        sim.note(&attempt);
                        Ok::<_, Error>(n)
                    })
                };
                let limit = Duration::from_millis(30);
                done += u32::from(ctx.timeout(limit, work).await.is_ok());
                ctx.sleep(Duration::from_millis(20)).await;
            }
            Ok::<_, Error>(done)
        })
    };
    let check = || sim::check(RACE).start("a", ()).start("b", ()).seeds(0..40);
    let plain = check().run(build, |done| assert!(*done <= 3));
    let jumped = check().clock_jumps().crash_loops().run(build, |done| assert!(*done <= 3));
    assert!(jumped.distinct_traces > plain.distinct_traces, "{plain}, {jumped}");
}

/// An observer is told what becomes of runs, once; a rehearsal is not shown as the run.
#[test]
fn what_an_observer_is_told() {
    const ODD: Workflow<u32, u32> = Workflow::new("odd");
    #[derive(Clone, Default)]
    struct All(Rc<RefCell<Vec<String>>>, Told);
    impl Observer for All {
        fn observe(&self, run: &str, event: Event<'_>) {
            self.0.borrow_mut().push(format!("{run}: {event}"));
        }
        fn notify(&self, notice: &Notice<'_>) {
            self.1.notify(notice);
        }
    }
    let (seen, is_bad) = (All::default(), Rc::new(Cell::new(true)));
    let bad = is_bad.clone();
    let executor = Executor::builder()
        .workflow(ODD, async move |_: &Ctx, n: u32| {
            assert!(n != 1 || !bad.get(), "a bug");
            if n.is_multiple_of(2) { Ok(n) } else { Err(Error::new("it is odd")) }
        })
        .clock(VirtualClock::default())
        .observer(seen.clone())
        .in_memory();
    let starts = (1..=3).map(|n| executor.start(ODD, &n.to_string(), n).expect("new"));
    let _ends = executor.block_on(dacapo::join_all(starts.collect::<Vec<_>>()));
    let told = seen.1.0.take();
    assert_eq!(
        told[..2],
        [
            r#"run "2" has ended"#,
            r#"run "3" has failed: it is odd; Executor::retry takes it up again"#
        ]
    );
    assert!(told[2].starts_with("run \"1\" is parked: panicked: "), "{told:?}");
    assert_eq!(told.len(), 3);
    seen.0.take();
    executor.verify("2").expect("it replays");
    assert_eq!((seen.0.take().len(), seen.1.0.take().len()), (0, 0), "a rehearsal is not the run");
    is_bad.set(false);
    executor.resume("1").expect("it goes on");
    let end = executor.block_on(executor.attach(ODD, "1").expect("it is there"));
    assert!(end.expect_err("it is odd").to_string().contains("it is odd"));
    let told = seen.1.0.take();
    assert_eq!(
        told,
        [
            r#"run "1" is resumed"#,
            r#"run "1" has failed: it is odd; Executor::retry takes it up again"#
        ]
    );
}
