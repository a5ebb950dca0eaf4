//! A fork at every record of every scenario: its replay begins as that of the other run, poll for poll;
//! what it said would begin is what begins; and it comes to the same end.

use std::collections::BTreeSet;
use std::time::Duration;

use dacapo::sim::Disk;
use dacapo::{Cut, Workflow};

use super::process::{Conditions, Outcome, Process, live, store};
use super::scenario::{Compare, Lines, Scenario};
use super::sweep::prepare;

const CONDITIONS: Conditions =
    Conditions { seed: 1, outage: Duration::ZERO, fold_bytes: 32 << 20, turns: 100_000 };

/// What a sweep has seen.
#[derive(Default, Debug)]
pub(super) struct Forked {
    pub(super) forks: u32,
    /// So many came to the same end.
    pub(super) same: u32,
    /// So many bodies ran again.
    pub(super) again: usize,
}

/// Forks each run of a scenario at each of its records.
pub(super) fn fork_everywhere(scenario: &Scenario, forked: &mut Forked) {
    let disk = Disk::new(prepare(scenario, CONDITIONS.fold_bytes));
    let story = live(scenario, &disk, CONDITIONS);
    assert_eq!(story.cut_off, None, "{}", scenario.name);
    for (id, workflow) in scenario.runs {
        let store = store(&disk, CONDITIONS.fold_bytes).expect("nothing fails");
        let key =
            dacapo::store::Store::find(&store, id).expect("readable").expect("it is there").key;
        let records = dacapo::store::Store::history(&store, key).expect("readable").len() as u64;
        let (trace, verified) = &story.verified[*id];
        let has_ended = trace.last().is_some_and(|last| last.contains(": end of the run"));
        let last = if has_ended { records - 1 } else { records };
        let process = Process::open(store, scenario.build, CONDITIONS).expect("nothing fails");
        for place in 1..=last {
            let fork = process.fork(id, place, trace);
            forked.forks += 1;
            if verified.is_ok() {
                forked.again += process.resume(scenario, &fork);
                let end = process.end_of(&fork.id, id, workflow);
                process.check_begun(scenario, &fork);
                forked.same += u32::from(end == story.ended[*id]);
                compare(scenario, &story.ended[*id], &end, &fork.id);
            }
        }
    }
}

/// The end of a fork: that of the other run, where it does not depend on numbers drawn at random, or on what
/// was in time then.
fn compare(scenario: &Scenario, expected: &Outcome, found: &Outcome, fork: &str) {
    let is_open = scenario.name.contains("random");
    let sorted = |outcome: &Outcome| {
        let mut outcome = outcome.clone();
        outcome.iter_mut().for_each(|lines| lines.sort_unstable());
        outcome
    };
    let same = match scenario.compare {
        _ if is_open => true,
        Compare::All | Compare::Results => expected == found,
        Compare::Sorted => sorted(expected) == sorted(found),
        Compare::OneOf(ends) => {
            let end = found.as_ref().map(|lines| lines.join(", "));
            ends.iter().any(|one| end.as_deref() == Ok(*one))
        }
    };
    assert!(same, "{}: {fork} ended with {found:?}, not {expected:?}", scenario.name);
}

impl Process {
    /// Forks a run at a record; its replay must begin as that of the other.
    fn fork(&self, id: &str, place: u64, trace: &Lines) -> dacapo::Fork {
        let new_id = format!("{id}-{place}");
        let fork = self.executor.fork(id, Cut::at(place), &new_id).expect("it is cut");
        let whole = self.executor.verify(&new_id);
        assert_eq!(whole.is_err(), fork.would_park.is_some(), "{new_id}: {whole:?}, {fork:?}");
        let replayed = self.recorder.trace(&new_id);
        let cut = format!("deliver {}: ", fork.kept);
        let until = |trace: &Lines| {
            trace.iter().take_while(|event| !event.starts_with(&cut)).cloned().collect::<Vec<_>>()
        };
        assert_eq!(until(&replayed), until(trace), "the replay of {new_id} is another");
        fork
    }

    /// Resumes a fork: what begins at once is what was said. How many bodies did.
    fn resume(&self, scenario: &Scenario, fork: &dacapo::Fork) -> usize {
        self.executor.resume(&fork.id).expect("it goes on");
        self.drive(1, std::future::pending::<()>());
        let (at_once, said) = (self.begun(fork), said(fork));
        assert!(at_once.is_subset(&said), "{}: {at_once:?}, not {said:?}", scenario.name);
        at_once.len()
    }

    /// What has begun by its end was said, or was asked for later; what was said has begun, if it was not
    /// dropped before.
    fn check_begun(&self, scenario: &Scenario, fork: &dacapo::Fork) {
        let begun = self.begun(fork);
        let trace = self.recorder.trace(&fork.id);
        let cut =
            trace.iter().position(|event| event.contains(": fork of run")).expect("it is one");
        let has_outcome = |events: &[String], number: &str| {
            let outcome = format!(": outcome of step {number} ");
            events.iter().any(|event| event.contains(&outcome))
        };
        for number in &begun {
            let before = has_outcome(&trace[..cut], number);
            assert!(!before, "{}: step {number} of {} ran again", scenario.name, fork.id);
        }
        for number in said(fork).difference(&begun) {
            let ran = has_outcome(&trace, number);
            assert!(!ran, "{}: step {number} of {} never began", scenario.name, fork.id);
        }
    }

    /// The numbers of the steps of a fork whose bodies have begun.
    fn begun(&self, fork: &dacapo::Fork) -> BTreeSet<String> {
        let (noted, prefix) = (self.sim.noted(), format!("{}/", fork.id));
        let of_fork = noted.keys().filter_map(|key| key.strip_prefix(&prefix));
        of_fork.map(|key| key.split('/').next().expect("a number").to_owned()).collect()
    }

    fn end_of(&self, id: &str, origin: &str, workflow: &'static str) -> Outcome {
        let run = self.executor.attach(Workflow::<u32, Lines>::new(workflow), id);
        let run = run.expect("it is there");
        let (_, end) = self.drive(CONDITIONS.turns, run);
        let named = |error: dacapo::Error| format!("{error:?}").replace(id, origin);
        end.expect("it ends").map_err(named)
    }
}

/// The numbers of the steps that were said to begin.
fn said(fork: &dacapo::Fork) -> BTreeSet<String> {
    let number = |shown: &String| shown.split(' ').nth(1).expect("a number").to_owned();
    fork.begins.iter().map(number).collect()
}
