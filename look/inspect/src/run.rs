//! One run with what it did.

use serde::Serialize;

use crate::operation::{Operation, Outcome, Progress};
use crate::row::Row;
use crate::site::Shown;
use crate::time::Time;
use crate::value::Value;

/// One run with what it did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Run {
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: Row,
    /// What it was started with.
    pub input: Option<Value>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// How many operations its records tell of, up to [`to`](Self::to).
    pub operations: u64,
    /// Records up to this one are shown, without it.
    pub to: u64,
    /// Its operations in the order in which they began, as far as that is recorded.
    #[serde(skip)]
    pub shown: Vec<Shown>,
}

/// Which operations of a run are shown, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct View {
    /// So many bytes of each value.
    pub value_bytes: usize,
    /// Records up to this one, without it.
    pub to: u64,
    /// Which operations.
    pub which: Which,
    /// Whether what is shown together has what it takes to draw it.
    pub is_drawn: bool,
}

/// Which operations of a run are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Which {
    /// Those of one name together, where they are many.
    Together,
    /// All, one by one.
    All,
    /// Those that failed, or whose attempts did, one by one.
    Failed,
}

impl Default for View {
    fn default() -> Self {
        Self { value_bytes: Value::SHORT, to: u64::MAX, which: Which::Together, is_drawn: false }
    }
}

impl View {
    /// Records up to this one, without it.
    #[must_use]
    pub fn up_to(self, to: u64) -> Self {
        Self { to, ..self }
    }

    /// With what it takes to draw it.
    #[must_use]
    pub fn drawn(self) -> Self {
        Self { is_drawn: true, ..self }
    }

    /// These operations.
    #[must_use]
    pub fn only(self, which: Which) -> Self {
        Self { which, ..self }
    }
}

impl Which {
    pub(crate) fn admits(self, operation: &Operation) -> bool {
        match self {
            Self::Together | Self::All => true,
            Self::Failed => {
                operation.state != Progress::Done || !operation.failed_attempts.is_empty()
            }
        }
    }
}
