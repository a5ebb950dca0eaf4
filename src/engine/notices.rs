//! What observers are told of runs, as soon as it is committed.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::Engine;
use super::guard::{Guard, Kind};
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::notice::Notice;
use crate::record::Outcome;

impl Engine {
    /// Whom the process before ended with, before any of them is replayed; and who cannot be held.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(super) fn notify_suspects(&self) -> Result<()> {
        if !self.world.is_watched() {
            return Ok(());
        }
        for kind in [Kind::Replay, Kind::Leave] {
            let (runs, ends) = self.guard.foremost(kind);
            let rows = runs.into_iter().map(|run| self.row(run)).collect::<Result<Vec<_>>>()?;
            let runs: Vec<_> = rows.iter().flatten().map(|row| &*row.id).collect();
            if !runs.is_empty() {
                let (runs, of) = (&*runs, Guard::ENDS);
                self.world.notify(&match kind {
                    Kind::Replay => Notice::ReplayEndedProcess { runs, ends, of },
                    Kind::Leave => Notice::DropEndedProcess { runs, ends, of },
                });
            }
        }
        for run in self.guard.held.borrow().keys() {
            if self.find(run)?.is_none() {
                self.world.notify(&Notice::NotHeld { run });
            }
        }
        Ok(())
    }

    pub(super) fn notify_parked(&self, run: &str, fault: &Fault) {
        if self.world.is_watched() {
            let message = &*fault.to_string();
            self.world.notify(&Notice::Parked { run, reason: fault.reason(), message });
        }
    }

    /// A call was refused, unless nothing goes on any more.
    pub(crate) fn notify_refused(&self, error: &Error) {
        if !error.is_store() && !error.is_closed() {
            self.world.notify(&Notice::Refused { error });
        }
    }

    pub(super) fn notify_ended(&self, run: &str, outcome: &Outcome<'_>) {
        if self.world.is_watched() {
            let error = outcome.as_ref().err().cloned().map(Error::from);
            self.world.notify(&Notice::Ended { run, error: error.as_ref() });
        }
    }
}
