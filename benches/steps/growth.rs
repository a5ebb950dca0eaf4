//! Long runs, many sleepers, cold opens, bytes on disk.

use std::fs;
use std::time::{Duration, Instant};

use dacapo::store::{Filter, Options as StoreOptions, Store};
use dacapo::{Builder, Ctx, Executor, Result, Workflow, join_all, try_join_all};

use super::Options;
use super::forgetful::Forgetful;
use super::report::Report;

const LONG: Workflow<u32, Vec<u64>> = Workflow::new("long");
pub(crate) const SLEEPER: Workflow<u32, ()> = Workflow::new("sleeper");
const IO: Workflow<(), ()> = Workflow::new("io");

const YEAR: Duration = Duration::from_secs(31_536_000);

/// Gives the nanoseconds that each tenth of its steps took; nothing depends on them.
async fn long(ctx: &Ctx, steps: u32) -> Result<Vec<u64>> {
    let mut tenths = Vec::new();
    for _ in 0..10 {
        let start = Instant::now();
        for n in 0..steps / 10 {
            ctx.step("add", async move || Result::<u64>::Ok(n.into())).await?;
        }
        tenths.push(start.elapsed().as_nanos() as u64);
    }
    Ok(tenths)
}

/// Sleeps for a year, or takes some steps and sleeps for too short a time for its row to say until
/// when: then a cold open replays it.
async fn sleeper(ctx: &Ctx, steps: u32) -> Result<()> {
    for n in 0..steps {
        ctx.step("add", async move || Result::<u64>::Ok(n.into())).await?;
    }
    ctx.sleep(if steps == 0 { YEAR } else { Duration::from_secs(9) }).await;
    Ok(())
}

/// One step that waits for a millisecond, as for another service.
async fn io(ctx: &Ctx, (): ()) -> Result<()> {
    let wait = async || {
        smol::Timer::after(Duration::from_millis(1)).await;
        Result::<()>::Ok(())
    };
    ctx.step("io", wait).await
}

pub(crate) fn build() -> Builder {
    register(Executor::builder())
}

pub(crate) fn register(builder: Builder) -> Builder {
    builder.workflow(LONG, long).workflow(SLEEPER, sleeper).workflow(IO, io)
}

pub(crate) fn measure(options: &Options, report: &mut Report) {
    report.row("growth_last_over_first", "ratio", || growth(options));
    report.row("body_of_1ms_x10000", "steps/s", bodies_with_io);
    cold_open(options, report);
}

/// To be measured before everything else, while there is no freed memory that sleepers could take.
pub(crate) fn measure_memory(options: &Options, report: &mut Report) {
    report.row("bytes_per_sleeping_run", "bytes", || bytes_per_sleeper(options));
}

/// A million steps in one run: what the last tenth takes, against the first.
fn growth(options: &Options) -> f64 {
    let executor = build().open_with(Forgetful::default()).expect("nothing is read");
    let run = executor.start(LONG, "run", options.size(200_000, 1_000_000)).expect("new");
    let tenths = executor.block_on(run).expect("it ends");
    // The very first steps warm up what is never cold again.
    *tenths.last().expect("ten of them") as f64 / tenths[1] as f64
}

/// Resident memory of this process, as Linux counts it.
pub(crate) fn resident_bytes() -> f64 {
    let status = fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages = status.split(' ').nth(1).expect("the second number is the resident set");
    pages.parse::<f64>().expect("it is a number") * 4096.0
}

fn bytes_per_sleeper(options: &Options) -> f64 {
    let runs = options.size(100_000, 1_000_000);
    let executor = build().open_with(Forgetful::default()).expect("nothing is read");
    let before = resident_bytes();
    for run in 0..runs {
        drop(executor.start(SLEEPER, &run.to_string(), 0).expect("new"));
        // A thousand starts are committed together and fall asleep: the memory of a commit as large
        // as all of them would be counted as theirs.
        if run % 1_000 == 999 {
            executor.block_on(async {});
        }
    }
    (resident_bytes() - before) / f64::from(runs)
}

fn bodies_with_io() -> f64 {
    const RUNS: u32 = 10_000;
    let executor = build().in_memory();
    let start = Instant::now();
    let runs = (0..RUNS).map(|run| executor.start(IO, &run.to_string(), ()).expect("new"));
    let runs: Vec<_> = runs.collect();
    executor.block_on(try_join_all(runs)).expect("they end");
    f64::from(RUNS) / start.elapsed().as_secs_f64()
}

/// Ten thousand unfinished runs with a hundred records each, opened by a process that knows
/// nothing of them; with a million finished ones beside them, too.
fn cold_open(options: &Options, report: &Report) {
    let beside = [("cold_open_10000x100", 0), ("cold_open_beside_1000000", 1_000_000)];
    for (name, finished) in beside {
        if !report.wants(name) || (options.is_quick && finished > 0) {
            continue;
        }
        let path = options.file("cold.redb");
        let executor = build().open(&path).expect("it is created");
        finish(&executor, finished);
        let runs = (0..10_000).map(|run| {
            let run = executor.start(SLEEPER, &format!("sleeper-{run}"), 99).expect("new");
            async move { run.accepted().await }
        });
        let runs: Vec<_> = runs.collect();
        executor.block_on(join_all(runs));
        while executor.next_wait().is_none() {
            executor.block_on(async {});
        }
        // All steps are done when nothing is left to do but to sleep.
        for _ in 0..200 {
            executor.block_on(dacapo::yield_now());
        }
        drop(executor);

        let start = Instant::now();
        let executor = build().open(&path).expect("it is there");
        report.print(name, start.elapsed().as_secs_f64(), "s");
        drop(executor);
        if finished == 0 {
            bytes_on_disk(report, &path);
        }
    }
}

/// Runs so many workflows of ten steps to their end.
fn finish(executor: &Executor, mut runs: u32) {
    while runs > 0 {
        let some = runs.min(50_000);
        let start = |run| executor.start(LONG, &format!("finished-{run}"), 10).expect("new");
        let handles: Vec<_> = (runs - some..runs).map(start).collect();
        executor.block_on(try_join_all(handles)).expect("they end");
        runs -= some;
    }
}

fn bytes_on_disk(report: &Report, path: &std::path::Path) {
    let store = StoreOptions::new().open(path).expect("it is there");
    let runs = store.list(&Filter::new()).expect("it can be read");
    let records: usize = runs.iter().map(|row| store.history(row.key).expect("whole").len()).sum();
    let bytes = fs::metadata(path).expect("it is there").len();
    report.print("bytes_on_disk_per_record", bytes as f64 / records as f64, "bytes");
}
