//! The end in order: nothing new begins, what is under way may end, and the store is told.

use core::time::Duration;

use dacapo_store::Batch;

use super::{Engine, Stopped};
use crate::error::{Error, Kind, Result};
use crate::instance::Phase;
use crate::ledger::What;
use crate::panics;
use crate::record::{Note, Record};

impl Engine {
    /// Begins nothing from now on, and stops when nothing is under way, or after `grace`. The shorter
    /// one counts if this is called again.
    pub(crate) fn shut_down(&self, grace: Duration) {
        if self.failure.get().is_some() {
            return;
        }
        let at = self.world.timers.monotonic().saturating_add(grace);
        self.closes_at.set(Some(self.closes_at.get().map_or(at, |before| before.min(at))));
        self.world.ending.begin_closing();
        // No timer is due any more, so none keeps the main loop awake.
        self.world.timers.forget_runs();
        self.world.bodies.raw().notify();
    }

    /// When that is, in monotonic time. If it has stopped by then nobody waits for it.
    pub(super) fn closes_at(&self) -> Option<Duration> {
        self.closes_at.get().filter(|_| self.failure.get().is_none())
    }

    /// Stops in order if it is time. Called in each turn, behind its commit, which had something to
    /// write or not.
    ///
    /// # Errors
    ///
    /// If the store refuses.
    pub(crate) fn end_in_order(&self, has_committed: bool) -> Result<()> {
        let Some(at) = self.closes_at() else { return Ok(()) };
        let is_over = at <= self.world.timers.monotonic();
        if !is_over && (has_committed || self.world.ending.has_attempts()) {
            return Ok(());
        }
        // Effects took place: what came of them is not lost, if it takes several commits. What their
        // runs ask for then may be: a replay asks for it again.
        while !self.world.pending.borrow().outcomes.is_empty() {
            self.commit()?;
        }
        self.world.ending.note_order();
        self.flushes.set(true);
        self.commit()?;
        let folded = self.store.borrow_mut().fold();
        folded.map_err(|error| self.fail(&error))?;
        self.closes_at.set(None);
        self.has_ended_in_order.set(true);
        let why =
            "the executor was shut down: its runs go on in the next process that opens the store";
        let _ = self.stop(Error::of(Kind::Closed, why));
        Ok(())
    }

    /// Whether the executor, if it is dropped now, cuts off bodies that nothing interrupted but that: the
    /// process goes on as it should, and what the one before interrupted is committed.
    pub(crate) fn cuts_off_in_order(&self) -> bool {
        let has_bodies = || {
            let mut residents = self.ledgers.all_residents().into_iter();
            residents.any(|run| run.phase.get() == Phase::Live && !run.operations.borrow().rest())
        };
        self.check().is_ok()
            && !panics::is_unwinding()
            && self.store.borrow().last_commit() > self.opened_at
            && !self.has_uncommitted_interrupts()
            && has_bodies()
    }

    fn has_uncommitted_interrupts(&self) -> bool {
        let says_so = |record: &_| {
            matches!(
                record,
                Record::OperationNoted { note: Note::Interrupted | Note::Deferred, .. }
            )
        };
        let pending = self.world.pending.borrow();
        let mut drafts = pending.others().requests.iter();
        self.world.interrupted.borrow().has_new()
            || drafts.any(|draft| matches!(&draft.what, What::Record(it) if says_so(it)))
    }

    /// Tells the store, and so the next process, that it was so. If that is not written, they count as
    /// after a crash.
    pub(crate) fn note_cut_off(&self) {
        let mut batch = Batch::new();
        batch.set_time(self.world.timers.now().as_nanos());
        self.world.ending.note_order();
        self.world.ending.write(&mut batch);
        let _ = self.store.borrow_mut().commit(&batch);
    }
}

impl Stopped {
    /// What those are told who asked for the end.
    pub(crate) fn into_result(self) -> Result<()> {
        if self.is_in_order { Ok(()) } else { Err(self.why) }
    }
}
