//! Which recorded value of a run.

use std::fmt;
use std::str::FromStr;

use dacapo::{HistoryEvent, HistoryValue, OperationNumber};

/// Which recorded value of a run.
///
/// ```
/// use dacapo_inspect::Recorded;
///
/// for text in ["input", "output", "@7", "3", "2.1"] {
///     assert_eq!(text.parse::<Recorded>().unwrap().to_string(), text);
/// }
/// assert!("third".parse::<Recorded>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// What it was started with.
    Input,
    /// What it returned.
    Output,
    /// That of a record.
    Record(u64),
    /// The outcome of an operation.
    Operation(OperationNumber),
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => f.write_str("input"),
            Self::Output => f.write_str("output"),
            Self::Record(record) => write!(f, "@{record}"),
            Self::Operation(number) => number.fmt(f),
        }
    }
}

impl FromStr for Recorded {
    /// What it might be.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = match text {
            "input" => Some(Self::Input),
            "output" => Some(Self::Output),
            text => match text.strip_prefix('@') {
                Some(record) => record.parse().ok().map(Self::Record),
                None => text.parse().ok().map(Self::Operation),
            },
        };
        known.ok_or_else(|| {
            format!(
                "{text:?} is no value: give the number of an operation, \"input\", \"output\", or @ and a record"
            )
        })
    }
}

impl Recorded {
    /// The value of an event, if it is this one.
    pub(crate) fn of(self, seq: u64, event: &HistoryEvent) -> Option<HistoryValue> {
        let value = match (self, event) {
            (Self::Input, event) => input_of(event)?,
            (Self::Output, HistoryEvent::Finished { outcome: Ok(output), .. }) => output,
            (
                Self::Operation(asked),
                HistoryEvent::Ended { number, outcome: Ok(value), .. }
                | HistoryEvent::Answered { number, outcome: Ok(value), .. }
                | HistoryEvent::Published { number, value, .. },
            ) if *number == asked => value,
            (Self::Record(asked), event) if asked == seq => values_of(event)?,
            _ => return None,
        };
        Some(value.clone()).filter(|value| value.size() > 0)
    }
}

/// What a run begins with, if the event says it: the last that does counts, since what waits may be given
/// another one.
pub(crate) fn input_of(event: &HistoryEvent) -> Option<&HistoryValue> {
    match event {
        HistoryEvent::Started { input, .. }
        | HistoryEvent::Submitted { input, .. }
        | HistoryEvent::Resubmitted { input: Some(input), .. } => Some(input),
        _ => None,
    }
}

/// The value that an event holds.
pub(crate) fn values_of(event: &HistoryEvent) -> Option<&HistoryValue> {
    match event {
        HistoryEvent::Ended { outcome: Ok(value), .. }
        | HistoryEvent::Message { value, .. }
        | HistoryEvent::Published { value, .. }
        | HistoryEvent::Reported { value, .. }
        | HistoryEvent::Answered { outcome: Ok(value), .. }
        | HistoryEvent::Finished { outcome: Ok(value), .. } => Some(value),
        event => input_of(event),
    }
}
