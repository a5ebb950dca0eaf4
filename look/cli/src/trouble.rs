//! What goes wrong, and the code to end with.

use std::io;

use serde::Serialize;

use crate::text::{json_safe, safe};

/// Something that goes wrong.
#[derive(Debug)]
pub(crate) struct Trouble {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The disk, or what refuses.
    Failed,
    NoSuchFile,
    NotAStore,
    Damaged,
    Usage,
    NoSuchRun,
    NoSuchValue,
    /// The run has not ended, or has.
    NotInThisState,
    InUse,
    /// Whoever reads the output has gone.
    ClosedPipe,
}

/// As JSON has it.
#[derive(Serialize)]
struct Shown<'a> {
    kind: &'static str,
    code: &'static str,
    message: &'a str,
}

impl Trouble {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn is(&self, kind: Kind) -> bool {
        self.kind == kind
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What the program ends with.
    pub(crate) fn code(&self) -> u8 {
        match self.kind {
            Kind::ClosedPipe => 0,
            Kind::Failed | Kind::NotAStore | Kind::Damaged => 1,
            Kind::Usage | Kind::NoSuchFile => 2,
            Kind::NoSuchRun | Kind::NoSuchValue => 3,
            Kind::NotInThisState => 5,
            Kind::InUse => 6,
        }
    }

    /// One line.
    pub(crate) fn shown(&self, is_json: bool) -> String {
        if !is_json {
            return format!("dacapo: {}", safe(&self.message));
        }
        let code = match self.kind {
            Kind::Failed | Kind::ClosedPipe => "failed",
            Kind::NoSuchFile => "no-such-file",
            Kind::NotAStore => "not-a-store",
            Kind::Damaged => "damaged",
            Kind::Usage => "usage",
            Kind::NoSuchRun => "no-such-run",
            Kind::NoSuchValue => "no-such-value",
            Kind::NotInThisState => "not-in-this-state",
            Kind::InUse => "in-use",
        };
        let error = Shown { kind: "error", code, message: &self.message };
        json_safe(&serde_json::to_string(&error).expect("texts are JSON"))
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::BrokenPipe => Kind::ClosedPipe,
            _ => Kind::Failed,
        };
        Self::new(kind, format!("the output cannot be written: {error}"))
    }
}

impl From<dacapo::Error> for Trouble {
    fn from(error: dacapo::Error) -> Self {
        let kind = if error.is_not_found() { Kind::NoSuchRun } else { Kind::Failed };
        let message = match kind {
            Kind::NoSuchRun => error.to_string().replace(
                "check the id, or start it",
                "see \"dacapo list --prefix TEXT\" or \"--grep TEXT\"",
            ),
            _ => error.to_string(),
        };
        Self::new(kind, message)
    }
}

impl From<dacapo::store::Error> for Trouble {
    fn from(error: dacapo::store::Error) -> Self {
        let kind = match &error {
            error if error.is_in_use() => Kind::InUse,
            error if error.is_not_a_store() => Kind::NotAStore,
            error if error.is_damaged() => Kind::Damaged,
            _ => Kind::Failed,
        };
        let message = match kind {
            Kind::InUse => format!("{error}; or look at a copy: Executor::backup makes one"),
            _ => error.to_string(),
        };
        Self::new(kind, message)
    }
}
