//! Runs that wait, and are to begin with something else, or wait elsewhere.

use crate::engine::write::Writer;
use crate::error::{Error, Kind, Result};
use crate::instance::{Change, Receiver, Replaced};
use crate::ledger::What;
use crate::record::{Options, Record, Resubmission};
use dacapo_store::{RunRow, RunState};

impl Writer<'_> {
    /// Changes what a run waits for, or is to begin with.
    ///
    /// # Errors
    ///
    /// If it has begun, or may not wait there.
    pub(in crate::engine) fn resubmit(
        &mut self,
        receiver: &Receiver,
        change: &Change,
    ) -> Result<()> {
        let row = match receiver {
            Receiver::Resident(run) => {
                let mut row = run.row();
                row.state = run.unended_state();
                row
            }
            Receiver::Guest(run) => self.elsewhere().guests[run].row.clone(),
        };
        if !row.state.is_waiting() {
            return Err(has_begun(&row.id));
        }
        let options = self.changed(&row, &change.replaced)?;
        self.engine.forget_row(&row);
        let resubmission = Resubmission { input: change.input.clone(), options };
        match receiver {
            Receiver::Resident(run) => {
                run.resubmit(&resubmission);
                self.put_unended(run);
            }
            Receiver::Guest(run) => {
                let now = self.now.as_nanos();
                let guest = self.elsewhere().guests.get_mut(run).expect("it was found");
                resubmission.options.complete(&mut guest.row);
                guest.row.state = resubmission.options.waits().unwrap_or(RunState::Delayed);
                guest.row.changed_at = now;
                let row = guest.row.clone();
                self.put(row);
            }
        }
        self.arrive(receiver, What::Record(Record::Resubmitted(resubmission.into()).into()));
        Ok(())
    }

    /// The options of a run that waits, changed.
    fn changed(&self, row: &RunRow, replaced: &Replaced) -> Result<Options> {
        let mut options = Options::of_row(row);
        match replaced {
            Replaced::Time { wait, cap } => {
                let latest = crate::clock::Timestamp::from_nanos(row.started_at) + *cap;
                let place = options.place.get_or_insert_default();
                place.eligible_at = Some(latest.min(self.now + *wait));
            }
            Replaced::All(later) => {
                let new = later.clone().at(self.now);
                // What waits has a place.
                let place = new.place.unwrap_or_default();
                self.engine.expect_queue(&row.id, place.queue.as_deref())?;
                self.engine.check_place(&row.id, &place)?;
                let is_other = |holder: &dacapo_store::RunKey| *holder != row.key;
                if self.engine.queues.holder(&place).filter(is_other).is_some() {
                    let unique = place.unique.unwrap_or_default();
                    let message = format_args!(
                        "run {:?} stays where it is: another one has the unique key {unique:?}",
                        row.id
                    );
                    return Err(Error::of(Kind::Taken, message));
                }
                options.deadline = new.deadline.or(options.deadline);
                if !new.attributes.is_empty() {
                    options.attributes = new.attributes;
                }
                options.place = Some(place);
            }
        }
        Ok(options)
    }
}

fn has_begun(id: &str) -> Error {
    let message =
        format_args!("run {id:?} has begun: what it waited for cannot be changed any more");
    Error::of(Kind::Usage, message)
}
