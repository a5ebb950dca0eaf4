//! What follows when all is delivered: what the code asked for is begun, or taken up again.

use alloc::rc::Rc;
use alloc::string::ToString;
use core::iter;

use crate::clock::Timestamp;
use crate::context::{explain, transaction};
use crate::error::{self, Error};
use crate::fault::{Fault, ParkReason};
use crate::instance::{BodyEnd, Extra, Instance, Phase, TakenUp};
use crate::ledger::What;
use crate::mark::Ask;
use crate::notice::Notice;
use crate::operation::Operation;
use crate::record::{Asked, Note, Number, Record};
use crate::retry::Retry;

impl Instance {
    /// Takes up what the run asked for since the last time, and drafts what must be recorded first.
    /// An error parks the run.
    pub(crate) fn work(self: &Rc<Self>) -> Result<(), Fault> {
        match self.phase.get() {
            // Which of its operations the process before had begun is not known: the history holds
            // outcomes only. So all that still wait are taken for interrupted.
            Phase::Replaying => {
                self.operations.borrow_mut().end_replay();
                self.phase.set(Phase::Live);
                self.world.telemetry.spans.replayed(self.who(), self.delivered.get());
                self.watch_deadline();
                self.draft_asks()?;
                self.for_each_asked(Self::recover);
            }
            Phase::Live => {
                self.watch_deadline();
                self.draft_asks()?;
                self.for_each_asked(Self::begin);
            }
            Phase::Ended if !self.is_end_drafted.replace(true) => {
                self.forget_drops();
                return self.draft_end();
            }
            Phase::Ended | Phase::Closed => return Ok(()),
        }
        if let Some(fault) = self.fault() {
            return Err(fault.clone());
        }
        // Nothing but a delivery wakes a task, and only an operation brings one.
        self.check_stall()
    }

    /// Whether a run whose whole history was delivered stands where its row says.
    pub(crate) fn check_end(&self, has_ended: bool) -> Result<(), Fault> {
        match self.phase.get() {
            Phase::Replaying if has_ended => {
                Err(Fault::new(ParkReason::Damaged, "the end of the history is missing"))
            }
            Phase::Replaying => {
                if let Some(extra) = self.has_extra() {
                    drop(self.take_asks(extra)?);
                }
                self.check_stall()
            }
            Phase::Live | Phase::Ended | Phase::Closed => Ok(()),
        }
    }

    #[inline(always)]
    fn check_stall(&self) -> Result<(), Fault> {
        // A run that waits to be admitted has no code yet.
        match self.awaits_anything() || self.is_waiting() {
            true => Ok(()),
            false => Err(self.stalled()),
        }
    }

    #[cold]
    fn stalled(&self) -> Fault {
        let detail = format_args!("{} no operation of the run", self.show_tasks());
        Fault::new(ParkReason::Stalled, detail)
    }

    /// Has the next commit carry out what was asked for and changes something outside of the run, in the
    /// order in which the code asked.
    #[inline(always)]
    pub(super) fn draft_asks(&self) -> Result<(), Fault> {
        // Few runs ever ask for something outside of them.
        match self.has_extra() {
            None => Ok(()),
            Some(extra) => self.draft_asks_of(extra),
        }
    }

    fn draft_asks_of(&self, extra: &Extra) -> Result<(), Fault> {
        let asks = self.take_asks(extra)?;
        let mut pending = self.world.pending.borrow_mut();
        for ask in asks {
            let what = match ask {
                Ask::Request(request) => What::Request(request),
                Ask::Mark(made) => What::Mark(made),
            };
            pending.others_mut().requests.push(self.ledger.draft(what));
        }
        Ok(())
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
        if asked.capacity() > 0 {
            self.operations.borrow_mut().reuse(asked);
        }
    }

    fn begin(self: &Rc<Self>, operation: &Rc<Operation>) {
        match operation.asked() {
            // The next process begins it.
            Asked::Sleep { .. } | Asked::Step { .. } | Asked::StepOf { .. }
                if self.world.ending.is_closing() => {}
            Asked::Sleep { .. } => {
                let timer = self.timer(operation).expect("a sleep waits for a time");
                self.world.timers.add(timer);
            }
            Asked::Step { .. } | Asked::StepOf { .. } => {
                // One that waits for room begins when it has it.
                if operation.runs_at_most_once()
                    && !operation.has_begun()
                    && operation.limit().is_none()
                {
                    self.draft_note(operation.number, Note::Begun);
                } else if operation.is_transaction() {
                    transaction::begin(self, operation);
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
            Asked::Step { .. } | Asked::StepOf { .. } => self.recover_step(operation),
        }
    }

    /// What is recorded of a step whose body the end of a process interrupted, or may have. If that
    /// was an end in order, it interrupted none: they begin, as if they had just been asked for. One that
    /// has no policy, and never comes to an end, parks its run: the end of a process is no failure.
    fn recover_step(self: &Rc<Self>, step: &Rc<Operation>) {
        let (number, attempts) = (step.number, step.attempts() + 1);
        let (policy, taken_up) = (step.policy(), self.taken_up());
        if !step.has_begun() && step.limit().is_some() {
            // It has only waited for room.
            return self.begin(step);
        }
        let is_closing = self.world.ending.is_closing();
        let may_not_begin = policy.at_most_once && step.has_begun();
        let is_spared = || {
            if step.is_deferred() {
                // What interrupted it is not counted yet.
                return false;
            }
            // An attempt that is still waited for has not begun.
            let waits = step.failed().is_some_and(|it| it.next_at > self.world.timers.present());
            self.world.ending.spares_body() || waits || taken_up == TakenUp::Anew
        };
        if is_closing || !may_not_begin && is_spared() {
            return self.begin(step);
        }
        self.notify_interrupted(step);
        let message = match (policy.at_most_once, step.has_begun()) {
            (true, false) => return self.draft_note(number, Note::Begun),
            (true, true) => "it was interrupted after it began, and it may run at most once",
            // Somebody asked for one more.
            (false, _) if taken_up != TakenUp::ByItself => {
                return self.draft_note(number, Note::Interrupted);
            }
            (false, _) if attempts >= policy.retry.max_interrupted() => {
                if policy.or_park || policy.retry == Retry::never() {
                    let detail = format_args!("the process ended in {attempts} attempts of {step}");
                    return self.fail(ParkReason::EndedProcess, detail);
                }
                "it was interrupted in the last of them"
            }
            (false, _) => {
                return self.world.interrupted.borrow_mut().add(self.clone(), step.clone());
            }
        };
        let failure = Error::of(error::Kind::Interrupted, message).into_failure();
        step.set_failure(explain(failure, step, attempts));
        self.end_body(step.clone(), attempts, self.world.timers.now());
    }

    /// Tells of a step whose body the end of a process interrupted, or may have.
    fn notify_interrupted(&self, step: &Operation) {
        // One that has not begun since was told of by the process before.
        let is_new = !step.is_deferred() && self.taken_up() == TakenUp::ByItself;
        let may_have_begun = step.has_begun() || !step.policy().at_most_once;
        if self.world.is_watched() && is_new && may_have_begun {
            let (run, ends) = (&*self.id, step.interruptions() + 1);
            self.world.notify(&Notice::Interrupted { run, step: &step.to_string(), ends });
        }
    }

    /// The last attempt of a body has ended, and what came of it is with the operation.
    pub(crate) fn end_body(
        self: &Rc<Self>,
        operation: Rc<Operation>,
        attempts: u32,
        started_at: Timestamp,
    ) {
        self.world.take_reports();
        let ended_at = self.world.timers.now();
        let end = || BodyEnd { instance: self.clone(), operation, attempts, started_at, ended_at };
        // Made where it stays: see `Operation::new`.
        self.world.pending.borrow_mut().outcomes.extend(iter::once_with(end));
    }

    pub(crate) fn draft_note(&self, number: Number, note: Note<'static>) {
        self.draft(Record::OperationNoted { number, note });
    }

    /// Has the next commit record what the run asked for.
    pub(crate) fn draft(&self, record: Record<'static>) {
        let draft = self.ledger.draft(What::Record(record.into()));
        self.world.pending.borrow_mut().others_mut().requests.push(draft);
    }
}
