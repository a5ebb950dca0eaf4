//! Pausing, resuming, triggering, back-filling.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use dacapo::store::MemoryStore;
use dacapo::{Error, Executor, Result, Schedule};

use super::{HOUR, REPORT, build, hours, open, pass, report, second, times};
use crate::faults::Told;

#[test]
fn a_pause_outlives_the_process_and_misses_nothing() {
    let memory = MemoryStore::new();
    let (executor, clock) = open(build(Schedule::every(HOUR)), memory.shared(), Duration::ZERO);
    pass(&executor, &clock, HOUR + HOUR / 2);
    executor.block_on(executor.pause_schedule("s", "no paper")).expect("it is paused");
    pass(&executor, &clock, 2 * HOUR);
    drop(executor);
    let (executor, clock) = open(build(Schedule::every(HOUR)), memory.shared(), 2 * HOUR);
    let paused = &executor.schedules().expect("it is open")[0];
    assert_eq!((paused.paused.as_deref(), paused.next_at), (Some("no paper"), None));
    pass(&executor, &clock, HOUR);
    assert_eq!(times(&executor), hours([1]));
    executor.block_on(executor.resume_schedule("s")).expect("it goes on");
    pass(&executor, &clock, HOUR);
    assert_eq!(times(&executor), hours([1, 5]), "2 to 4 are not made up for");
}

#[test]
fn a_run_is_triggered_at_once_paused_or_not() {
    let (executor, clock) = open(build(Schedule::every(HOUR)), MemoryStore::new(), Duration::ZERO);
    pass(&executor, &clock, Duration::from_millis(90_500));
    executor.block_on(executor.pause_schedule("s", "no paper")).expect("it is paused");
    let id = executor.trigger("s").expect("it is started");
    assert_eq!(id, "s@1970-01-01T00:01:30.500000000Z");
    let run = executor.attach(REPORT, &id).expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 90);
    let remote = executor.remote();
    executor.block_on(remote.resume_schedule("s")).expect("it goes on");
    assert!(executor.block_on(remote.trigger("s")).expect("it is started").starts_with("s@1970"));
}

#[test]
fn a_range_is_filled_once() {
    let (executor, clock) = open(build(Schedule::every(HOUR)), MemoryStore::new(), 10 * HOUR);
    pass(&executor, &clock, 2 * HOUR + 1_000 * Duration::from_nanos(1));
    assert_eq!(times(&executor), hours([11, 12]));
    let range = UNIX_EPOCH + 8 * HOUR..UNIX_EPOCH + 12 * HOUR;
    let filled = || executor.backfill("s", range.clone()).expect("they are started");
    let expected: Vec<_> = hours(8..12).into_iter().map(|time| format!("s@{time}")).collect();
    assert_eq!(filled(), expected, "from the first on, the last not among them");
    assert_eq!(filled(), expected);
    pass(&executor, &clock, HOUR / 2);
    let mut all = times(&executor);
    all.sort();
    assert_eq!(all, hours(8..=12), "each has one run");
    let nothing = executor.backfill("s", UNIX_EPOCH + HOUR..UNIX_EPOCH).expect("it holds nothing");
    assert!(nothing.is_empty());
    let error =
        executor.backfill("s", UNIX_EPOCH..UNIX_EPOCH + 20_000 * HOUR).expect_err("too many");
    assert!(error.to_string().contains("more than 10000 ticks"), "{error}");
}

/// A panic in the input function is of nobody's run: the schedule is paused, and says why.
#[test]
fn an_input_function_that_panics_pauses_its_schedule() {
    let (memory, told) = (MemoryStore::new(), Told::default());
    let panics = Rc::new(Cell::new(true));
    let builder = || {
        let panics = panics.clone();
        Executor::builder()
            .observer(told.clone())
            .workflow(REPORT, report)
            .schedule("other", Schedule::every(HOUR), REPORT, second)
            .schedule("s", Schedule::every(HOUR), REPORT, move |tick| {
                assert!(!panics.get(), "no tea");
                second(tick)
            })
    };
    let (executor, clock) = open(builder(), memory.shared(), Duration::ZERO);
    pass(&executor, &clock, 2 * HOUR + HOUR / 2);
    assert_eq!(times(&executor), hours([]));
    let why = "its input function panicked: no tea";
    let told = told.0.borrow().join("\n");
    assert!(told.contains(&format!("the schedule \"s\" is paused: {why}")), "{told}");
    let error = executor.trigger("s").expect_err("it panics");
    assert_eq!(error.to_string(), format!("the schedule \"s\": {why}"));
    drop(executor);

    let (executor, clock) = open(builder(), memory.shared(), Duration::ZERO);
    let schedules = executor.schedules().expect("it is open");
    assert_eq!((schedules[0].paused.as_deref(), schedules[1].paused.as_deref()), (None, Some(why)));
    panics.set(false);
    executor.block_on(executor.resume_schedule("s")).expect("it goes on");
    pass(&executor, &clock, HOUR);
    assert_eq!(times(&executor), hours([3]));
    let runs = executor.runs(&Default::default()).expect("it can be read");
    assert_eq!(runs.iter().filter(|run| run.id.starts_with("other@")).count(), 3);
}

/// The function is called where nothing of the executor may be: it is told so.
#[test]
fn an_input_function_cannot_reach_the_executor() {
    let weak = Rc::new(std::cell::OnceCell::<dacapo::WeakExecutor>::new());
    let inner = weak.clone();
    let builder = Executor::builder().workflow(REPORT, report).schedule(
        "s",
        Schedule::every(HOUR),
        REPORT,
        move |_| {
            let weak = inner.get().expect("it is set");
            let started: Result<Result<()>> =
                weak.with(|executor| executor.start(REPORT, "mine", 1).map(drop));
            let error: Error = started.expect("it is there").expect_err("not here");
            u64::from(error.to_string().contains("by the input function of a schedule"))
        },
    );
    let (executor, clock) = open(builder, MemoryStore::new(), Duration::ZERO);
    weak.set(executor.weak()).expect("it is set once");
    pass(&executor, &clock, HOUR + HOUR / 2);
    let run = executor.attach(REPORT, "s@1970-01-01T01:00:00Z").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 1);
}
