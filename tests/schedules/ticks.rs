//! Which ticks have runs: over restarts, outages, and clocks that are set.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use dacapo::sim::{Snapshots, VirtualClock};
use dacapo::store::{Hooked, MemoryStore, Operation, Store};
use dacapo::{
    Clock, Cron, Ctx, Error, Executor, Limits, Missed, Overlap, Queue, Result, Schedule, Timestamp,
};

use super::{DAY, GO, HOUR, REPORT, build, hours, open, pass, report, second, slow, times};

#[test]
fn each_tick_has_its_run_and_its_input() {
    let (executor, clock) = open(build(Schedule::every(HOUR)), MemoryStore::new(), Duration::ZERO);
    pass(&executor, &clock, HOUR / 2);
    assert_eq!(times(&executor), hours([]));
    pass(&executor, &clock, 3 * HOUR);
    assert_eq!(times(&executor), hours(1..=3));
    let run = executor.attach(REPORT, "s@1970-01-01T02:00:00Z").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 7_200);
}

/// A nightly report in Oslo, over both changes of its clocks: one for each night.
#[test]
fn a_night_has_one_tick_when_clocks_are_set() {
    for (from, expected) in [
        // 2026-03-27T12:00:00Z
        (1_774_612_800, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        // 2026-10-23T12:00:00Z
        (1_792_756_800, ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ] {
        let nightly = Cron::new("30 2 * * *").zone("Europe/Oslo");
        let clock = VirtualClock::new(Timestamp::from_nanos(from * 1_000_000_000));
        let executor = build(nightly).clock(clock.clone()).in_memory();
        pass(&executor, &clock, 3 * DAY);
        assert_eq!(times(&executor), expected);
    }
}

/// The same when the process ends at any commit of these nights.
#[test]
fn a_night_has_one_tick_wherever_the_process_ends() {
    // 2026-03-28T12:00:00Z and 2026-10-24T12:00:00Z
    for (from, expected) in [
        (1_774_699_200, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        (1_792_843_200, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ] {
        let begin = Timestamp::from_nanos(from * 1_000_000_000);
        let over = begin + 2 * DAY;
        let go_on = |stored: MemoryStore| {
            let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()).max(begin));
            let nightly = Cron::new("30 2 * * *").zone("Europe/Oslo");
            let snapshots = Snapshots::new(stored);
            let builder = build(nightly).clock(clock.clone());
            let executor = builder.open_with(snapshots.clone()).expect("memory");
            pass(&executor, &clock, over.since(clock.now()));
            (times(&executor), snapshots.take())
        };
        let (whole, snapshots) = go_on(MemoryStore::new());
        assert_eq!(whole, expected);
        assert!(snapshots.len() >= 5, "{}", snapshots.len());
        for stored in snapshots {
            assert_eq!(go_on(stored).0, expected);
        }
    }
}

#[test]
fn one_time_has_one_tick() {
    let memory = MemoryStore::new();
    let once = || build(Schedule::at(UNIX_EPOCH + 2 * HOUR));
    let (executor, clock) = open(once(), memory.shared(), Duration::ZERO);
    pass(&executor, &clock, HOUR);
    drop(executor);
    let (executor, clock) = open(once(), memory.shared(), 5 * HOUR);
    pass(&executor, &clock, HOUR);
    assert_eq!(times(&executor), hours([2]));
    assert_eq!(executor.schedules().expect("it is open")[0].next_at, None);
    drop(executor);
    let (executor, clock) = open(once(), memory.shared(), HOUR);
    pass(&executor, &clock, HOUR);
    assert_eq!(times(&executor), hours([2]), "it does not come again");
}

/// What came while nothing ran: the last, some, or none; and what comes after is as ever.
#[test]
fn ticks_that_were_missed() {
    for (missed, expected) in [
        (Missed::Latest, hours([1, 2, 7, 8])),
        (Missed::All(3), hours([1, 2, 5, 6, 7, 8])),
        (Missed::All(100), hours(1..=8)),
        (Missed::Skip, hours([1, 2, 8])),
    ] {
        let memory = MemoryStore::new();
        let hourly = || build(Schedule::every(HOUR).missed(missed));
        let (executor, clock) = open(hourly(), memory.shared(), Duration::ZERO);
        pass(&executor, &clock, 2 * HOUR + HOUR / 2);
        drop(executor);
        let late = 7 * HOUR + HOUR / 2 - Duration::from_nanos(memory.time());
        let (executor, clock) = open(hourly(), memory.shared(), late);
        pass(&executor, &clock, HOUR);
        assert_eq!(times(&executor), expected, "{missed:?}");
    }
}

/// Two hours, and nothing was committed since the schedule was new: it is not new again.
#[test]
fn a_new_schedule_begins_when_it_is_first_seen() {
    let memory = MemoryStore::new();
    let hourly = || build(Schedule::every(HOUR));
    let (executor, clock) = open(hourly(), memory.shared(), 10 * HOUR);
    pass(&executor, &clock, HOUR / 2);
    assert_eq!(times(&executor), hours([]), "nothing is made up for");
    drop(executor);
    let (executor, clock) = open(hourly(), memory.shared(), 2 * HOUR);
    pass(&executor, &clock, HOUR / 10);
    assert_eq!(times(&executor), hours([12]));
}

/// What has other times in another build begins there; a pause stays.
#[test]
fn a_schedule_that_is_changed_begins_anew() {
    let memory = MemoryStore::new();
    let (executor, clock) = open(build(Cron::new("0 3 * * *")), memory.shared(), Duration::ZERO);
    pass(&executor, &clock, 4 * HOUR);
    drop(executor);
    let late = 10 * HOUR + HOUR / 2 - Duration::from_nanos(memory.time());
    let (executor, clock) = open(build(Cron::new("0 * * * *")), memory.shared(), late);
    pass(&executor, &clock, HOUR);
    assert_eq!(times(&executor), hours([3, 11]), "4 to 10 were no ticks of it");
    executor.block_on(executor.pause_schedule("s", "enough")).expect("it is paused");
    drop(executor);
    let (executor, _) = open(build(Cron::new("5 * * * *")), memory.shared(), HOUR);
    let paused = executor.schedules().expect("it is open")[0].paused.clone();
    assert_eq!(paused.as_deref(), Some("enough"));
}

/// A clock that is set back names a time again, and that has no second run; one that is set forward passes
/// over some, and they are one.
#[test]
fn clocks_that_are_set() {
    let (executor, clock) = open(build(Schedule::every(HOUR)), MemoryStore::new(), Duration::ZERO);
    pass(&executor, &clock, 3 * HOUR + HOUR / 2);
    clock.jump(Timestamp::from_nanos(3 * 1_800_000_000_000));
    pass(&executor, &clock, HOUR);
    assert_eq!(times(&executor), hours(1..=4), "time goes on from the last commit");
    clock.jump(Timestamp::from_nanos(20 * 3_600_000_000_000 + 1));
    pass(&executor, &clock, HOUR);
    assert_eq!(times(&executor), hours([1, 2, 3, 4, 20, 21]));
}

/// A run that goes on keeps the next ticks away, if the schedule says so; one that is parked does not.
#[test]
fn a_tick_whose_forerunner_goes_on() {
    let overlapping = |overlap| {
        Executor::builder()
            .workflow(REPORT, async |ctx: &Ctx, n: u64| -> Result<u64> {
                assert!(n != 4 * 3_600, "it cannot count to four");
                slow(ctx, n).await
            })
            .schedule("s", Schedule::every(HOUR).overlap(overlap), REPORT, second)
    };
    let (executor, clock) = open(overlapping(Overlap::Allow), MemoryStore::new(), Duration::ZERO);
    pass(&executor, &clock, 3 * HOUR + HOUR / 2);
    assert_eq!(times(&executor), hours(1..=3));

    let (executor, clock) = open(overlapping(Overlap::Skip), MemoryStore::new(), Duration::ZERO);
    pass(&executor, &clock, 3 * HOUR + HOUR / 2);
    assert_eq!(times(&executor), hours([1]));
    let first = "s@1970-01-01T01:00:00Z";
    executor.block_on(executor.send(first, GO, ())).expect("it goes on");
    pass(&executor, &clock, 3 * HOUR);
    assert_eq!(times(&executor), hours([1, 4, 5]), "the fourth is parked");
}

/// The disk does not say whether the forerunner goes on: no run is started beside it.
#[test]
fn a_forerunner_that_cannot_be_read() {
    let build = || {
        let hourly = Schedule::every(HOUR).overlap(Overlap::Skip);
        Executor::builder().workflow(REPORT, slow).schedule("s", hourly, REPORT, second)
    };
    let (memory, is_refused) = (MemoryStore::new(), Rc::new(Cell::new(false)));
    let refuses = is_refused.clone();
    let hooked = Hooked::new(memory.shared(), move |operation: &Operation<'_>| match operation {
        Operation::Find("s@1970-01-01T01:00:00Z") if refuses.get() => {
            Err(dacapo::store::Error::refused("not now"))
        }
        _ => Ok(()),
    });
    let clock = VirtualClock::default();
    let executor = build().clock(clock.clone()).open_with(hooked).expect("memory");
    pass(&executor, &clock, HOUR + HOUR / 2);
    is_refused.set(true);
    pass(&executor, &clock, HOUR);
    is_refused.set(false);
    let error = executor.start(REPORT, "other", 7).expect_err("the executor has stopped");
    assert!(error.to_string().contains("not now"), "{error}");
    drop(executor);
    let (executor, clock) = open(build(), memory.snapshot(), 2 * HOUR);
    pass(&executor, &clock, HOUR);
    assert_eq!(times(&executor), hours([1]));
}

const ONE_AT_A_TIME: Queue = Queue::new("one at a time");

/// Ticks that wait for their forerunners, over restarts: each has its run in its turn. In a build that passes
/// ticks over, one that waits has not ended.
#[test]
fn ticks_that_wait_for_their_forerunners() {
    let memory = MemoryStore::new();
    let waiting = |overlap| {
        Executor::builder()
            .workflow(REPORT, slow)
            .queue(ONE_AT_A_TIME, Limits::new().concurrency(1))
            .schedule("s", Schedule::every(HOUR).overlap(overlap), REPORT, second)
    };
    let queue = Overlap::Queue(ONE_AT_A_TIME);
    let (executor, clock) = open(waiting(queue), memory.shared(), Duration::ZERO);
    pass(&executor, &clock, 3 * HOUR + HOUR / 2);
    let counted = |executor: &Executor| executor.queue(ONE_AT_A_TIME).expect("it is defined");
    assert_eq!((times(&executor), counted(&executor).waiting), (hours(1..=3), 2));
    let triggered = executor.trigger("s").expect("it is started");
    executor.backfill("s", UNIX_EPOCH + 3 * HOUR..UNIX_EPOCH + 4 * HOUR).expect("it is there");
    pass(&executor, &clock, HOUR / 4);
    assert_eq!(counted(&executor).waiting, 3);
    drop(executor);

    let (executor, clock) = open(waiting(queue), memory.shared(), Duration::ZERO);
    let ids = hours(1..=3).into_iter().map(|time| format!("s@{time}")).chain([triggered]);
    for (ended, id) in ids.enumerate() {
        assert_eq!(counted(&executor).waiting, 3 - ended);
        executor.block_on(executor.send(&id, GO, ())).expect("it goes on");
        let run = executor.attach(REPORT, &id).expect("it is there");
        executor.block_on(run).expect("it ends in its turn");
        pass(&executor, &clock, Duration::from_secs(1));
    }
    executor.block_on(executor.pause_queue(ONE_AT_A_TIME)).expect("it is defined");
    pass(&executor, &clock, HOUR);
    assert_eq!(counted(&executor).waiting, 1);
    drop(executor);
    let (executor, clock) = open(waiting(Overlap::Skip), memory.shared(), Duration::ZERO);
    pass(&executor, &clock, 2 * HOUR);
    assert_eq!(executor.runs(&Default::default()).expect("it can be read").len(), 5);
}

/// A run that has the id of a tick is its run.
#[test]
fn an_id_that_exists_counts_as_started() {
    let (executor, clock) = open(build(Schedule::every(HOUR)), MemoryStore::new(), Duration::ZERO);
    let mine = executor.start(REPORT, "s@1970-01-01T01:00:00Z", 7).expect("new");
    pass(&executor, &clock, 2 * HOUR + HOUR / 2);
    assert_eq!(executor.block_on(mine).expect("it ends"), 7);
    assert_eq!(times(&executor), hours([2]));
}

/// Each commit in turn is refused: the run of a tick and that it is over are there, or neither is.
#[test]
fn a_commit_that_is_refused_loses_no_tick() {
    for commits in 0..12 {
        let memory = MemoryStore::new();
        memory.fail_after(commits);
        let hourly = || build(Schedule::every(HOUR).missed(Missed::All(100)));
        let (executor, clock) = open(hourly(), memory.shared(), Duration::ZERO);
        let paused = async {
            clock.sleep(3 * HOUR + HOUR / 2).await;
            executor.pause_schedule("s", "enough").await
        };
        let paused = executor.block_on(paused);
        drop(executor);
        let is_new = memory.last_commit() == 0;
        let (executor, clock) = open(hourly(), memory.snapshot(), Duration::ZERO);
        let resumed = async {
            executor.resume_schedule("s").await?;
            clock.sleep(8 * HOUR).await;
            Ok::<_, Error>(())
        };
        executor.block_on(resumed).expect("nothing is refused any more");
        let times = times(&executor);
        assert_eq!(times, hours(1..=times.len() as u32), "{commits}: {paused:?} {is_new}");
        assert!(times.len() >= 8, "{times:?}");
    }
}

/// What is shut down has no ticks; they come in the next process.
#[test]
fn a_shutdown_has_no_ticks() {
    let memory = MemoryStore::new();
    let (executor, clock) = open(build(Schedule::every(HOUR)), memory.shared(), Duration::ZERO);
    pass(&executor, &clock, HOUR / 2);
    let ended = async {
        let ended = executor.shutdown(Duration::from_secs(60));
        clock.jump(Timestamp::from_nanos(3_600_000_000_000));
        ended.await
    };
    executor.block_on(ended).expect("it ends in order");
    assert_eq!(times_of(&memory), 0);
    drop(executor);
    let (executor, clock) = open(build(Schedule::every(HOUR)), memory.shared(), HOUR);
    pass(&executor, &clock, HOUR / 10);
    assert_eq!(times(&executor).len(), 1);
}

fn times_of(store: &MemoryStore) -> u64 {
    store.count().expect("it can be read").total()
}

/// Many schedules of one workflow do not disturb each other, and runs of other threads neither.
#[test]
fn several_schedules() {
    let clock = VirtualClock::default();
    let executor = Executor::builder()
        .clock(clock.clone())
        .workflow(REPORT, report)
        .schedule("b", Schedule::every(2 * HOUR), REPORT, second)
        .schedule("a", Cron::new("30 * * * *").missed(Missed::Skip), REPORT, second)
        .in_memory();
    pass(&executor, &clock, 4 * HOUR + HOUR / 4);
    let runs = executor.runs(&Default::default()).expect("it can be read");
    let ids: Vec<_> = runs.iter().map(|run| &run.id[..1]).collect();
    assert_eq!(ids, ["a", "a", "b", "a", "a", "b"]);
    let names: Vec<_> =
        executor.schedules().expect("it is open").into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["a", "b"]);
}

/// While the clock is behind, a process that is killed every five minutes loses less than one of them, also if
/// nothing but a schedule waits.
#[test]
fn ticks_go_on_over_kills_while_the_clock_is_behind() {
    let (memory, year) = (MemoryStore::new(), 365 * DAY);
    let (executor, clock) = open(build(Schedule::every(HOUR / 2)), memory.shared(), year);
    pass(&executor, &clock, HOUR / 4);
    drop(executor);
    for killed in 0..10 {
        let clock = VirtualClock::new(Timestamp::default() + DAY);
        let executor = build(Schedule::every(HOUR / 2)).clock(clock.clone());
        let executor = executor.open_with(memory.shared()).expect("memory");
        pass(&executor, &clock, HOUR / 12);
        if !times(&executor).is_empty() {
            assert!((5..=8).contains(&killed), "{killed}");
            return;
        }
        std::mem::forget(executor);
    }
    panic!("it never comes");
}
