//! What is in the store when it is opened: found, listed, recovered.

use alloc::rc::Rc;
use alloc::vec::Vec;

use dacapo_store::{Filter, RunKey, RunRow, RunState};

use super::{Engine, unregistered};
use crate::bytes::Bytes;
use crate::error::{Error, Kind, Result};
use crate::instance::{Instance, Phase};
use crate::ledger::Ledger;
use crate::random;
use crate::record::{Outcome, Record, SEMANTICS_VERSION};

impl Engine {
    pub(crate) fn find(&self, id: &str) -> Result<Option<RunRow>> {
        self.store.borrow().find(id).map_err(|error| Error::store(&error))
    }

    pub(crate) fn list(&self, filter: &Filter) -> Result<Vec<RunRow>> {
        self.store.borrow().list(filter).map_err(|error| Error::store(&error))
    }

    /// The recorded outcome of an ended run.
    pub(crate) fn outcome(&self, row: &RunRow) -> Result<Outcome<'static>> {
        let last = self.store.borrow().last(row.key).map_err(|error| Error::store(&error))?;
        let record = last.as_ref().map(|entry| Record::read(&entry.record));
        match record {
            Some(Ok(Record::Finished { outcome })) => Ok(outcome.map(Bytes::into_owned)),
            Some(_) | None => {
                let id = &row.id;
                let message = format_args!("the history of run {id:?} is damaged at its end");
                Err(Error::of(Kind::Store, message))
            }
        }
    }

    /// Adds a run, whose start is recorded by the next commit.
    ///
    /// # Errors
    ///
    /// If its workflow is not registered.
    pub(crate) fn start(
        &self,
        workflow: &str,
        id: &str,
        input: Bytes<'static>,
    ) -> Result<Rc<Instance>> {
        let code = self.registry.find(workflow).ok_or_else(|| unregistered(id, workflow))?;
        let ledger = Ledger::new(RunKey(self.next_run.replace(self.next_run.get() + 1)));
        let seed = random::mix(self.seed, ledger.key.0);
        let (workflow, version) = (code.0, SEMANTICS_VERSION);
        let run = Instance::new(self.world.clone(), ledger, id.into(), code, Phase::Live);
        self.ledgers.enter(&run);
        run.draft(Record::Started { workflow, input, version, seed });
        self.world.bodies.rouse();
        Ok(run)
    }

    /// Takes up all unfinished runs of registered workflows: replays them, or notes when they go on
    /// if nothing can happen before that.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn recover(&self) -> Result<()> {
        self.world.timers.advance();
        for row in self.list(&Filter::new().states(&[RunState::Running]))? {
            if self.registry.find(&row.workflow).is_some() {
                self.reload(&row)?;
                self.evict_surplus();
            }
        }
        Ok(())
    }
}
