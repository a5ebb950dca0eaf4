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

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::task::Waker;

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::context::explain;
use crate::error::{self, Error};
use crate::fault::{Fault, ParkReason};
use crate::inbox::Address;
use crate::instance::{BodyEnd, Extra, Instance, Phase, RootEnd};
use crate::ledger::{Passing, What};
use crate::mark::Ask;
use crate::message::Arrived;
use crate::operation::Operation;
use crate::panics;
use crate::record::{Asked, CancelCause, Mark, Note, Number, Outcome, Record, SEMANTICS_VERSION};
use crate::replay::{Delivery, claim, claim_mark, diverged};
use crate::trace::{Event, Recorded};

/// So many passes in a row may end with nothing delivered to them but their start.
const IDLE_PASSES_MAX: u32 = 100;

impl Instance {
    /// Delivers one record and polls to quiescence. An error parks the run.
    pub(crate) fn deliver(
        self: &Rc<Self>,
        delivery: Delivery,
        record: &Record<'_>,
    ) -> Result<(), Fault> {
        let Delivery { seq, commit, time } = delivery;
        assert_eq!(seq, self.delivered.get(), "records are delivered in their order");
        self.observe(Event::Delivered(seq, Recorded(record)));
        self.delivered.set(seq + 1);
        if let Record::OperationEnded { number, asked: Asked::Child { .. }, .. } = record {
            // Whether somebody awaits it or not.
            self.extra().children.remove(*number);
        }
        self.note_published(record);
        if self.phase.get() == Phase::Ended {
            // Before anything is set: `commit` must stay that of the record that ended the root.
            return self.deliver_after_end(seq, commit, record);
        }
        self.commit.set(commit);
        self.now.set(time);
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
            Record::Admitted { seed, .. } => {
                self.seed.set(*seed);
                let input = self.take_input().ok_or_else(|| self.admitted_twice())?;
                self.start_root(&input)?;
            }
            Record::OperationNoted { number, note } => {
                let operation = claim(self, record, *number)?;
                self.note(*number, operation.as_ref(), *note);
            }
            Record::Marked { number, mark } => {
                claim_mark(self, record, *number, mark)?;
                self.marked(*number, mark);
            }
            Record::Reported { .. } | Record::MessageSkipped { .. } => {}
            Record::OperationEnded { number, outcome, .. } => {
                if let Some(operation) = claim(self, record, *number)? {
                    self.end_operation(&operation, outcome);
                }
            }
            Record::MessageArrived { channel, payload, key, is_question } => {
                let to = Address { channel, is_question: *is_question };
                let arrived = arrived(seq, payload, *key);
                self.note_message_key(to, &arrived);
                self.arrive(to, arrived);
            }
            Record::CancelRequested { cause } => {
                self.note_termination(*cause, commit);
                self.ask_to_end(*cause);
            }
            Record::Finished { .. } | Record::Again => {
                let waiting = self.operations.borrow().show();
                let asked = format_args!("goes on, and awaits {waiting}");
                return Err(diverged(self, record, asked));
            }
        }
        self.poll_to_quiescence()
    }

    /// Takes up what the run asked for since the last time, and drafts what must be recorded first.
    /// An error parks the run.
    pub(crate) fn work(self: &Rc<Self>) -> Result<(), Fault> {
        match self.phase.get() {
            // Which of its operations the process before had begun is not known: the history holds
            // outcomes only. So all that still wait are taken for interrupted.
            Phase::Replaying => {
                self.operations.borrow_mut().end_replay();
                self.phase.set(Phase::Live);
                self.watch_deadline();
                self.draft_asks();
                self.for_each_asked(Self::recover);
            }
            Phase::Live => {
                self.watch_deadline();
                self.draft_asks();
                self.for_each_asked(Self::begin);
            }
            Phase::Ended => {
                self.forget_drops();
                return self.draft_end();
            }
            Phase::Closed => return Ok(()),
        }
        // Nothing but a delivery wakes a task, and only an operation brings one.
        self.check_stall()
    }

    /// Something outside touched the run: why it is parked, unless that no longer matters.
    // Of a run that has ended nothing is recorded but its end, which is decided.
    pub(crate) fn foreign_wake(&self) -> Option<Fault> {
        let detail = "a task was woken or dropped while nothing was delivered to the run, \
                      so it depends on something that the history does not know";
        (self.phase.get() == Phase::Live).then(|| Fault::new(ParkReason::ForeignWake, detail))
    }

    /// Whether a run whose whole history was delivered stands where its row says.
    pub(crate) fn check_end(&self, has_ended: bool) -> Result<(), Fault> {
        match self.phase.get() {
            Phase::Replaying if has_ended => {
                Err(Fault::new(ParkReason::Damaged, "the end of the history is missing"))
            }
            Phase::Replaying => self.check_stall(),
            Phase::Live | Phase::Ended | Phase::Closed => Ok(()),
        }
    }

    fn check_stall(&self) -> Result<(), Fault> {
        match self.awaits_anything() {
            true => Ok(()),
            false => Err(self.stalled()),
        }
    }

    #[cold]
    fn stalled(&self) -> Fault {
        let detail = format_args!("{} no operation of the run", self.show_tasks());
        Fault::new(ParkReason::Stalled, detail)
    }

    fn start_root(self: &Rc<Self>, input: &Bytes<'_>) -> Result<(), Fault> {
        let started = self.spawn_root(input.as_slice());
        started.map_err(|why| Fault::new(ParkReason::Undecodable, why))
    }

    /// `None`: the operation was dropped.
    fn note(&self, number: Number, operation: Option<&Rc<Operation>>, note: Note<'_>) {
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
            (Note::Left, Some(request)) => request.note_begun(),
        }
    }

    /// The record of a mark was delivered.
    fn marked(&self, number: Number, mark: &Mark<'_>) {
        match mark {
            Mark::ChildDropped | Mark::ChildDetached => self.extra().children.remove(number),
            Mark::Answered { seq, outcome } => {
                self.extra().inbox.borrow_mut().answer(*seq, outcome);
            }
            Mark::Published { .. } | Mark::ChildStarted { .. } => {}
        }
    }

    #[cold]
    fn admitted_twice(&self) -> Fault {
        Fault::new(ParkReason::Damaged, "the run is admitted where it cannot be")
    }

    /// The outcome of an operation goes to whoever awaits it, and what was done for it ends.
    fn end_operation(&self, operation: &Operation, outcome: &Outcome<'_>) {
        self.operations.borrow_mut().finish(operation.number);
        // A body that left its outcome has ended, and a timer that fired is gone. A body that was not
        // begun, as in a replay, is dropped here with what it owns.
        self.end_effort(operation);
        // If it came of what was done for it, it is there: `outcome` was read from there.
        if operation.outcome().is_none() {
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
        if let Err(message) = panics::catch(|| self.open(poll)) {
            let task = self.world.polled_task.get();
            self.fail(ParkReason::Panicked, format_args!("task {task}: {message}"));
        }
        if let Some(extra) = self.has_extra()
            && extra.cancelling.drops()
        {
            self.drop_code(extra);
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
            CancelCause::Terminated => self.drop_code(extra),
        }
    }

    /// Whoever is to end at once may end with the same commit: see `Writer::end_guest`.
    fn note_termination(&self, cause: CancelCause, commit: u64) {
        if cause == CancelCause::Terminated {
            self.extra().cancelling.terminate(commit);
        }
    }

    fn is_terminated_in(&self, commit: u64) -> bool {
        let terminated = self.has_extra().and_then(|extra| extra.cancelling.terminated());
        terminated == Some(commit)
    }

    /// The run ends where it is: its code is dropped.
    fn drop_code(&self, extra: &Extra) {
        if !self.has_ended() && self.fault().is_none() {
            extra.was_dropped.set(true);
            self.set_outcome(Err(Error::cancelled().into_failure()));
        }
    }

    /// Polls until no task is ready, the root has ended, or something is wrong.
    // The queue is one for all runs, and holds tasks of this one only: it was empty before, and the gate
    // keeps out the wakes of others. What is left in it when the root ends is dropped with its tasks.
    fn poll_tasks(&self) {
        let budget = self.world.poll_budget;
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

    /// What is recorded of a root that has ended.
    fn draft_end(&self) -> Result<(), Fault> {
        match self.root_end() {
            RootEnd::Outcome(outcome) => {
                self.draft_asks();
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
        let asks = self.take_asks(self.extra());
        let mut pending = self.world.pending.borrow_mut();
        let marks = asks.into_iter().filter_map(|ask| match ask {
            Ask::Mark(made) => Some(What::Mark(made)),
            // Its operation went with the tasks.
            Ask::Request(_) => None,
        });
        let again = What::Again(Box::new(Passing { input: input.clone(), idle_passes }));
        for what in marks.chain([again]) {
            pending.passes.push(self.ledger.draft(what));
        }
        Ok(())
    }

    /// Records that were committed together with the one that ended the root reach nobody. Others
    /// were not: nothing is recorded of a run that has ended but its end.
    fn deliver_after_end(&self, seq: u64, commit: u64, record: &Record<'_>) -> Result<(), Fault> {
        match record {
            // It ended without its code, which may stand anywhere.
            Record::Finished { was_dropped: true, .. } if self.is_terminated_in(commit) => Ok(()),
            Record::Finished { .. } | Record::Again => self.check_root_end(record),
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
                self.keep_message(to, arrived(seq, payload, *key));
                Ok(())
            }
            Record::CancelRequested { cause } => {
                self.note_termination(*cause, commit);
                drop(self.extra().cancelling.ask(*cause));
                Ok(())
            }
            Record::OperationEnded { asked: Asked::Child { .. }, .. }
            | Record::MessageSkipped { .. } => Ok(()),
            Record::Started { .. }
            | Record::Submitted(_)
            | Record::Admitted { .. }
            | Record::Reported { .. }
            | Record::OperationEnded { .. }
            | Record::OperationNoted { .. } => match commit == self.commit.get() {
                true => Ok(()),
                false => Err(diverged(self, record, "ended before it")),
            },
        }
    }

    /// Whether the last record of a history is what its root ended with.
    fn check_root_end(&self, record: &Record<'_>) -> Result<(), Fault> {
        match (record, self.root_end()) {
            (Record::Finished { outcome, .. }, RootEnd::Outcome(ended)) if outcome == ended => {}
            (Record::Again, RootEnd::Again { .. }) => {}
            (_, RootEnd::Outcome(Ok(_))) => {
                return Err(diverged(self, record, "ends here with another output"));
            }
            (_, RootEnd::Outcome(Err(failure))) => {
                let asked = format_args!("ends here with the error {:?}", failure.message());
                return Err(diverged(self, record, asked));
            }
            (_, RootEnd::Again { .. }) => {
                return Err(diverged(self, record, "ends this pass here, to go on in another"));
            }
        }
        self.forget_drops();
        let missing = self.show_missing_mark();
        missing.map_or(Ok(()), |mark| {
            Err(diverged(self, record, format_args!("made the {mark} before")))
        })
    }

    /// Has the next commit carry out what was asked for and changes something outside of the run, in the
    /// order in which the code asked.
    fn draft_asks(&self) {
        // Few runs ever ask for something outside of them.
        let Some(extra) = self.has_extra() else { return };
        let asks = self.take_asks(extra);
        if asks.is_empty() {
            return;
        }
        let mut pending = self.world.pending.borrow_mut();
        for ask in asks {
            let what = match ask {
                Ask::Request(request) => What::Request(request),
                Ask::Mark(made) => What::Mark(made),
            };
            pending.requests.push(self.ledger.draft(what));
        }
    }

    /// Takes up what was asked for, in the order of the numbers.
    fn for_each_asked(self: &Rc<Self>, take_up: impl Fn(&Rc<Self>, &Rc<Operation>)) {
        let asked = self.operations.borrow_mut().take_asked();
        for &number in asked.as_slice() {
            // What was dropped since is not there.
            let waiting = self.operations.borrow().get(number).cloned();
            if let Some(operation) = waiting {
                take_up(self, &operation);
            }
        }
        self.operations.borrow_mut().reuse(asked);
    }

    fn begin(self: &Rc<Self>, operation: &Rc<Operation>) {
        match operation.asked() {
            // The next process begins it.
            Asked::Sleep { .. } | Asked::Step { .. } if self.world.ending.is_closing() => {}
            Asked::Sleep { .. } => {
                let timer = self.timer(operation).expect("a sleep waits for a time");
                self.world.timers.add(timer);
            }
            Asked::Step { .. } => {
                if operation.policy().at_most_once && !operation.has_begun() {
                    self.draft_note(operation.number, Note::Begun);
                } else {
                    operation.start(|body| self.world.spawn_body(body));
                }
            }
            // Requests have an order of their own, and for what comes there is nothing to do.
            Asked::Send { .. } | Asked::Receive { .. } | Asked::Child { .. } => {}
        }
    }

    /// The same after a replay. Timers that are due are recorded by the next commit, and so is that
    /// a body may have begun before: it counts as an attempt, and none begins (again) before that.
    fn recover(self: &Rc<Self>, operation: &Rc<Operation>) {
        match operation.asked() {
            Asked::Sleep { .. }
            | Asked::Send { .. }
            | Asked::Receive { .. }
            | Asked::Child { .. } => self.begin(operation),
            Asked::Step { .. } => self.recover_step(operation),
        }
    }

    /// What is recorded of a step whose body the end of a process interrupted, or may have. If that
    /// was an end in order, it interrupted none: they begin, as if they had just been asked for.
    fn recover_step(self: &Rc<Self>, step: &Rc<Operation>) {
        let (number, attempts) = (step.number, step.interrupted() + 1);
        let policy = step.policy();
        let is_closing = self.world.ending.is_closing();
        let may_not_begin = policy.at_most_once && step.has_begun();
        if is_closing || !may_not_begin && self.world.ending.spares_body() {
            return self.begin(step);
        }
        let message = match (policy.at_most_once, step.has_begun()) {
            (true, false) => return self.draft_note(number, Note::Begun),
            (true, true) => "it was interrupted after it began, and it may run at most once",
            (false, _) if policy.retry.gives_up_interrupted(attempts) => {
                "it was interrupted in the last of them"
            }
            (false, _) => return self.draft_note(number, Note::Interrupted),
        };
        let failure = Error::of(error::Kind::Interrupted, message).into_failure();
        step.set_failure(explain(failure, step, attempts));
        self.end_body(step.clone(), attempts, self.world.timers.now());
    }

    /// The last attempt of a body has ended, and what came of it is with the operation.
    pub(crate) fn end_body(
        self: &Rc<Self>,
        operation: Rc<Operation>,
        attempts: u32,
        started_at: Timestamp,
    ) {
        self.world.take_reports();
        let (instance, ended_at) = (self.clone(), self.world.timers.now());
        let end = BodyEnd { instance, operation, attempts, started_at, ended_at };
        self.world.pending.borrow_mut().outcomes.push(end);
    }

    fn draft_note(&self, number: Number, note: Note<'static>) {
        self.draft(Record::OperationNoted { number, note });
    }

    /// Has the next commit record what the run asked for.
    pub(crate) fn draft(&self, record: Record<'static>) {
        let draft = self.ledger.draft(What::Record(record.into()));
        self.world.pending.borrow_mut().requests.push(draft);
    }
}

/// A message, free of the record that it came with.
fn arrived(seq: u64, payload: &Bytes<'_>, key: Option<&str>) -> Arrived {
    Arrived { seq, payload: payload.clone().into_owned(), key: key.map(Rc::from) }
}
