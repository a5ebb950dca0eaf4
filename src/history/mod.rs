//! Histories as people and programs read them: without the code and the types that made them.

mod event;
mod of_record;
mod value;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use event::{HistoryEvent, OperationKind};
pub(crate) use of_record::{event, kind_of};
pub use value::HistoryValue;

use crate::clock::Timestamp;
use crate::record::Number;

/// One record of a run's history; see [`Executor::history`](crate::Executor::history).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// Where it stands in the history, from 0.
    pub seq: u64,
    /// The number of the commit that it came with; 0 if that cannot be read.
    pub commit: u64,
    /// The time of that commit; 0 likewise.
    pub time: Timestamp,
    /// What it says.
    pub event: HistoryEvent,
}

/// A part of a run's history; see [`Executor::history`](crate::Executor::history).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HistoryPage {
    /// How many records the whole history has.
    pub records: u64,
    /// Those of this part, in their order.
    pub entries: Vec<HistoryEntry>,
    /// Where the next part begins, if there is more of what was asked for.
    pub next: Option<u64>,
}

/// The number of an operation: the task that built it, and its place among that task's operations.
///
/// Task 0 is the run's root and does not show: its operations are 1, 2, 3, and those of the third task
/// that was spawned 3.1, 3.2.
///
/// ```
/// # use dacapo::OperationNumber;
/// let number: OperationNumber = "3.2".parse().expect("it is one");
/// assert_eq!((number.task, number.place, number.to_string().as_str()), (3, 2, "3.2"));
/// assert_eq!("7".parse::<OperationNumber>().expect("it is one").task, 0);
/// assert!("x".parse::<OperationNumber>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OperationNumber {
    /// The task, from 1 in the order in which they were spawned; 0 for the root.
    pub task: u32,
    /// Which of its operations it is, from 1.
    pub place: u32,
}

impl From<Number> for OperationNumber {
    fn from(Number { task, local }: Number) -> Self {
        Self { task, place: local }
    }
}

impl fmt::Display for OperationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Number { task: self.task, local: self.place }.fmt(f)
    }
}

impl core::str::FromStr for OperationNumber {
    type Err = core::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (task, place) = text.split_once('.').unwrap_or(("0", text));
        Ok(Self { task: task.parse()?, place: place.parse()? })
    }
}

impl HistoryEntry {
    /// One that cannot be read.
    pub(crate) fn unreadable(seq: u64, why: String) -> Self {
        let event = HistoryEvent::Unreadable { why };
        Self { seq, commit: 0, time: Timestamp::default(), event }
    }
}
