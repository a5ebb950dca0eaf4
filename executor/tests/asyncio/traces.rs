//! Every trace of the file, and what the file covers.

use crate::interpret::{Counts, run};
use crate::program::{Case, cases, python};

#[test]
fn programs_run_as_in_asyncio() {
    for case in cases() {
        let found = run(&case.bodies, &mut Counts::new());
        assert!(found == case.trace, "{}", difference(&case, &found));
    }
}

/// Both traces, and where they part.
fn difference(case: &Case, found: &str) -> String {
    let pairs = case.trace.split(' ').zip(found.split(' '));
    let same: Vec<&str> = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let rest = |trace: &str| trace.split(' ').skip(same.len()).collect::<Vec<_>>().join(" ");
    let bodies = case.text.split(" | ").enumerate();
    let bodies: String = bodies.map(|(body, ops)| format!("  {body}: {ops}\n")).collect();
    format!(
        "the program of seed {} runs otherwise than under {}:\n{bodies}alike: {}\nexpected: {}\n\
         found: {}",
        case.seed,
        python(),
        same.join(" "),
        rest(case.trace),
        rest(found),
    )
}

/// What has to happen, and how often at least, over all programs. An operation counts when it is
/// begun, `suspends` when it was not ready at once, `cancelled in` by what the victim was doing:
/// `begin` is a task that was never polled, `end` one that has ended, `kill` one that cancels itself.
const COVERED: &[(usize, &str)] = &[
    (500, "yield, spawn, detach, await, take, all, gather, cancel, kill"),
    (500, "wait, set, clear, put, get, offer, poll, lock, unlock"),
    (500, "gather suspends, wait suspends, put suspends, get suspends, lock suspends"),
    (50, "await suspends, take suspends, all suspends"),
    (30, "cancelled in begin, cancelled in yield, cancelled in gather, cancelled in wait"),
    (30, "cancelled in get, cancelled in kill, cancelled in end"),
    (5, "cancelled in put, cancelled in lock, cancelled in await"),
    (2000, "rounds"),
];

#[test]
fn the_file_covers_the_language() {
    let cases = cases();
    let mut counts = Counts::new();
    cases.iter().for_each(|case| drop(run(&case.bodies, &mut counts)));
    println!("{} programs of {}: {counts:#?}", cases.len(), python());
    assert!(cases.len() >= 500, "{} programs", cases.len());
    assert!(python().starts_with("CPython 3."), "{}", python());
    for (least, names) in COVERED {
        for name in names.split(", ") {
            let found = counts.get(name).copied().unwrap_or_default();
            assert!(found >= *least, "`{name}` {found} times, expected {least}");
        }
    }
}
