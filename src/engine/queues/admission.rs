//! Runs that are admitted: the last part of a commit. The record of it and the row that says so are one
//! commit; then the run is brought into memory as any other, from its history.

use alloc::rc::Rc;
use alloc::vec::Vec;

use dacapo_store::{RunKey, RunRow, RunState};

use crate::engine::Engine;
use crate::engine::deliver::Committed;
use crate::engine::guard;
use crate::engine::write::Writer;
use crate::error::{Error, Result};
use crate::fault::{Fault, ParkReason};
use crate::instance::{Instance, Pending, Receiver};
use crate::ledger::{Ledger, What};

/// So many are admitted with one commit.
const AT_ONCE: usize = 1_000;

impl Writer<'_> {
    /// Admits as many runs as there is room for, behind all else.
    pub(in crate::engine) fn write_admissions(&mut self) {
        if self.engine.world.ending.is_closing() {
            return;
        }
        for _ in 0..AT_ONCE {
            let Some(run) = self.engine.queues.next(self.now) else { return };
            match self.engine.ledgers.resident(run) {
                Some(run) => self.admit_resident(&run),
                None => self.admit_away(run),
            }
        }
    }

    /// One that this commit submits.
    fn admit_resident(&mut self, run: &Rc<Instance>) {
        let is_asked = run.has_extra().is_some_and(|extra| extra.cancelling.is_asked());
        if is_asked || self.elsewhere().cancelled.contains(&run.key()) {
            // It is about to end.
            return self.engine.forget_row(&run.row());
        }
        run.note_admitted(self.now);
        self.put_row(&run.ledger, RunState::Running, None);
        self.count_admission(&run.row());
        let record = self.engine.admission(run.key());
        self.admit(run.ledger.clone(), What::Record(record.into()));
    }

    /// One that is nothing but its row.
    fn admit_away(&mut self, run: RunKey) {
        let Some(row) = self.row_that_waits(run) else { return };
        if let Err(why) = self.add_guest(row.clone()) {
            return self.park_unreadable(row, &why);
        }
        let (now, ledger) = (self.now.as_nanos(), self.ledger(&Receiver::Guest(run)));
        let guest = self.elsewhere().guests.get_mut(&run).expect("it was added");
        guest.row.state = RunState::Running;
        guest.row.changed_at = now;
        let place = guest.row.queue.as_mut().expect("what waits has a place in its row");
        place.admitted_at = Some(now);
        let row = guest.row.clone();
        self.count_admission(&row);
        self.put(row);
        let record = self.engine.admission(run);
        self.admit(ledger, What::Record(record.into()));
    }

    fn admit(&mut self, to: Rc<Ledger>, what: What) {
        let draft = to.draft(what);
        to.note_written();
        self.push_record(&draft);
        self.elsewhere().admitted.push(draft);
    }

    fn count_admission(&self, row: &RunRow) {
        if let Some(place) = &row.queue {
            self.engine.queues.count(place, self.now);
        }
    }

    /// `None`: the store does not answer, and the commit fails.
    fn row_that_waits(&mut self, run: RunKey) -> Option<RunRow> {
        if let Some(guest) = self.elsewhere().guests.get(&run) {
            return Some(guest.row.clone());
        }
        let row = self.engine.store.borrow().row(run);
        let row = row.map_err(|error| self.unreadable("a run that waits", error)).ok()?;
        let row = row.filter(|row| row.state.is_waiting());
        Some(row.expect("what the queues know follows from the rows"))
    }

    /// The end of its history cannot be read: nothing may be added there.
    fn park_unreadable(&mut self, mut row: RunRow, why: &Error) {
        if self.elsewhere().refused.is_some() {
            return;
        }
        let fault = self.engine.world.stamped(Fault::new(ParkReason::Damaged, why));
        row.state = RunState::Parked;
        row.changed_at = self.now.as_nanos();
        row.note = Fault::to_note(&fault);
        self.put(row);
    }

    /// A run waits from now on, in memory until all of this commit is delivered.
    pub(in crate::engine) fn note_waiting(&mut self, run: &Rc<Ledger>) {
        self.elsewhere().waiting.push(run.clone());
    }
}

impl Engine {
    /// Delivers admissions, and brings into memory whom they concern.
    pub(in crate::engine) fn deliver_admissions(
        &self,
        taken: &mut Pending,
        committed: Committed,
    ) -> Result<()> {
        if taken.has_only_outcomes() {
            return Ok(());
        }
        let mut away = Vec::new();
        for draft in taken.others_mut().admitted.drain(..) {
            if draft.to.slot.get() == Ledger::AWAY {
                away.push(draft.to.key);
            }
            self.deliver_draft(&draft, committed);
        }
        for group in away.chunks(self.group()) {
            let runs = group.iter().copied();
            self.guard.share_mark(&self.store, guard::Kind::Replay, runs, || {
                group.iter().try_for_each(|run| self.bring_in_admitted(&self.row_of(*run)?))
            })?;
            self.evict_surplus();
        }
        self.rest_in_queues(&mut taken.others_mut().waiting);
        Ok(())
    }

    /// Has runs that wait leave memory: their rows say all there is.
    fn rest_in_queues(&self, waiting: &mut Vec<Rc<Ledger>>) {
        for ledger in waiting.drain(..) {
            let run = self.ledgers.instance(&ledger);
            // One that is asked to end does so by itself.
            let Some(run) = run.filter(|run| run.is_waiting() && !ledger.has_pending()) else {
                continue;
            };
            run.rest();
            self.ledgers.rest(&run);
        }
    }
}

impl Writer<'_> {
    /// Puts a row, and has the queues know of it.
    pub(in crate::engine) fn put(&mut self, row: RunRow) {
        self.engine.note_row(&row);
        self.batch.put_row(row);
    }

    /// How a run that has not ended stands in its row.
    pub(in crate::engine) fn put_unended(&mut self, run: &Instance) {
        self.put_row(&run.ledger, run.unended_state(), None);
    }
}
