//! Histories read back, and held against what the code asks for.

use alloc::format;
use alloc::rc::Rc;

use dacapo_store::Entry;

use crate::clock::Timestamp;
use crate::fault::{Fault, ParkReason};
use crate::instance::Instance;
use crate::operation::{Found, Operation};
use crate::record::{Kind, Number, Record};

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
    if (seq == 0) != matches!(record, Record::Started { .. }) {
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
    let (operation, claimed) = match found {
        Found::Waiting(operation) => (operation.clone(), Some(operation)),
        Found::Dropped(operation) => (operation, None),
        // Live, an outcome can be committed together with the record that dropped its operation.
        Found::Unknown if !run.operations.borrow().is_replaying() => return Ok(None),
        Found::Unknown => {
            let waiting = run.operations.borrow().show();
            let asked = format_args!("asks for no operation {number} here; it awaits {waiting}");
            return Err(diverged(run, record, asked));
        }
    };
    if !speaks_of(record, &operation) {
        return Err(diverged(run, record, format_args!("asks for {operation}")));
    }
    Ok(claimed)
}

/// Whether kind, name and label are the same on both sides.
fn speaks_of(record: &Record<'_>, operation: &Operation) -> bool {
    match record {
        Record::TimerFired { .. } => operation.kind == Kind::Sleep,
        Record::StepStarted { .. } | Record::Restarted { .. } => operation.kind == Kind::Step,
        Record::StepFinished { name, label, .. } => {
            let same_name = *name == operation.name && *label == operation.label();
            operation.kind == Kind::Step && same_name
        }
        _ => false,
    }
}

/// The message that shows both sides.
pub(crate) fn diverged(
    run: &Instance,
    recorded: impl core::fmt::Display,
    asked: impl core::fmt::Display,
) -> Fault {
    let seq = run.delivered.get().saturating_sub(1);
    let detail = format_args!("record {seq} of the history holds {recorded}, but the code {asked}");
    Fault::new(ParkReason::Diverged, detail)
}
