//! What goes wrong, and the code to end with.

use std::io;

pub(crate) use dacapo_control::Code as Kind;
use dacapo_control::Problem;

use crate::text::{json_safe, safe};

/// What to do about a file that somebody has open who cannot be asked.
const NO_SOCKET: &str = "whoever has it open serves no socket: have it call \
    dacapo_control::Control::beside_file, name its socket with --socket, or look at a copy, which \
    Executor::backup makes";

/// Something that goes wrong.
#[derive(Debug)]
pub(crate) struct Trouble {
    problem: Problem,
    /// Whoever reads the output has gone.
    is_closed_pipe: bool,
}

impl Trouble {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { problem: Problem::new(kind, message.into()), is_closed_pipe: false }
    }

    pub(crate) fn is(&self, kind: Kind) -> bool {
        self.problem.code == kind
    }

    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.is_closed_pipe
    }

    pub(crate) fn message(&self) -> &str {
        &self.problem.message
    }

    /// What the program ends with.
    pub(crate) fn code(&self) -> u8 {
        match self.problem.code {
            Kind::Usage | Kind::NoSuchFile => 2,
            Kind::NoSuchRun | Kind::NoSuchValue => 3,
            Kind::NotInThisState => 5,
            Kind::InUse => 6,
            // Those of the disk, and of another version.
            _ => 1,
        }
    }

    /// One line.
    pub(crate) fn shown(&self, is_json: bool) -> String {
        match is_json {
            false => format!("dacapo: {}", safe(&self.problem.message)),
            true => json_safe(&serde_json::to_string(&self.problem).expect("texts are JSON")),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let is_closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        let message = format!("the output cannot be written: {error}");
        Self { is_closed_pipe, ..Self::new(Kind::Failed, message) }
    }
}

impl From<Problem> for Trouble {
    fn from(mut problem: Problem) -> Self {
        if problem.code == Kind::NoSuchRun {
            problem.message = problem.message.replace(
                "check the id, or start it",
                "see \"dacapo list --prefix TEXT\" or \"--grep TEXT\"",
            );
        }
        Self { problem, is_closed_pipe: false }
    }
}

impl From<dacapo::Error> for Trouble {
    fn from(error: dacapo::Error) -> Self {
        Problem::from(error).into()
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
            Kind::InUse => format!("{error}; {NO_SOCKET}"),
            _ => error.to_string(),
        };
        Self::new(kind, message)
    }
}
