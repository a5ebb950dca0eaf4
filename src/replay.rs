//! Histories read back, and held against what the code asks for.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;

use dacapo_store::Entry;

use crate::clock::Timestamp;
use crate::fault::{Fault, ParkReason};
use crate::instance::Instance;
use crate::operation::Operation;
use crate::operations::Found;
use crate::record::{Mark, Number, Record, ShownMark};

/// What is known of a committed record on its way to its run.
#[derive(Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) seq: u64,
    /// Which commit wrote it.
    pub(crate) commit: u64,
    pub(crate) time: Timestamp,
}

/// Reads one entry, which must be the one for `seq`.
pub(crate) fn read(
    entry: Entry<'_>,
    seq: u64,
    take: impl FnOnce(Delivery, &Record<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let damaged = |what| Fault::new(ParkReason::Damaged, format_args!("record {seq} {what}"));
    if entry.seq != seq {
        return Err(damaged(format!("is missing, record {} is in its place", entry.seq)));
    }
    let delivery = Delivery { seq, commit: entry.commit, time: Timestamp::from_nanos(entry.time) };
    // Nearly all are outcomes: they are used where they are read.
    if seq > 0
        && let Some(record) = &Record::read_outcome(entry.record)
    {
        return take(delivery, record);
    }
    let record = Record::read(entry.record);
    let record = record.map_err(|why| damaged(format!("cannot be read: {why}")))?;
    if (seq == 0) != matches!(record, Record::Started { .. } | Record::Submitted(_)) {
        return Err(damaged(format!("cannot be the {record}: a history begins with its start")));
    }
    take(delivery, &record)
}

/// The operation that the record being delivered speaks of; `None` if it was dropped.
pub(crate) fn claim(
    run: &Instance,
    record: &Record<'_>,
    number: Number,
) -> Result<Option<Rc<Operation>>, Fault> {
    let found = run.operations.borrow().find(number);
    let operation = match &found {
        Found::Waiting(operation) | Found::Dropped(operation) => operation,
        // Live, an outcome can be committed together with the record that dropped its operation.
        Found::Unknown if !run.operations.borrow().is_replaying() => return Ok(None),
        Found::Unknown => {
            let waiting = run.operations.borrow().show();
            let asked = format_args!("asks for no operation {number} here; it awaits {waiting}");
            return Err(diverged(run, record, asked));
        }
    };
    if let Some((recorded, asked)) = disagreement(record, operation) {
        return Err(diverged(run, recorded, asked).at(run.place_of(number)));
    }
    match found {
        Found::Waiting(operation) => Ok(Some(operation)),
        Found::Dropped(_) | Found::Unknown => Ok(None),
    }
}

/// The same of an outcome, with which an operation no longer waits.
#[inline]
pub(crate) fn claim_ended(
    run: &Instance,
    record: &Record<'_>,
    number: Number,
) -> Result<Option<Rc<Operation>>, Fault> {
    let mut operations = run.operations.borrow_mut();
    let ended = operations.finish_if(number, |operation| agrees(record, operation));
    drop(operations);
    match ended {
        Some(operation) => Ok(Some(operation)),
        None => claim(run, record, number),
    }
}

/// How what is recorded of an operation differs from what the code asks for: both sides, for a
/// message. Compared are kind, name and label, and what else must not change.
fn disagreement(record: &Record<'_>, operation: &Operation) -> Option<(String, String)> {
    if agrees(record, operation) {
        return None;
    }
    let (recorded, asked) = (format!("{record}"), format!("asks for {operation}"));
    if let Record::OperationEnded { asked: was, .. } = record
        && was.is_like(&operation.asked())
    {
        return Some((recorded + &was.detail(), asked + &operation.asked().detail()));
    }
    Some((recorded, asked))
}

#[inline]
fn agrees(record: &Record<'_>, operation: &Operation) -> bool {
    match record {
        Record::OperationEnded { asked, label, .. } => {
            *asked == operation.asked() && (*label == operation.label() || !asked.compares_labels())
        }
        Record::OperationNoted { note, .. } => operation.asked().takes(note),
        Record::Started { .. }
        | Record::Finished { .. }
        | Record::MessageArrived { .. }
        | Record::CancelRequested { .. }
        | Record::Submitted(_)
        | Record::Admitted { .. }
        | Record::Marked { .. }
        | Record::Reported { .. }
        | Record::MessageSkipped { .. }
        | Record::Again
        | Record::Retried { .. }
        | Record::Forked { .. }
        | Record::Resubmitted(_)
        | Record::Moved { .. } => false,
    }
}

/// The record of a mark, which must have been made by now, with the same kind and names.
pub(crate) fn claim_mark(
    run: &Instance,
    record: &Record<'_>,
    number: Number,
    mark: &Mark<'_>,
) -> Result<(), Fault> {
    match run.expected_mark(number) {
        Some(made) if made.mark.is_like(mark) => {
            run.forget_mark(number);
            Ok(())
        }
        Some(made) => {
            let made = format!("made the {}", ShownMark(&made.mark, number));
            Err(diverged(run, record, made).at(run.place_of_mark(number)))
        }
        None => Err(diverged(run, record, "made none")),
    }
}

/// The message that shows both sides. In a rehearsal the code stands where it awaits something, unless there is a
/// better place.
#[cold]
pub(crate) fn diverged(
    run: &Instance,
    recorded: impl core::fmt::Display,
    asked: impl core::fmt::Display,
) -> Fault {
    let seq = run.delivered.get().saturating_sub(1);
    Fault::diverged(seq, recorded, asked).at(run.place_of_awaited())
}
