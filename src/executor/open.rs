//! Runs that are in the store: found, replayed, taken up again.

use alloc::rc::Rc;
use alloc::vec::Vec;

use dacapo_store::{Filter, History, RunRow, RunState};

use super::commit::caught;
use super::engine::Engine;
use super::residents::Resident;
use super::{parked_error, unregistered};
use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::fault::{Fault, ParkReason};
use crate::instance::{Instance, Phase, World};
use crate::record::{Outcome, Record};
use crate::registry::Code;
use crate::replay;
use crate::run::Run;
use crate::timer::Timers;

impl Engine {
    pub(super) fn find(&self, id: &str) -> Result<Option<RunRow>> {
        self.store.borrow().find(id).map_err(|error| Error::store(&error))
    }

    pub(super) fn list(&self, filter: &Filter) -> Result<Vec<RunRow>> {
        self.store.borrow().list(filter).map_err(|error| Error::store(&error))
    }

    /// The recorded outcome of an ended run.
    pub(super) fn outcome(&self, row: &RunRow) -> Result<Outcome<'static>> {
        let last = self.store.borrow().last(row.key).map_err(|error| Error::store(&error))?;
        let record = last.as_ref().map(|entry| Record::read(&entry.record));
        match record {
            Some(Ok(Record::Finished { outcome })) => Ok(outcome.map(Bytes::into_owned)),
            _ => {
                let id = &row.id;
                let message = format_args!("the history of run {id:?} is damaged at its end");
                Err(Error::of(Kind::Store, message))
            }
        }
    }

    /// Replays all unfinished runs of registered workflows.
    pub(super) fn recover(&self) -> Result<()> {
        self.world.timers.advance();
        for row in self.list(&Filter::new().states(&[RunState::Running]))? {
            if self.registry.find(&row.workflow).is_some() {
                self.bring_back(&row)?;
                self.evict_surplus();
            }
        }
        Ok(())
    }

    /// Takes up a parked run.
    pub(super) fn resume(&self, row: &RunRow) -> Result<()> {
        let found = self.registry.find(&row.workflow);
        let (name, code) = found.ok_or_else(|| unregistered(&row.id, &row.workflow))?;
        self.world.timers.advance();
        let (resident, replayed) = self.replay(row, name, code)?;
        self.residents.add(&resident);
        self.world.bodies.raw().notify();
        match replayed {
            Ok(()) => {
                self.mark_resumed(&resident);
                let worked = self.work(&resident, &mut Vec::new());
                worked.map_err(|fault| parked_error(&row.id, &fault))
            }
            Err(fault) => {
                let error = parked_error(&row.id, &fault);
                self.park(&resident, fault);
                Err(error)
            }
        }
    }

    pub(super) fn replay(
        &self,
        row: &RunRow,
        name: &'static str,
        code: Rc<Code>,
    ) -> Result<(Rc<Resident>, Result<(), Fault>)> {
        let history = self.history(row)?;
        let run = restored(self.world.clone(), row, name, code);
        run.instance.started_at.set(Timestamp::from_nanos(row.started_at));
        let replayed = history.and_then(|history| caught(|| deliver_history(&run, &history)));
        Ok((Resident::new(run), replayed))
    }

    /// All that was committed of a run, or what is wrong with that. That the disk did not answer
    /// says nothing about the run: the next open may find it whole.
    fn history(&self, row: &RunRow) -> Result<Result<History, Fault>> {
        match self.store.borrow().whole_history(row.key) {
            Err(error) if error.is_refused() => Err(Error::store(&error)),
            history => Ok(history.map_err(|error| Fault::new(ParkReason::Damaged, error))),
        }
    }

    /// Replays a run by itself, beside the others, and forgets it.
    pub(super) fn verify(&self, row: &RunRow) -> Result<()> {
        let found = self.registry.find(&row.workflow);
        let (name, code) = found.ok_or_else(|| unregistered(&row.id, &row.workflow))?;
        let history = self.history(row)?;
        let timers = Timers::new(self.world.timers.clock.clone(), Timestamp::default());
        let World { poll_budget, observer, choices, .. } = &*self.world;
        let world = World::new(timers, *poll_budget, observer.clone(), choices.clone());
        let run = restored(world, row, name, code);
        let verified = history
            .and_then(|history| caught(|| deliver_history(&run, &history)))
            .and_then(|()| run.check_end(row.state.has_ended()));
        run.instance.close();
        verified.map_err(|fault| parked_error(&row.id, &fault))
    }
}

/// Delivers all that was committed of a run.
fn deliver_history(run: &Run, history: &History) -> Result<(), Fault> {
    if history.is_empty() {
        return Err(Fault::new(ParkReason::Damaged, "the history is missing"));
    }
    for (seq, entry) in (0..).zip(history.iter()) {
        replay::read(entry, seq, |delivery, record| run.deliver(delivery, record))?;
    }
    run.instance.next_seq.set(history.len() as u64);
    Ok(())
}

fn restored(world: Rc<World>, row: &RunRow, name: &'static str, code: Rc<Code>) -> Run {
    let id = Rc::from(row.id.as_str());
    Run::new(Instance::new(world, row.key, id, name, Phase::Replaying), code)
}
