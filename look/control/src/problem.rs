//! What goes wrong, as both ends say it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What goes wrong, as both ends say it: a line of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "error")]
#[non_exhaustive]
pub struct Problem {
    /// Of which kind it is.
    pub code: Code,
    /// What is wrong, and what to do about it.
    pub message: String,
}

/// Of which kind a problem is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// The disk, or what refuses.
    Failed,
    /// There is no such file.
    NoSuchFile,
    /// The file is none of ours.
    NotAStore,
    /// The file is damaged.
    Damaged,
    /// It was asked for wrongly.
    Usage,
    /// There is no such run.
    NoSuchRun,
    /// There is no such value.
    NoSuchValue,
    /// The run is not in a state for it.
    NotInThisState,
    /// The file is in use, and nobody answers.
    InUse,
    /// The other end speaks another version.
    Version,
}

impl Problem {
    /// A problem of a kind, with what to do about it.
    #[must_use]
    pub fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }
}

impl Code {
    /// What stands in the first line of an answer.
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Failed | Self::Damaged | Self::NotAStore => "500 Internal Server Error",
            Self::Usage | Self::Version => "400 Bad Request",
            Self::NoSuchRun | Self::NoSuchValue | Self::NoSuchFile => "404 Not Found",
            Self::NotInThisState => "409 Conflict",
            Self::InUse => "503 Service Unavailable",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl std::error::Error for Problem {}

impl From<dacapo::Error> for Problem {
    fn from(error: dacapo::Error) -> Self {
        let code = match () {
            () if error.is_not_found() => Code::NoSuchRun,
            () if error.is_ended() || error.is_parked() => Code::NotInThisState,
            () if error.is_closed() => Code::InUse,
            () => Code::Failed,
        };
        Self::new(code, error)
    }
}
