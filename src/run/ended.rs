//! What follows when the root has ended: what is recorded of that, and what it is held to.

use alloc::boxed::Box;
use alloc::vec::Vec;

use dacapo_values::Comparison;

use crate::bytes::Bytes;
use crate::fault::{Fault, ParkReason};
use crate::inbox::Address;
use crate::instance::{Instance, RootEnd};
use crate::ledger::{Passing, What};
use crate::mark::Ask;
use crate::message::Arrived;
use crate::record::{Asked, CancelCause, Mark, Note, Record};
use crate::replay::{claim_mark, diverged};

/// So many passes in a row may end with nothing delivered to them but their start.
const IDLE_PASSES_MAX: u32 = 100;

impl Instance {
    /// Whoever is to end at once may end with the same commit: see `Writer::end_guest`.
    pub(super) fn note_termination(&self, cause: CancelCause, commit: u64) {
        if cause == CancelCause::Terminated {
            self.extra().cancelling.terminate(commit);
        }
    }

    fn is_terminated_in(&self, commit: u64) -> bool {
        let terminated = self.has_extra().and_then(|extra| extra.cancelling.terminated());
        terminated == Some(commit)
    }

    /// What is recorded of a root that has ended.
    pub(super) fn draft_end(&self) -> Result<(), Fault> {
        match self.root_end() {
            RootEnd::Outcome(outcome) => {
                self.draft_asks()?;
                let was_dropped = self.has_extra().is_some_and(|extra| extra.was_dropped.get());
                self.draft(Record::Finished { outcome: outcome.clone(), was_dropped });
            }
            RootEnd::Again { input, .. } => self.draft_again(input)?,
        }
        Ok(())
    }

    fn root_end(&self) -> &RootEnd {
        self.root_end.get().expect("an ended run knows how")
    }

    /// The run goes on in another pass, unless all it does is to go on.
    fn draft_again(&self, input: &Bytes<'static>) -> Result<(), Fault> {
        let idle_passes = self.idle_passes();
        if idle_passes > IDLE_PASSES_MAX {
            let detail = format_args!("{IDLE_PASSES_MAX} passes in a row awaited nothing");
            return Err(Fault::new(ParkReason::LiveLock, detail));
        }
        let asks = self.take_asks(self.extra())?;
        let mut pending = self.world.pending.borrow_mut();
        let marks = asks.into_iter().filter_map(|ask| match ask {
            Ask::Mark(made) => Some(made),
            // Its operation went with the tasks.
            Ask::Request(_) => None,
        });
        let marks: Vec<_> = pending.take_marks(&self.ledger).into_iter().chain(marks).collect();
        let marks = marks.into_iter().map(What::Mark);
        let again = What::Again(Box::new(Passing { input: input.clone(), idle_passes }));
        for what in marks.chain([again]) {
            pending.others_mut().passes.push(self.ledger.draft(what));
        }
        Ok(())
    }

    /// Records that were committed together with the one that ended the root reach nobody. Others
    /// were not: nothing is recorded of a run that has ended but its end.
    pub(super) fn deliver_after_end(
        &self,
        seq: u64,
        commit: u64,
        record: &Record<'_>,
    ) -> Result<(), Fault> {
        match record {
            // It ended without its code, which may stand anywhere.
            Record::Finished { was_dropped: true, .. } if self.is_terminated_in(commit) => Ok(()),
            Record::Finished { .. } | Record::Again => self.check_root_end(record),
            Record::Marked { number, mark: Mark::Patched { .. } } => {
                self.forget_mark(*number);
                Ok(())
            }
            Record::Marked { number, mark } => {
                claim_mark(self, record, *number, mark)?;
                self.marked(*number, mark);
                Ok(())
            }
            // It is asked to end with this run.
            Record::OperationNoted { number, note: Note::ChildStarted { id, .. } }
                if commit == self.commit.get() =>
            {
                self.begin_child_late(*number, id);
                Ok(())
            }
            // Whoever sent it did not know that the run would end, or had. The next pass has it.
            Record::MessageArrived { channel, payload, key, is_question } => {
                let to = Address { channel, is_question: *is_question };
                self.keep_message(to, Arrived::new(seq, payload, *key));
                Ok(())
            }
            Record::CancelRequested { cause } => {
                self.note_termination(*cause, commit);
                drop(self.extra().cancelling.ask(*cause));
                Ok(())
            }
            Record::OperationEnded { asked: Asked::Child { .. }, .. }
            | Record::MessageSkipped { .. }
            | Record::Moved { .. } => Ok(()),
            // Its code ended before it came to where it was taken up. The next pass has no deadline, either.
            Record::Retried { .. } => {
                self.ignore_deadline();
                Ok(())
            }
            Record::Forked { seed, .. } => {
                self.fork(*seed);
                Ok(())
            }
            Record::Started { .. }
            | Record::Submitted(_)
            | Record::Resubmitted(_)
            | Record::Admitted { .. }
            | Record::Reported { .. }
            | Record::OperationEnded { .. }
            | Record::OperationNoted { .. } => match commit == self.commit.get() {
                true => Ok(()),
                false => Err(diverged(self, record, "ended before it").at(self.place_of_end())),
            },
        }
    }

    /// Whether the last record of a history is what its root ended with.
    fn check_root_end(&self, record: &Record<'_>) -> Result<(), Fault> {
        match (record, self.root_end()) {
            (Record::Finished { outcome: Ok(was), .. }, RootEnd::Outcome(Ok(output))) => {
                self.check_output(record, was, output)?;
            }
            (Record::Finished { outcome, .. }, RootEnd::Outcome(ended)) if outcome == ended => {}
            (Record::Again, RootEnd::Again { .. }) => {}
            // How its end is told may have changed since.
            (
                Record::Finished { outcome: Err(was), was_dropped: true },
                RootEnd::Outcome(Err(ended)),
            ) if was.is_cancelled() && ended.is_cancelled() => {}
            // Whether a value can be recorded is decided once.
            (Record::Finished { outcome: Err(failure), .. }, RootEnd::Outcome(Ok(_)))
            | (Record::Finished { outcome: Err(failure), .. }, RootEnd::Again { .. })
            | (Record::Finished { .. } | Record::Again, RootEnd::Outcome(Err(failure)))
                if failure.is_unrecordable() => {}
            (_, RootEnd::Outcome(Ok(_))) => {
                return Err(diverged(self, record, "ends here with another output"));
            }
            (_, RootEnd::Outcome(Err(failure))) => {
                let asked = format_args!("ends here with the error {:?}", failure.message());
                return Err(diverged(self, record, asked));
            }
            (_, RootEnd::Again { .. }) => {
                let ends = diverged(self, record, "ends this pass here, to go on in another");
                return Err(ends.at(self.place_of_end()));
            }
        }
        self.forget_drops();
        let missing = self.show_missing_mark();
        missing.map_or(Ok(()), |(number, mark)| {
            let made = diverged(self, record, format_args!("made the {mark} before"));
            Err(made.at(self.place_of_mark(number)))
        })
    }

    /// Whether the run ends with what is recorded, in whatever order its maps hold it.
    fn check_output(
        &self,
        record: &Record<'_>,
        was: &Bytes<'_>,
        output: &Bytes<'_>,
    ) -> Result<(), Fault> {
        let (values, anew) = (&self.world.values, self.output_anew());
        let compared = values.compare_over_builds(was.as_slice(), output.as_slice(), anew);
        let compared = compared.map_err(|why| Fault::new(ParkReason::of_unread(&why), why))?;
        let asked = match compared {
            Comparison::Same => return Ok(()),
            Comparison::Reordered => {
                "ends here with another output: it holds the same elements in another order (a set? \
                 Use a BTreeSet, or sort it)"
            }
            Comparison::Different => "ends here with another output",
        };
        Err(diverged(self, record, asked))
    }
}
