//! Runs that were stopped without having ended.

use dacapo::{Executor, ParkedRun};
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A run that was stopped without having ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "parked")]
#[non_exhaustive]
pub struct Parked {
    /// Its id.
    pub id: String,
    /// The name of its workflow.
    pub workflow: String,
    /// Why: one or two words.
    pub reason: String,
    /// Why in particular, and what to do about it.
    pub message: String,
    /// The build that parked it, if it said which it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// When it was parked; `None` if it was taken up or deleted meanwhile.
    pub parked_at: Option<Time>,
}

impl Parked {
    pub(crate) fn new(run: ParkedRun, executor: &Executor) -> Self {
        Self {
            parked_at: executor.info(&run.id).ok().map(|info| info.changed_at.into()),
            id: run.id,
            workflow: run.workflow,
            reason: run.reason.to_string(),
            message: run.message,
            build: run.build,
        }
    }
}
