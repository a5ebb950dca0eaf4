//! Many runs at once, on disk.

use std::time::{Duration, Instant};

use dacapo::{Workflow, try_join_all};

use super::Options;
use super::curve::Point;
use super::report::{Report, per_second};
use super::single::{SEQUENCE, TIMED, build};

/// Runs, and the steps of each.
const SIZES: [(u32, u32); 5] = [(1, 500), (10, 200), (100, 200), (1_000, 100), (10_000, 50)];

pub(crate) fn measure(options: &Options, report: &mut Report) {
    report.curve(options, "", "dacapo (redb), synced", &SIZES, |size| {
        // A look at the clock is a part of what a step takes here: throughput is measured without.
        let took = run_all(options, SEQUENCE, size);
        run_all(options, TIMED, size);
        Point::new(size, took)
    });
    report.row("one_step_runs", "runs/s", || {
        let runs = options.size(50_000, 200_000);
        per_second(run_all(options, SEQUENCE, (runs, 1)), runs.into())
    });
}

/// From the start of the first of so many runs of so many steps, to the end of the last.
fn run_all(options: &Options, workflow: Workflow<u32, u64>, (runs, steps): (u32, u32)) -> Duration {
    let executor = build().open(options.file("many.redb")).expect("it is created");
    let start = Instant::now();
    let start_run = |run| executor.start(workflow, &format!("run-{run}"), steps).expect("new");
    let handles: Vec<_> = (0..runs).map(start_run).collect();
    executor.block_on(try_join_all(handles)).expect("they end");
    start.elapsed()
}
