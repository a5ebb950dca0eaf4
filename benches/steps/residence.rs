//! Sleeping runs that leave memory: a hundred for each that stays.

use std::time::Instant;

use dacapo::{Executor, Result, join_all};

use super::Options;
use super::growth::{SLEEPER, build, resident_bytes};
use super::report::{Report, micros};

pub(crate) fn measure(options: &Options, report: &Report) {
    if !report.wants("bytes_per_evicted_run") {
        return;
    }
    let runs = options.size(100_000, 1_000_000);
    let path = options.file("residence.redb");
    let open = || build().resident_max(runs as usize / 100).open(&path).expect("it opens");

    let executor = open();
    let before = resident_bytes();
    start_all(&executor, runs);
    // The store's own memory is in it: what the journal holds, and pages of the file.
    let bytes = (resident_bytes() - before) / f64::from(runs);
    report.print("bytes_per_evicted_run", bytes, "bytes");

    let ids: Vec<_> = (0..1_000).map(|n| (n * 7_919 % runs).to_string()).collect();
    let start = Instant::now();
    let attached = ids.iter().map(|id| executor.attach(SLEEPER, id));
    let attached: Vec<_> = attached.collect::<Result<_>>().expect("they are there");
    let each = start.elapsed() / ids.len() as u32;
    drop(attached);
    report.print("attach_evicted_run", micros(each), "us");
    drop(executor);

    let start = Instant::now();
    let executor = open();
    let took = start.elapsed().as_secs_f64();
    report.print("cold_open_sleepers", took * 1e6 / f64::from(runs), "us/run");
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
