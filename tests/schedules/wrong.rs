//! Schedules that cannot be: each is told when the executor is opened, with what to do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use dacapo::store::{MemoryStore, Store};
use dacapo::{Cron, Executor, Limits, Overlap, Queue, Schedule, Workflow};

use super::{HOUR, REPORT, build, error, report, second};

fn check(schedule: impl Into<Schedule>, message: &str) {
    let error = error(build(schedule).open_with(MemoryStore::new())).to_string();
    assert!(error.starts_with(&format!("the schedule \"s\": {message}")), "{error}");
}

#[test]
fn lines_zones_and_intervals() {
    check(Cron::new("0 25 * * *"), r#"its line "0 25 * * *" is wrong at character 3: "#);
    check(Cron::new("nightly"), r#"its line "nightly" has 1 fields, and a line has five: "#);
    check(Cron::new("0 0 31 4 *"), r#"its line "0 0 31 4 *" never comes"#);
    check(Cron::new("0 3 * * *").zone("Oslo"), r#"the system knows no time zone "Oslo": "#);
    check(Schedule::every(Duration::ZERO), "its interval is zero");
    check(Schedule::every(Duration::MAX), "its interval is longer than 500 years");
}

#[test]
fn a_workflow_that_is_not_registered() {
    const OTHER: Workflow<u64, ()> = Workflow::new("other");
    let builder = Executor::builder().workflow(REPORT, report);
    let builder = builder.schedule("s", Schedule::every(HOUR), OTHER, second);
    let error = error(builder.open_with(MemoryStore::new()));
    assert_eq!(
        error.to_string(),
        r#"the schedule "s": it starts "other", which is not registered: add it with Builder::workflow"#
    );
}

/// Queues that its runs cannot wait in.
#[test]
fn queues_that_cannot_be() {
    const LINE: Queue = Queue::new("line");
    let queued = || build(Schedule::every(HOUR).overlap(Overlap::Queue(LINE)));
    let of_parts = Limits::new().per_partition(Limits::new().concurrency(1));
    for (builder, why) in [
        (queued(), "it needs the queue \"line\", which is not defined: add it with Builder::queue"),
        (
            queued().queue(LINE, of_parts),
            "the queue \"line\" has limits for each partition, and runs of schedules are in none: give it \
             another queue",
        ),
    ] {
        let error = error(builder.open_with(MemoryStore::new())).to_string();
        assert_eq!(error, format!("the schedule \"s\": {why}"));
    }
}

/// Whatever is asked about one that this build does not have.
#[test]
fn a_schedule_that_there_is_not() {
    let executor = build(Schedule::every(HOUR)).in_memory();
    let now = std::time::SystemTime::now();
    for error in [
        executor.trigger("t").map(drop),
        executor.backfill("t", now - HOUR..now).map(drop),
        executor.block_on(executor.pause_schedule("t", "enough")),
        executor.block_on(executor.resume_schedule("t")),
    ] {
        let error = error.expect_err("there is none");
        assert!(error.is_not_found());
        assert_eq!(error.to_string(), r#"there is no schedule "t": this build has "s""#);
    }
}

#[test]
fn a_name_that_is_used_twice() {
    let twice =
        || build(Schedule::every(HOUR)).schedule("s", Schedule::every(HOUR), REPORT, second);
    let panic = catch_unwind(AssertUnwindSafe(twice)).map(drop).expect_err("it panics");
    let message = panic.downcast_ref::<String>().expect("its message has particulars");
    assert_eq!(message, r#"the schedule "s" is registered twice"#);
}

#[test]
fn a_note_that_is_damaged() {
    let mut store = MemoryStore::new();
    let mut batch = dacapo::store::Batch::new();
    batch.put_note(b"schedule s", b"\xff");
    store.commit(&batch).expect("memory");
    let error = error(build(Schedule::every(HOUR)).open_with(store));
    assert!(error.is_store(), "{error:?}");
    assert!(error.to_string().contains("its note cannot be read"), "{error}");
}
