//! Runs that are asked to end, or told to: what that meets, when it is written.

use dacapo_store::{RunKey, RunState};

use super::write::Writer;
use crate::error::{Error, Kind, Result};
use crate::instance::{Phase, Receiver};
use crate::ledger::What;
use crate::record::{CancelCause, Record};

impl Writer<'_> {
    /// A run is asked to end, once. Without its code there is nobody to ask: then it ends at once if it
    /// must, and otherwise waits for its code.
    pub(super) fn cancel(&mut self, receiver: &Receiver, cause: CancelCause) -> Result<()> {
        let key = self.ledger(receiver).key;
        let terminates = cause == CancelCause::Terminated;
        let is_parked = match receiver {
            Receiver::Resident(run) => run.phase.get() == Phase::Closed,
            Receiver::Guest(key) => self.elsewhere().guests[key].row.state == RunState::Parked,
        };
        if is_parked && cause == CancelCause::Asked {
            return Err(parked(self.id(receiver)));
        }
        let is_asked = !self.elsewhere().cancelled.insert(key) || self.is_asked(receiver)?;
        if is_asked && !terminates {
            return Ok(());
        }
        self.arrive(receiver, What::Record(Record::CancelRequested { cause }.into()));
        // None of the code of one that waits to be admitted has run: it ends at once.
        match receiver {
            Receiver::Guest(key) => {
                let waits = self.elsewhere().guests[key].row.state.is_waiting();
                if terminates || waits {
                    self.end_guest(*key, cause);
                }
            }
            Receiver::Resident(run) if run.is_waiting() && !is_parked => {
                let outcome = Err(Error::cancelled(cause.why()).into_failure());
                let finished = Record::Finished { outcome, was_dropped: true };
                self.arrive(receiver, What::Record(finished.into()));
            }
            Receiver::Resident(_) => {}
        }
        Ok(())
    }

    fn is_asked(&mut self, receiver: &Receiver) -> Result<bool> {
        match receiver {
            Receiver::Resident(run) if run.phase.get() != Phase::Closed => {
                Ok(run.has_extra().is_some_and(|extra| extra.cancelling.is_asked()))
            }
            // Parked: what it had delivered may not be all.
            Receiver::Resident(run) => {
                self.history_has(run.key(), &run.id.clone(), is_request_to_end)
            }
            Receiver::Guest(run) => {
                let id = self.elsewhere().guests[run].row.id.clone();
                self.history_has(*run, &id, is_request_to_end)
            }
        }
    }

    /// A run ends without its code.
    fn end_guest(&mut self, key: RunKey, cause: CancelCause) {
        let guest = self.elsewhere().guests.get_mut(&key).expect("it was found");
        guest.row.state = RunState::Cancelled;
        let mut row = guest.row.clone();
        row.link = None;
        row.changed_at = self.now.as_nanos();
        row.note.clear();
        row.wake_at = None;
        let outcome = Err(Error::cancelled(cause.why()).into_failure());
        let finished = Record::Finished { outcome: outcome.clone(), was_dropped: true };
        self.arrive(&Receiver::Guest(key), What::Record(finished.into()));
        self.put(row);
        self.engine.note_kept();
        self.bereave_guest(key, outcome);
    }

    fn id<'a>(&'a mut self, receiver: &'a Receiver) -> &'a str {
        match receiver {
            Receiver::Resident(run) => &run.id,
            Receiver::Guest(key) => &self.elsewhere().guests[key].row.id,
        }
    }
}

fn is_request_to_end(record: &Record<'_>) -> bool {
    matches!(record, Record::CancelRequested { .. })
}

fn parked(id: &str) -> Error {
    let message = format_args!(
        "run {id:?} is parked: nobody in it can be asked to end; resume it, or terminate it"
    );
    Error::of(Kind::Usage, message)
}
