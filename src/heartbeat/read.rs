//! The half that is on other threads.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::Ordering;
use core::time::Duration;

use dacapo_store::{Counts, RunKey};

use super::Place;
use super::pulse::{MAIN, NOBODY, Names, Pulse, Shared, low};
use crate::clock::Timestamp;
use crate::gate::Gate;
use crate::record::Number;

/// What an executor is at, for any thread, also while its own is blocked; made by
/// [`Executor::heartbeat`](crate::Executor::heartbeat).
#[derive(Clone)]
pub struct Heartbeat(Arc<Shared>);

/// What an executor was at when it was looked at; see [`Heartbeat::read`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Beat {
    /// What its thread does.
    pub doing: Doing,
    /// For how long at most: since it was not driven any more, since it waits, or since the turn began in which
    /// it came to that.
    pub lasts: Duration,
    /// How many runs there are in each state. They may be some commits old: runs are counted for a hundredth of
    /// the time.
    pub runs: Counts,
    /// The number of the last commit.
    pub commits: u64,
    /// The time of the last commit; 0 if there was none.
    pub last_commit_at: Timestamp,
}

/// What the thread of an executor does. It prints as a part of a sentence: `polls step 3 "hold" of run "order-7"`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Doing {
    /// Nobody drives the executor.
    NotDriven,
    /// It waits for something to do, or for the runtime around it to poll it again.
    Waiting,
    /// It carries out what other threads asked for ([`Remote::with`](crate::Remote::with)), or is between two polls.
    Calls,
    /// It polls the main future.
    Main,
    /// It polls the body of a step.
    Body {
        /// The id of its run.
        run: String,
        /// Its number.
        number: String,
        /// Its name.
        step: &'static str,
    },
    /// It polls the code of a workflow.
    Workflow {
        /// The id of its run.
        run: String,
    },
    /// It commits: the disk is what it waits for, or an observer, or what code owns that is dropped.
    Commit,
    /// It gives room that is free in its file back to the system ([`Executor::compact`](crate::Executor::compact)).
    Compaction,
}

impl Pulse {
    /// From now on it leaves word for this.
    pub(crate) fn heartbeat(&self, gate: &Arc<Gate>) -> Heartbeat {
        Heartbeat(self.begin(gate).clone())
    }
}

impl Heartbeat {
    /// What the executor is at now. It waits for nobody.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let heartbeat = executor.heartbeat();
    /// assert_eq!(heartbeat.read().doing, dacapo::Doing::NotDriven);
    /// executor.block_on(async { assert_eq!(heartbeat.read().doing, dacapo::Doing::Main) });
    /// ```
    #[must_use]
    pub fn read(&self) -> Beat {
        let shared = &*self.0;
        let (doing, names) = (self.doing(), shared.names());
        let last_commit_at = shared.last_commit_at.load(Ordering::Relaxed);
        Beat {
            doing: doing.named(&names),
            lasts: shared.lasts(),
            runs: names.counts,
            commits: shared.commits.load(Ordering::Relaxed),
            last_commit_at: Timestamp::from_nanos(last_commit_at),
        }
    }

    fn doing(&self) -> Numbered {
        let shared = &*self.0;
        let place = shared.place.load(Ordering::Relaxed);
        if let Some(run) = shared.gate.run() {
            return Numbered::Workflow(run);
        }
        let [run, what] = shared.polled.each_ref().map(|half| half.load(Ordering::Relaxed));
        let place = |is: Place| place == is as u8;
        match what {
            _ if place(Place::NotDriven) => Numbered::Other(Doing::NotDriven),
            _ if place(Place::Waiting) => Numbered::Other(Doing::Waiting),
            _ if place(Place::Compaction) => Numbered::Other(Doing::Compaction),
            NOBODY if place(Place::Commit) => Numbered::Other(Doing::Commit),
            NOBODY => Numbered::Other(Doing::Calls),
            MAIN => Numbered::Other(Doing::Main),
            what => {
                let number = Number { task: run as u32, local: (what >> 32) as u32 };
                Numbered::Body { run: (run >> 32) as u32, number, step: what as u32 }
            }
        }
    }
}

/// The same in numbers.
enum Numbered {
    Other(Doing),
    Body { run: u32, number: Number, step: u32 },
    Workflow(RunKey),
}

impl Numbered {
    fn named(self, names: &Names) -> Doing {
        let id = |run: u32| {
            let replayed = names.replayed.as_ref().filter(|(replayed, _)| *replayed == run);
            let resident = names.runs.get(&run).map(|id| (**id).to_owned());
            // It came or went between two looks.
            resident.or_else(|| replayed.map(|(_, id)| id.clone())).unwrap_or_default()
        };
        match self {
            Self::Other(doing) => doing,
            Self::Workflow(run) => Doing::Workflow { run: id(low(run)) },
            Self::Body { run, number, step } => {
                let step = names.steps.get(step as usize).copied().unwrap_or_default();
                Doing::Body { run: id(run), number: number.to_string(), step }
            }
        }
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDriven => f.write_str("is not driven"),
            Self::Waiting => f.write_str("waits, or its runtime does not poll it"),
            Self::Calls => f.write_str("carries out a call from another thread"),
            Self::Main => f.write_str("polls the main future"),
            Self::Body { run, number, step } => {
                write!(f, "polls step {number} {step:?} of run {run:?}")
            }
            Self::Workflow { run } => write!(f, "polls the workflow of run {run:?}"),
            Self::Commit => f.write_str("commits"),
            Self::Compaction => f.write_str("makes its file shorter"),
        }
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Heartbeat").field(&self.read()).finish()
    }
}
