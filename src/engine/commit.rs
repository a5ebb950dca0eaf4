//! The commit that all runs share: gathered, written, delivered. Its order stands in [`Pending`].

use alloc::rc::Rc;

use super::Engine;
use super::ledgers::Sweep;
use crate::bytes::Bytes;
use crate::error::{Error, Kind, Result};
use crate::instance::{Instance, Pending, Phase, PostWhat};
use crate::ledger::{Draft, What};
use crate::record::{Asked, CancelCause, Number, Record, Spent};
use crate::timer::RunTimer;

/// Stops the executor if a panic leaves a commit: some of it may not have been delivered.
struct StopOnUnwind<'a>(&'a Engine);

impl Drop for StopOnUnwind<'_> {
    fn drop(&mut self) {
        let why = "a panic interrupted a delivery, so the executor stopped: open the store again";
        let _ = self.0.failure.set(Error::of(Kind::Closed, why));
    }
}

impl Engine {
    /// Commits all that there is, delivers it, and has the runs take up the work that follows.
    /// `false`: there was nothing.
    pub(crate) fn commit(&self) -> Result<bool> {
        // Also when it has stopped: foreign wakes that nobody takes keep the main loop awake.
        self.park_what_cannot_go_on();
        self.check()?;
        self.gather()?;
        // Workflow code and observers that are called below are not let in by the executor, so nobody
        // comes back here, and the borrow is safe to hold.
        let taken = &mut *self.taken.borrow_mut();
        self.world.pending.borrow_mut().move_to(taken);
        // Nearly never, and it looks at everything: between the deliveries of one commit and the next
        // nothing can drop what a run asked for, unless it is parked, or some of it was left over.
        if self.has_stale.take() {
            self.drop_void(taken);
        }
        let has_any = !taken.is_empty()
            || self.flushes_sleepers()
            || self.world.ending.must_commit()
            || self.keeps_time()
            || self.admits();
        if has_any {
            let unwound = StopOnUnwind(self);
            let written = self.write(taken);
            if let Ok(committed) = &written {
                self.deliver(taken, *committed);
                self.wake_followers();
            }
            core::mem::forget(unwound);
            let committed = written.map_err(|error| self.fail(&error))?;
            self.deliver_admissions(taken, committed).map_err(|why| self.stop(why))?;
        }
        if !has_any {
            // What bodies waited for came to nothing.
            self.world.holds_bodies.set(false);
        }
        // Not before: what is delivered decides who is idle.
        self.evict_surplus();
        self.ledgers.sweep(Sweep::IfMany);
        self.watch_queues();
        taken.shrink_to(Self::OUTCOMES_PER_COMMIT);
        Ok(has_any)
    }

    /// Whether a commit is made for the rows of sleepers alone.
    fn flushes_sleepers(&self) -> bool {
        self.flushes.take() && !self.world.pending.borrow().sleepers.is_empty()
    }

    /// Drafts what is recorded of the timers that are due. Runs that were out of memory until now
    /// come back first.
    fn gather(&self) -> Result<()> {
        self.world.take_reports();
        self.reload_due().map_err(|why| self.stop(why))?;
        self.reload_receivers().map_err(|why| self.stop(why))?;
        while let Some(timer) = self.world.timers.next_due() {
            // A timer is taken away with its run, so the run is there, or there is nothing of it but its row.
            if let Some(run) = self.ledgers.resident(timer.run) {
                if timer.number == Number::DEADLINE {
                    // Behind what else comes to it.
                    self.post(&*run.id, PostWhat::Cancel(CancelCause::Deadline));
                    continue;
                }
                let draft = self.fired(&run, timer);
                self.world.pending.borrow_mut().others_mut().timers.push(draft);
            } else if timer.number == Number::DEADLINE
                && let Some(row) = self.row(timer.run).map_err(|why| self.stop(why))?
                && row.state.is_waiting()
            {
                self.post(&*row.id, PostWhat::Cancel(CancelCause::Deadline));
            }
        }
        self.draft_ticks().map_err(|why| self.stop(why))?;
        // Last: what came back by now is among them.
        self.begin_interrupted();
        Ok(())
    }

    fn fired(&self, run: &Instance, timer: RunTimer) -> Draft {
        self.keep_in_memory(run);
        let record = Record::OperationEnded {
            number: timer.number,
            asked: Asked::Sleep { until: timer.deadline },
            label: None,
            outcome: Ok(Bytes::EMPTY),
            spent: Spent::default(),
        };
        run.ledger.draft(What::Record(record.into()))
    }

    /// Takes out what its run no longer expects: a parked run keeps its history as it is, and what
    /// was dropped leaves no record.
    #[cold]
    fn drop_void(&self, pending: &mut Pending) {
        let is_expected = |draft: &Draft| {
            let run = self.ledgers.instance(&draft.to);
            let is_expected = match &draft.what {
                What::Park(_)
                | What::Hold(_)
                | What::Resume
                | What::Retry(_)
                | What::Delete
                | What::Copy(_) => true,
                What::Record(record) => run.as_ref().is_some_and(|run| expects(run, record)),
                What::Request(request) => run.as_ref().is_some_and(|run| run.awaits(request)),
                What::Mark(made) => run
                    .as_ref()
                    .is_some_and(|run| run.phase.get() != Phase::Closed && run.expects_mark(made)),
                What::Again(_) => run.as_ref().is_some_and(|run| run.phase.get() != Phase::Closed),
                What::Message(_) | What::ChildEnded(_) => {
                    unreachable!("it is written as soon as it is drafted")
                }
            };
            if !is_expected {
                draft.settle();
                if let Some(run) = run {
                    // Nothing is delivered after which it would be looked at.
                    self.note_idle(&run);
                }
            }
            is_expected
        };
        pending.others_mut().passes.retain(is_expected);
        pending.others_mut().requests.retain(is_expected);
        pending.drop_void_outcomes();
        pending.others_mut().timers.retain(is_expected);
    }
}

/// Whether a record still belongs at the end of the run's history.
fn expects(run: &Rc<Instance>, record: &Record<'_>) -> bool {
    let waits = |number| run.operations.borrow().get(number).is_some();
    run.phase.get() != Phase::Closed
        && match *record {
            Record::Started { .. }
            | Record::Finished { .. }
            | Record::MessageArrived { .. }
            | Record::CancelRequested { .. }
            | Record::Submitted(_)
            | Record::Admitted { .. }
            | Record::Marked { .. }
            | Record::MessageSkipped { .. }
            | Record::Again
            | Record::Retried { .. }
            | Record::Forked { .. }
            | Record::Resubmitted(_)
            | Record::Moved { .. } => true,
            Record::OperationEnded { number, .. }
            | Record::OperationNoted { number, .. }
            | Record::Reported { number, .. } => waits(number),
        }
}
