//! What one pass of a run hands to the next.

use std::collections::{BTreeMap, BTreeSet};

use super::assert::{Checked, key};
use super::records::{Entry, FailureKind, Outcome, Record, Run, Submission};

/// What one pass hands to the next.
pub(super) fn check(before: &Run, next: &Run) -> Checked {
    let (Some(end), Some(submission)) = (before.entries.last(), next.submission()) else {
        return Err("a pass begins without an end".into());
    };
    let start = &next.entries[0];
    if end.record != Record::Again || end.commit != start.commit {
        return Err("a pass begins apart from the end of the one before".into());
    }
    if submission.pass != before.row.pass + 1 || next.row.id != before.row.id {
        return Err("it is not the next pass".into());
    }
    if submission.options.deadline != before.deadline() {
        return Err("it has another deadline".into());
    }
    let first: Vec<_> =
        next.entries.iter().take_while(|entry| entry.commit == start.commit).collect();
    let cause = |entry: &&Entry| match &entry.record {
        Record::CancelRequested { cause } => Some(*cause),
        _ => None,
    };
    // A retry may have taken it back since.
    let over = |entry: &&Entry| match &entry.record {
        Record::Void(record) => match **record {
            Record::CancelRequested { cause } => Some(cause),
            _ => None,
        },
        _ => cause(entry),
    };
    let asked = before.entries.iter().find_map(|entry| cause(&entry));
    if asked.is_some() && asked != first.iter().find_map(over) {
        return Err("the request to end did not go over".into());
    }
    let old = carried(before.submission())
        .chain(before.entries.iter().filter_map(|entry| key(&entry.record)));
    let old: BTreeSet<_> = old.collect();
    let arrived: Vec<_> = first.iter().filter_map(|entry| key(&entry.record)).collect();
    let new: Vec<_> = carried(Some(submission)).chain(arrived).collect();
    let distinct: BTreeSet<_> = new.iter().copied().collect();
    if distinct.len() != new.len() || !old.is_subset(&distinct) {
        return Err(format!("of the keys {old:?} went over {new:?}"));
    }
    check_topics_over(before, submission)?;
    check_answers_over(before, submission)?;
    // Messages go over once, and in their order.
    let messages = |entries: &[&Entry]| -> Vec<Record> {
        let messages =
            entries.iter().filter(|entry| matches!(entry.record, Record::MessageArrived { .. }));
        messages.map(|entry| entry.record.clone()).collect()
    };
    let all: Vec<_> = before.entries.iter().collect();
    let all = messages(&all);
    let mut left = all.iter();
    for record in messages(&first) {
        if !left.any(|message| *message == record)
            && all.contains(&record)
            && !first_is_new(&record)
        {
            return Err(format!("{record:?} went over twice, or in another order"));
        }
    }
    Ok(())
}

/// The next pass counts on from what was published, and knows what was last.
fn check_topics_over(before: &Run, next: &Submission) -> Checked {
    let mut topics: BTreeMap<&str, (u64, &[u8])> = BTreeMap::new();
    for (topic, published, latest) in before.submission().iter().flat_map(|old| &old.topics) {
        topics.insert(topic, (*published, latest));
    }
    for (topic, value) in before.entries.iter().filter_map(|entry| entry.record.published()) {
        let series = topics.entry(topic).or_default();
        *series = (series.0 + 1, value);
    }
    let over: BTreeMap<&str, (u64, &[u8])> =
        next.topics.iter().map(|(topic, count, latest)| (&**topic, (*count, &**latest))).collect();
    match topics == over {
        true => Ok(()),
        false => Err(format!("of the topics {topics:?} went over {over:?}")),
    }
}

/// Questions with keys that were taken go over with their answers, or with that they have none.
fn check_answers_over(before: &Run, next: &Submission) -> Checked {
    for (channel, key, _, over) in next.keys.iter().filter(|key| key.3.is_some()) {
        let at = before.entries.iter().position(|entry| {
            matches!(&entry.record, Record::MessageArrived { channel: of, key: Some(with), .. }
                if of == channel && with == key)
        });
        let known: Option<&Outcome> = match at {
            Some(at) => before.answer(at),
            None => before.submission().and_then(|old| {
                let mut keys = old.keys.iter();
                let old = keys.find(|(of, with, ..)| of == channel && with == key);
                old.and_then(|(.., answer)| answer.as_ref())
            }),
        };
        let fits = match (known, over) {
            (Some(known), over) => Some(known) == over.as_ref(),
            (None, Some(Err(none))) => none.kind == FailureKind::Ended,
            (None, _) => false,
        };
        if !fits {
            return Err(format!("of the answer {known:?} to {key:?} went over {over:?}"));
        }
    }
    Ok(())
}

/// Whether the message may have come with the commit that began the pass: two may be alike.
fn first_is_new(record: &Record) -> bool {
    key(record).is_none()
}

fn carried(submission: Option<&Submission>) -> impl Iterator<Item = (&str, &str)> {
    let keys = submission.into_iter().flat_map(|submission| &submission.keys);
    keys.map(|(channel, key, ..)| (&**channel, &**key))
}
