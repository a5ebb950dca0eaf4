//! Sleeping runs that leave memory, a hundred for each that stays, and a process that finds as many.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dacapo::store::Options as StoreOptions;
use dacapo::{Executor, Result, join_all};

use super::Options;
use super::growth::{SLEEPER, build, resident_bytes};
use super::report::{Report, micros};

pub(crate) fn measure(options: &Options, report: &Report) {
    if report.wants("bytes_per_evicted_run") {
        evicted(options, report);
    }
    if report.wants("open_sleepers") {
        left_asleep(options, report);
    }
}

fn evicted(options: &Options, report: &Report) {
    let runs = options.size(100_000, 1_000_000);
    let path = options.file("residence.redb");
    let [bytes, attach, open] = elsewhere("--evict-sleepers", &path, runs as usize);
    report.print("bytes_per_evicted_run", bytes, "bytes");
    report.print("attach_evicted_run", attach, "us");
    report.print("cold_open_sleepers", open, "us/run");
}

/// What [`evicted`] asks for.
pub(crate) fn evict_here(path: &str, runs: usize) {
    let runs = u32::try_from(runs).expect("a million");
    let open = || build().resident_max(runs as usize / 100).open(path).expect("it opens");

    let executor = open();
    let before = resident_bytes();
    start_all(&executor, runs);
    // The store's own memory is in it: what the journal holds, and pages of the file.
    let bytes = (resident_bytes() - before) / f64::from(runs);

    let ids: Vec<_> = (0..1_000).map(|n| (n * 7_919 % runs).to_string()).collect();
    let start = Instant::now();
    let attached = ids.iter().map(|id| executor.attach(SLEEPER, id));
    let attached: Vec<_> = attached.collect::<Result<_>>().expect("they are there");
    let attach = micros(start.elapsed() / ids.len() as u32);
    drop((attached, executor));

    let start = Instant::now();
    let executor = open();
    let took = start.elapsed().as_secs_f64();
    println!("{bytes} {attach} {}", took * 1e6 / f64::from(runs));
    drop(executor);
}

/// A file whose rows say until when their runs sleep, opened by a process that knows nothing of them.
fn left_asleep(options: &Options, report: &Report) {
    const CACHE: usize = 64 << 20;
    let runs = options.size(100_000, 1_000_000);
    let path = options.file("asleep.redb");
    let executor = build().resident_max(1_000).open(&path).expect("it is created");
    start_all(&executor, runs);
    // With nothing to do for a second, it folds what it wrote.
    executor.block_on(async {
        smol::Timer::after(Duration::from_millis(1_500)).await;
    });
    drop(executor);

    let each = |value: f64| value / f64::from(runs);
    let opened: Vec<_> = (0..3).map(|_| open_elsewhere(&path, CACHE)).collect();
    let fastest = opened.iter().map(|(micros, _)| *micros).reduce(f64::min).expect("there are 3");
    report.print("open_sleepers", each(fastest), "us/run");
    // With hardly any pages of the file kept, and with those that it keeps by default.
    let (_, bytes) = open_elsewhere(&path, 1 << 20);
    report.print("bytes_per_run_left_asleep", each(bytes), "bytes");
    report.print("bytes_per_run_left_asleep_with_cache", each(opened[0].1), "bytes");
}

/// The microseconds that an open took in a process of its own, and the bytes.
fn open_elsewhere(path: &Path, cache_bytes: usize) -> (f64, f64) {
    let [micros, bytes] = elsewhere("--open-sleepers", path, cache_bytes);
    (micros, bytes)
}

/// What a process of its own prints, which was asked for it: here, memory that was freed before would be used
/// again, and not be counted.
pub(crate) fn elsewhere<const N: usize>(what: &str, path: &Path, number: usize) -> [f64; N] {
    let this = env::current_exe().expect("it has a path");
    let mut child = Command::new(this);
    child.arg(what).arg(path).arg(number.to_string());
    let output = child.output().expect("it can be run again");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let numbers = text.split_whitespace().map(|number| number.parse().expect("a number"));
    numbers.collect::<Vec<_>>().try_into().expect("as many as it prints")
}

/// What [`open_elsewhere`] asks for.
pub(crate) fn open_here(path: &str, cache_bytes: usize) {
    let (start, before) = (Instant::now(), resident_bytes());
    let store = StoreOptions::new().cache_bytes(cache_bytes).open(path).expect("it is there");
    let executor = build().open_with(store).expect("it opens");
    println!("{} {}", micros(start.elapsed()), resident_bytes() - before);
    drop(executor);
}

/// Has so many sleepers fall asleep, a thousand with each commit.
fn start_all(executor: &Executor, runs: u32) {
    for first in (0..runs).step_by(1_000) {
        let start = |n: u32| executor.start(SLEEPER, &n.to_string(), 0).expect("new");
        let started: Vec<_> = (first..first + 1_000).map(start).collect();
        let accepted = started.iter().map(|run| run.accepted());
        executor.block_on(join_all(accepted));
    }
}
