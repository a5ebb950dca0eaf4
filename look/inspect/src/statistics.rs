//! A store in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use dacapo::store::{Counts, RunState};
use dacapo::{Beat, Doing, Timestamp};
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
    /// By how many nanoseconds the clock is behind the last commit, if it is by more than a second: what waits for a
    /// time of day waits so much longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_behind: Option<u64>,
    /// How many panics of what the executor was given were caught: of observers, clocks, destructors.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub caught_panics: u64,
    /// The runs of which one ended the process, in its replay or when it left memory, and that are not parked yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<Suspect>,
    /// For how many nanoseconds the executor has been driven, since the first time; `None` of a file at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<u64>,
    /// What there was in the last minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent: Option<Recent>,
    /// What the executor does instead of an answer, if it gives none. The numbers are what was known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<Busy>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A run that may have ended the process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Suspect {
    /// Its id.
    pub id: String,
    /// With how many processes in a row it was under way at the end; after three it is parked.
    pub ends: u32,
}

/// How an executor spent the last minute or, if it was there for less, that. All times are in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recent {
    /// So long ago it begins.
    pub within: u64,
    /// For so long the loop slept, since nothing could go on.
    pub idle: u64,
    /// The commits, if there were any and the store is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<RecentCommits>,
}

/// The commits of a while.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecentCommits {
    /// How many there were.
    pub count: u64,
    /// How many records they had in all.
    pub records: u64,
    /// Half of them were durable after no more nanoseconds than this.
    pub p50: u64,
    /// The same of 99 of 100.
    pub p99: u64,
}

impl From<dacapo::Recent> for Recent {
    fn from(of: dacapo::Recent) -> Self {
        let commits = of.commits.map(|of| RecentCommits {
            count: of.count,
            records: of.records,
            p50: nanos(of.p50),
            p99: nanos(of.p99),
        });
        Self { within: nanos(of.within), idle: nanos(of.idle), commits }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What keeps an executor from answering.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Busy {
    /// What its thread does: `polls step 3 "hold" of run "order-7"`.
    pub doing: String,
    /// The run whose code that is, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// For so many nanoseconds at most: since the turn of its loop began.
    pub lasts: u64,
}

impl From<&Beat> for Busy {
    fn from(beat: &Beat) -> Self {
        let run = match &beat.doing {
            Doing::Body { run, .. } | Doing::Workflow { run } => Some(run.clone()),
            _ => None,
        };
        Self { doing: beat.doing.to_string(), run, lasts: nanos(beat.lasts) }
    }
}

impl Statistics {
    /// What is known of an executor that does not answer.
    #[must_use]
    pub fn of_busy(beat: &Beat, bytes: Option<u64>) -> Self {
        let busy = Some(Busy::from(beat));
        Self { busy, ..Self::new(bytes, beat.runs, beat.commits, beat.last_commit_at) }
    }

    fn new(bytes: Option<u64>, runs: Counts, commits: u64, last_commit_at: Timestamp) -> Self {
        let states = RunState::ALL.into_iter();
        Self {
            bytes,
            runs: states.map(|state| (state.name().to_owned(), runs[state])).collect(),
            unfinished: runs.unfinished(),
            ended: runs.ended(),
            commits,
            last_commit_at: (commits > 0).then(|| last_commit_at.into()),
            clock_behind: None,
            caught_panics: 0,
            suspects: Vec::new(),
            up: None,
            recent: None,
            busy: None,
        }
    }
}

impl From<dacapo::Statistics> for Statistics {
    fn from(of: dacapo::Statistics) -> Self {
        let behind = nanos(of.clock_behind);
        let suspect = |of: dacapo::Suspect| Suspect { id: of.id, ends: of.ends };
        Self {
            suspects: of.suspects.into_iter().map(suspect).collect(),
            clock_behind: Some(behind).filter(|behind| *behind > 0),
            caught_panics: of.caught_panics,
            up: of.up.map(nanos),
            recent: of.recent.map(Recent::from),
            ..Self::new(of.bytes, of.runs, of.commits, of.last_commit_at)
        }
    }
}
