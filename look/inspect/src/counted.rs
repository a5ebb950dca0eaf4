//! Runs that are counted before something is done to them.

use dacapo::RunInfo;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A run that was counted: something is done to it only if it is still this one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "counted")]
#[non_exhaustive]
pub struct Counted {
    /// Its id.
    pub id: String,
    /// Its key in the file.
    pub key: u64,
    /// The name of its workflow.
    pub workflow: String,
    /// Where it stands.
    pub state: String,
    /// When its row changed last.
    pub changed_at: Time,
}

impl From<&RunInfo> for Counted {
    fn from(run: &RunInfo) -> Self {
        Self {
            id: run.id.clone(),
            key: run.key.0,
            workflow: run.workflow.clone(),
            state: run.state.name().to_owned(),
            changed_at: run.changed_at.into(),
        }
    }
}

impl Counted {
    /// Whether a run is this one, in the same state, and not changed since.
    #[must_use]
    pub fn is(&self, run: &RunInfo) -> bool {
        *self == Self::from(run)
    }
}
