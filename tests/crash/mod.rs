//! A disk that crashes, fails or lies at every operation: nothing is lost, nothing happens twice.
//!
//! Each scenario is a few runs of small workflows. It is run once without a fault; then again and
//! again with one at every operation on its disk, and another process has to finish what is found.
//!
//! C1, C2 and so on are the checks of docs/proof.md.

mod compare;
mod damage;
mod double;
mod forks;
mod process;
mod reads;
mod scenario;
mod scenarios;
mod sweep;

use super::coverage;
use scenario::Scenario;
use scenarios::{BEFORE, SEVERAL, STEPS, TASKS, TIME};
use sweep::{Coverage, FOLD_BYTES, Sweep};

/// C1: a crash or an error at every operation of some of the scenarios.
fn sweep(scenarios: &[Scenario]) {
    cover(
        "C1",
        scenarios.iter().flat_map(|scenario| FOLD_BYTES.map(|fold| (scenario, fold))),
        |sweep| {
            (1..=sweep.operations).for_each(|operation| sweep.crash(operation));
        },
    );
}

/// Sweeps scenarios, each with its limit to the journal, and prints what was covered.
fn cover<'a>(
    check: &str,
    scenarios: impl Iterator<Item = (&'a Scenario, usize)>,
    each: impl Fn(&mut Sweep<'_>),
) {
    let mut coverage = Coverage::default();
    for (scenario, fold_bytes) in scenarios {
        let mut sweep = Sweep::begin(scenario, fold_bytes);
        each(&mut sweep);
        coverage += sweep.coverage;
    }
    println!("{check} {coverage}");
    let Coverage { scenarios, recoveries, again, .. } = coverage;
    coverage::add(&format!(
        "programs={scenarios} crashes={0} restarts={recoveries} storage_faults={0}",
        recoveries + again
    ));
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

/// C2. Every other scenario is folded often.
#[test]
fn a_crash_at_every_operation_of_the_recovery() {
    let all = [STEPS, TASKS, TIME, SEVERAL, BEFORE].concat();
    let scenarios = all.iter().enumerate().map(|(index, one)| (one, FOLD_BYTES[index % 2]));
    cover("C2", scenarios, |sweep| sweep.crash_twice(8));
}

#[test]
fn a_fork_at_every_record_of_every_scenario() {
    let mut forked = forks::Forked::default();
    for scenario in [STEPS, TASKS, TIME, SEVERAL, BEFORE].concat() {
        forks::fork_everywhere(&scenario, &mut forked);
    }
    println!("{forked:?}");
    assert!(forked.forks > 300 && forked.again > 300, "{forked:?}");
}

/// C8. `DACAPO_DAMAGE_SEED` damages other files: redb may abort the process over one of them.
#[test]
fn flipped_bits_and_cut_files() {
    let seed = std::env::var("DACAPO_DAMAGE_SEED");
    let seed = seed.map_or(203, |seed| seed.parse().expect("a number"));
    for fold_bytes in FOLD_BYTES {
        damage::damage(fold_bytes, 800, seed);
    }
}
