//! A store and its executor in numbers.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use dacapo_store::Counts;

use super::{Executor, admit};
use crate::clock::Timestamp;
use crate::error::{Error, Result};

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
    /// # Ok::<(), Error>(())
    /// ```
    pub fn statistics(&self) -> Result<Statistics> {
        let engine = &self.shared.engine;
        admit(engine, format_args!("runs cannot be counted"))?;
        let suspects = engine.suspects()?.into_iter();
        let suspects = suspects.map(|(row, ends)| Suspect { id: row.id, ends }).collect();
        let store = engine.store.borrow();
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
        })
    }
}
