//! Random programs with fixed seeds; see `fuzz/src/programs`.

use std::collections::BTreeMap;

use super::coverage;

#[path = "../fuzz/src/programs/mod.rs"]
mod random;
pub(super) use random::{Wrong, check, crash, disk, worlds};

use random::language::{Code, Kind};
use random::{Report, decode, generate};

const PROGRAMS: u64 = 1_200;

#[test]
fn random_programs_do_what_the_reference_says_wherever_they_crash() {
    let mut report = Report::default();
    for seed in 0..PROGRAMS {
        let bytes = generate(seed);
        let checked = match seed % 8 {
            0 | 4 => crash(&bytes),
            1 => disk(&bytes),
            _ => check(&bytes),
        };
        match checked {
            Ok(checked) => report.add(checked),
            Err(wrong) => panic!("seed {seed}: {wrong}\n{:#?}", decode(&bytes)),
        }
    }
    coverage::add(&format!(
        "programs={} runs={} crashes={} restarts={} replays={} records={} storage_faults={}",
        report.programs,
        report.runs - report.crashes,
        report.crashes + report.storage_faults,
        report.crashes,
        report.replays,
        report.records,
        report.storage_faults
    ));
    assert_eq!(report.programs, PROGRAMS);
    assert!(report.with_reference > PROGRAMS * 3 / 4, "{report:?}");
    assert!(report.crashes > 3 * PROGRAMS && report.replays > 8 * PROGRAMS, "{report:?}");
    assert!(report.polled_otherwise > 4 * PROGRAMS, "{report:?}");
    let rare = report.in_recovery.min(report.storage_faults);
    assert!(rare > PROGRAMS / 20, "{report:?}");
}

/// This program does otherwise when it is polled more often, and the reference says how: a replay with
/// other polls is no divergence there. (The soak took it for one.)
#[test]
fn a_program_that_takes_turns() {
    let report = crash(&generate(14_860)).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(report.polled_otherwise > 0, "{report:?}");
}

/// A run that left memory when it was opened was parked for what its own teardown had woken. (The
/// soak found it.)
#[test]
fn programs_whose_teardown_wakes_their_tasks() {
    for seed in [2_474, 3_986, 7_599, 34_174, 45_567, 48_314, 49_603] {
        let bytes = generate(seed);
        let checked = [crash(&bytes), disk(&bytes), check(&bytes)];
        checked.into_iter().for_each(|checked| match checked {
            Ok(report) => assert!(report.replays > 0, "seed {seed}: {report:?}"),
            Err(wrong) => panic!("seed {seed}: {wrong}"),
        });
    }
}

/// A construct, as the report on what was covered calls it.
fn name(kind: &Kind) -> String {
    match kind {
        Kind::Step(step) => format!("step {:?}", step.body),
        Kind::Join(lib, _) => format!("join {lib:?}"),
        Kind::TryJoin(lib, _) => format!("try_join {lib:?}"),
        Kind::Race(lib, ..) => format!("race {lib:?}"),
        Kind::Lock(lib, ..) => format!("lock {lib:?}"),
        Kind::Pipe(pipe) => format!("pipe {:?}, spawned: {}", pipe.lib, pipe.spawned),
        Kind::Unordered(set) => {
            format!("unordered, again: {}, then: {}", set.again.is_some(), set.then.is_some())
        }
        Kind::Buffered(set) => {
            format!("buffered, ordered: {}, then: {}", set.ordered, set.then.is_some())
        }
        other => {
            let shown = format!("{other:?}");
            shown.split(['(', ' ']).next().unwrap_or_default().to_lowercase()
        }
    }
}

fn count(code: &Code, counts: &mut BTreeMap<String, u64>) {
    *counts.entry(name(&code.kind)).or_default() += 1;
    code.kind.children().into_iter().for_each(|child| count(child, counts));
}

#[test]
fn every_construct_is_generated() {
    let mut counts = BTreeMap::new();
    (0..PROGRAMS).for_each(|seed| count(&decode(&generate(seed)).1, &mut counts));
    println!("{counts:#?}");
    assert_eq!(counts.len(), 52, "{counts:#?}");
    assert!(counts.values().all(|count| *count >= 15), "{counts:#?}");
}

const WORLDS: u64 = 400;

/// Several programs in one file, that talk to each other and to clients.
#[test]
fn random_worlds_keep_what_they_promise_wherever_they_crash() {
    let mut report = worlds::Report::default();
    for seed in 0..WORLDS {
        let bytes = worlds::generate(seed);
        match worlds::check(&bytes) {
            Ok(checked) => report.add(checked),
            Err(wrong) => panic!("seed {seed}: {wrong}\n{:#?}", worlds::decode(&bytes)),
        }
    }
    println!("{report:?}");
    assert_eq!(report.worlds, WORLDS);
    assert!(report.crashes > WORLDS / 5 && report.shutdowns > WORLDS / 5, "{report:?}");
    assert!(report.runs > 5 * WORLDS && report.records > 30 * WORLDS, "{report:?}");
    assert!(report.children > WORLDS / 2 && report.messages > WORLDS, "{report:?}");
    assert!(report.passes > WORLDS / 2 && report.cancels > 2 * WORLDS, "{report:?}");
    assert!(report.parked > WORLDS / 20 && report.replays > 8 * WORLDS, "{report:?}");
    assert!(report.published > WORLDS && report.reported > WORLDS / 2, "{report:?}");
    assert!(report.questions > WORLDS / 2 && report.answers > WORLDS / 8, "{report:?}");
    assert!(report.told > WORLDS / 20 && report.followed > WORLDS / 20, "{report:?}");
    assert!(report.retried > WORLDS / 40 && report.waited > WORLDS / 10, "{report:?}");
    assert!(report.booked > WORLDS / 20, "{report:?}");
    assert!(report.admitted > WORLDS / 4 && report.resubmitted > WORLDS / 100, "{report:?}");
    assert!(report.cut > WORLDS / 2 && report.storage_faults > WORLDS / 20, "{report:?}");
}

/// Runs that were taken up again: of which the soak found some that nobody went on with, or whose rows said what
/// no longer counts, and others of which the assertions knew too little.
#[test]
fn worlds_whose_runs_are_retried() {
    let seeds = [
        6_200, 6_259, 9_506, 12_105, 16_839, 17_283, 22_482, 23_836, 24_353, 24_552, 35_901,
        98_099, 117_047, 128_084, 134_558, 164_152, 172_227, 200_137, 256_970, 279_175, 289_058,
    ];
    let mut report = worlds::Report::default();
    for seed in seeds {
        match worlds::check(&worlds::generate(seed)) {
            Ok(checked) => report.add(checked),
            Err(wrong) => panic!("seed {seed}: {wrong}"),
        }
    }
    assert!(report.retried >= seeds.len() as u64 / 2, "{report:?}");
}

/// A run ended while it was parked, and its child knew nothing of it, since the disk had not answered a read. (The
/// soak found it.)
#[test]
fn a_world_whose_disk_does_not_answer_a_read() {
    let report =
        worlds::check(&worlds::generate(314_120)).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(report.children > 0, "{report:?}");
}
