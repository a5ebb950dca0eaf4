//! What was committed reaches its runs, and they take up the work that follows.

use alloc::rc::Rc;
use alloc::vec::Vec;

use dacapo_store::RunKey;

use super::{Engine, parked_error};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::fault::{Fault, ParkReason};
use crate::instance::{
    Arrival, BodyEnd, Instance, Others, Pending, Phase, Post, PostWhat, Reported, RootEnd,
    Transacted,
};
use crate::ledger::{Draft, What};
use crate::panics;
use crate::record::{CancelCause, Outcome, Record};
use crate::replay::Delivery;

/// The number of a commit, and its time.
#[derive(Clone, Copy)]
pub(super) struct Committed {
    pub(super) number: u64,
    pub(super) time: Timestamp,
}

impl Engine {
    /// Delivers all that was committed, in its order.
    pub(super) fn deliver(&self, taken: &mut Pending, committed: Committed) {
        if taken.has_only_outcomes() {
            return self.deliver_outcomes(&mut taken.outcomes, &[], committed);
        }
        self.deliver_parts(taken, committed);
    }

    /// Aside: what most commits do not have shares no cache line with what they do.
    #[inline(never)]
    fn deliver_parts(&self, taken: &mut Pending, committed: Committed) {
        let (outcomes, others) = taken.parts_mut();
        let Others {
            passes,
            transactions: _,
            transacted,
            requests,
            starts,
            reports,
            timers,
            posts,
            arrivals,
            rows,
            notes,
            waiting: _,
            admitted: _,
        } = others;
        posts.clear();
        self.deliver_drafts(passes, committed);
        for transacted in transacted.drain(..) {
            match transacted {
                Transacted::Step(end) => self.deliver_outcome(&end, committed),
                Transacted::Outside(receipt, told) => receipt.tell(told),
            }
        }
        self.deliver_drafts(requests, committed);
        self.deliver_drafts(starts, committed);
        self.deliver_outcomes(outcomes, reports, committed);
        reports.clear();
        self.deliver_drafts(timers, committed);
        let mut unended = None;
        let mut arrivals = arrivals.drain(..);
        while let Some(arrival) = arrivals.next() {
            if let Some(Arrival::Written(later)) = arrivals.as_slice().get(1) {
                self.ledgers.prefetch(&later.to);
            }
            match arrival {
                Arrival::Written(ref draft) => {
                    unended = self.parked_before_its_end(draft);
                    self.deliver_draft(draft, committed);
                }
                Arrival::Told(receipt, told) => match unended.take() {
                    // A later commit ends it without its code.
                    Some(to) => {
                        let what = PostWhat::Cancel(CancelCause::Terminated);
                        self.world.pending.borrow_mut().others_mut().posts.push(Post {
                            to,
                            what,
                            receipt,
                        });
                    }
                    None => {
                        if let Err(error) = &told {
                            self.notify_refused(error);
                        }
                        receipt.tell(told);
                    }
                },
                Arrival::Question(ref draft, _) => self.deliver_draft(draft, committed),
                Arrival::Asks(run, seq, asker) => self.await_answer(run, seq.get(), asker),
                Arrival::Answered(asker, answer) => {
                    if let Err(error) = &*answer {
                        self.notify_refused(error);
                    }
                    asker.end(*answer);
                }
                Arrival::Passed { from, to, seqs } => self.askers.pass_on(from, to, seqs),
                Arrival::ChildEnds(..) | Arrival::Nothing => {}
            }
        }
        self.deliver_drafts(rows, committed);
        notes.drain(..).for_each(|note| note.receipt.accept());
    }

    /// The id of a run that is to end at once, and that an earlier record of this commit has parked.
    fn parked_before_its_end(&self, draft: &Draft) -> Option<Rc<str>> {
        let terminated = Record::CancelRequested { cause: CancelCause::Terminated };
        let ends = matches!(&draft.what, What::Record(record) if **record == terminated);
        let run = self.ledgers.instance(&draft.to).filter(|_| ends)?;
        (run.phase.get() == Phase::Closed).then(|| Rc::from(&*run.id))
    }

    fn deliver_drafts(&self, drafts: &mut Vec<Draft>, committed: Committed) {
        let mut drafts = drafts.drain(..);
        while let Some(draft) = drafts.next() {
            if let Some(later) = drafts.as_slice().get(1) {
                self.ledgers.prefetch(&later.to);
                later.prefetch();
            }
            self.deliver_draft(&draft, committed);
        }
    }

    fn deliver_outcomes(
        &self,
        outcomes: &mut Vec<BodyEnd>,
        reports: &[Reported],
        committed: Committed,
    ) {
        let mut reports = reports.iter().peekable();
        let all = outcomes.len();
        let mut outcomes = outcomes.drain(..);
        while let Some(end) = outcomes.next() {
            let before = all - outcomes.len() - 1;
            while let Some(reported) = reports.next_if(|next| next.behind <= before) {
                self.deliver_report(reported, committed);
            }
            // Of ten thousand runs nothing is in the processor's caches any more when their turn
            // comes, and it can wait for several at a time.
            if let Some(later) = outcomes.as_slice().get(1) {
                later.instance.prefetch();
                later.operation.prefetch();
            }
            self.deliver_outcome(&end, committed);
            self.world.spare.keep(end.operation);
        }
        reports.for_each(|reported| self.deliver_report(reported, committed));
    }

    fn deliver_report(&self, reported: &Reported, committed: Committed) {
        if let Some(run) = &reported.run {
            let record = reported.report.record(&reported.value);
            self.deliver_record(run, &record, committed);
            self.work_after(run);
        }
    }

    fn deliver_outcome(&self, end: &BodyEnd, committed: Committed) {
        let run = &end.instance;
        if run.phase.get() != Phase::Closed {
            let Committed { number: commit, time } = committed;
            let delivery = Delivery { seq: run.delivered.get(), commit, time };
            if let Err(fault) = caught(|| run.deliver_end(delivery, end)) {
                self.park(run, fault);
            }
        }
        self.work_after(run);
    }

    pub(super) fn deliver_draft(&self, draft: &Draft, committed: Committed) {
        // First: the work that follows may find the run idle, and what it drafts counts anew.
        draft.settle();
        self.tell_askers(draft);
        let run = self.ledgers.instance(&draft.to);
        match (&draft.what, &run) {
            (
                What::Record(_)
                | What::Request(_)
                | What::Mark(_)
                | What::Again(_)
                | What::Message(_)
                | What::ChildEnded(_),
                Some(run),
            ) => {
                draft.with_record(|record| self.deliver_record(run, record, committed));
            }
            (What::Park(fault), Some(run)) => {
                self.ledgers.remove(run);
                self.guard.settle(&self.store, run.key());
                run.ledger.end(Err(parked_error(&run.id, fault)));
                self.notify_parked(&run.id, fault);
            }
            (What::Hold(held), _) => self.deliver_held(held),
            (What::Delete, _) => {
                draft.to.accept();
                self.end_away(
                    draft.to.key,
                    &Err(Error::cancelled("it was deleted").into_failure()),
                );
            }
            (What::Record(record), None) => {
                if let Record::Finished { outcome, .. } = &**record {
                    self.note_ended(draft.to.key);
                    self.end_away(draft.to.key, outcome);
                }
            }
            (What::Resume | What::Retry(_), Some(_)) | (What::Copy(_), _) => {}
            // It is not in memory, or has ended with an earlier record of this commit.
            (
                What::Request(_)
                | What::Mark(_)
                | What::Again(_)
                | What::Message(_)
                | What::ChildEnded(_)
                | What::Park(_)
                | What::Retry(_)
                | What::Resume,
                None,
            ) => {}
        }
        match run {
            Some(run) => self.work_after(&run),
            None => drop(draft.to.note_delivered()),
        }
    }

    fn deliver_record(&self, run: &Rc<Instance>, record: &Record<'_>, committed: Committed) {
        if run.phase.get() == Phase::Closed {
            // An earlier record of this commit parked it. This one is in its history all the same, and is
            // delivered when the run is resumed.
            return;
        }
        if matches!(record, Record::Started { .. } | Record::Submitted(_)) {
            // It is committed, whatever the workflow makes of it.
            run.ledger.accept();
        }
        let is_end = matches!(record, Record::Finished { .. } | Record::Again);
        let Committed { number: commit, time } = committed;
        let delivery = Delivery { seq: run.delivered.get(), commit, time };
        match caught(|| run.deliver(delivery, record)) {
            Ok(()) if is_end => self.end(run),
            Ok(()) => {}
            Err(fault) => self.park(run, fault),
        }
    }

    /// The end of a run is committed: it leaves memory.
    fn end(&self, run: &Rc<Instance>) {
        run.close();
        self.guard.settle(&self.store, run.key());
        self.ledgers.remove(run);
        self.note_kept();
        self.note_ended(run.key());
        if let Some(RootEnd::Outcome(outcome)) = run.root_end.get().map(|end| &**end) {
            self.notify_ended(&run.id, outcome);
            run.ledger.end(Ok(Outcome::clone(outcome)));
        }
    }

    /// A run has ended that is not in memory: whoever waits for it is told.
    fn end_away(&self, run: RunKey, outcome: &Outcome<'static>) {
        if let Some(ledger) = self.ledgers.remove_away(run) {
            ledger.end(Ok(outcome.clone()));
        }
    }

    /// A run has ended: the one that ended first of those that are kept is forgotten, if they are too many.
    fn note_ended(&self, run: RunKey) {
        if self.limits.ended_max == usize::MAX {
            return;
        }
        let mut ended = self.ended.borrow_mut();
        ended.push_back(run);
        if ended.len() > self.limits.ended_max
            && let Some(oldest) = ended.pop_front()
            // It may be deleted by now, or have been taken up again.
            && let Ok(Some(row)) = self.row(oldest)
            && row.state.has_ended()
        {
            let _watch = self.delete(&row);
        }
    }

    /// Something was delivered to a run. Its work follows when that was the last of a commit.
    // Not after each: what a later record of the commit drops must not have been begun, as none of it
    // is when the commit is replayed.
    fn work_after(&self, run: &Rc<Instance>) {
        if run.ledger.note_delivered() {
            // What parks a run is in its row, and in its handles.
            let _ = self.work(run);
        }
    }

    /// Has a run, to which all that was committed has been delivered, take up its work.
    ///
    /// # Errors
    ///
    /// If that parks it.
    pub(super) fn work(&self, run: &Rc<Instance>) -> Result<(), Fault> {
        let worked = caught(|| run.work());
        match &worked {
            Ok(()) => self.note_idle(run),
            Err(fault) => self.park_for(run, fault),
        }
        worked
    }

    #[cold]
    fn park_for(&self, run: &Rc<Instance>, fault: &Fault) {
        self.park(run, fault.clone());
    }
}

/// What a run is asked for; a panic that its own catches missed is a fault of it, too.
pub(crate) fn caught(ask: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    panics::catch(ask).unwrap_or_else(|said| Err(Fault::new(ParkReason::Panicked, said)))
}
