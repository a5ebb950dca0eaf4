//! Runs replayed beside the others, without starting any body and without changing anything.

use alloc::rc::Rc;

use dacapo_store::RunRow;

use crate::engine::{Engine, caught, deliver_history};
use crate::error::Result;
use crate::fault::Fault;
use crate::instance::World;
use crate::ledger::Ledger;
use crate::panics::Caller;
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
        let World { timers, values, setup, .. } = &*self.world;
        let mut setup = setup.clone();
        setup.observer = setup.observer.map(|observer| Rc::new(Rehearsed(observer)) as _);
        let world = World::new(timers.beside(), values.clone(), setup);
        let run = self.restored(&world, row, Ledger::new(row.key))?;
        let replay = || history.and_then(|history| caught(|| deliver_history(&run, &history)));
        let replay = || {
            let replayed = replay().and_then(|()| run.check_end(row.state.has_ended()));
            // It leaves nothing: a process that ends here ends in the rehearsal.
            run.close();
            replayed
        };
        // Its code runs in another world than that of the live runs, and shall not reach theirs.
        let replay = || self.world.setup.caught.calling(Caller::Workflow, replay);
        Ok(self.guarded(row, replay))
    }
}
