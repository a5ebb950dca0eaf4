//! A store in numbers.

use std::collections::BTreeMap;

use dacapo::store::RunState;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A store in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "statistics")]
#[non_exhaustive]
pub struct Statistics {
    /// How many bytes it takes on the disk, if it is a file.
    pub bytes: Option<u64>,
    /// How many runs there are in each state; each pass counts as one.
    pub runs: BTreeMap<String, u64>,
    /// How many runs have not ended.
    pub unfinished: u64,
    /// How many have.
    pub ended: u64,
    /// The number of the last commit.
    pub commits: u64,
    /// When it was made.
    pub last_commit_at: Option<Time>,
}

impl From<dacapo::Statistics> for Statistics {
    fn from(of: dacapo::Statistics) -> Self {
        let states = RunState::ALL.into_iter();
        Self {
            bytes: of.bytes,
            runs: states.map(|state| (state.name().to_owned(), of.runs[state])).collect(),
            unfinished: of.runs.unfinished(),
            ended: of.runs.ended(),
            commits: of.commits,
            last_commit_at: (of.commits > 0).then(|| of.last_commit_at.into()),
        }
    }
}
