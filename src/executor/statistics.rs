//! A store and its executor in numbers.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use dacapo_store::Counts;

use super::{Executor, admit};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::load::LastMinute;

/// A store and its executor in numbers; see [`Executor::statistics`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Statistics {
    /// How many runs there are in each state; each pass counts as one.
    pub runs: Counts,
    /// The number of the last commit.
    pub commits: u64,
    /// The time of the last commit; 0 if there was none.
    pub last_commit_at: Timestamp,
    /// How many bytes the store takes on the disk, if it is a file.
    pub bytes: Option<u64>,
    /// How many runs are in memory.
    pub resident: usize,
    /// How many bodies of steps are ready to be polled, and wait for their turn.
    pub ready_bodies: usize,
    /// How many panics of what the executor was given were caught; see
    /// [`Executor::caught_panics`].
    pub caught_panics: u64,
    /// By how much the wall clock is behind the time of runs, which goes on from the last commit; 0 if by no more
    /// than a second. What waits for a time of day waits so much longer: set the clock right.
    pub clock_behind: Duration,
    /// The runs of which one ended the process in its replay, or when what its code owns was dropped, and that are
    /// not parked yet: at first perhaps several that were replayed together, from the second end on the one. A run
    /// is parked after three ends, or when it is [held](Executor::hold).
    pub suspects: Vec<Suspect>,
    /// For how long it has been driven: since the first time. `None`: it never was, as if it only looks at a file.
    pub up: Option<Duration>,
    /// What there was in the last minute; `None` if it was never driven.
    pub recent: Option<Recent>,
}

/// A run that may have ended the process; see [`Statistics::suspects`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Suspect {
    /// Its id.
    pub id: String,
    /// With how many processes in a row it was under way at the end.
    pub ends: u32,
}

/// How an executor spent the last minute or, if it was there for less, that; see [`Executor::statistics`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Recent {
    /// So long ago it begins: from 50 to 60 s, or when the executor was driven first.
    pub within: Duration,
    /// For so long its loop slept, since nothing could go on. The rest of the time it was busy, or not driven.
    pub idle: Duration,
    /// The commits. `None`: there were none, or the store is no file, whose commits are too short to be measured.
    pub commits: Option<RecentCommits>,
}

/// The commits of a while; see [`Recent`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RecentCommits {
    /// How many there were.
    pub count: u64,
    /// How many records they had in all.
    pub records: u64,
    /// Half of them were durable after no more than this, which is an eighth too long at most.
    pub p50: Duration,
    /// The same of 99 of 100.
    pub p99: Duration,
}

impl Executor {
    /// How many runs there are, how large the store is, and what is in memory. It costs no more for runs that
    /// have ended.
    ///
    /// # Errors
    ///
    /// If the store failed.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow, store::RunState};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// executor.block_on(executor.start(ECHO, "one", 1)?)?;
    /// let statistics = executor.statistics()?;
    /// assert_eq!((statistics.runs[RunState::Completed], statistics.bytes), (1, None));
    /// let recent = statistics.recent.expect("it was driven");
    /// assert!(recent.idle <= recent.within && Some(recent.within) <= statistics.up);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn statistics(&self) -> Result<Statistics> {
        let engine = &self.shared.engine;
        admit(engine, format_args!("runs cannot be counted"))?;
        let suspects = engine.suspects()?.into_iter();
        let suspects = suspects.map(|(row, ends)| Suspect { id: row.id, ends }).collect();
        let (store, now) = (engine.store.borrow(), engine.world.timers.monotonic());
        Ok(Statistics {
            runs: store.count().map_err(|error| Error::store(&error))?,
            commits: store.last_commit(),
            last_commit_at: Timestamp::from_nanos(store.time()),
            bytes: store.bytes(),
            resident: engine.ledgers.residents(),
            ready_bodies: engine.world.bodies.raw().queued(),
            caught_panics: self.caught_panics(),
            clock_behind: engine.world.timers.behind(),
            suspects,
            up: engine.load.up(now),
            recent: engine.load.last_minute(now).map(Recent::from),
        })
    }
}

impl From<LastMinute> for Recent {
    fn from(of: LastMinute) -> Self {
        let LastMinute { within, slept, records, took } = of;
        let commits = took.percentile(50).zip(took.percentile(99));
        let count = took.count();
        let commits = commits.map(|(p50, p99)| RecentCommits { count, records, p50, p99 });
        Self { within, idle: slept, commits }
    }
}
