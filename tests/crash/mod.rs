//! A disk that crashes, fails or lies at every operation: nothing is lost, nothing happens twice.
//!
//! Each scenario is a few runs of small workflows. It is run once without a fault; then again and
//! again with one at every operation on its disk, and another process has to finish what is found.

mod compare;
mod process;
mod scenario;
mod scenarios;
mod sweep;

use scenario::Scenario;
use scenarios::{BEFORE, SEVERAL, STEPS, TASKS, TIME};
use sweep::{Coverage, FOLD_BYTES, Sweep};

/// C1: a crash or an error at every operation of some of the scenarios.
fn sweep(scenarios: &[Scenario]) {
    let mut coverage = Coverage::default();
    for scenario in scenarios {
        for fold_bytes in FOLD_BYTES {
            let begin = std::time::Instant::now();
            let mut sweep = Sweep::begin(scenario, fold_bytes);
            for operation in 1..=sweep.operations {
                sweep.crash(operation);
            }
            println!(
                "{}, folded at {fold_bytes}: {} {:?}",
                scenario.name,
                sweep.coverage,
                begin.elapsed()
            );
            coverage += sweep.coverage;
        }
    }
    println!("{coverage}");
}

#[test]
fn a_crash_at_every_operation_of_steps() {
    sweep(STEPS);
}

#[test]
fn a_crash_at_every_operation_of_tasks() {
    sweep(TASKS);
}

#[test]
fn a_crash_at_every_operation_of_sleeps_and_limits() {
    sweep(TIME);
}

#[test]
fn a_crash_at_every_operation_of_several_runs() {
    sweep(SEVERAL);
}

#[test]
fn a_crash_at_every_operation_after_other_processes() {
    sweep(BEFORE);
}
