//! Records, marks and operations as messages show them: without payloads.

use core::fmt;

use super::{Asked, Mark, Note, Number, Record};

/// How messages show a mark, with its number.
pub(crate) struct ShownMark<'a>(pub(crate) &'a Mark<'a>, pub(crate) Number);

impl fmt::Display for ShownMark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShownMark(mark, number) = self;
        match mark {
            Mark::Published { topic, .. } => write!(f, "publish {number} on {topic:?}"),
            Mark::Answered { seq, .. } => {
                write!(f, "answer to the question of record {seq}, receive {number}")
            }
            Mark::ChildDropped => write!(f, "drop of child {number}"),
            Mark::ChildDetached => write!(f, "detach of child {number}"),
            Mark::ChildStarted { workflow, .. } => {
                write!(f, "start of the detached child {number} {workflow:?}")
            }
            Mark::Patched { name, at } => write!(f, "change {name:?} from record {at} on"),
        }
    }
}

/// How messages show a record: its kind, number, name and label, without payloads.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Started { workflow, .. } => write!(f, "start of workflow {workflow:?}"),
            Record::OperationEnded { number, asked, label, .. } => {
                let what = match asked {
                    Asked::Step { .. }
                    | Asked::StepOf { .. }
                    | Asked::Send { .. }
                    | Asked::Receive { .. } => "outcome",
                    Asked::Sleep { .. } | Asked::Child { .. } => "end",
                };
                write!(f, "{what} of {}", Shown(asked, *number, *label))
            }
            Record::OperationNoted { number, note: Note::Begun } => {
                write!(f, "start of step {number}")
            }
            Record::OperationNoted { number, note: Note::Interrupted } => {
                write!(f, "interruption of step {number}")
            }
            Record::OperationNoted { number, note: Note::Deferred } => {
                write!(f, "deferral of step {number}")
            }
            Record::OperationNoted { number, note: Note::ChildStarted { workflow, id } } => {
                write!(f, "start of child {number} {workflow:?} [{id}]")
            }
            Record::OperationNoted { number, note: Note::AttemptFailed { attempt, .. } } => {
                write!(f, "failure of attempt {attempt} of step {number}")
            }
            Record::OperationNoted { number, note: Note::Left } => {
                write!(f, "departure of request {number}")
            }
            Record::MessageArrived { channel, is_question: true, .. } => {
                write!(f, "question on {channel:?}")
            }
            Record::MessageArrived { channel, .. } => write!(f, "message on channel {channel:?}"),
            Record::CancelRequested { cause } => {
                write!(f, "request to cancel ({})", cause.name())
            }
            Record::Submitted(submission) if submission.pass > 1 => {
                write!(f, "pass {} of workflow {:?}", submission.pass, submission.workflow)
            }
            Record::Submitted(submission) => {
                write!(f, "submission of workflow {:?}", submission.workflow)
            }
            Record::Resubmitted(_) => f.write_str("change of what the run waits for"),
            Record::Admitted { .. } => f.write_str("admission of the run"),
            Record::Marked { number, mark } => ShownMark(mark, *number).fmt(f),
            Record::Reported { number, attempt, topic, .. } => {
                write!(f, "report on {topic:?} of step {number}, attempt {attempt}")
            }
            Record::MessageSkipped { seq } => write!(f, "skip of the message of record {seq}"),
            Record::Again => f.write_str("end of the pass"),
            Record::Retried { from } => write!(f, "retry of what failed from record {from} on"),
            Record::Forked { from, seq, .. } => write!(f, "fork of run {from:?} at record {seq}"),
            Record::Moved { .. } => f.write_str("move from another file"),
            Record::Finished { outcome: Ok(_), .. } => f.write_str("end of the run with an output"),
            Record::Finished { outcome: Err(failure), .. } => {
                write!(f, "end of the run with the error {:?}", failure.message())
            }
        }
    }
}

/// An operation as messages show it: `step 3.1 "reserve" [tea]`, and behind that the fingerprint of what it
/// is about.
pub(crate) struct Shown<'a>(
    pub(crate) &'a Asked<'a>,
    pub(crate) Number,
    pub(crate) Option<&'a str>,
);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(asked, number, label) = self;
        write!(f, "{} {number}", asked.kind())?;
        if !asked.name().is_empty() {
            write!(f, " {:?}", asked.name())?;
        }
        if let Some(label) = label {
            write!(f, " [{label}]")?;
        }
        match asked {
            Asked::StepOf { of, .. } => write!(f, " {of}"),
            Asked::Step { .. }
            | Asked::Sleep { .. }
            | Asked::Send { .. }
            | Asked::Receive { .. }
            | Asked::Child { .. } => Ok(()),
        }
    }
}
