//! What is done when there is nothing else to do: rows that say when their runs go on, and folding.

use core::time::Duration;

use super::Engine;
use super::ledgers::Sweep;
use crate::clock::Timestamp;
use crate::error::Result;

impl Engine {
    /// So long nothing must have happened.
    const REST: Duration = Duration::from_secs(1);

    /// When there is nothing to do, so many rows of sleepers are written at once.
    const SLEEPERS_PER_COMMIT: usize = 1_000;

    /// Something happened.
    pub(crate) fn note_busy(&self) {
        self.idle_since.set(None);
        self.has_rested.set(false);
    }

    /// There is nothing to do: does what can wait, once, if that is so for a while. Whether it did.
    ///
    /// # Errors
    ///
    /// If the store refuses.
    pub(crate) fn rest(&self) -> Result<bool> {
        self.check()?;
        let now = self.world.timers.monotonic();
        let since = self.idle_since.get().unwrap_or(now);
        self.idle_since.set(Some(since));
        if self.has_rested.get() || now < since + Self::REST {
            let are_many = self.world.pending.borrow().sleepers.len() >= Self::SLEEPERS_PER_COMMIT;
            self.flushes.set(are_many);
            return if are_many { self.commit() } else { Ok(false) };
        }
        self.has_rested.set(true);
        self.flushes.set(true);
        let has_flushed = self.commit()?;
        self.ledgers.sweep(Sweep::All);
        let folded = self.store.borrow_mut().fold();
        Ok(folded.map_err(|error| self.fail(&error))? || has_flushed)
    }

    /// Gives room that is free in the store back to the system, and says how many bytes that were.
    ///
    /// # Errors
    ///
    /// If the store refuses.
    pub(crate) fn compact(&self) -> Result<u64> {
        self.check()?;
        let bytes = || self.store.borrow().bytes().unwrap_or_default();
        let before = bytes();
        let compacted = self.world.pulse.compacts(|| self.store.borrow_mut().compact());
        compacted.map_err(|error| self.fail(&error))?;
        Ok(before.saturating_sub(bytes()))
    }

    /// How long it is from this moment until the next thing happens by itself.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let timers = &self.world.timers;
        let own = self.next_of_its_own().map(|at| at.saturating_sub(timers.monotonic()));
        timers
            .wait()
            .into_iter()
            .chain(own)
            .chain(self.time_to_keep())
            .chain(self.next_retention())
            .chain(self.next_tick())
            .min()
    }

    /// While the wall clock is behind, the time of runs goes on from the last commit: so much of it is
    /// lost at most when the process ends.
    const TIME_LOST_AT_MOST: Duration = Duration::from_mins(1);

    /// What a commit has that is made for its time alone.
    pub(super) const TIME_NOTE: &'static [u8] = b"time";

    /// Whether a commit is made for its time alone.
    pub(super) fn keeps_time(&self) -> bool {
        self.time_to_keep().is_some_and(|left| left.is_zero())
    }

    fn time_to_keep(&self) -> Option<Duration> {
        let timers = &self.world.timers;
        let is_waited_for = timers.runs_wait_without_a_clock()
            || timers.is_without_a_clock() && self.next_tick().is_some();
        if !is_waited_for || self.check().is_err() {
            return None;
        }
        let kept = Timestamp::from_nanos(self.store.borrow().time()) + Self::TIME_LOST_AT_MOST;
        Some(kept.since(timers.now()))
    }

    /// When there is something to do that no run asked for, in monotonic time.
    fn next_of_its_own(&self) -> Option<Duration> {
        self.next_rest().into_iter().chain(self.closes_at()).min()
    }

    fn next_rest(&self) -> Option<Duration> {
        let since = self.idle_since.get().filter(|_| !self.has_rested.get())?;
        self.check().is_ok().then(|| since + Self::REST)
    }
}
