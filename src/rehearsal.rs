//! Runs replayed beside the others, without starting any body and without changing anything.

use dacapo_store::RunRow;

use crate::clock::Timestamp;
use crate::engine::{Engine, caught, deliver_history, parked_error};
use crate::error::Result;
use crate::instance::World;
use crate::ledger::Ledger;
use crate::timer::Timers;

impl Engine {
    /// Replays a run by itself against the code of this build, and forgets it.
    ///
    /// # Errors
    ///
    /// What it would be parked for; if its workflow is not registered, or the store cannot be read.
    pub(crate) fn rehearse(&self, row: &RunRow) -> Result<()> {
        let history = self.history(row)?;
        let timers = Timers::new(self.world.timers.clock.clone(), Timestamp::default());
        let World { values, poll_budget, observer, choices, .. } = &*self.world;
        let values = values.clone();
        let world = World::new(timers, values, *poll_budget, observer.clone(), choices.clone());
        let run = self.restored(&world, row, Ledger::new(row.key))?;
        let rehearsed = history
            .and_then(|history| caught(|| deliver_history(&run, &history)))
            .and_then(|()| run.check_end(row.state.has_ended()));
        run.close();
        rehearsed.map_err(|fault| parked_error(&row.id, &fault))
    }
}
