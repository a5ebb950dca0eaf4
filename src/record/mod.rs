//! The entries of a run's history: what is remembered.

mod encoding;

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
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
    /// An `at_most_once` body may have begun.
    StepStarted { number: Number },
    /// A body's last attempt has ended.
    StepFinished {
        number: Number,
        name: &'a str,
        label: Option<&'a str>,
        #[serde(borrow)]
        outcome: Outcome<'a>,
        attempts: u32,
        /// Nanoseconds from the start of the first attempt (of this process) to the commit.
        started_before: u64,
        /// Nanoseconds from the start of the first attempt (of this process) to the outcome.
        took: u64,
    },
    /// A sleep is over.
    TimerFired { number: Number },
    /// A message for a channel of this run.
    MessageArrived {
        channel: &'a str,
        #[serde(borrow)]
        payload: Bytes<'a>,
    },
    /// A send of this run was carried out, or its addressee could not be found.
    Sent {
        number: Number,
        #[serde(borrow)]
        outcome: Outcome<'a>,
    },
    /// A child run has ended.
    ChildFinished {
        number: Number,
        #[serde(borrow)]
        outcome: Outcome<'a>,
    },
    /// A child was dropped, and so cancelled.
    ChildDropped { number: Number },
    /// A body without an outcome was cut off by the end of its process, and may run again.
    Restarted { number: Number },
    /// Someone asked the run to end.
    CancelRequested,
    /// When a patch was first asked for.
    Patched {
        name: &'a str,
        /// How many records had been delivered by then.
        at: u64,
    },
    /// The run has ended; always its last record.
    Finished {
        #[serde(borrow)]
        outcome: Outcome<'a>,
    },
}

/// What an operation is, as a history and a message show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Step,
    Sleep,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Step => "step",
            Kind::Sleep => "sleep",
        })
    }
}

/// How messages show a record: its kind, number, name and label, without payloads.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Started { workflow, .. } => write!(f, "start of workflow {workflow:?}"),
            Record::StepStarted { number } => write!(f, "start of step {number}"),
            Record::StepFinished { number, name, label, .. } => {
                write!(f, "outcome of {}", Shown(Kind::Step, *number, name, *label))
            }
            Record::TimerFired { number } => write!(f, "end of sleep {number}"),
            Record::MessageArrived { channel, .. } => write!(f, "message on channel {channel:?}"),
            Record::Sent { number, .. } => write!(f, "send {number}"),
            Record::ChildFinished { number, .. } => write!(f, "end of child {number}"),
            Record::ChildDropped { number } => write!(f, "drop of child {number}"),
            Record::Restarted { number } => write!(f, "restart of step {number}"),
            Record::CancelRequested => f.write_str("request to cancel"),
            Record::Patched { name, .. } => write!(f, "patch {name:?}"),
            Record::Finished { outcome: Ok(_) } => f.write_str("end of the run with an output"),
            Record::Finished { outcome: Err(failure) } => {
                write!(f, "end of the run with the error {:?}", failure.message())
            }
        }
    }
}

/// An operation as messages show it: `step 3.1 "reserve" [tea]`.
pub(crate) struct Shown<'a>(
    pub(crate) Kind,
    pub(crate) Number,
    pub(crate) &'a str,
    pub(crate) Option<&'a str>,
);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(kind, number, name, label) = self;
        write!(f, "{kind} {number}")?;
        if !name.is_empty() {
            write!(f, " {name:?}")?;
        }
        label.map_or(Ok(()), |label| write!(f, " [{label}]"))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::error::Error;

    const NUMBER: Number = Number { task: 3, local: 1 };

    fn finished(outcome: Outcome<'_>) -> Record<'_> {
        let (name, label) = ("reserve", Some("tea"));
        let (number, attempts, started_before, took) = (NUMBER, 2, 9, 5);
        Record::StepFinished { number, name, label, outcome, attempts, started_before, took }
    }

    #[test]
    fn records_survive_encoding() {
        let bytes = || Bytes::Borrowed(&[1, 2, 3]);
        let failure = Error::new("no tea").permanent().into_failure();
        let records = [
            Record::Started { workflow: "order", input: bytes(), version: 1, seed: u64::MAX },
            Record::StepStarted { number: NUMBER },
            finished(Ok(bytes())),
            finished(Err(failure.clone())),
            Record::TimerFired { number: NUMBER },
            Record::Restarted { number: NUMBER },
            Record::Patched { name: "v2", at: 7 },
            Record::Finished { outcome: Err(failure) },
        ];
        for record in records {
            let mut encoded = Vec::new();
            record.append(&mut encoded);
            assert_eq!(Record::read(&encoded), Ok(record));
        }
    }

    #[test]
    fn messages_show_number_name_and_label() {
        let shown = alloc::string::ToString::to_string(&finished(Ok(Bytes::Borrowed(&[]))));
        assert_eq!(shown, r#"outcome of step 3.1 "reserve" [tea]"#);
    }
}
