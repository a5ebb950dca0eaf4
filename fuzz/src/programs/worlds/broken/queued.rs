//! Files whose queues are broken.

use dacapo::store::RunState;

use super::super::queues::{has_waited, is_waiting};
use super::super::records::{Place, Record, Run};
use super::Case;

pub(super) const CASES: [Case; 5] = [
    Case {
        name: "10: more runs of a queue go on than it has room for",
        breaks: |runs, run, _| {
            let is_narrow = |run: &Run| name(run) == Some("narrow");
            let goes_on = |run: &Run| run.row.state == RunState::Running && is_narrow(run);
            if !is_narrow(&runs[run])
                || !is_waiting(runs[run].row.state)
                || !runs.iter().any(goes_on)
            {
                return None;
            }
            let run = &mut runs[run];
            let mut last = run.entries.last()?.clone();
            let queued = run.row.queue.as_mut()?;
            last.commit += 1;
            last.time = last.time.max(queued.eligible_at);
            last.record = Record::Admitted { version: 1, seed: 0 };
            queued.admitted_at = Some(last.time);
            run.row.state = RunState::Running;
            run.entries.push(last);
            Some(())
        },
        why: "has room for 1",
    },
    Case {
        name: "10: a run begins before its time",
        breaks: |runs, run, _| {
            let admitted = runs[run].row.queue.as_ref()?.admitted_at?;
            change(&mut runs[run], |place| place.eligible_at = Some(admitted + 1))
        },
        why: "admitted too early",
    },
    Case {
        name: "10: a run is passed over",
        breaks: |runs, run, at| {
            let (key, entry) = (runs[run].row.key, runs[run].entries[at].clone());
            let queue = name(&runs[run]).filter(|name| ["narrow", "rated"].contains(name))?;
            let (queue, is_it) =
                (queue.to_owned(), matches!(entry.record, Record::Admitted { .. }));
            let is_behind = |other: &&mut Run| {
                let queued = other.row.queue.as_ref();
                let is_there = queued
                    .is_some_and(|queued| queued.name == queue && queued.eligible_at <= entry.time);
                is_it && is_there && has_waited(other, entry.commit) && other.row.key != key
            };
            let other = runs.iter_mut().find(is_behind)?;
            change(other, |place| place.priority = -1)
        },
        why: "it was passed over by",
    },
    Case {
        name: "10: two unended runs have one unique key",
        breaks: |runs, run, _| {
            let is_unended = |run: &Run| !run.row.state.has_ended() && run.submission().is_some();
            let queued = runs[run].row.queue.clone()?;
            let unique =
                queued.unique.filter(|_| !queued.is_debounced && is_unended(&runs[run]))?;
            let key = runs[run].row.key;
            let other = runs.iter_mut().find(|other| {
                other.row.key != key && is_unended(other) && name(other) == Some(&queued.name)
            })?;
            change(other, |place| place.unique = Some(unique.clone()))
        },
        why: "another run has its unique key",
    },
    Case {
        name: "10: what a run does before it begins",
        breaks: |runs, run, at| {
            let entries = &mut runs[run].entries;
            let is_it = matches!(entries[at].record, Record::Admitted { .. });
            let next = entries.get(at + 1)?;
            let is_own =
                matches!(next.record, Record::Marked { .. } | Record::OperationNoted { .. });
            (is_it && is_own && at > 0).then(|| entries.swap(at, at + 1))
        },
        why: "before it begins",
    },
];

fn name(run: &Run) -> Option<&str> {
    Some(&run.row.queue.as_ref()?.name)
}

/// Changes where a run waited, in its history and in its row.
fn change(run: &mut Run, mut change: impl FnMut(&mut Place)) -> Option<()> {
    let Record::Submitted(submission) = &mut run.entries[0].record else { return None };
    let place = submission.options.place.as_mut()?;
    change(place);
    let queued = run.row.queue.as_mut()?;
    queued.priority = place.priority;
    queued.unique.clone_from(&place.unique);
    queued.eligible_at = place.eligible_at.unwrap_or(queued.eligible_at);
    Some(())
}
