//! What must hold when a process has finished what others, which were cut off, began.

use std::collections::{BTreeMap, BTreeSet};

use super::process::{Outcome, Story};
use super::scenario::{Compare, Lines, Scenario};

/// Compares what the last process did with what those before it did, and with `whole`, a process
/// that was not cut off. `context` says where they were.
pub(super) fn check(
    scenario: &Scenario,
    whole: &Story,
    before: &[&Story],
    last: &Story,
    context: &str,
) {
    if let Some(error) = &last.cut_off {
        panic!("{context}: nothing fails any more, but: {error}");
    }
    check_ends(scenario, whole, last, context);
    for story in before {
        check_acknowledged(scenario, story, last, context);
    }
    let mut processes: Vec<_> = before.to_vec();
    processes.push(last);
    for (index, after) in processes.iter().enumerate() {
        processes[..index].iter().for_each(|before| check_replay(before, after, context));
    }
    processes.iter().for_each(|story| check_not_again(story, context));
    check_histories(scenario, whole, &processes, context);
    let unregistered: Vec<_> = last.unregistered.iter().map(String::as_str).collect();
    assert_eq!(unregistered, scenario.unregistered, "{context}: unregistered runs stay");
}

/// Every run ended as it did without a crash, as far as the order of outcomes leaves it open.
fn check_ends(scenario: &Scenario, whole: &Story, last: &Story, context: &str) {
    for (id, _) in scenario.runs {
        let (expected, found) = (&whole.ended[*id], last.ended.get(*id));
        let found = found.unwrap_or_else(|| panic!("{context}: run {id} has not ended"));
        let same = match scenario.compare {
            Compare::All | Compare::Results => expected == found,
            Compare::Sorted => sorted(expected) == sorted(found),
            Compare::OneOf(ends) => {
                let end = found.as_ref().map(|lines| lines.join(", "));
                ends.iter().any(|one| end.as_deref() == Ok(*one))
            }
        };
        let trace = &last.traces[*id];
        assert!(same, "{context}: run {id} ended with {found:?}, not {expected:?}: {trace:#?}");
    }
}

fn sorted(outcome: &Outcome) -> Outcome {
    let mut outcome = outcome.clone();
    if let Ok(lines) = &mut outcome {
        lines.sort_unstable();
    }
    outcome
}

/// Nothing that somebody was told is taken back.
fn check_acknowledged(scenario: &Scenario, story: &Story, last: &Story, context: &str) {
    for id in &story.accepted {
        assert!(last.found.contains(id), "{context}: the start of run {id} was accepted, and lost");
    }
    for (id, outcome) in &story.ended {
        assert_eq!(Some(outcome), last.ended.get(id), "{context}: the end of run {id} changed");
        let is_resumed = outcome.is_err() && scenario.resumed.contains(&&**id);
        let trace = &last.traces[id];
        assert!(trace.is_empty() || is_resumed, "{context}: run {id} had ended: {trace:#?}");
    }
}

/// What was delivered was durable: the replay begins with all that the process before saw, poll
/// for poll. A run that is not replayed has ended or is parked, which is checked elsewhere.
fn check_replay(before: &Story, after: &Story, context: &str) {
    if after.cut_off.is_some() && after.replayed.is_empty() {
        return; // It was cut off while it opened its store.
    }
    for (id, trace) in &before.traces {
        let replayed = &after.replayed[id];
        if !trace.is_empty() {
            assert!(after.found.contains(id), "{context}: run {id} was lost after {trace:#?}");
        }
        let shared = replayed.len().min(trace.len());
        let is_complete = replayed.is_empty() || shared == trace.len();
        assert!(
            is_complete && replayed[..shared] == trace[..shared],
            "{context}: run {id} did {trace:#?}, but its replay {replayed:#?}"
        );
    }
}

/// No body runs again whose outcome is recorded, and none but a retried one twice in a process.
fn check_not_again(story: &Story, context: &str) {
    for (id, trace) in &story.replayed {
        for number in trace.iter().filter_map(|event| recorded_step(event)) {
            let key = format!("{id}/{number}/");
            let again = story.noted.keys().find(|noted| noted.starts_with(&key));
            assert_eq!(again, None, "{context}: a body ran again after its outcome");
        }
    }
    let twice = story.noted.iter().find(|(key, times)| **times > 1 && !key.contains("/retried"));
    assert_eq!(twice, None, "{context}: a body ran twice in one process");
}

/// The number of the step whose recorded outcome was delivered in this event.
fn recorded_step(event: &str) -> Option<&str> {
    event.split_once(": outcome of step ")?.1.split(' ').next()
}

/// The histories, as a replay of the whole shows them at the end.
fn check_histories(scenario: &Scenario, whole: &Story, processes: &[&Story], context: &str) {
    let last = processes[processes.len() - 1];
    let mut noted = BTreeMap::<&str, u32>::new();
    for (key, times) in processes.iter().flat_map(|story| &story.noted) {
        *noted.entry(key).or_default() += times;
    }
    let once = noted.iter().find(|(key, times)| key.contains("/once") && **times > 1);
    assert_eq!(once, None, "{context}: it may run at most once");
    for (id, _) in scenario.runs {
        let (trace, verified) = &last.verified[*id];
        let (expected_trace, expected) = &whole.verified[*id];
        assert_eq!(verified, expected, "{context}: the whole history of run {id}: {trace:#?}");
        let live = &last.traces[*id];
        if !live.is_empty() && verified.is_ok() {
            assert_eq!(trace, live, "{context}: the replay of run {id} is another");
        }
        let operations = operations(trace);
        let distinct: BTreeSet<_> = operations.iter().collect();
        assert_eq!(distinct.len(), operations.len(), "{context}: recorded twice: {operations:?}");
        if scenario.compare == Compare::All {
            assert_eq!(operations, self::operations(expected_trace), "{context}: of run {id}");
        }
        // What ran before the sweep is not known here, nor whether an interrupted body ran.
        let ran = trace.iter().filter(|event| !event.contains("\"once"));
        for number in ran.filter_map(|event| recorded_step(event)) {
            let key = format!("{id}/{number}/");
            let has_run = noted.keys().any(|noted| noted.starts_with(&key));
            let is_known = scenario.before.is_empty();
            assert!(has_run || !is_known, "{context}: {key} has an outcome and never ran");
        }
    }
}

/// What a history records of operations, in the order of their numbers.
fn operations(trace: &Lines) -> Vec<&str> {
    let recorded =
        trace.iter().filter_map(|event| event.strip_prefix("deliver ")?.split_once(": "));
    let ends = recorded.map(|(_, record)| record);
    let mut ends: Vec<_> =
        ends.filter(|record| record.starts_with("outcome") || record.starts_with("end")).collect();
    ends.sort_unstable();
    ends
}
