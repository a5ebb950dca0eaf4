//! The entries of a run's history: what is remembered.

mod encoding;

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::error::Failure;

/// The scheduling rules and the poll budget that a history was made under.
///
/// It changes when the same code would be polled in another order, so that a later build can keep
/// old histories on old rules.
pub(crate) const SEMANTICS_VERSION: u32 = 1;

/// An operation's number: the task that built it, and its place among that task's operations.
///
/// Task 0 is the root and does not show: its operations are 1, 2, 3, those of the third spawned
/// task 3.1, 3.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct Number {
    pub(crate) task: u32,
    /// Counts from 1.
    pub(crate) local: u32,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task {
            0 => write!(f, "{}", self.local),
            task => write!(f, "{task}.{}", self.local),
        }
    }
}

/// What came of a step or a run.
pub(crate) type Outcome<'a> = Result<Bytes<'a>, Failure>;

/// One entry of a history. The order of the variants and of their fields is the format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Record<'a> {
    /// The run exists; always its first record.
    Started {
        workflow: &'a str,
        #[serde(borrow)]
        input: Bytes<'a>,
        /// The [`SEMANTICS_VERSION`] of the build that started it.
        version: u32,
        seed: u64,
    },
    /// An operation has its outcome.
    OperationEnded {
        number: Number,
        #[serde(borrow)]
        asked: Asked<'a>,
        label: Option<&'a str>,
        #[serde(borrow)]
        outcome: Outcome<'a>,
        spent: Spent,
    },
    /// What must be known of an operation before it has its outcome.
    OperationNoted { number: Number, note: Note },
    /// The run has ended; always its last record.
    Finished {
        #[serde(borrow)]
        outcome: Outcome<'a>,
        /// Whether its code did not end, but was dropped: it was cancelled and did not look.
        was_dropped: bool,
    },
    /// A message for a channel of this run.
    MessageArrived {
        channel: &'a str,
        #[serde(borrow)]
        payload: Bytes<'a>,
        key: Option<&'a str>,
    },
    /// Someone asked the run to end.
    CancelRequested { cause: CancelCause },
}

/// Who asked a run to end. The order of the variants is the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum CancelCause {
    Asked,
    Deadline,
    Parent,
    /// It ends at once, whatever its code would do about it.
    Terminated,
}

impl CancelCause {
    fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Deadline => "deadline",
            Self::Parent => "parent",
            Self::Terminated => "terminated",
        }
    }
}

/// What the code asked for. In a replay the recorded one must be equal to what the code asks for
/// now, so it holds what must not change under a run, and nothing else. The order of the variants
/// and of their fields is the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Asked<'a> {
    Step {
        name: &'a str,
    },
    Sleep {
        until: Timestamp,
    },
    /// The addressee is its label: ids are not compared.
    Send {
        channel: &'a str,
    },
    /// Never recorded: what is, is the message.
    Receive {
        channel: &'a str,
    },
}

/// What an outcome took; all zero where there is no body.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) attempts: u32,
    /// Nanoseconds from the start of the first attempt (of this process) to the commit.
    pub(crate) started_before: u64,
    /// Nanoseconds from the start of the first attempt (of this process) to the outcome.
    pub(crate) took: u64,
}

/// See [`Record::OperationNoted`]. The order of the variants is the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Note {
    /// An `at_most_once` body may have begun.
    Begun,
    /// The end of a process interrupted the body, or may have; it may run again.
    Interrupted,
}

impl<'a> Asked<'a> {
    /// The name that a user gave it, or nothing.
    pub(crate) fn name(&self) -> &'a str {
        match self {
            Self::Step { name } => name,
            Self::Sleep { .. } => "",
            Self::Send { channel } | Self::Receive { channel } => channel,
        }
    }

    /// Whether a history can hold `note` of it.
    pub(crate) fn takes(&self, note: Note) -> bool {
        match (self, note) {
            (Self::Step { .. }, Note::Begun | Note::Interrupted) => true,
            (
                Self::Sleep { .. } | Self::Send { .. } | Self::Receive { .. },
                Note::Begun | Note::Interrupted,
            ) => false,
        }
    }

    /// What of it a message shows only where it differs: it would be noise elsewhere.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Step { .. } | Self::Send { .. } | Self::Receive { .. } => String::new(),
            Self::Sleep { until } => alloc::format!(", due at {until}"),
        }
    }

    /// Whether the label is compared, too.
    pub(crate) fn compares_labels(&self) -> bool {
        match self {
            Self::Step { .. } | Self::Sleep { .. } => true,
            Self::Send { .. } | Self::Receive { .. } => false,
        }
    }

    /// Whether the run must be in memory until it has its outcome, because something is done for it.
    pub(crate) fn is_worked_on(&self) -> bool {
        match self {
            Self::Step { .. } | Self::Send { .. } => true,
            Self::Sleep { .. } | Self::Receive { .. } => false,
        }
    }

    /// Whether both are of one kind.
    pub(crate) fn is_like(&self, other: &Asked<'_>) -> bool {
        core::mem::discriminant(self) == core::mem::discriminant(other)
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Step { .. } => "step",
            Self::Sleep { .. } => "sleep",
            Self::Send { .. } => "send",
            Self::Receive { .. } => "receive",
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
                    Asked::Step { .. } | Asked::Send { .. } | Asked::Receive { .. } => "outcome",
                    Asked::Sleep { .. } => "end",
                };
                write!(f, "{what} of {}", Shown(asked, *number, *label))
            }
            Record::OperationNoted { number, note: Note::Begun } => {
                write!(f, "start of step {number}")
            }
            Record::OperationNoted { number, note: Note::Interrupted } => {
                write!(f, "interruption of step {number}")
            }
            Record::MessageArrived { channel, .. } => write!(f, "message on channel {channel:?}"),
            Record::CancelRequested { cause } => {
                write!(f, "request to cancel ({})", cause.name())
            }
            Record::Finished { outcome: Ok(_), .. } => f.write_str("end of the run with an output"),
            Record::Finished { outcome: Err(failure), .. } => {
                write!(f, "end of the run with the error {:?}", failure.message())
            }
        }
    }
}

/// An operation as messages show it: `step 3.1 "reserve" [tea]`.
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
        label.map_or(Ok(()), |label| write!(f, " [{label}]"))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;
    use crate::error::Error;

    const NUMBER: Number = Number { task: 3, local: 1 };

    fn ended(outcome: Outcome<'_>) -> Record<'_> {
        let (asked, label) = (Asked::Step { name: "reserve" }, Some("tea"));
        let spent = Spent { attempts: 2, started_before: 9, took: 5 };
        Record::OperationEnded { number: NUMBER, asked, label, outcome, spent }
    }

    fn slept() -> Record<'static> {
        let asked = Asked::Sleep { until: Timestamp::from_nanos(7) };
        let (outcome, spent) = (Ok(Bytes::EMPTY), Spent::default());
        Record::OperationEnded { number: NUMBER, asked, label: None, outcome, spent }
    }

    #[test]
    fn records_survive_encoding() {
        let bytes = || Bytes::Borrowed(&[1, 2, 3]);
        let failure = Error::new("no tea").permanent().into_failure();
        let records = [
            Record::Started { workflow: "order", input: bytes(), version: 1, seed: u64::MAX },
            Record::OperationNoted { number: NUMBER, note: Note::Begun },
            ended(Ok(bytes())),
            ended(Err(failure.clone())),
            slept(),
            Record::OperationNoted { number: NUMBER, note: Note::Interrupted },
            Record::Finished { outcome: Err(failure), was_dropped: true },
            Record::MessageArrived { channel: "approval", payload: bytes(), key: Some("k") },
            Record::CancelRequested { cause: CancelCause::Parent },
        ];
        for record in records {
            let mut encoded = Vec::new();
            record.append(&mut encoded);
            assert_eq!(Record::read(&encoded), Ok(record));
        }
    }

    #[test]
    fn messages_show_number_name_and_label() {
        let shown = ended(Ok(Bytes::Borrowed(&[]))).to_string();
        assert_eq!(shown, r#"outcome of step 3.1 "reserve" [tea]"#);
        assert_eq!(slept().to_string(), "end of sleep 3.1");
    }
}
