//! Queues and schedules.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A queue: how many runs are in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "queue")]
#[non_exhaustive]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// How many wait for room in it.
    pub waiting: u64,
    /// How many wait in it for a time.
    pub delayed: u64,
    /// How many were admitted, and have not ended.
    pub running: u64,
    /// Whether it admits nothing until somebody has it go on.
    pub paused: bool,
    /// Whether the program that has the file open defines it; of a file at rest nobody knows.
    pub defined: Option<bool>,
}

/// A schedule: what it starts, and when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "schedule")]
#[non_exhaustive]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// The workflow that it starts; of a file at rest nobody knows.
    pub workflow: Option<String>,
    /// When it has its next tick, if that is known and there is one.
    pub next_at: Option<Time>,
    /// The last tick for which a run was started.
    pub started_at: Option<Time>,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
}

impl Queue {
    pub(crate) fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self { name, waiting: 0, delayed: 0, running: 0, paused: false, defined: None }
    }
}

impl From<dacapo::ScheduleInfo> for Schedule {
    fn from(of: dacapo::ScheduleInfo) -> Self {
        Self {
            name: of.name,
            workflow: Some(of.workflow).filter(|name| !name.is_empty()),
            next_at: of.next_at.map(Time::from),
            started_at: of.started_at.map(Time::from),
            paused: of.paused,
        }
    }
}
