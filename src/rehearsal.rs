//! Runs replayed beside the others, without starting any body and without changing anything.

use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use dacapo_store::{Entry, History, RunRow};

use crate::engine::{Engine, caught, deliver_history, unregistered};
use crate::error::Result;
use crate::fault::Fault;
use crate::instance::{Instance, World};
use crate::ledger::Ledger;
use crate::panics::Caller;
use crate::telemetry::Telemetry;
use crate::trace::Rehearsed;

impl Engine {
    /// Replays a run by itself against the code of this build, and forgets it.
    ///
    /// Within: what it would be parked for.
    ///
    /// # Errors
    ///
    /// If its workflow is not registered, or the store cannot be read.
    pub(crate) fn rehearse(&self, row: &RunRow) -> Result<Result<(), Fault>> {
        let history = self.history(row)?;
        self.rehearse_with(row, history, |_| ())
    }

    /// The same of a history that is not stored, with one record more: what would begin if the run went on, or
    /// what it would be parked for.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn rehearse_copy(
        &self,
        row: &RunRow,
        history: &History,
        own: &[u8],
    ) -> Result<(Vec<String>, Option<String>)> {
        if self.registry.find(&row.workflow).is_none() {
            let why = unregistered(&row.id, &row.workflow);
            return Ok((Vec::new(), Some(why.to_string())));
        }
        let mut history = history.clone();
        let (seq, time) = (history.len() as u64, self.world.timers.now().as_nanos());
        let commit = self.store.borrow().last_commit() + 1;
        history.push(Entry { seq, commit, time, record: own });
        let rehearsed = self.rehearse_with(row, Ok(history), Instance::show_beginning)?;
        Ok(match rehearsed {
            Ok(begins) => (begins, None),
            Err(fault) => (Vec::new(), Some(fault.ahead().to_string())),
        })
    }

    /// Reads the output of a run as the type of this build.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    #[cfg(feature = "view")]
    pub(crate) fn read_output(&self, row: &RunRow) -> Result<()> {
        if let (Some(workflow), Ok(output)) =
            (self.registry.find(&row.workflow), self.outcome(row)?)
        {
            // What does not decode is shown by its shape.
            let _ = (workflow.output)(&self.world.values, output.as_slice());
        }
        Ok(())
    }

    fn rehearse_with<T>(
        &self,
        row: &RunRow,
        history: Result<History, Fault>,
        look: impl FnOnce(&Instance) -> T,
    ) -> Result<Result<T, Fault>> {
        let World { timers, values, setup, .. } = &*self.world;
        let mut setup = setup.clone();
        setup.observer = setup.observer.map(|observer| Rc::new(Rehearsed(observer)) as _);
        let world = World::new(timers.beside(), values.clone(), setup, Telemetry::off());
        let run = self.restored(&world, row, Ledger::new(row.key))?;
        let replay = || history.and_then(|history| caught(|| deliver_history(&run, &history)));
        let mut seen = None;
        let replay = || {
            let replayed = replay();
            // First: what is not there yet is taken for asked for.
            seen = Some(look(&run));
            let replayed = replayed.and_then(|()| run.check_end(row.state.has_ended()));
            // It leaves nothing: a process that ends here ends in the rehearsal.
            run.close();
            replayed
        };
        // Its code runs in another world than that of the live runs, and shall not reach theirs.
        let replay = || self.world.setup.caught.calling(Caller::Workflow, replay);
        let rehearsed = self.guarded(row, replay);
        Ok(rehearsed.map(|()| seen.expect("it was replayed")))
    }
}
