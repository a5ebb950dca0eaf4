//! The entries of a run's history: what is remembered.

mod encoding;
mod shown;
mod submission;
#[cfg(feature = "export")]
mod values;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::error::Failure;
use crate::fingerprint::Fingerprint;
pub(crate) use encoding::{Ended, ShortAsked};
pub(crate) use shown::{Shown, ShownMark};
pub(crate) use submission::{
    Carried, CarriedKey, CarriedTopic, Link, Options, Place, Resubmission, Submission,
};

/// The scheduling rules and the poll budget that a history was made under.
///
/// It changes when the same code would be polled in another order, so that a later build can keep
/// old histories on old rules.
pub(crate) const SEMANTICS_VERSION: u32 = 1;

/// An operation's number: the task that built it, and its place among that task's operations.
///
/// Task 0 is the root and does not show: its operations are 1, 2, 3, those of the third spawned
/// task 3.1, 3.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Number {
    pub(crate) task: u32,
    /// Counts from 1.
    pub(crate) local: u32,
}

impl Number {
    /// Of no operation: behind all timers that are due at one time comes the deadline of the run.
    pub(crate) const DEADLINE: Self = Self { task: u32::MAX, local: u32::MAX };

    /// Of the mark that says so of the change that is the `index`th of its run.
    pub(crate) fn of_patch(index: u32) -> Self {
        Self { task: u32::MAX, local: index }
    }
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
    OperationNoted {
        number: Number,
        #[serde(borrow)]
        note: Note<'a>,
    },
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
        /// Whether somebody waits for its answer.
        is_question: bool,
    },
    /// Someone asked the run to end.
    CancelRequested { cause: CancelCause },
    /// The run exists, and is to begin: always its first record, if it is not `Started`.
    Submitted(#[serde(borrow)] Box<Submission<'a>>),
    /// It begins. Posts may stand between the two.
    Admitted {
        /// The [`SEMANTICS_VERSION`] of the build that admitted it.
        version: u32,
        seed: u64,
    },
    /// The code did something without awaiting it.
    Marked {
        number: Number,
        #[serde(borrow)]
        mark: Mark<'a>,
    },
    /// A body published a value.
    Reported {
        number: Number,
        attempt: u32,
        topic: &'a str,
        #[serde(borrow)]
        value: Bytes<'a>,
    },
    /// The message that stands at this seq is never received. Histories are searched for these before
    /// they are delivered.
    MessageSkipped { seq: u64 },
    /// This pass has ended, and the run goes on in another; always its last record.
    Again,
    /// The run had failed, and was taken up again: of what stands from this seq on, failures and what the
    /// code did about them count no longer. Histories are searched for these before they are delivered.
    Retried { from: u64 },
    /// What stands before this was copied from the history of another run; nothing is under way any more
    /// that had no outcome there. Histories are searched for these before they are delivered.
    Forked {
        /// The id of the other run,
        from: &'a str,
        /// and the seq that it was cut at.
        seq: u64,
        /// What is drawn behind this comes from it.
        seed: u64,
    },
    /// What stands before this comes from another file, with the keys of its steps. Histories are searched for
    /// these before they are delivered.
    Moved {
        /// The number of the store that the run was started in,
        store: u64,
        /// and its key there.
        run: u64,
    },
    /// The run waits to be admitted, and is to begin with this in place of what it was submitted with.
    Resubmitted(#[serde(borrow)] Box<Resubmission<'a>>),
}

/// What code does without awaiting it. In a replay a recorded one must have been made, with the same
/// kind and names. The order of the variants and of their fields is the format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Mark<'a> {
    Published {
        topic: &'a str,
        #[serde(borrow)]
        value: Bytes<'a>,
    },
    /// The question at this seq has its answer.
    Answered {
        seq: u64,
        #[serde(borrow)]
        outcome: Outcome<'a>,
    },
    /// Nobody waits for the child any more: it is asked to end.
    ChildDropped,
    /// Nobody waits for the child any more, and it goes on.
    ChildDetached,
    /// A child is started that nobody waits for.
    ChildStarted { workflow: &'a str, id: Cow<'a, str> },
    /// The code asked for this change when so many records had been delivered, and takes the new way from
    /// there on. Histories are searched for these before they are delivered, and code need not ask again.
    Patched { name: &'a str, at: u64 },
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

    /// Why a run was cancelled, for whoever reads its end.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Asked => "somebody asked for it",
            Self::Deadline => "its deadline passed",
            Self::Parent => "its parent no longer waits for it",
            Self::Terminated => "it was terminated",
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
        is_question: bool,
    },
    /// The id of the child is its label: ids are not compared.
    Child {
        workflow: &'a str,
    },
    /// A step that says what it is about.
    StepOf {
        name: &'a str,
        of: Fingerprint,
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Note<'a> {
    /// An `at_most_once` body may have begun.
    Begun,
    /// The end of a process interrupted the body, or may have; it may run again.
    Interrupted,
    /// The child exists.
    ChildStarted { workflow: &'a str, id: &'a str },
    /// The request has left, for another store, and its outcome comes in a later commit. No build has
    /// recorded it so far; one that finds it does not ask again.
    Left,
    /// This attempt of a body failed, and the next one is made at `next_at`.
    AttemptFailed { attempt: u32, failure: Failure, next_at: Timestamp },
    /// The body does not begin before an `Interrupted` behind this says that it may have.
    Deferred,
}

impl Note<'_> {
    /// Whether it says that a body had begun, or may have, and may begin again.
    pub(crate) fn is_of_an_attempt(&self) -> bool {
        match self {
            Self::Interrupted | Self::Deferred | Self::AttemptFailed { .. } => true,
            Self::Begun | Self::ChildStarted { .. } | Self::Left => false,
        }
    }
}

impl<'a> Asked<'a> {
    /// The name that a user gave it, or nothing.
    pub(crate) fn name(&self) -> &'a str {
        match self {
            Self::Step { name } | Self::StepOf { name, .. } => name,
            Self::Sleep { .. } => "",
            Self::Send { channel } | Self::Receive { channel, .. } => channel,
            Self::Child { workflow } => workflow,
        }
    }

    /// Whether a history can hold `note` of it.
    pub(crate) fn takes(&self, note: &Note<'_>) -> bool {
        match note {
            Note::Begun | Note::Interrupted | Note::Deferred | Note::AttemptFailed { .. } => {
                matches!(self, Self::Step { .. } | Self::StepOf { .. })
            }
            Note::ChildStarted { workflow: started, .. } => {
                matches!(self, Self::Child { workflow } if workflow == started)
            }
            Note::Left => self.is_request(),
        }
    }

    /// Whether it changes something outside of the run.
    pub(crate) fn is_request(&self) -> bool {
        match self {
            Self::Send { .. } | Self::Child { .. } => true,
            Self::Step { .. } | Self::StepOf { .. } | Self::Sleep { .. } | Self::Receive { .. } => {
                false
            }
        }
    }

    /// What of it a message shows only where it differs: it would be noise elsewhere.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Step { .. }
            | Self::StepOf { .. }
            | Self::Send { .. }
            | Self::Receive { .. }
            | Self::Child { .. } => String::new(),
            Self::Sleep { until } => alloc::format!(", due at {until}"),
        }
    }

    /// Whether the label is compared, too.
    pub(crate) fn compares_labels(&self) -> bool {
        match self {
            Self::Step { .. } | Self::StepOf { .. } | Self::Sleep { .. } => true,
            Self::Send { .. } | Self::Receive { .. } | Self::Child { .. } => false,
        }
    }

    /// Whether both are of one kind.
    pub(crate) fn is_like(&self, other: &Asked<'_>) -> bool {
        core::mem::discriminant(self) == core::mem::discriminant(other)
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Step { .. } | Self::StepOf { .. } => "step",
            Self::Sleep { .. } => "sleep",
            Self::Send { .. } => "send",
            Self::Receive { .. } => "receive",
            Self::Child { .. } => "child",
        }
    }
}

impl Mark<'_> {
    /// Whether both are of one kind, with the same names.
    pub(crate) fn is_like(&self, other: &Mark<'_>) -> bool {
        match (self, other) {
            (Self::Published { topic, .. }, Mark::Published { topic: other, .. }) => topic == other,
            (Self::Answered { seq, .. }, Mark::Answered { seq: other, .. }) => seq == other,
            (Self::ChildStarted { workflow, .. }, Mark::ChildStarted { workflow: other, .. }) => {
                workflow == other
            }
            (Self::Patched { name, .. }, Mark::Patched { name: other, .. }) => name == other,
            (Self::ChildDropped, Mark::ChildDropped)
            | (Self::ChildDetached, Mark::ChildDetached) => true,
            (
                Self::Published { .. }
                | Self::Answered { .. }
                | Self::ChildStarted { .. }
                | Self::ChildDropped
                | Self::ChildDetached
                | Self::Patched { .. },
                _,
            ) => false,
        }
    }

    /// The same, without what it owns.
    pub(crate) fn borrowed(&self) -> Mark<'_> {
        match self {
            Self::Published { topic, value } => Mark::Published { topic, value: value.borrowed() },
            Self::Answered { seq, outcome } => {
                Mark::Answered { seq: *seq, outcome: borrowed(outcome) }
            }
            Self::ChildDropped => Mark::ChildDropped,
            Self::ChildDetached => Mark::ChildDetached,
            Self::ChildStarted { workflow, id } => {
                Mark::ChildStarted { workflow, id: Cow::Borrowed(id) }
            }
            Self::Patched { name, at } => {
                let at = *at;
                Mark::Patched { name, at }
            }
        }
    }
}

/// The same outcome, without its bytes.
pub(crate) fn borrowed<'a>(outcome: &'a Outcome<'_>) -> Outcome<'a> {
    match outcome {
        Ok(bytes) => Ok(bytes.borrowed()),
        Err(failure) => Err(failure.clone()),
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

    fn ended_of() -> Record<'static> {
        let asked = Asked::StepOf { name: "reserve", of: Fingerprint([0x1f, 0x3a, 0, 7]) };
        let (label, outcome) = (Some("tea"), Ok(Bytes::Borrowed(&[1])));
        let spent = Spent::default();
        Record::OperationEnded { number: NUMBER, asked, label, outcome, spent }
    }

    fn slept() -> Record<'static> {
        let asked = Asked::Sleep { until: Timestamp::from_nanos(7) };
        let (outcome, spent) = (Ok(Bytes::EMPTY), Spent::default());
        Record::OperationEnded { number: NUMBER, asked, label: None, outcome, spent }
    }

    fn marked(mark: Mark<'_>) -> Record<'_> {
        Record::Marked { number: NUMBER, mark }
    }

    fn submission(input: Bytes<'_>) -> Submission<'_> {
        let key = CarriedKey {
            channel: "price".into(),
            key: "k".into(),
            at: Timestamp::from_nanos(9),
            answer: Some(Ok(input.clone())),
        };
        let topic = CarriedTopic { topic: "status".into(), published: 4, latest: input.clone() };
        Submission {
            workflow: "order",
            input,
            options: Options {
                deadline: Some(Timestamp::from_nanos(7)),
                attributes: [("customer".into(), "ada".into())].into(),
                place: Some(Box::new(Place {
                    queue: Some("carrier".into()),
                    partition: Some("ada".into()),
                    priority: -3,
                    unique: Some("parcel".into()),
                    is_debounced: true,
                    eligible_at: Some(Timestamp::from_nanos(8)),
                })),
            },
            link: Some(Link { parent: 3, number: NUMBER }),
            pass: 2,
            carried: Carried {
                before: Some(1),
                idle_passes: 5,
                keys: [key].into(),
                topics: [topic].into(),
            },
        }
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
            ended_of(),
            Record::OperationNoted { number: NUMBER, note: Note::Interrupted },
            Record::Finished { outcome: Err(failure), was_dropped: true },
            Record::MessageArrived {
                channel: "approval",
                payload: bytes(),
                key: Some("k"),
                is_question: true,
            },
            Record::CancelRequested { cause: CancelCause::Parent },
            Record::Submitted(Box::new(submission(bytes()))),
            Record::Admitted { version: 1, seed: 3 },
            marked(Mark::Published { topic: "status", value: bytes() }),
            marked(Mark::Answered { seq: 300, outcome: Ok(bytes()) }),
            marked(Mark::ChildDropped),
            marked(Mark::ChildDetached),
            marked(Mark::ChildStarted { workflow: "ship", id: "ship-1".into() }),
            marked(Mark::Patched { name: "tax", at: 7 }),
            Record::Reported { number: NUMBER, attempt: 2, topic: "tokens", value: bytes() },
            Record::MessageSkipped { seq: 7 },
            Record::Again,
            Record::Retried { from: 300 },
            Record::Forked { from: "order-7", seq: 300, seed: 9 },
            Record::Moved { store: u64::MAX, run: 7 },
            Record::OperationNoted {
                number: NUMBER,
                note: Note::ChildStarted { workflow: "ship", id: "ship-1" },
            },
            Record::OperationNoted { number: NUMBER, note: Note::Left },
            Record::OperationNoted { number: NUMBER, note: Note::Deferred },
            Record::OperationNoted {
                number: NUMBER,
                note: Note::AttemptFailed {
                    attempt: 3,
                    failure: Error::new("down").into_failure(),
                    next_at: Timestamp::from_nanos(9),
                },
            },
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
        assert_eq!(ended_of().to_string(), r#"outcome of step 3.1 "reserve" [tea] #1f3a0007"#);
        assert_eq!(slept().to_string(), "end of sleep 3.1");
    }
}
