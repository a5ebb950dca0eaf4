//! Many runs at once, on disk.

use std::time::Instant;

use dacapo::{Executor, try_join_all};

use crate::Options;
use crate::report::{Report, per_second};
use crate::single::{SEQUENCE, build};

pub(crate) fn measure(options: &Options, report: &mut Report) {
    for (runs, steps) in [(1, 200), (100, 200), (10_000, 50)] {
        report.row(&format!("concurrent_{runs}x{steps}"), "steps/s", || {
            let executor = build().open(options.file("concurrent.redb")).expect("it is created");
            let start = Instant::now();
            run_all(&executor, runs, steps);
            per_second(start.elapsed(), u64::from(runs) * u64::from(steps))
        });
    }
    report.row("one_step_runs", "runs/s", || {
        let executor = build().open(options.file("one-step.redb")).expect("it is created");
        let runs = options.size(50_000, 200_000);
        let start = Instant::now();
        run_all(&executor, runs, 1);
        per_second(start.elapsed(), runs.into())
    });
}

/// Starts so many runs of so many steps, and waits for them all.
fn run_all(executor: &Executor, runs: u32, steps: u32) {
    let start = |run| executor.start(SEQUENCE, &format!("run-{run}"), steps).expect("new");
    let runs: Vec<_> = (0..runs).map(start).collect();
    executor.block_on(try_join_all(runs)).expect("they end");
}
