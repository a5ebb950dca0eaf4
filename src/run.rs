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

use alloc::rc::Rc;
use core::task::Waker;

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::context::explain;
use crate::error::{self, Error};
use crate::fault::{Fault, ParkReason};
use crate::instance::{BodyEnd, Extra, Instance, Phase};
use crate::ledger::What;
use crate::message::Arrived;
use crate::operation::Operation;
use crate::panics;
use crate::record::{Asked, CancelCause, Note, Number, Outcome, Record, SEMANTICS_VERSION};
use crate::replay::{Delivery, claim, diverged};
use crate::trace::{Event, Recorded};

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
        if self.phase.get() == Phase::Ended {
            // Before anything is set: `commit` must stay that of the record that ended the root.
            return self.deliver_after_end(commit, record);
        }
        self.commit.set(commit);
        self.now.set(time);
        match record {
            Record::Started { version, .. } if *version > SEMANTICS_VERSION => {
                let asked = format_args!("knows the rules up to version {SEMANTICS_VERSION} only");
                let recorded = format_args!("a start under version {version} of the rules");
                return Err(diverged(self, recorded, asked));
            }
            Record::Started { input, seed, .. } => {
                self.seed.set(*seed);
                self.start_root(input)?;
            }
            Record::OperationNoted { number, note } => {
                if let Some(operation) = claim(self, record, *number)? {
                    self.note(&operation, *note);
                }
            }
            Record::OperationEnded { number, outcome, .. } => {
                if let Some(operation) = claim(self, record, *number)? {
                    self.end_operation(&operation, outcome);
                }
            }
            Record::MessageArrived { channel, payload, key } => {
                if let Some(key) = key {
                    self.extra().inbox.borrow_mut().note_key(channel, key);
                }
                let payload = payload.clone().into_owned();
                self.arrive(channel, Arrived { seq, payload });
            }
            Record::CancelRequested { cause } => self.ask_to_end(*cause),
            Record::Finished { .. } => {
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
                self.draft_requests();
                self.for_each_asked(Self::recover);
            }
            Phase::Live => {
                self.draft_requests();
                self.for_each_asked(Self::begin);
            }
            Phase::Ended => {
                let outcome = self.outcome.get().expect("an ended run has an outcome");
                let was_dropped = self.has_extra().is_some_and(|extra| extra.was_dropped.get());
                self.draft(Record::Finished { outcome: Outcome::clone(outcome), was_dropped });
                return Ok(());
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

    fn note(&self, operation: &Operation, note: Note) {
        match note {
            Note::Begun => operation.note_begun(),
            Note::Interrupted => operation.note_interrupted(),
        }
        self.operations.borrow_mut().ask_again(operation.number);
    }

    /// The outcome of an operation goes to whoever awaits it, and what was done for it ends.
    fn end_operation(&self, operation: &Operation, outcome: &Outcome<'_>) {
        self.operations.borrow_mut().finish(operation.number);
        // A body that left its outcome has ended, and a timer that fired is gone. A body that was not
        // begun, as in a replay, is dropped here with what it owns.
        self.end_effort(operation);
        // Live it is there: `outcome` was read from there.
        if self.phase.get() == Phase::Replaying {
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
        if self.outcome.get().is_some() && self.fault().is_none() {
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

    /// The run ends where it is: its code is dropped.
    fn drop_code(&self, extra: &Extra) {
        if self.outcome.get().is_none() && self.fault().is_none() {
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
            let stop = self.outcome.get().is_some() || self.fault().is_some();
            if stop || !self.world.tasks.try_tick() {
                return;
            }
        }
        if self.outcome.get().is_none() && self.world.tasks.raw().queued() > 0 {
            let task = self.world.polled_task.get();
            let detail = format_args!("task {task} and others took {budget} polls for one record");
            self.fail(ParkReason::LiveLock, detail);
        }
    }

    /// Records that were committed together with the one that ended the root reach nobody. Others
    /// were not: nothing is recorded of a run that has ended but its end.
    fn deliver_after_end(&self, commit: u64, record: &Record<'_>) -> Result<(), Fault> {
        let outcome = self.outcome.get().expect("an ended run has an outcome");
        let ended = |outcome: &Outcome<'_>| match outcome {
            Ok(_) => "ends here with another output".into(),
            Err(failure) => alloc::format!("ends here with the error {:?}", failure.message()),
        };
        match record {
            Record::Finished { outcome: recorded, .. } if *recorded == **outcome => Ok(()),
            Record::Finished { .. } => Err(diverged(self, record, ended(outcome))),
            // Whoever sent it did not know that the run would end, or had.
            Record::MessageArrived { .. } | Record::CancelRequested { .. } => Ok(()),
            Record::Started { .. }
            | Record::OperationEnded { .. }
            | Record::OperationNoted { .. } => match commit == self.commit.get() {
                true => Ok(()),
                false => Err(diverged(self, record, "ended before it")),
            },
        }
    }

    /// Has the next commit carry out what was asked for and changes something outside of the run, in the
    /// order in which the code asked.
    fn draft_requests(&self) {
        // Few runs ever ask for something outside of them.
        let Some(extra) = self.has_extra() else { return };
        let requests = self.take_requests(extra);
        let mut pending = self.world.pending.borrow_mut();
        for request in requests {
            pending.requests.push(self.ledger.draft(What::Request(request)));
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
            Asked::Send { .. } | Asked::Receive { .. } => {}
        }
    }

    /// The same after a replay. Timers that are due are recorded by the next commit, and so is that
    /// a body may have begun before: it counts as an attempt, and none begins (again) before that.
    fn recover(self: &Rc<Self>, operation: &Rc<Operation>) {
        match operation.asked() {
            Asked::Sleep { .. } | Asked::Send { .. } | Asked::Receive { .. } => {
                self.begin(operation);
            }
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
        let (instance, ended_at) = (self.clone(), self.world.timers.now());
        let end = BodyEnd { instance, operation, attempts, started_at, ended_at };
        self.world.pending.borrow_mut().outcomes.push(end);
    }

    fn draft_note(&self, number: Number, note: Note) {
        self.draft(Record::OperationNoted { number, note });
    }

    /// Has the next commit record what the run asked for.
    pub(crate) fn draft(&self, record: Record<'static>) {
        let draft = self.ledger.draft(What::Record(record.into()));
        self.world.pending.borrow_mut().requests.push(draft);
    }
}
