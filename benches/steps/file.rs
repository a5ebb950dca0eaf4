//! Files that grow: what a step costs in a large one, how large it is, and what retention gives
//! back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dacapo::store::{Batch, Filter, Options as StoreOptions, RedbStore, RunState, Store};
use dacapo::{Executor, try_join_all};

use super::Options;
use super::growth::SLEEPER;
use super::report::Report;
use super::single::SEQUENCE;

/// Steps of a run of the busy kind; its start and its end are records, too.
const STEPS: u32 = 98;
const RECORDS: u32 = STEPS + 2;

pub(crate) fn measure(options: &Options, report: &Report) {
    if !report.wants("file_") {
        return;
    }
    let records = options.size(1_000_000, 10_000_000);
    let path = options.file("large.redb");
    // It sleeps beside everything that follows, as for a month.
    let executor = build().open(&path).expect("it is created");
    let sleeper = executor.start(SLEEPER, "sleeper", 1).expect("new");
    executor.block_on(sleeper.accepted()).expect("it is committed");

    let tenths: Vec<_> = (0..10).map(|tenth| busy(&executor, tenth, records / 10)).collect();
    // The first one makes the tables.
    let ratio = tenths[9].as_secs_f64() / tenths[1].as_secs_f64();
    report.print("file_last_tenth_over_second", ratio, "ratio");
    drop(executor);
    let full = bytes(&path);
    report.print("file_bytes_per_record", full / f64::from(records), "bytes");
    let start = Instant::now();
    drop(build().open(&path).expect("it is there"));
    report.print("file_open", start.elapsed().as_secs_f64() * 1e3, "ms");

    // Nine tenths are forgotten, and as many come again: the file must not grow.
    forget(&path, records / RECORDS / 10 * 9);
    let executor = build().open(&path).expect("it is there");
    for tenth in 10..19 {
        busy(&executor, tenth, records / 10);
    }
    drop(executor);
    report.print("file_after_retention_over_full", bytes(&path) / full, "ratio");
}

fn build() -> dacapo::Builder {
    super::growth::register(super::single::build())
}

/// Runs workflows to their end, a thousand at once, and gives the time.
fn busy(executor: &Executor, tenth: u32, records: u32) -> Duration {
    let start = Instant::now();
    let runs: Vec<_> = (0..records / RECORDS).collect();
    for some in runs.chunks(1_000) {
        let start = |n| executor.start(SEQUENCE, &format!("busy-{tenth}-{n}"), STEPS).expect("new");
        let handles: Vec<_> = some.iter().map(start).collect();
        executor.block_on(try_join_all(handles)).expect("they end");
    }
    start.elapsed()
}

/// Deletes the oldest runs that have ended, a thousand at a time.
fn forget(path: &Path, runs: u32) {
    let mut store: RedbStore = StoreOptions::new().open(path).expect("it is there");
    let ended = Filter::new().states(&[RunState::Completed]).limit(runs as usize);
    let rows = store.list(&ended).expect("it can be read");
    let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
    let mut batch = Batch::new();
    for keys in keys.chunks(1_000) {
        batch.clear();
        batch.set_time(store.time());
        keys.iter().for_each(|key| batch.delete(*key));
        store.commit(&batch).expect("they have ended");
    }
}

fn bytes(path: &Path) -> f64 {
    fs::metadata(path).expect("it is there").len() as f64
}
