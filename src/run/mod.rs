//! The heart: how a run moves. Everything that makes runs deterministic stands in this module.
//!
//! A run moves by deliveries only. To **deliver** is to hand one committed record to the run and to
//! poll its tasks until none is ready. When every committed record has been delivered, and only
//! then, comes the **work**: what the run's operations ask for is begun, in the order of their
//! numbers. What comes of it goes into the next **commit**, which gives each record its seq in
//! its history; then it is delivered, in that order.
//!
//! ```text
//!        +--> deliver one record, poll to quiescence --+
//!        |                                             | none left
//!      commit <-- bodies, timers <-- work: requests <--+
//! ```
//!
//! A replay is the upper half of this picture with records from the stored history; it passes
//! through the same code. So the state of a run, and the sequence of its polls, is a function of
//! its code, its input and its history.

mod ended;
mod work;

use alloc::rc::Rc;
use core::task::Waker;

use crate::bytes::Bytes;
use crate::error::Error;
use crate::fault::{Fault, ParkReason};
use crate::inbox::Address;
use crate::instance::{BodyEnd, Extra, Instance, Phase};
use crate::message::Arrived;
use crate::operation::{FailedAttempt, Operation};
use crate::panics;
use crate::record::{Asked, CancelCause, Mark, Note, Number, Outcome, Record, SEMANTICS_VERSION};
use crate::replay::{Delivery, claim, claim_ended, claim_mark, diverged};
use crate::trace::{Event, Recorded};

/// What code does that lets a body run at most once which may have run before.
const SINCE_AT_MOST_ONCE: &str = "wants it to run at most once, and did not when it began";

impl Instance {
    /// Delivers one record and polls to quiescence. An error parks the run.
    pub(crate) fn deliver(
        self: &Rc<Self>,
        delivery: Delivery,
        record: &Record<'_>,
    ) -> Result<(), Fault> {
        let Delivery { seq, commit, .. } = delivery;
        self.observe(Event::Delivered(seq, Recorded(record)));
        self.count(seq);
        if let Record::OperationEnded { number, asked: Asked::Child { .. }, .. } = record {
            // Whether somebody awaits it or not.
            self.extra().children.remove(*number);
        }
        self.note_published(record);
        if self.phase.get() == Phase::Ended {
            // Before anything is set: `commit` must stay that of the record that ended the root.
            return self.deliver_after_end(seq, commit, record);
        }
        self.set_time(delivery);
        match record {
            Record::Started { version, .. } | Record::Admitted { version, .. }
                if *version > SEMANTICS_VERSION =>
            {
                let asked = format_args!("knows the rules up to version {SEMANTICS_VERSION} only");
                let recorded = format_args!("a start under version {version} of the rules");
                return Err(diverged(self, recorded, asked));
            }
            Record::Started { input, seed, .. } => {
                self.seed.set(*seed);
                self.start_root(input)?;
            }
            Record::Submitted(submission) => self.submit(submission),
            Record::Resubmitted(resubmission) => self.resubmit(resubmission),
            Record::Admitted { seed, .. } => {
                self.seed.set(*seed);
                self.note_admitted(delivery.time);
                let input = self.take_input().ok_or_else(|| self.admitted_twice())?;
                self.start_root(&input)?;
            }
            Record::OperationNoted { number, note } => {
                let operation = claim(self, record, *number)?;
                if let Some(step) = &operation
                    && note.is_of_an_attempt()
                    && step.policy().at_most_once
                    && !step.has_begun()
                {
                    let since = diverged(self, record, SINCE_AT_MOST_ONCE);
                    return Err(since.at(self.place_of(*number)));
                }
                self.note(*number, operation.as_ref(), note);
            }
            Record::Marked { number, mark: Mark::Patched { .. } } => self.forget_mark(*number),
            Record::Marked { number, mark } => {
                claim_mark(self, record, *number, mark)?;
                self.marked(*number, mark);
            }
            Record::Reported { .. } | Record::MessageSkipped { .. } | Record::Moved { .. } => {}
            Record::OperationEnded { number, outcome, .. } => {
                if let Some(operation) = claim_ended(self, record, *number)? {
                    self.end_operation(&operation, Some(outcome));
                }
            }
            Record::MessageArrived { channel, payload, key, is_question } => {
                let to = Address { channel, is_question: *is_question };
                let arrived = Arrived::new(seq, payload, *key);
                self.note_message_key(to, &arrived);
                self.arrive(to, arrived);
            }
            Record::CancelRequested { cause } => {
                self.note_termination(*cause, commit);
                self.ask_to_end(*cause);
            }
            // Whatever the deadline was for, the run is to go on.
            Record::Retried { .. } => self.ignore_deadline(),
            Record::Forked { seed, .. } => self.fork(*seed),
            Record::Finished { .. } | Record::Again => {
                let waiting = self.operations.borrow().show();
                let asked = format_args!("goes on, and awaits {waiting}");
                return Err(diverged(self, record, asked));
            }
        }
        self.poll_to_quiescence()
    }

    /// Delivers what came of a body, which left it with its operation: so there is nothing to be held against
    /// the code, and nothing to be copied.
    pub(crate) fn deliver_end(
        self: &Rc<Self>,
        delivery: Delivery,
        end: &BodyEnd,
    ) -> Result<(), Fault> {
        let Delivery { seq, commit, time } = delivery;
        if self.is_observed() {
            end.with_record(time, |record| {
                self.observe(Event::Delivered(seq, Recorded(record)));
            });
        }
        self.count(seq);
        if self.phase.get() == Phase::Ended {
            return end.with_record(time, |record| self.deliver_after_end(seq, commit, record));
        }
        self.set_time(delivery);
        // It can be committed together with the record that dropped its operation.
        let operation = self.operations.borrow_mut().finish(end.operation.number);
        if let Some(operation) = operation {
            self.end_operation(&operation, None);
        }
        self.poll_to_quiescence()
    }

    /// The record at `seq` is being delivered.
    fn count(&self, seq: u64) {
        assert_eq!(seq, self.delivered.get(), "records are delivered in their order");
        self.delivered.set(seq + 1);
    }

    /// What follows happens at the time of the commit that is being delivered.
    fn set_time(&self, delivery: Delivery) {
        self.commit.set(delivery.commit);
        // What was copied may come from a machine whose clock was ahead.
        self.now.set(delivery.time.max(self.now.get()));
    }

    /// Passes over a record that counts no longer, since the run was taken up again after it had failed. What
    /// it published was published.
    pub(crate) fn pass_over(&self, seq: u64, record: &Record<'_>) {
        self.delivered.set(seq + 1);
        self.note_published(record);
    }

    /// Something outside touched the run: why it is parked, unless that no longer matters.
    // Of a run that has ended nothing is recorded but its end, which is decided.
    pub(crate) fn foreign_wake(&self) -> Option<Fault> {
        let detail = "a task was woken or dropped while nothing was delivered to the run, \
                      so it depends on something that the history does not know";
        (self.phase.get() == Phase::Live).then(|| Fault::new(ParkReason::ForeignWake, detail))
    }

    fn start_root(self: &Rc<Self>, input: &Bytes<'_>) -> Result<(), Fault> {
        self.spawn_root(input.as_slice())
    }

    /// `None`: the operation was dropped.
    fn note(&self, number: Number, operation: Option<&Rc<Operation>>, note: &Note<'_>) {
        match (note, operation) {
            (Note::ChildStarted { id, .. }, child) => self.begin_child(number, id, child),
            (_, None) => {}
            (Note::Begun, Some(step)) => {
                step.note_begun();
                self.operations.borrow_mut().ask_again(number);
            }
            (Note::Interrupted, Some(step)) => {
                step.note_interrupted();
                self.operations.borrow_mut().ask_again(number);
            }
            (Note::Deferred, Some(step)) => step.note_deferred(),
            (Note::Left, Some(request)) => request.note_begun(),
            (Note::AttemptFailed { attempt, failure, next_at }, Some(step)) => {
                // Live, the body knows, and may be further by now.
                if self.operations.borrow().is_replaying() {
                    let (attempt, failure, next_at) = (*attempt, failure.clone(), *next_at);
                    step.note_failed(FailedAttempt { attempt, failure, next_at });
                }
            }
        }
    }

    /// The record of a mark was delivered.
    pub(super) fn marked(&self, number: Number, mark: &Mark<'_>) {
        match mark {
            Mark::ChildDropped | Mark::ChildDetached => self.extra().children.remove(number),
            Mark::Answered { seq, outcome } => {
                self.extra().inbox.borrow_mut().answer(*seq, outcome);
            }
            Mark::Published { .. } | Mark::ChildStarted { .. } | Mark::Patched { .. } => {}
        }
    }

    #[cold]
    fn admitted_twice(&self) -> Fault {
        Fault::new(ParkReason::Damaged, "the run is admitted where it cannot be")
    }

    /// The outcome of an operation goes to whoever awaits it, and what was done for it ends.
    fn end_operation(&self, operation: &Operation, recorded: Option<&Outcome<'_>>) {
        // A body that left its outcome has ended, and a timer that fired is gone. A body that was not
        // begun, as in a replay, is dropped here with what it owns.
        self.end_effort(operation);
        operation.end_spans();
        // If it came of what was done for it, it is there.
        if let Some(outcome) = recorded
            && operation.outcome().is_none()
        {
            operation.set_outcome(outcome.clone().map(Bytes::into_owned));
        }
        self.hand_over(operation);
    }

    fn poll_to_quiescence(&self) -> Result<(), Fault> {
        let poll = || {
            self.poll_tasks();
            // Only a simulation does, at the same places live and in a replay.
            if self.wake_spuriously() {
                self.poll_tasks();
            }
        };
        let polled = {
            let _entered = self.enter_span();
            panics::catch(|| self.open(poll))
        };
        if let Err(message) = polled {
            let task = self.world.polled_task.get();
            self.fail(ParkReason::Panicked, format_args!("task {task}: {message}"));
        }
        if let Some(extra) = self.has_extra()
            && let Some(cause) = extra.cancelling.drops()
        {
            self.drop_code(extra, cause);
        }
        if self.has_ended() && self.fault().is_none() {
            self.end();
        }
        self.fault().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Someone asked the run to end. Its code is told, or dropped when it is quiescent.
    fn ask_to_end(&self, cause: CancelCause) {
        let extra = self.extra();
        match cause {
            CancelCause::Asked | CancelCause::Deadline | CancelCause::Parent => {
                let wakers = extra.cancelling.ask(cause);
                self.open(|| wakers.into_iter().for_each(Waker::wake));
            }
            CancelCause::Terminated => self.drop_code(extra, cause),
        }
    }

    /// The run ends where it is: its code is dropped.
    fn drop_code(&self, extra: &Extra, cause: CancelCause) {
        if !self.has_ended() && self.fault().is_none() {
            extra.was_dropped.set(true);
            self.set_outcome(Err(Error::cancelled(cause.why()).into_failure()));
        }
    }

    /// Polls until no task is ready, the root has ended, or something is wrong.
    // The queue is one for all runs, and holds tasks of this one only: it was empty before, and the gate
    // keeps out the wakes of others. What is left in it when the root ends is dropped with its tasks.
    fn poll_tasks(&self) {
        let budget = self.world.setup.poll_budget;
        for _ in 0..budget {
            let stop = self.has_ended() || self.fault().is_some();
            if stop || !self.world.tasks.try_tick() {
                return;
            }
        }
        if !self.has_ended() && self.world.tasks.raw().queued() > 0 {
            let task = self.world.polled_task.get();
            let detail = format_args!("task {task} and others took {budget} polls for one record");
            self.fail(ParkReason::LiveLock, detail);
        }
    }
}
