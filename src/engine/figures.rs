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

    /// Time has passed since the last turn.
    #[cold]
    pub(crate) fn wake(&self) {
        self.load.wake(|| self.world.timers.monotonic());
        self.world.advance();
    }

    /// A commit is measured, and the store is about to make it durable.
    #[cold]
    pub(super) fn begin_commit(&self) {
        self.load.begin_commit(self.world.timers.monotonic());
    }

    /// It has so many records, and is durable.
    #[cold]
    pub(super) fn note_committed(&self, records: usize) {
        self.load.commit(records, self.world.timers.monotonic());
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
