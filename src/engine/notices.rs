//! What observers are told of runs, as soon as it is committed.

use alloc::string::ToString;

use super::Engine;
use crate::error::Error;
use crate::fault::Fault;
use crate::notice::Notice;
use crate::record::Outcome;

impl Engine {
    pub(super) fn notify_parked(&self, run: &str, fault: &Fault) {
        if self.world.setup.observer.is_some() {
            let message = &*fault.to_string();
            self.world.notify(&Notice::Parked { run, reason: fault.reason, message });
        }
    }

    /// A call was refused, unless nothing goes on any more.
    pub(crate) fn notify_refused(&self, error: &Error) {
        if !error.is_store() && !error.is_closed() {
            self.world.notify(&Notice::Refused { error });
        }
    }

    pub(super) fn notify_ended(&self, run: &str, outcome: &Outcome<'_>) {
        if self.world.setup.observer.is_some() {
            let error = outcome.as_ref().err().cloned().map(Error::from);
            self.world.notify(&Notice::Ended { run, error: error.as_ref() });
        }
    }
}
