//! Recorded errors.

use std::error::Error as _;

use dacapo::Error;
use serde::{Deserialize, Serialize};

/// Why something failed, as it was recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// What the error said.
    pub message: String,
    /// Its causes, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// Whether no other attempt was to be made for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub permanent: bool,
    /// Whether it is that a step was interrupted, and is not tried again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        Self {
            message: error.to_string(),
            causes: causes.map(ToString::to_string).collect(),
            permanent: error.is_permanent(),
            interrupted: error.is_interrupted(),
        }
    }
}

impl Failure {
    /// The message with its causes.
    #[must_use]
    pub fn line(&self) -> String {
        let all: Vec<_> =
            [&self.message].into_iter().chain(&self.causes).map(String::as_str).collect();
        all.join(": ")
    }
}
