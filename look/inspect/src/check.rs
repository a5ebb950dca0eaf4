//! A file held against its checksums.

use serde::{Deserialize, Serialize};

/// What came of a check.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "checked")]
#[non_exhaustive]
pub struct Checked {
    /// How many runs were read.
    pub runs: u64,
    /// How many records.
    pub records: u64,
    /// How many values.
    pub values: u64,
    /// How much of it is damaged.
    pub damaged: u64,
}

/// Something that is damaged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "damage")]
#[non_exhaustive]
pub struct Damage {
    /// The run that it is in, if it is in one.
    pub run: Option<String>,
    /// The record, if it is one.
    pub record: Option<u64>,
    /// What is wrong.
    pub message: String,
}

impl Damage {
    /// That of a file as a whole.
    #[must_use]
    pub fn of_file(message: &str) -> Self {
        Self { run: None, record: None, message: message.to_owned() }
    }
}
