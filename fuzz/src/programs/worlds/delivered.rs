//! What a run had delivered while it was in memory, held against its history.

use super::assert::{Checked, is_post};
use super::records::{Entry, Record, Run};

/// The pass that did this. `None`: it was deleted since.
pub(super) fn of<'a>(trace: &[String], id: &str, all: &'a [Run]) -> Option<&'a Run> {
    let first = trace.first()?.strip_prefix("deliver 0: ")?;
    all.iter().find(|run| run.row.id == id && begins_with(run, first))
}

/// Whether the first record of a run is told so.
fn begins_with(run: &Run, told: &str) -> bool {
    let first = run.entries.first().map(|entry| &entry.record);
    let begins = match first {
        Some(Record::Started { workflow, .. }) => format!("start of workflow {workflow:?}"),
        Some(Record::Submitted(submission)) if submission.pass > 1 => {
            format!("pass {} of workflow {:?}", submission.pass, submission.workflow)
        }
        Some(Record::Submitted(submission)) => {
            format!("submission of workflow {:?}", submission.workflow)
        }
        _ => return false,
    };
    begins == told
}

/// Each record that counted when the run did this was delivered once, in the order of the history.
pub(super) fn check(run: &Run, trace: &[String]) -> Checked {
    let length = length_of(run, trace);
    check_places(trace, |place| counted(run, *place, length))?;
    // Its replay went by what the retry takes back, and not on to the retry: it was parked there.
    let is_parked = length == run.entries.len();
    if let Some((retry, _)) = last_retry(run).filter(|_| is_parked)
        && last_of(trace) < Some(retry)
        && let Some(own) = run.entries[retry + 1..].iter().find(|entry| !is_post(&entry.record))
    {
        return Err(format!("it was not replayed to its retry, and holds {:?}", own.record));
    }
    Ok(())
}

/// How long the history was when a run did this: it ended before the last retry if nothing from there on was
/// delivered, and what that takes back was.
pub(super) fn length_of(run: &Run, trace: &[String]) -> usize {
    let whole = run.entries.len();
    let (Some((retry, from)), Some(last)) = (last_retry(run), last_of(trace)) else {
        return whole;
    };
    let was_passed_over = |place: &usize| {
        let is_void = matches!(run.entries[*place].record, Record::Void(_));
        is_void && !trace.iter().any(|line| place_of(line) == Some(*place))
    };
    let is_after = last >= retry || (from..last).any(|place| was_passed_over(&place));
    if is_after { whole } else { retry }
}

/// Where the last retry of a run stands, and from where on it takes back.
fn last_retry(run: &Run) -> Option<(usize, usize)> {
    let entries = run.entries.iter().enumerate();
    entries.rev().find_map(|(place, entry)| match entry.record {
        Record::Retried { from } => Some((place, from as usize)),
        _ => None,
    })
}

/// Leaves what was done before the records that the last retry has taken back.
pub(super) fn before_the_retry(run: &Run, trace: &mut Vec<String>) {
    let from = last_retry(run).map(|(_, from)| from);
    let is_taken_back =
        |line: &String| place_of(line).zip(from).is_some_and(|(at, from)| at >= from);
    if let Some(end) = trace.iter().position(is_taken_back) {
        trace.truncate(end);
    }
}

/// Which record a line says was delivered.
fn place_of(line: &str) -> Option<usize> {
    line.strip_prefix("deliver ")?.split(':').next()?.parse().ok()
}

fn last_of(trace: &[String]) -> Option<usize> {
    trace.iter().rev().find_map(|line| place_of(line))
}

/// Whether a record counted when the history had so many.
fn counted(run: &Run, place: usize, length: usize) -> bool {
    let Some(entry) = run.entries.get(place) else { return true };
    // It counts until the first retry behind it.
    let is_retry = |entry: &Entry| matches!(entry.record, Record::Retried { .. });
    let is_retried = run.entries[place..length.max(place)].iter().any(is_retry);
    !(matches!(entry.record, Record::Void(_)) && is_retried)
}

/// Each record that counts was delivered once, in the order of the history.
pub(super) fn check_places(trace: &[String], counts: impl Fn(&usize) -> bool) -> Checked {
    let delivered = trace.iter().filter_map(|line| line.strip_prefix("deliver "));
    for (place, line) in (0..).filter(counts).zip(delivered) {
        if line.split(':').next() != Some(&place.to_string()) {
            return Err(format!("{line} was delivered as record {place}"));
        }
    }
    Ok(())
}
