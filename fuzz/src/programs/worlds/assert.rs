//! What must hold in every file, after every commit: "Assert" in the contract, as far as rows and
//! histories tell.

use std::collections::{BTreeMap, BTreeSet};

use dacapo::store::{RunKey, RunState};

use super::super::language::BOOK;
use super::super::talk::{CHANNELS, KEYED, OF_A_RUN};
use super::links;
use super::passes;
use super::queues::{self, Exempt};
use super::records::{
    Asked, Cause, Entry, FailureKind, Mark, Note, Number, Record, Run, Submission, readable,
};

pub(super) type Checked = Result<(), String>;

/// What is known of a file beside what it holds.
#[derive(Clone, Copy, Default)]
pub(super) struct Known<'a> {
    /// Something was deleted, with its half of what it did.
    pub(super) has_forgotten: bool,
    /// Nothing is under way.
    pub(super) is_quiet: bool,
    pub(super) exempt: Option<&'a Exempt>,
}

pub(super) fn check(runs: &[Run], known: Known<'_>) -> Checked {
    for run in runs {
        let checked = check_history(run).and_then(|()| check_row(run));
        checked.map_err(|why| shown(run, &why))?;
    }
    let by_key: BTreeMap<RunKey, &Run> = runs.iter().map(|run| (run.row.key, run)).collect();
    let mut by_id: BTreeMap<&str, &Run> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.row.state != RunState::Continued) {
        if by_id.insert(&run.row.id, run).is_some() {
            return Err(shown(run, "there is another run with its id"));
        }
    }
    for run in runs {
        links::check(run, &by_key).map_err(|why| shown(run, &why))?;
        links::check_children(run, &by_id, known).map_err(|why| shown(run, &why))?;
        if let Some(before) = run.submission().and_then(|submission| submission.before)
            && let Some(before) = by_key.get(&RunKey(before))
        {
            passes::check(before, run)
                .map_err(|why| format!("{}\n{}", shown(before, ""), shown(run, &why)))?;
        }
    }
    queues::check(runs, known)?;
    check_messages(runs, &by_id, known)
}

pub(super) fn shown(run: &Run, why: &str) -> String {
    let line = |(seq, entry): (usize, &Entry)| {
        let mut record = format!("{:?}", entry.record);
        record.truncate(220);
        format!("  {seq} in {} at {}: {record}", entry.commit, entry.time / 1_000_000)
    };
    let lines: Vec<_> = run.entries.iter().enumerate().map(line).collect();
    let row = &run.row;
    format!(
        "run {:?} (key {:?}, pass {}, {:?}, {:?}, link {:?}, wakes at {:?}, {}): {why}\n{}",
        row.id,
        row.key,
        row.pass,
        row.state,
        row.queue,
        row.link,
        row.wake_at,
        row.workflow,
        lines.join("\n")
    )
}

impl Run {
    pub(super) fn submission(&self) -> Option<&Submission> {
        match self.entries.first().map(|entry| &entry.record) {
            Some(Record::Submitted(submission)) => Some(submission),
            _ => None,
        }
    }
}

/// Nothing of its own is added to the history of a run that is parked, behind `place`.
pub(super) fn check_parked(run: &Run, place: usize) -> Checked {
    let own = run.entries[place..].iter().find(|entry| !is_post(&entry.record));
    match own {
        Some(own) if run.row.state == RunState::Parked => {
            Err(shown(run, &format!("it is parked, and holds {:?}", own.record)))
        }
        _ => Ok(()),
    }
}

/// Where a record stands in its commit.
fn part(run: &Run, record: &Record, before: Option<&Record>) -> u32 {
    match record {
        // What waited is admitted last.
        Record::Admitted { .. } if run.is_placed() => 5,
        Record::Finished { .. } if run.has_not_begun() => 4,
        Record::Started { .. } | Record::Submitted(_) | Record::Admitted { .. } => 0,
        Record::OperationNoted { .. }
        | Record::Marked { .. }
        | Record::Again
        | Record::OperationEnded { asked: Asked::Send { .. }, .. } => 1,
        Record::OperationEnded { asked: Asked::Child { .. }, outcome: Err(why), .. }
            if why.kind == FailureKind::Usage =>
        {
            1
        }
        Record::Finished { .. } => match before.map(whatever_counts) {
            Some(Record::CancelRequested { cause: Cause::Terminated }) => 4,
            _ => 1,
        },
        // Transactions are carried out before anything is written.
        Record::OperationEnded { asked: Asked::Step { name }, .. } if name == BOOK => 1,
        Record::OperationEnded { asked: Asked::Step { .. }, .. } | Record::Reported { .. } => 2,
        Record::OperationEnded { asked: Asked::Sleep { .. }, .. } => 3,
        Record::OperationEnded { asked: Asked::Child { .. } | Asked::Receive { .. }, .. }
        | Record::MessageArrived { .. }
        | Record::MessageSkipped { .. }
        | Record::CancelRequested { .. } => 4,
        // The ends of children may follow that the run waits for again.
        Record::Retried { .. } | Record::Resubmitted(_) => 4,
        Record::Forked { .. } | Record::Moved { .. } => unreachable!("no world has copies"),
        // It may have ended before it began.
        Record::Void(record) if run.is_placed() && matches!(**record, Record::Finished { .. }) => 4,
        Record::Void(record) => part(run, record, before),
    }
}

/// A record, whether it counts or not.
pub(super) fn whatever_counts(record: &Record) -> &Record {
    match record {
        Record::Void(record) => record,
        record => record,
    }
}

fn check_history(run: &Run) -> Checked {
    let entries = &run.entries;
    match (&entries[..], run.row.state) {
        ([], _) => return Err("it has no history".into()),
        ([first, ..], _) if matches!(first.record, Record::Started { .. }) => {}
        _ if run.is_placed() => queues::check_beginning(run)?,
        ([first, next, ..], _)
            if matches!(first.record, Record::Submitted(_))
                && matches!(next.record, Record::Admitted { .. })
                && first.commit == next.commit => {}
        _ => return Err("it does not begin as runs do".into()),
    }
    for (one, next) in entries.iter().zip(&entries[1..]) {
        if next.commit < one.commit || next.time < one.time {
            return Err("commits or times go back".into());
        }
        if matches!(one.record, Record::Finished { .. } | Record::Again) {
            return Err("it goes on behind its end".into());
        }
        let parts = (part(run, &one.record, None), part(run, &next.record, Some(&one.record)));
        if one.commit == next.commit && parts.0 > parts.1 && !is_end_of(one, next) {
            return Err(format!("{:?} stands behind {:?}", next.record, one.record));
        }
    }
    let ends = match entries.last().map(|entry| &entry.record) {
        Some(Record::Again) => run.row.state == RunState::Continued,
        Some(Record::Finished { outcome, was_dropped }) => {
            let state = match (was_dropped, outcome) {
                (true, _) => RunState::Cancelled,
                (false, Ok(_)) => RunState::Completed,
                (false, Err(_)) => RunState::Failed,
            };
            run.row.state == state
        }
        _ => {
            let waits = queues::is_waiting(run.row.state);
            waits || matches!(run.row.state, RunState::Running | RunState::Parked)
        }
    };
    if !ends {
        return Err("its row and its history do not end alike".into());
    }
    check_operations(entries)?;
    check_attempts(entries)?;
    check_marks(entries)?;
    check_posts(entries)
}

/// The end of a child that was refused because of the disk is not told from one that ended so.
fn is_end_of(one: &Entry, next: &Entry) -> bool {
    matches!(
        (&one.record, &next.record),
        (
            Record::OperationEnded { asked: Asked::Child { .. }, .. },
            Record::OperationEnded { asked: Asked::Child { .. }, .. }
        )
    )
}

/// What may be recorded of an operation, and when.
fn check_operations(entries: &[Entry]) -> Checked {
    let (mut ended, mut begun) = (BTreeSet::<Number>::new(), BTreeSet::<Number>::new());
    let (mut let_go, mut children) = (BTreeSet::<Number>::new(), BTreeSet::<Number>::new());
    for entry in entries {
        match &entry.record {
            Record::OperationEnded { number, asked, outcome, .. } => {
                if !ended.insert(*number) {
                    return Err(format!("{number:?} ends twice"));
                }
                if let Asked::Child { .. } = asked {
                    let is_refused = !children.contains(number);
                    if is_refused && outcome.is_ok() {
                        return Err(format!("child {number:?} ends that was not started"));
                    }
                    if let_go.contains(number) {
                        return Err(format!("child {number:?} ends that was let go"));
                    }
                }
            }
            Record::OperationNoted { number, note } => {
                if ended.contains(number) {
                    return Err(format!("{number:?} is noted behind its end"));
                }
                let is_new = match note {
                    Note::Begun => begun.insert(*number),
                    Note::ChildStarted { .. } => children.insert(*number),
                    Note::Interrupted
                    | Note::Left
                    | Note::AttemptFailed { .. }
                    | Note::Deferred => true,
                };
                if !is_new {
                    return Err(format!("{number:?} begins twice"));
                }
            }
            Record::Marked { mark: Mark::Published { .. } | Mark::Answered { .. }, .. } => {}
            Record::Marked { number, mark } => {
                // It may have been made when the end was committed already.
                let is_started = matches!(mark, Mark::ChildStarted { .. });
                if is_started == children.contains(number) {
                    return Err(format!("{mark:?} of {number:?} has no place here"));
                }
                if !let_go.insert(*number) {
                    return Err(format!("{number:?} is let go twice"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Attempts are counted over all processes, and one that is far away is waited for.
fn check_attempts(entries: &[Entry]) -> Checked {
    let mut known = BTreeMap::<_, u32>::new();
    for entry in entries {
        match &entry.record {
            Record::OperationNoted { number, note: Note::Interrupted } => {
                *known.entry(*number).or_default() += 1;
            }
            Record::OperationNoted {
                number,
                note: Note::AttemptFailed { attempt, next_at, .. },
            } => {
                let known = known.entry(*number).or_default();
                *known += 1;
                if *attempt != *known {
                    return Err(format!("attempt {attempt} of {number:?} is its {known}. one"));
                }
                if *next_at < entry.time + 1_000_000_000 {
                    return Err(format!("the wait of {number:?} is too short to be recorded"));
                }
            }
            Record::OperationEnded { number, asked: Asked::Step { .. }, spent, .. } => {
                let known = known.get(number).copied().unwrap_or_default();
                if spent.0 <= known {
                    return Err(format!("{number:?} ended with {} attempts of {known}", spent.0));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Each mark of these is made once, and each question is answered once, when it is there.
fn check_marks(entries: &[Entry]) -> Checked {
    let (mut marks, mut open) = (BTreeSet::new(), BTreeSet::new());
    for (place, entry) in (0_u64..).zip(entries) {
        match &entry.record {
            Record::MessageArrived { is_question: true, .. } => {
                open.insert(place);
            }
            Record::Marked { number, mark: Mark::Answered { seq, .. } }
                if !marks.insert(*number) || !open.remove(seq) =>
            {
                return Err(format!("{seq} is answered that is no open question"));
            }
            Record::Marked { number, mark: Mark::Published { .. } } if !marks.insert(*number) => {
                return Err(format!("{number:?} publishes twice"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_posts(entries: &[Entry]) -> Checked {
    let asked = entries.iter().filter_map(|entry| match entry.record {
        Record::CancelRequested { cause } if cause != Cause::Terminated => Some(cause),
        _ => None,
    });
    if asked.count() > 1 {
        return Err("it is asked to end twice".into());
    }
    let mut keys = BTreeSet::new();
    for (channel, key) in entries.iter().filter_map(|entry| key(&entry.record)) {
        if !keys.insert((channel, key)) {
            return Err(format!("the key {key:?} comes twice on {channel:?}"));
        }
    }
    Ok(())
}

pub(super) fn key(record: &Record) -> Option<(&str, &str)> {
    match record {
        Record::MessageArrived { channel, key: Some(key), .. } => Some((channel, key)),
        _ => None,
    }
}

fn check_row(run: &Run) -> Checked {
    let row = &run.row;
    let (pass, deadline) = match run.submission() {
        Some(submission) => (submission.pass, run.deadline()),
        None => (1, None),
    };
    if row.pass != pass || row.deadline != deadline {
        return Err(format!("its row says {} and {:?}", row.pass, row.deadline));
    }
    let has_ended = row.state.has_ended() || row.state == RunState::Continued;
    if has_ended && (row.link.is_some() || row.wake_at.is_some()) {
        return Err("it has ended, and its row says more".into());
    }
    Ok(())
}

/// Both halves of a message between runs are one commit.
fn check_messages(runs: &[Run], by_id: &BTreeMap<&str, &Run>, known: Known<'_>) -> Checked {
    if known.has_forgotten {
        return Ok(());
    }
    let mut halves: BTreeMap<(u64, &str, &str), (u32, u32)> = BTreeMap::new();
    for run in runs {
        let is_pass = run.row.pass > 1;
        let begun = run.entries[0].commit;
        // Those of the pass before stand in front.
        let carried = |entry: &Entry| is_pass && entry.commit == begun;
        let mut from_before = 0;
        for entry in &run.entries {
            match &entry.record {
                Record::OperationEnded {
                    asked: Asked::Send { channel },
                    label,
                    outcome: Ok(_),
                    ..
                } => {
                    let to = label.as_deref().ok_or("a message is for nobody")?;
                    halves.entry((entry.commit, to, channel)).or_default().0 += 1;
                }
                Record::MessageArrived { channel, payload, .. } => {
                    let number = readable(&run.shapes, payload)?.unwrap_or_default();
                    if number & OF_A_RUN != 0 {
                        if carried(entry) {
                            from_before += 1;
                        }
                        halves.entry((entry.commit, &run.row.id, channel)).or_default().1 += 1;
                    }
                }
                _ => {}
            }
        }
        if from_before > 0 {
            // How many of these are new is not told by the history.
            let id = &*run.row.id;
            for channel in &CHANNELS {
                halves.remove(&(begun, id, channel.name()));
            }
            halves.entry((begun, id, "over")).or_default();
        }
    }
    for ((commit, to, channel), (sent, arrived)) in &halves {
        let is_keyed = *channel == CHANNELS[KEYED].name();
        let went_over = halves.contains_key(&(*commit, *to, "over"));
        if *channel == "over" || went_over {
            continue;
        }
        let fits = if is_keyed { arrived <= sent } else { arrived == sent };
        if !fits {
            let to = by_id.get(to).map(|run| shown(run, "")).unwrap_or_default();
            return Err(format!(
                "commit {commit} sent {sent} on {channel}, arrived are {arrived}: {to}"
            ));
        }
    }
    Ok(())
}

/// Whether it comes to a run from elsewhere.
pub(super) fn is_post(record: &Record) -> bool {
    match record {
        Record::MessageArrived { .. }
        | Record::CancelRequested { .. }
        | Record::MessageSkipped { .. }
        | Record::Resubmitted(_)
        | Record::Finished { was_dropped: true, .. }
        | Record::OperationEnded { asked: Asked::Child { .. }, .. } => true,
        Record::Started { .. }
        | Record::Submitted(_)
        | Record::Admitted { .. }
        | Record::OperationEnded { .. }
        | Record::OperationNoted { .. }
        | Record::Finished { .. }
        | Record::Marked { .. }
        | Record::Reported { .. }
        | Record::Again
        | Record::Retried { .. }
        | Record::Forked { .. }
        | Record::Moved { .. }
        | Record::Void(_) => false,
    }
}
