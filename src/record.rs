//! The entries of a run's history: what is remembered.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::codec;
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

impl<'a> Record<'a> {
    /// Appends the record's encoding, which is postcard's.
    ///
    /// Nearly all records are outcomes of steps, and have their own way to the same bytes.
    pub(crate) fn append(&self, out: &mut Vec<u8>) {
        let Self::StepFinished { number, name, label, outcome: Ok(bytes), .. } = self else {
            return codec::append(self, out);
        };
        let Self::StepFinished { attempts, started_before, took, .. } = *self else { return };
        out.push(Self::STEP_FINISHED);
        varint(out, number.task.into());
        varint(out, number.local.into());
        with_length(out, name.as_bytes());
        out.push(label.is_some().into());
        label.iter().for_each(|label| with_length(out, label.as_bytes()));
        out.push(Self::OK);
        with_length(out, bytes.as_slice());
        varint(out, attempts.into());
        varint(out, started_before);
        varint(out, took);
    }

    /// Reads a record from all of `bytes`, or says what is wrong.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        // Whatever is unusual in an outcome is postcard's to read, or to refuse.
        Self::read_outcome(bytes).map_or_else(|| codec::decode(bytes), Ok)
    }

    fn read_outcome(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[Self::STEP_FINISHED])?;
        let number = Number { task: take_u32(&mut rest)?, local: take_u32(&mut rest)? };
        let name = str::from_utf8(take_bytes(&mut rest)?).ok()?;
        let label = match take(&mut rest)? {
            0 => None,
            1 => Some(str::from_utf8(take_bytes(&mut rest)?).ok()?),
            _ => return None,
        };
        rest = rest.strip_prefix(&[Self::OK])?;
        let outcome = Ok(Bytes::Borrowed(take_bytes(&mut rest)?));
        let attempts = take_u32(&mut rest)?;
        let (started_before, took) = (take_varint(&mut rest)?, take_varint(&mut rest)?);
        let record =
            Self::StepFinished { number, name, label, outcome, attempts, started_before, took };
        rest.is_empty().then_some(record)
    }

    /// The place of the variant among the others, as that of `Ok` in `Result`.
    const STEP_FINISHED: u8 = 2;
    const OK: u8 = 0;
}

/// An unsigned integer in base 128, the smallest digit first, as in LEB128.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

/// The value of a varint of at most nine bytes; longer ones are as good as never met.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for digit in 0..9 {
        let byte = take(bytes)?;
        value |= u64::from(byte & 0x7f) << (7 * digit);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The same for what takes at most four.
fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let before = bytes.len();
    let value = take_varint(bytes)?;
    let is_short = before - bytes.len() <= 4;
    u32::try_from(value).ok().filter(|_| is_short)
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_varint(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn with_length(out: &mut Vec<u8>, bytes: &[u8]) {
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
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
    use super::*;
    use crate::error::Error;
    use crate::random;

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

    /// Random outcomes, with integers of every length.
    #[test]
    fn the_short_way_leads_to_the_bytes_of_postcard() {
        let bytes = [7; 300];
        for seed in 0..2_000 {
            let random = |index| random::mix(seed, index) >> (random::mix(index, seed) % 64);
            let record = Record::StepFinished {
                number: Number { task: random(0) as u32, local: random(1) as u32 },
                name: &"a name that is long enough for two bytes of length ".repeat(3)
                    [..random(2) as usize % 150],
                label: ["", "tea"].get(random(3) as usize % 3).copied(),
                outcome: Ok(Bytes::Borrowed(&bytes[..random(4) as usize % 300])),
                attempts: random(5) as u32,
                started_before: random(6),
                took: random(7),
            };
            let (mut short, mut long) = (alloc::vec![1, 2], alloc::vec![1, 2]);
            record.append(&mut short);
            codec::append(&record, &mut long);
            assert_eq!(short, long, "seed {seed}");

            let mut bytes = short.split_off(2);
            assert_eq!(Record::read(&bytes), Ok(record), "seed {seed}");
            let at = random(8) as usize % bytes.len();
            bytes[at] ^= 1 << (random(9) % 8);
            bytes.truncate(bytes.len() - (random(10) % 2) as usize);
            assert_eq!(Record::read(&bytes), codec::decode(&bytes), "seed {seed}");
        }
    }

    #[test]
    fn messages_show_number_name_and_label() {
        let shown = alloc::string::ToString::to_string(&finished(Ok(Bytes::Borrowed(&[]))));
        assert_eq!(shown, r#"outcome of step 3.1 "reserve" [tea]"#);
    }
}
