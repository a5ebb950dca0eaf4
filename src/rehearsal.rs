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
use crate::places::{Places, Sorted};
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
        match self.rehearse_with(row, self.history(row)?, None, |_| ())? {
            Err(fault) if fault.reason().is_of_the_build() => Ok(Err(self.located(row, fault)?)),
            rehearsed => Ok(rehearsed),
        }
    }

    /// The same fault with where the code stands. Few runs have one, so that is found by another rehearsal, and
    /// those that go well are as fast as replays.
    fn located(&self, row: &RunRow, fault: Fault) -> Result<Fault> {
        let (_, again) = self.rehearse_places(row)?;
        // Code that is not deterministic may differ elsewhere.
        let found = again.err().filter(|again| again.is_like(&fault));
        Ok(found.unwrap_or(fault))
    }

    /// The same, with where the operations stand that the code made. No observer is told.
    ///
    /// # Errors
    ///
    /// As [`rehearse`](Self::rehearse).
    pub(crate) fn rehearse_places(&self, row: &RunRow) -> Result<(Sorted, Result<(), Fault>)> {
        let (history, places) = (self.history(row)?, Rc::<Places>::default());
        let rehearsed = self.rehearse_with(row, history, Some(&places), |_| ())?;
        Ok((places.take_sorted(), rehearsed))
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
        let rehearsed = self.rehearse_with(row, Ok(history), None, Instance::show_beginning)?;
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
        places: Option<&Rc<Places>>,
        look: impl FnOnce(&Instance) -> T,
    ) -> Result<Result<T, Fault>> {
        let World { timers, values, setup, .. } = &*self.world;
        let mut setup = setup.clone();
        // Who only looks where the code stands tells no observer of it.
        let observer = setup.observer.filter(|_| places.is_none());
        setup.observer = observer.map(|observer| Rc::new(Rehearsed(observer)) as _);
        setup.places = places.cloned();
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
