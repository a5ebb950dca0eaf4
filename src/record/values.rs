//! The values of users in records.

use alloc::boxed::Box;

use super::{Asked, Carried, CarriedKey, CarriedTopic, Mark, Note, Outcome, Record, Submission};
use crate::bytes::Bytes;

/// Gives another value for one.
type Change<'c, E> = dyn FnMut(&Bytes<'_>) -> Result<Bytes<'static>, E> + 'c;

impl Record<'_> {
    /// The same record with other values of users, each of which `change` makes of one that is there.
    ///
    /// # Errors
    ///
    /// The first of `change`.
    pub(crate) fn with_values<E>(&self, change: &mut Change<'_, E>) -> Result<Record<'_>, E> {
        let mut record = self.clone();
        match &mut record {
            Record::Started { input, .. } => *input = change(input)?,
            Record::Submitted(submission) => submission.change_values(change)?,
            Record::Resubmitted(resubmission) => {
                if let Some(input) = &mut resubmission.input {
                    *input = change(input)?;
                }
            }
            Record::OperationEnded { asked, outcome, .. } => match asked {
                Asked::Step { .. } | Asked::StepOf { .. } | Asked::Child { .. } => {
                    change_outcome(outcome, change)?;
                }
                // They have none.
                Asked::Sleep { .. } | Asked::Send { .. } | Asked::Receive { .. } => {}
            },
            Record::Finished { outcome, .. } => change_outcome(outcome, change)?,
            Record::MessageArrived { payload, .. } => *payload = change(payload)?,
            Record::Marked { mark, .. } => match mark {
                Mark::Published { value, .. } => *value = change(value)?,
                Mark::Answered { outcome, .. } => change_outcome(outcome, change)?,
                Mark::ChildDropped
                | Mark::ChildDetached
                | Mark::ChildStarted { .. }
                | Mark::Patched { .. } => {}
            },
            Record::Reported { value, .. } => *value = change(value)?,
            Record::OperationNoted { note, .. } => match note {
                Note::Begun
                | Note::Interrupted
                | Note::ChildStarted { .. }
                | Note::Left
                | Note::AttemptFailed { .. }
                | Note::Deferred => {}
            },
            Record::CancelRequested { .. }
            | Record::Admitted { .. }
            | Record::MessageSkipped { .. }
            | Record::Again
            | Record::Retried { .. }
            | Record::Forked { .. }
            | Record::Moved { .. } => {}
        }
        Ok(record)
    }
}

impl Submission<'_> {
    fn change_values<E>(self: &mut Box<Self>, change: &mut Change<'_, E>) -> Result<(), E> {
        self.input = change(&self.input)?;
        let Carried { keys, topics, .. } = &mut self.carried;
        for CarriedKey { answer, .. } in keys {
            if let Some(answer) = answer {
                change_outcome(answer, change)?;
            }
        }
        for CarriedTopic { latest, .. } in topics {
            *latest = change(latest)?;
        }
        Ok(())
    }
}

fn change_outcome<E>(outcome: &mut Outcome<'_>, change: &mut Change<'_, E>) -> Result<(), E> {
    if let Ok(value) = outcome {
        *value = change(value)?;
    }
    Ok(())
}
