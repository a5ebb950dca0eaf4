//! What there is, counted from time to time for those who watch the process.

use super::Engine;
use crate::telemetry::Figures;

impl Engine {
    /// Leaves word of what was committed last, for threads that are not answered.
    #[inline]
    pub(crate) fn beat(&self) {
        if !self.world.pulse.is_on() {
            return;
        }
        let store = self.store.borrow();
        let count = || store.count().ok();
        self.world.pulse.committed(store.last_commit(), store.time(), count);
    }

    /// Tells how much there is of what, if that was not told for a while.
    #[inline]
    pub(crate) fn tell_figures(&self) {
        self.world.telemetry.meters.gauge(|| {
            Some(Figures {
                // A store that fails says so elsewhere.
                runs: self.store.borrow().count().ok()?,
                resident: self.ledgers.residents(),
                ready_bodies: self.world.bodies.raw().queued(),
            })
        });
    }
}
