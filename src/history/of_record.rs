//! What a record is shown as.

use alloc::borrow::ToOwned;
use core::time::Duration;

use dacapo_store::RunKey;

use super::{HistoryEvent, HistoryValue, OperationKind};
use crate::clock::Timestamp;
use crate::context::Cause;
use crate::error::{Error, Result};
use crate::record::{
    Asked, CancelCause, Link, Mark, Note, Number, Outcome, Record, Resubmission, Submission,
};
use crate::values::Values;

/// What a record says that was committed at `time`.
pub(crate) fn event(record: &[u8], time: Timestamp, values: &Values) -> HistoryEvent {
    match Record::read(record) {
        Ok(record) => of_record(record, time, values),
        Err(why) => HistoryEvent::Unreadable { why },
    }
}

fn of_record(record: Record<'_>, time: Timestamp, values: &Values) -> HistoryEvent {
    let value = |bytes: &[u8]| HistoryValue::new(bytes, values);
    match record {
        Record::Started { workflow, input, .. } => {
            HistoryEvent::Started { workflow: workflow.to_owned(), input: value(input.as_slice()) }
        }
        Record::Submitted(submission) => submitted(*submission, values),
        Record::Resubmitted(resubmission) => resubmitted(*resubmission, values),
        Record::Admitted { .. } => HistoryEvent::Admitted,
        Record::OperationEnded { number, asked, label, outcome, spent } => HistoryEvent::Ended {
            number: number.into(),
            kind: kind_of(&asked),
            label: label.map(ToOwned::to_owned),
            outcome: outcome_of(outcome, values),
            attempts: spent.attempts,
            began_at: time.minus(Duration::from_nanos(spent.started_before)),
            took: Duration::from_nanos(spent.took),
        },
        Record::OperationNoted { number, note } => noted(number, note),
        Record::MessageArrived { channel, payload, key, is_question } => HistoryEvent::Message {
            channel: channel.to_owned(),
            value: value(payload.as_slice()),
            key: key.map(ToOwned::to_owned),
            is_question,
        },
        Record::CancelRequested { cause } => cancelled(cause),
        Record::Marked { number, mark } => marked(number, mark, values),
        Record::Reported { number, attempt, topic, value: reported } => HistoryEvent::Reported {
            number: number.into(),
            attempt,
            topic: topic.to_owned(),
            value: value(reported.as_slice()),
        },
        Record::MessageSkipped { seq } => HistoryEvent::MessageSkipped { message: seq },
        Record::Retried { from } => HistoryEvent::Retried { from },
        Record::Forked { from, seq, .. } => HistoryEvent::Forked { from: from.to_owned(), at: seq },
        Record::Moved { .. } => HistoryEvent::Moved,
        Record::Again => HistoryEvent::Again,
        Record::Finished { outcome, was_dropped } => {
            HistoryEvent::Finished { outcome: outcome_of(outcome, values), was_dropped }
        }
    }
}

fn resubmitted(Resubmission { input, options }: Resubmission<'_>, values: &Values) -> HistoryEvent {
    let place = options.place.map(|place| *place).unwrap_or_default();
    HistoryEvent::Resubmitted {
        input: input.map(|input| HistoryValue::new(input.as_slice(), values)),
        deadline: options.deadline,
        attributes: options.attributes,
        queue: place.queue,
        partition: place.partition,
        priority: place.priority,
        unique: place.unique,
        delayed_until: place.eligible_at,
    }
}

fn submitted(submission: Submission<'_>, values: &Values) -> HistoryEvent {
    let Submission { workflow, input, options, link, pass, carried } = submission;
    let place = options.place.map(|place| *place).unwrap_or_default();
    HistoryEvent::Submitted {
        workflow: workflow.to_owned(),
        input: HistoryValue::new(input.as_slice(), values),
        pass,
        before: carried.before.map(RunKey),
        parent: link.map(|Link { parent, number }| (RunKey(parent), number.into())),
        deadline: options.deadline,
        attributes: options.attributes,
        queue: place.queue,
        partition: place.partition,
        priority: place.priority,
        unique: place.unique,
        delayed_until: place.eligible_at,
    }
}

fn noted(number: Number, note: Note<'_>) -> HistoryEvent {
    let number = number.into();
    match note {
        Note::Begun => HistoryEvent::Begun { number },
        Note::Interrupted => HistoryEvent::Interrupted { number },
        Note::Deferred => HistoryEvent::Deferred { number },
        Note::Left => HistoryEvent::Left { number },
        Note::ChildStarted { workflow, id } => {
            HistoryEvent::ChildStarted { number, workflow: workflow.to_owned(), id: id.to_owned() }
        }
        Note::AttemptFailed { attempt, failure, next_at } => {
            HistoryEvent::AttemptFailed { number, attempt, error: failure.into(), next_at }
        }
    }
}

fn marked(number: Number, mark: Mark<'_>, values: &Values) -> HistoryEvent {
    let number = number.into();
    match mark {
        Mark::Published { topic, value } => HistoryEvent::Published {
            number,
            topic: topic.to_owned(),
            value: HistoryValue::new(value.as_slice(), values),
        },
        Mark::Answered { seq, outcome } => {
            HistoryEvent::Answered { number, question: seq, outcome: outcome_of(outcome, values) }
        }
        Mark::ChildDropped => HistoryEvent::ChildDropped { number },
        Mark::ChildDetached => HistoryEvent::ChildDetached { number },
        Mark::ChildStarted { workflow, id } => HistoryEvent::DetachedStarted {
            number,
            workflow: workflow.to_owned(),
            id: id.into_owned(),
        },
        Mark::Patched { name, at } => HistoryEvent::Patched { name: name.to_owned(), at },
    }
}

fn cancelled(cause: CancelCause) -> HistoryEvent {
    let cause = match cause {
        CancelCause::Asked => Cause::Asked,
        CancelCause::Deadline => Cause::Deadline,
        CancelCause::Parent => Cause::Parent,
        CancelCause::Terminated => return HistoryEvent::Terminated,
    };
    HistoryEvent::CancelRequested { cause }
}

fn outcome_of(outcome: Outcome<'_>, values: &Values) -> Result<HistoryValue> {
    let bytes = outcome.map_err(Error::from)?;
    Ok(HistoryValue::new(bytes.as_slice(), values))
}

/// What was asked for.
pub(crate) fn kind_of(asked: &Asked<'_>) -> OperationKind {
    let name = asked.name().to_owned();
    match asked {
        Asked::Step { .. } | Asked::StepOf { .. } => OperationKind::Step(name),
        Asked::Sleep { until } => OperationKind::Sleep(*until),
        Asked::Send { .. } => OperationKind::Send(name),
        Asked::Receive { .. } => OperationKind::Receive(name),
        Asked::Child { .. } => OperationKind::Child(name),
    }
}
