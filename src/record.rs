//! The entries of a run's history: what is remembered.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// Bytes of a value, borrowed from a history or owned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bytes<'a>(pub(crate) Cow<'a, [u8]>);

/// What came of a step or a run.
pub(crate) type Outcome<'a> = Result<Bytes<'a>, Failure>;

/// One entry of a history. The order of the variants and of their fields is the format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Record<'a> {
    /// The run exists; always its first record.
    Started {
        #[serde(borrow)]
        workflow: Cow<'a, str>,
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
        #[serde(borrow)]
        name: Cow<'a, str>,
        label: Option<String>,
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
        #[serde(borrow)]
        channel: Cow<'a, str>,
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
        #[serde(borrow)]
        name: Cow<'a, str>,
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
                write!(f, "outcome of {}", Shown(Kind::Step, *number, name, label.as_deref()))
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
                write!(f, "end of the run with the error {:?}", failure.message)
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

impl From<Vec<u8>> for Bytes<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(Cow::Owned(bytes))
    }
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BorrowBytes).map(|bytes| Bytes(Cow::Borrowed(bytes)))
    }
}

struct BorrowBytes;

impl<'de> Visitor<'de> for BorrowBytes {
    type Value = &'de [u8];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<&'de [u8], E> {
        Ok(bytes)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<&'de [u8], E> {
        Err(E::custom("text where bytes belong"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::error::Error;

    const NUMBER: Number = Number { task: 3, local: 1 };

    fn finished(outcome: Outcome<'static>) -> Record<'static> {
        let (name, label) = (Cow::Borrowed("reserve"), Some("tea".into()));
        let (attempts, started_before, took) = (2, 9, 5);
        Record::StepFinished {
            number: NUMBER,
            name,
            label,
            outcome,
            attempts,
            started_before,
            took,
        }
    }

    #[test]
    fn records_survive_encoding() {
        let bytes = || Bytes::from(alloc::vec![1, 2, 3]);
        let failure = Error::new("no tea").permanent().into_failure();
        let (workflow, name) = (Cow::Borrowed("order"), Cow::Borrowed("v2"));
        let records = [
            Record::Started { workflow, input: bytes(), version: 1, seed: u64::MAX },
            Record::StepStarted { number: NUMBER },
            finished(Ok(bytes())),
            finished(Err(failure.clone())),
            Record::TimerFired { number: NUMBER },
            Record::Restarted { number: NUMBER },
            Record::Patched { name, at: 7 },
            Record::Finished { outcome: Err(failure) },
        ];
        for record in records {
            let encoded = codec::encode(&record).expect("plain data");
            assert_eq!(codec::decode(&encoded), Ok(record));
        }
    }

    #[test]
    fn messages_show_number_name_and_label() {
        let shown = alloc::string::ToString::to_string(&finished(Ok(Vec::new().into())));
        assert_eq!(shown, r#"outcome of step 3.1 "reserve" [tea]"#);
    }
}
