//! Runs that come into memory: replayed from their histories, and taken up where they were.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::rc::Rc;

use dacapo_store::{History, RunKey, RunRow, RunState};

use super::deliver::caught;
use super::{Engine, parked_error, unregistered};
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::fault::{Fault, ParkReason};
use crate::instance::{Instance, Phase, TakenUp, World};
use crate::ledger::{Ledger, Retrial, What};
use crate::notice::Notice;
use crate::record::{Link, Record};
use crate::replay;
use crate::retried::{add_void, awaited, failed_from, has_begun};

/// A run, and whether all of its history was delivered to it.
type Replayed = (Rc<Instance>, Result<(), Fault>);

impl Engine {
    /// Brings back the runs that are due, in the order of their times, as far as there is room.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(super) fn reload_due(&self) -> Result<()> {
        let mut room = None;
        while let Some((at, run)) = self.world.timers.next_return() {
            if self.ledgers.residents() >= *room.get_or_insert_with(|| self.room()) {
                // The rest comes back when some of those that did before have left.
                return Ok(());
            }
            self.reload(&self.row_of(run)?)?;
            // Whatever its row says: it is back.
            self.world.timers.remove_return(at, run);
        }
        Ok(())
    }

    pub(super) fn row_of(&self, run: RunKey) -> Result<RunRow> {
        let row = self.store.borrow().row(run).map_err(|error| Error::store(&error))?;
        row.filter(|row| row.state == RunState::Running).ok_or_else(|| {
            let message = format_args!(
                "the store does not hold run {run} as running any more, which has left memory: \
                 restore the file from a backup, and open it again"
            );
            Error::of(Kind::Store, message)
        })
    }

    /// What is kept of a run that goes on by itself. Of one whose row says when, this is made of the
    /// row.
    pub(crate) fn ledger_of(&self, row: &RunRow) -> Option<Rc<Ledger>> {
        self.ledgers.get(row.key).or_else(|| {
            if row.state.is_waiting() {
                let ledger = Ledger::waiting(row.key);
                self.ledgers.add(&ledger);
                return Some(ledger);
            }
            let wake_at = Timestamp::from_nanos(row.wake_at?);
            // A shutdown forgets when runs come back.
            let is_left = || self.world.ending.is_closing() && self.may_come_back(row);
            (self.world.timers.has_return(wake_at, row.key) || is_left()).then(|| {
                let ledger = Ledger::asleep(row.key, wake_at);
                self.ledgers.add(&ledger);
                ledger
            })
        })
    }

    /// Replays a run that is not in memory, and has it take up its work. What parks it is found in
    /// the list of the parked.
    ///
    /// # Errors
    ///
    /// If its workflow is not registered, or the store cannot be read.
    pub(crate) fn reload(&self, row: &RunRow) -> Result<Rc<Instance>> {
        self.bring_in(row, TakenUp::ByItself)
    }

    /// The same of a run that was admitted just now: none of its code has run, so none was interrupted.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload).
    pub(super) fn bring_in_admitted(&self, row: &RunRow) -> Result<()> {
        self.bring_in(row, TakenUp::Anew).map(drop)
    }

    fn bring_in(&self, row: &RunRow, taken_up: TakenUp) -> Result<Rc<Instance>> {
        let ledger = self.ledger_of(row).unwrap_or_else(|| Ledger::new(row.key));
        // Also of one that nobody has bring back any more, since the executor is about to end.
        ledger.row_has_wake_at.set(row.wake_at.is_some());
        ledger.is_waiting.set(false);
        let (run, replayed) = self.replay(row, ledger)?;
        if let Some(at) = run.ledger.take_wake_at() {
            self.world.timers.remove_return(at, row.key);
        }
        if taken_up != TakenUp::ByItself {
            run.extra().taken_up.set(taken_up);
        }
        self.ledgers.enter(&run);
        match replayed {
            Ok(()) => drop(self.work(&run)),
            Err(fault) => self.park(&run, fault),
        }
        Ok(run)
    }

    /// Takes up a parked run.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload), and if it is parked again.
    pub(crate) fn resume(&self, row: &RunRow) -> Result<()> {
        self.guard.forgive(row);
        self.take_up(row, TakenUp::Resumed)
    }

    /// Takes up a run that has failed, from what it had achieved. One that has not begun waits again.
    ///
    /// # Errors
    ///
    /// As [`resume`](Self::resume), or if another run has its unique key; if its history is damaged, nothing has
    /// changed.
    pub(crate) fn retry(&self, row: &RunRow) -> Result<()> {
        let workflow = self.registry.find(&row.workflow);
        workflow.ok_or_else(|| unregistered(&row.id, &row.workflow))?;
        let history = self.history(row)?.map_err(|fault| parked_error(&row.id, &fault))?;
        let from = failed_from(&history);
        let ledger = Ledger::new(row.key);
        ledger.next_seq.set(history.len() as u64);
        let children = awaited(&history, from);
        let (mut row, waits) = (row.clone(), !has_begun(&history));
        row.state = match row.queue.as_ref().filter(|_| waits) {
            None => RunState::Running,
            Some(place) if place.name.is_empty() => RunState::Delayed,
            Some(_) => RunState::Queued,
        };
        // It counts no longer.
        row.deadline = None;
        self.check_key(&row)?;
        let retrial = Retrial { row: row.clone(), from, children };
        let draft = ledger.draft(What::Retry(Box::new(retrial)));
        self.world.pending.borrow_mut().others_mut().rows.push(draft);
        // It is recorded first: the run may well fail again in its replay.
        self.commit()?;
        // It ends anew, and is kept from then on.
        self.ended.borrow_mut().retain(|ended| *ended != row.key);
        self.guard.forgive(&row);
        if row.state.is_waiting() {
            self.world.bodies.raw().notify();
            return Ok(());
        }
        // It goes on, as the file says: where that cannot be read, nobody does until the next open.
        let replayed = self.replay_anew(&row).map_err(|why| self.stop(why))?;
        self.take_up_replayed(&row, replayed, TakenUp::Anew)
    }

    pub(super) fn take_up(&self, row: &RunRow, taken_up: TakenUp) -> Result<()> {
        self.take_up_replayed(row, self.replay_anew(row)?, taken_up)
    }

    fn replay_anew(&self, row: &RunRow) -> Result<Replayed> {
        self.world.advance();
        self.replay(row, Ledger::new(row.key))
    }

    fn take_up_replayed(
        &self,
        row: &RunRow,
        (run, replayed): Replayed,
        taken_up: TakenUp,
    ) -> Result<()> {
        let is_new = taken_up == TakenUp::Resumed && run.is_fresh_fork();
        run.extra().taken_up.set(if is_new { TakenUp::Anew } else { taken_up });
        self.ledgers.enter(&run);
        self.world.bodies.raw().notify();
        let result = match replayed {
            Ok(()) => {
                self.world.notify(&Notice::Resumed { run: &run.id });
                if taken_up == TakenUp::Resumed {
                    self.draft_row(&run, What::Resume);
                }
                self.work(&run)
            }
            Err(fault) => {
                self.park(&run, fault.clone());
                Err(fault)
            }
        };
        result.map_err(|fault| parked_error(&row.id, &self.world.stamped(fault)))
    }

    /// A run with all delivered that was committed of it, or with what is wrong with that.
    fn replay(&self, row: &RunRow, ledger: Rc<Ledger>) -> Result<Replayed> {
        let history = self.history(row)?;
        ledger.started_at.set(Timestamp::from_nanos(row.started_at));
        ledger.accept();
        let run = self.restored(&self.world, row, ledger)?;
        if let Ok(history) = &history {
            // First: if the run is parked, what comes to it with the next commit stands behind all of it.
            run.ledger.next_seq.set(history.len() as u64);
        }
        let replayed = self.guarded(row, || {
            history.and_then(|history| caught(|| deliver_history(&run, &history)))
        });
        if replayed.is_err() {
            run.note_unread(row);
        }
        // Whoever waited for its end when this pass began may have let it go since, and whoever had let it go may have
        // been retried: the row alone says it.
        run.set_link(row.link.map(Link::of_row));
        let replayed = match replayed {
            Ok(()) => self.check_children(&run)?,
            Err(fault) => Err(fault),
        };
        Ok((run, replayed))
    }

    /// Calls `replay`, which runs the code of this run, unless that ended the process too often.
    pub(crate) fn guarded(
        &self,
        row: &RunRow,
        replay: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match self.guard.refuses(row) {
            None => {
                let watched = || self.guard.watch(&self.store, row, replay);
                self.world.pulse.replays(row.key, &row.id, watched)
            }
            Some(fault) => Err(fault),
        }
    }

    /// Whether the children are there that a run waits for.
    fn check_children(&self, run: &Instance) -> Result<Result<(), Fault>> {
        let Some(extra) = run.has_extra() else { return Ok(Ok(())) };
        for (number, id) in extra.children.all() {
            if !self.ledgers.has_id(&id) && self.find(&id)?.is_none() {
                let detail = format_args!(
                    "it waits for child {number}, run {id:?}, which this file does not hold"
                );
                return Ok(Err(Fault::new(ParkReason::Damaged, detail)));
            }
        }
        Ok(Ok(()))
    }

    /// A run before the first record of its history is delivered.
    ///
    /// # Errors
    ///
    /// If its workflow is not registered.
    pub(crate) fn restored(
        &self,
        world: &Rc<World>,
        row: &RunRow,
        ledger: Rc<Ledger>,
    ) -> Result<Rc<Instance>> {
        let found = self.registry.find(&row.workflow);
        let workflow = found.ok_or_else(|| unregistered(&row.id, &row.workflow))?.clone();
        let id = row.id.as_str().into();
        Ok(Instance::new(world.clone(), ledger, id, workflow, Phase::Replaying))
    }

    /// All that was committed of a run, or what is wrong with that. That the disk did not answer
    /// says nothing about the run: the next open may find it whole.
    pub(crate) fn history(&self, row: &RunRow) -> Result<Result<History, Fault>> {
        match self.store.borrow().history(row.key) {
            Err(error) if error.is_refused() => Err(Error::store(&error)),
            history => Ok(history.map_err(|error| Fault::new(ParkReason::Damaged, error))),
        }
    }
}

/// Delivers all that was committed of a run.
pub(crate) fn deliver_history(run: &Rc<Instance>, history: &History) -> Result<(), Fault> {
    if history.is_empty() {
        return Err(Fault::new(ParkReason::Damaged, "the history is missing"));
    }
    run.ledger.next_seq.set(history.len() as u64);
    // What is skipped or changed is known from the beginning: else the polls before would be others.
    let (mut void, mut own) = (BTreeSet::new(), None);
    for (at, entry) in (0..).zip(history.iter()) {
        if let Some(seq) = Record::read_skipped(entry.record) {
            run.extra().inbox.borrow_mut().skip(seq);
        } else if let Some((name, at)) = Record::read_patched(entry.record) {
            run.extra().patches.borrow_mut().insert(name.into(), at);
        } else if let Some(from) = Record::read_retried(entry.record) {
            add_void(&mut void, history, from, at);
        } else if let Some(from) = Record::read_forked(entry.record) {
            run.note_origin(from);
            own = Some(at + 1);
            run.note_moved(None);
        } else if let Some((store, key)) = Record::read_moved(entry.record) {
            run.note_moved(Some((store, RunKey(key))));
        }
    }
    if history.last().is_some_and(|last| Record::read_remark(last.record)) {
        let remarks = history.iter().rev().take_while(|entry| Record::read_remark(entry.record));
        run.note_remarks_from((history.len() - remarks.count()) as u64);
    }
    // Messages and the like come to a run that is parked, too.
    if let Some(own) = own
        && history.iter().skip(own as usize).all(|entry| Record::read_post(entry.record))
    {
        run.note_fresh();
    }
    for (seq, entry) in (0..).zip(history.iter()) {
        replay::read(entry, seq, |delivery, record| match void.contains(&seq) {
            false => run.deliver(delivery, record),
            true => {
                run.pass_over(seq, record);
                Ok(())
            }
        })?;
    }
    Ok(())
}
