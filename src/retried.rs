//! Runs that are taken up again after they failed: which of their records count no longer.
//!
//! A run fails because something that it awaited failed, and all that is known is the history. So a retry
//! goes back over what can be tried again at its end: failures, and what the code did about them. What was
//! achieved stays, and so does whatever came from elsewhere.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;

use dacapo_store::History;

use crate::record::{Asked, Mark, Note, Number, Record};

/// What a retry makes of a record at the end of a history.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It counts, and nothing before it is looked at.
    Last,
    /// It counts.
    Stays,
    /// It counts no longer.
    Void,
    /// The same, and what the code did after it counts no longer either.
    Failure,
    /// The code did it.
    Done,
}

fn fate(record: &Record<'_>) -> Fate {
    match record {
        Record::OperationEnded { outcome: Ok(_), .. } => Fate::Last,
        // A child that failed is not started again, since its id is taken: its end is awaited anew.
        Record::OperationEnded { outcome: Err(_), .. } | Record::CancelRequested { .. } => {
            Fate::Failure
        }
        Record::OperationNoted {
            note: Note::Interrupted | Note::Deferred | Note::AttemptFailed { .. },
            ..
        }
        | Record::Finished { .. } => Fate::Void,
        // What may run at most once does not run again, whoever asks for it.
        Record::OperationNoted {
            note: Note::Begun | Note::ChildStarted { .. } | Note::Left,
            ..
        } => Fate::Last,
        // What had failed before a fork is tried anew by a retry of it.
        Record::MessageArrived { .. }
        | Record::MessageSkipped { .. }
        | Record::Forked { .. }
        | Record::Moved { .. } => Fate::Stays,
        Record::Marked { .. } | Record::Reported { .. } => Fate::Done,
        Record::Started { .. }
        | Record::Submitted(_)
        | Record::Admitted { .. }
        | Record::Resubmitted(_)
        | Record::Again
        | Record::Retried { .. } => Fate::Last,
    }
}

/// The seq behind the last record of an ended run that says what was achieved.
pub(crate) fn failed_from(history: &History) -> u64 {
    let mut from = 0;
    for (seq, entry) in (1..).zip(history.iter()) {
        // Of what cannot be read nothing is taken back.
        if Record::read(entry.record).map_or(Fate::Last, |record| fate(&record)) == Fate::Last {
            from = seq;
        }
    }
    from
}

/// Whether the code of a run has begun: not if it waited for that until its end.
pub(crate) fn has_begun(history: &History) -> bool {
    history.iter().any(|entry| {
        let record = Record::read(entry.record);
        matches!(record, Ok(Record::Started { .. } | Record::Admitted { .. }))
    })
}

/// A child that a run waits for again when it is taken up.
pub(crate) struct Awaited {
    pub(crate) number: Number,
    pub(crate) workflow: Rc<str>,
    pub(crate) id: Rc<str>,
    /// Whether it was started where the run was before it was moved to this store.
    pub(crate) was_moved: bool,
}

/// The children that the run waits for again: those that it started, whose ends it has not heard of and that it did
/// not let go, as far as that counts when it is retried from `from` on. In the order of their numbers.
pub(crate) fn awaited(history: &History, from: u64) -> Vec<Awaited> {
    let mut void = taken_back(history);
    add_void(&mut void, history, from, history.len() as u64);
    let mut awaited = BTreeMap::new();
    for (_, entry) in (0..).zip(history.iter()).filter(|(seq, _)| !void.contains(seq)) {
        match Record::read(entry.record) {
            Ok(Record::OperationNoted { number, note: Note::ChildStarted { workflow, id } }) => {
                let (workflow, id) = (workflow.into(), id.into());
                awaited.insert(number, Awaited { number, workflow, id, was_moved: false });
            }
            Ok(
                Record::OperationEnded { number, asked: Asked::Child { .. }, .. }
                | Record::Marked { number, mark: Mark::ChildDropped | Mark::ChildDetached },
            ) => {
                awaited.remove(&number);
            }
            // Its children are those of the run that was copied.
            Ok(Record::Forked { .. }) => awaited.clear(),
            Ok(Record::Moved { .. }) => {
                awaited.values_mut().for_each(|child| child.was_moved = true);
            }
            Ok(
                Record::Started { .. }
                | Record::Submitted(_)
                | Record::Resubmitted(_)
                | Record::Admitted { .. }
                | Record::OperationEnded { .. }
                | Record::OperationNoted { .. }
                | Record::Marked { .. }
                | Record::Reported { .. }
                | Record::MessageArrived { .. }
                | Record::MessageSkipped { .. }
                | Record::CancelRequested { .. }
                | Record::Retried { .. }
                | Record::Finished { .. }
                | Record::Again,
            )
            | Err(_) => {}
        }
    }
    awaited.into_values().collect()
}

/// The records that count no longer, by the retries of this history.
pub(crate) fn taken_back(history: &History) -> BTreeSet<u64> {
    let mut void = BTreeSet::new();
    for (at, entry) in (0..).zip(history.iter()) {
        if let Some(from) = Record::read_retried(entry.record) {
            add_void(&mut void, history, from, at);
        }
    }
    void
}

/// Adds the records between `from` and `to`, where a retry stands, that count no longer.
pub(crate) fn add_void(void: &mut BTreeSet<u64>, history: &History, from: u64, to: u64) {
    let mut has_failed = false;
    for (seq, entry) in (0..).zip(history.iter()).filter(|(seq, _)| (from..to).contains(seq)) {
        let fate = Record::read(entry.record).map_or(Fate::Stays, |record| fate(&record));
        has_failed |= fate == Fate::Failure;
        let is_void = match fate {
            Fate::Last | Fate::Stays => false,
            Fate::Void | Fate::Failure => true,
            Fate::Done => has_failed,
        };
        if is_void {
            void.insert(seq);
        }
    }
}
