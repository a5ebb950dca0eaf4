//! Runs that somebody has held: parked on request, whatever they do, and none of their code runs for it.

use alloc::boxed::Box;

use dacapo_store::{RunRow, RunState};

use super::write::Writer;
use super::{Engine, parked_error};
use crate::error::Result;
use crate::fault::{Fault, ParkReason};
use crate::instance::{BodyEnd, Instance};
use crate::ledger::{Held, Ledger, What};

impl Engine {
    /// Has the next commit park a run that goes on but is not in memory.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn hold_away(&self, row: RunRow) -> Result<()> {
        if self.registry.find(&row.workflow).is_none() {
            // It waits for its code, and is nothing but its row.
            let fault = self.world.stamped(by_hand());
            let draft = Ledger::new(row.key).draft(What::Hold(Box::new(Held { row, fault })));
            self.world.pending.borrow_mut().others_mut().rows.push(draft);
            return Ok(());
        }
        // It comes into memory without a replay, and leaves with the commit.
        self.guard.held.borrow_mut().insert(row.id.clone(), BY_HAND);
        let brought_in = self.reload(&row);
        self.guard.held.borrow_mut().remove(&row.id);
        brought_in.map(drop)
    }

    /// Whether a commit that was full has left over the start of a run, or what came of its bodies.
    pub(crate) fn has_left_over(&self, run: &Instance) -> bool {
        let pending = self.world.pending.borrow();
        let is_of_it = |end: &BodyEnd| end.instance.key() == run.key();
        run.ledger.next_seq.get() == 0 || pending.outcomes.iter().any(is_of_it)
    }

    /// That a run is held which is not in memory is committed.
    #[cold]
    pub(super) fn deliver_held(&self, Held { row, fault }: &Held) {
        // Another record of the commit may have ended it.
        let stored = self.row(row.key).ok().flatten();
        if stored.is_none_or(|stored| stored.state != RunState::Parked) {
            return;
        }
        self.guard.settle_held(&self.store, row.key);
        if let Some(ledger) = self.ledgers.remove_away(row.key) {
            ledger.end(Err(parked_error(&row.id, fault)));
        }
        self.notify_parked(&row.id, fault);
    }
}

impl Writer<'_> {
    /// The run is parked, unless this batch ends or forgets it.
    #[cold]
    pub(super) fn write_held(&mut self, Held { row, fault }: &Held) {
        let (mut row, key) = (row.clone(), row.key);
        if let Some(elsewhere) = &self.elsewhere {
            if elsewhere.deleted.contains(&key) {
                return;
            }
            if let Some(guest) = elsewhere.guests.get(&key) {
                row = guest.row.clone();
            }
        }
        if row.state == RunState::Running {
            row.state = RunState::Parked;
            row.changed_at = self.now.as_nanos();
            row.wake_at = None;
            row.note = fault.to_note();
            self.put(row);
        }
    }
}

const BY_HAND: &str = "somebody holds it";

/// Why such a run does not go on.
pub(crate) fn by_hand() -> Fault {
    Fault::new(ParkReason::OnRequest, BY_HAND)
}
