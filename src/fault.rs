//! Why a run stops without having ended.

use alloc::string::{String, ToString};
use core::fmt;

use serde::{Deserialize, Serialize};

/// The reasons for which a run is parked. The order is part of the format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ParkReason {
    /// The code asks for something else than the run's history holds.
    Diverged,
    /// A task was woken from outside: it awaits something that no history holds.
    ForeignWake,
    /// No task is ready, nothing is in flight, and nothing can arrive.
    Stalled,
    /// One delivery took more polls than the budget allows.
    LiveLock,
    /// Workflow code panicked.
    Panicked,
    /// The history is damaged.
    Damaged,
    /// A recorded value does not decode as the type that the code wants.
    Undecodable,
}

/// What a person does about it before the run is resumed.
impl ParkReason {
    fn remedy(self) -> &'static str {
        match self {
            Self::Diverged => {
                "bring back the code that made this history (if it did not change, it is not \
                 deterministic), then call `Executor::resume`"
            }
            Self::ForeignWake => {
                "a workflow may await operations of its own run and what they feed: put it in a \
                 step (inside tokio, run the executor under tokio::task::unconstrained), \
                 then call `Executor::resume`"
            }
            Self::Stalled => {
                "so it awaits something that nothing in the run can bring about, such as a timer \
                 or socket of another runtime: put that in a step (inside tokio, run the executor \
                 under tokio::task::unconstrained), then call `Executor::resume`"
            }
            Self::LiveLock => {
                "mend the loop that never waits (inside tokio, run the executor under \
                 tokio::task::unconstrained), then call `Executor::resume`"
            }
            Self::Panicked => "mend the workflow, then call `Executor::resume`",
            Self::Damaged => "restore the file from a backup, then call `Executor::resume`",
            Self::Undecodable => {
                "bring back the type that was recorded (a changed type needs a new name), \
                 then call `Executor::resume`"
            }
        }
    }
}

/// A reason with its particulars, as a parked run's row holds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) reason: ParkReason,
    detail: String,
}

impl Fault {
    pub(crate) fn new(reason: ParkReason, detail: impl fmt::Display) -> Self {
        Self { reason, detail: detail.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.reason, self.detail, self.reason.remedy())
    }
}

impl fmt::Display for ParkReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Diverged => "diverged",
            Self::ForeignWake => "woken from outside",
            Self::Stalled => "stalled",
            Self::LiveLock => "live-lock",
            Self::Panicked => "panicked",
            Self::Damaged => "damaged history",
            Self::Undecodable => "undecodable value",
        })
    }
}
