//! What others notice while nine tenths of the runs are deleted.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dacapo::{Executor, Retention};

use super::files::{Files, draft};
use super::looked::seconds;
use super::workflows::{BUSY, PAUSE, Watch, build};

/// So many runs go on.
const BUSY_RUNS: u32 = 1_000;

pub(crate) fn measure(folder: &Path, files: &Files, runs: u32) {
    println!(
        "{:<40} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
        "", "seconds", "CPU s", "MiB", "steps/s", "p50 ms", "p99 ms", "max ms"
    );
    for (name, pause) in [("one step after another", 0), ("a step each second", 1_000)] {
        let path = draft(folder);
        fs::copy(&files.folded, &path).expect("there is room");
        while_pruned(name, &path, Duration::from_millis(pause), runs / 10);
        fs::remove_file(&path).expect("nobody has it open");
    }
}

fn while_pruned(name: &str, path: &Path, pause: Duration, keep: u32) {
    let watch = Watch::default();
    let executor = build(&watch).open(path).expect("it is a store");
    let handles: Vec<_> = (0..BUSY_RUNS)
        .map(|n| {
            // So that they do not do the same at the same time.
            let first = pause * n / BUSY_RUNS;
            executor.start(BUSY, &format!("busy-{n}"), (first, pause)).expect("it is new")
        })
        .collect();
    pause_for(&executor, Duration::from_secs(3));
    watch.micros.borrow_mut().clear();
    let start = Spent::now();
    pause_for(&executor, Duration::from_secs(20));
    report(&format!("{name}: before"), &start, &watch);
    let start = Spent::now();
    let rule = Retention::new().count(keep as usize);
    let deleted = executor.block_on(executor.prune(rule)).expect("there is room");
    report(&format!("{name}: {deleted} deleted"), &start, &watch);
    let start = Spent::now();
    let freed = executor.compact().expect("the file is there") >> 20;
    pause_for(&executor, Duration::from_secs(5));
    report(&format!("{name}: {freed} MiB given back"), &start, &watch);
    watch.is_over.set(true);
    executor.block_on(dacapo::try_join_all(handles)).expect("they end");
}

fn pause_for(executor: &Executor, time: Duration) {
    let name = format!("pause-{}", time.as_secs());
    let pause = executor.start(PAUSE, &name, time).expect("it is new");
    executor.block_on(pause).expect("it ends");
}

fn report(name: &str, start: &Spent, watch: &Watch) {
    let end = Spent::now();
    let mut micros = std::mem::take(&mut *watch.micros.borrow_mut());
    micros.sort_unstable();
    let at = |part: f64| f64::from(micros[((micros.len() - 1) as f64 * part) as usize]) / 1e3;
    let seconds = (end.at - start.at).as_secs_f64();
    println!(
        "{name:<40} {seconds:>8.1} {:>8.1} {:>8.0} {:>9.0} {:>8.1} {:>8.1} {:>8.1}",
        end.cpu - start.cpu,
        end.mib - start.mib,
        micros.len() as f64 / seconds,
        at(0.5),
        at(0.99),
        at(1.0),
    );
}

/// What this process has taken so far, as Linux counts it.
struct Spent {
    at: Instant,
    /// Seconds of the processors.
    cpu: f64,
    /// What was written.
    mib: f64,
}

impl Spent {
    fn now() -> Self {
        let io = fs::read_to_string("/proc/self/io").expect("this is Linux");
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        let written: f64 = written.and_then(|bytes| bytes.parse().ok()).expect("a number");
        Self { at: Instant::now(), cpu: seconds(11..13), mib: written / f64::from(1 << 20) }
    }
}
