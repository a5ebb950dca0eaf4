//! What only some operations have, by their kinds: nothing of it is in a step that says no more than its name.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, OnceCell, Ref, RefCell};
use core::time::Duration;

use super::{Operation, Waiter};
use crate::clock::Timestamp;
use crate::error::{Error, Failure};
use crate::fingerprint::Fingerprint;
use crate::message::{Arrived, Outgoing, Parcel};
use crate::queue::Limit;
use crate::record::Asked;
use crate::retry::Retry;
use crate::rooms::Taken;
use crate::tables::TxBody;
use crate::telemetry::StepSpans;

/// As large as the largest, so what few have is in a box of its own.
pub(super) enum Details {
    Step(OfStep),
    Request(OfRequest),
    Receive(OfReceive),
}

/// Of a step, once it says more than its name, or its history does.
#[derive(Default)]
pub(super) struct OfStep {
    label: OnceCell<Box<str>>,
    /// What it is about.
    of: Cell<Option<Fingerprint>>,
    policy: Cell<Policy>,
    /// How many attempts were made before, as the history tells.
    attempts: Cell<u32>,
    /// How many of them the end of a process interrupted.
    interruptions: Cell<u32>,
    /// Whether the history says that an `at_most_once` body may have begun.
    begun: Cell<bool>,
    /// Whether the history says that the body has not begun since its process ended.
    deferred: Cell<bool>,
    spans: StepSpans,
    seldom: OnceCell<Box<Seldom>>,
}

/// What few of the steps have that have details.
#[derive(Default)]
struct Seldom {
    /// The room that its attempts share with others, and what the next one has of it.
    limit: OnceCell<Limit>,
    room: Cell<Option<Taken>>,
    code: RefCell<Code>,
    /// The place of a transaction among all, in which they are carried out.
    order: Cell<u64>,
    /// The last attempt, while the next one is waited for.
    failed: RefCell<Option<FailedAttempt>>,
}

/// Code of users that an operation owns beside its body, until it ends.
#[derive(Default)]
pub(crate) struct Code {
    /// Whether an error is worth another attempt.
    retry_if: Option<Rc<RetryIf>>,
    /// What a transaction does in a commit.
    transaction: Option<Rc<TxBody>>,
}

/// Of a message that is sent, or a child.
#[derive(Default)]
pub(super) struct OfRequest {
    is_child: bool,
    outgoing: RefCell<Option<Outgoing>>,
    /// Whether the history says that a child was started, or that a message has left.
    begun: Cell<bool>,
    /// Of a child: who waits for its start alone.
    start_waiter: Cell<Option<Waiter>>,
}

/// Of a receive.
#[derive(Default)]
pub(super) struct OfReceive {
    /// Whether it is one of questions.
    is_question: bool,
    /// Its place among all of the run, by which the oldest is found.
    order: Cell<u64>,
    /// The message that it has in hand.
    arrived: Cell<Option<Arrived>>,
}

/// An attempt that failed, and is followed by another.
#[derive(Clone)]
pub(crate) struct FailedAttempt {
    /// Which one it was.
    pub(crate) attempt: u32,
    pub(crate) failure: Failure,
    /// When the next one is made.
    pub(crate) next_at: Timestamp,
}

type RetryIf = dyn Fn(&Error) -> bool;

/// How a step is carried out.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) retry: Retry,
    pub(crate) timeout: Option<Duration>,
    pub(crate) at_most_once: bool,
    /// Whether its run is parked when it gives up.
    pub(crate) or_park: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { retry: Retry::never(), timeout: None, at_most_once: false, or_park: false }
    }
}

impl OfStep {
    fn seldom(&self) -> &Seldom {
        self.seldom.get_or_init(Box::default)
    }

    fn has_limit(&self) -> bool {
        self.seldom.get().is_some_and(|seldom| seldom.limit.get().is_some())
    }

    /// Of a step that waits for room each attempt is recorded to begin, unless there is but one.
    fn begin_anew(&self) {
        if self.has_limit() && !self.policy.get().at_most_once {
            self.begun.set(false);
        }
    }

    fn forget_failed(&self) {
        if let Some(seldom) = self.seldom.get() {
            seldom.failed.take();
        }
    }
}

/// Those of an operation that is asked for, if it has any from the beginning.
#[inline]
pub(super) fn of_new(asked: Asked<'_>) -> Option<Box<Details>> {
    let details = match asked {
        Asked::Step { .. } | Asked::Sleep { .. } => return None,
        Asked::StepOf { of, .. } => {
            Details::Step(OfStep { of: Cell::new(Some(of)), ..OfStep::default() })
        }
        Asked::Send { .. } => Details::Request(OfRequest::default()),
        Asked::Child { .. } => {
            Details::Request(OfRequest { is_child: true, ..OfRequest::default() })
        }
        Asked::Receive { is_question, .. } => {
            Details::Receive(OfReceive { is_question, ..OfReceive::default() })
        }
    };
    Some(Box::new(details))
}

impl Details {
    /// What was asked for under a name.
    pub(super) fn asked(&self, name: &'static str) -> Asked<'static> {
        match self {
            Self::Step(step) => match step.of.get() {
                None => Asked::Step { name },
                Some(of) => Asked::StepOf { name, of },
            },
            Self::Request(OfRequest { is_child: false, .. }) => Asked::Send { channel: name },
            Self::Request(OfRequest { is_child: true, .. }) => Asked::Child { workflow: name },
            Self::Receive(OfReceive { is_question, .. }) => {
                Asked::Receive { channel: name, is_question: *is_question }
            }
        }
    }

    /// What a step is about, and its label; `None` if it is no step.
    pub(super) fn of_and_label(&self) -> Option<(Option<Fingerprint>, Option<&str>)> {
        match self {
            Self::Step(step) => Some((step.of.get(), step.label.get().map(|label| &**label))),
            Self::Request(_) | Self::Receive(_) => None,
        }
    }

    pub(super) fn is_message(&self) -> bool {
        matches!(self, Self::Request(OfRequest { is_child: false, .. }))
    }
}

/// Of steps.
impl Operation {
    fn of_step(&self) -> Option<&OfStep> {
        match &**self.details.get()? {
            Details::Step(step) => Some(step),
            Details::Request(_) | Details::Receive(_) => None,
        }
    }

    /// The details of a step, which has some from now on.
    fn of_step_anew(&self) -> &OfStep {
        let new = || Box::new(Details::Step(OfStep::default()));
        match &**self.details.get_or_init(new) {
            Details::Step(step) => step,
            Details::Request(_) | Details::Receive(_) => unreachable!("{self} is no step"),
        }
    }

    fn seldom(&self) -> Option<&Seldom> {
        Some(self.of_step()?.seldom.get()?)
    }

    /// The spans of a step.
    #[cfg(feature = "tracing")]
    pub(crate) fn spans(&self) -> &StepSpans {
        &self.of_step_anew().spans
    }

    /// The same in a build that has none.
    #[cfg(not(feature = "tracing"))]
    pub(crate) fn spans(&self) -> StepSpans {
        StepSpans
    }

    /// Its outcome is committed.
    #[inline]
    pub(crate) fn end_spans(&self) {
        if let Some(step) = self.of_step() {
            step.spans.end(self.outcome().and_then(|outcome| outcome.as_ref().err()));
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        self.of_step().map_or_else(Policy::default, |step| step.policy.get())
    }

    /// Of its policy what is asked of every step, and read where it stands.
    #[inline]
    pub(crate) fn runs_at_most_once(&self) -> bool {
        self.of_step().is_some_and(|step| step.policy.get().at_most_once)
    }

    /// The same.
    #[inline]
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.of_step()?.policy.get().timeout
    }

    /// How many attempts a step may have, if that is limited.
    pub(crate) fn attempts_max(&self) -> Option<u32> {
        match self.asked() {
            Asked::Step { .. } | Asked::StepOf { .. } => self.policy().retry.limit(),
            Asked::Sleep { .. }
            | Asked::Send { .. }
            | Asked::Receive { .. }
            | Asked::Child { .. } => None,
        }
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        self.of_step_anew().policy.set(policy);
    }

    /// How many attempts were made before this process, as the history tells.
    pub(crate) fn attempts(&self) -> u32 {
        self.of_step().map_or(0, |step| step.attempts.get())
    }

    /// The history tells of one more, which the end of a process interrupted.
    pub(crate) fn note_interrupted(&self) {
        let step = self.of_step_anew();
        step.attempts.set(step.attempts.get() + 1);
        step.interruptions.set(step.interruptions.get() + 1);
        step.deferred.set(false);
        step.forget_failed();
        step.begin_anew();
    }

    /// How many of these there were, as the history tells.
    pub(crate) fn interruptions(&self) -> u32 {
        self.of_step().map_or(0, |step| step.interruptions.get())
    }

    /// Whether the history says that it has not begun since a process ended that may have interrupted it.
    pub(crate) fn is_deferred(&self) -> bool {
        self.of_step().is_some_and(|step| step.deferred.get())
    }

    pub(crate) fn note_deferred(&self) {
        self.of_step_anew().deferred.set(true);
    }

    /// The history tells of all up to one that failed.
    pub(crate) fn note_failed(&self, failed: FailedAttempt) {
        let step = self.of_step_anew();
        step.attempts.set(failed.attempt);
        step.begin_anew();
        self.set_failed(failed);
    }

    /// The attempt that failed, while the next one is waited for.
    pub(crate) fn failed(&self) -> Option<FailedAttempt> {
        self.seldom()?.failed.borrow().clone()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.seldom().is_some_and(|seldom| seldom.failed.borrow().is_some())
    }

    /// An attempt has failed, and the next one is waited for.
    pub(crate) fn set_failed(&self, failed: FailedAttempt) {
        *self.of_step_anew().seldom().failed.borrow_mut() = Some(failed);
    }

    /// An attempt begins.
    #[inline]
    pub(crate) fn forget_failed(&self) {
        if let Some(step) = self.of_step() {
            step.forget_failed();
        }
    }

    /// The room that its attempts share with those of others.
    pub(crate) fn limit(&self) -> Option<Limit> {
        self.seldom()?.limit.get().copied()
    }

    pub(crate) fn set_limit(&self, limit: Limit) {
        let set = self.of_step_anew().seldom().limit.set(limit);
        assert!(set.is_ok(), "{self} has a limit already");
    }

    /// Keeps room for the attempt that begins now.
    pub(crate) fn keep_room(&self, room: Taken) {
        self.of_step_anew().seldom().room.set(Some(room));
    }

    pub(crate) fn take_room(&self) -> Option<Taken> {
        self.seldom()?.room.take()
    }

    /// A failed attempt is recorded: the next one has not begun.
    pub(crate) fn begin_anew(&self) {
        if let Some(step) = self.of_step() {
            step.begin_anew();
        }
    }

    /// Whether an attempt waits before it is made: for a time, or for room.
    pub(crate) fn waits(&self) -> bool {
        self.seldom()
            .is_some_and(|seldom| seldom.failed.borrow().is_some() || seldom.limit.get().is_some())
    }

    /// Whether an error is worth another attempt, as the step decides.
    pub(crate) fn is_worth_another(&self, error: &Error) -> bool {
        let decides = self.seldom().and_then(|seldom| seldom.code.borrow().retry_if.clone());
        decides.is_none_or(|decides| decides(error))
    }

    /// # Panics
    ///
    /// Panics if there is one already.
    pub(crate) fn set_retry_if(&self, decides: Rc<RetryIf>) {
        let before = self.of_step_anew().seldom().code.borrow_mut().retry_if.replace(decides);
        assert!(before.is_none(), "retry_if of {self} is set twice");
    }

    pub(crate) fn is_transaction(&self) -> bool {
        self.seldom().is_some_and(|seldom| seldom.code.borrow().transaction.is_some())
    }

    /// What it does in a commit, if it is a transaction that has not ended.
    pub(crate) fn transaction(&self) -> Option<Rc<TxBody>> {
        self.seldom()?.code.borrow().transaction.clone()
    }

    pub(crate) fn set_transaction(&self, body: Rc<TxBody>) {
        self.of_step_anew().seldom().code.borrow_mut().transaction = Some(body);
    }

    /// Takes what it owns of users' code; it is the caller's to drop.
    pub(crate) fn take_code(&self) -> Option<Code> {
        Some(self.seldom()?.code.take())
    }

    pub(crate) fn label(&self) -> Option<&str> {
        self.of_step()?.label.get().map(|label| &**label)
    }

    /// # Panics
    ///
    /// Panics if it has a label.
    pub(crate) fn set_label(&self, label: String) {
        let label = self.of_step_anew().label.set(label.into());
        label.unwrap_or_else(|_| panic!("the label of {self} is set twice"));
    }

    /// Says of a step what it is about.
    ///
    /// # Panics
    ///
    /// Panics if it was said before.
    pub(crate) fn set_of(&self, of: Fingerprint) {
        let before = self.of_step_anew().of.replace(Some(of));
        assert!(before.is_none(), "what {self} is about is said twice");
    }
}

/// Of requests.
impl Operation {
    fn of_request(&self) -> &OfRequest {
        match self.details.get().map(|details| &**details) {
            Some(Details::Request(request)) => request,
            Some(Details::Step(_) | Details::Receive(_)) | None => {
                unreachable!("{self} is no request")
            }
        }
    }

    /// What a request hands over.
    pub(crate) fn outgoing(&self) -> Ref<'_, Option<Outgoing>> {
        self.of_request().outgoing.borrow()
    }

    /// The id of the run that a request is about.
    pub(crate) fn outgoing_to(&self) -> Option<String> {
        let Details::Request(request) = &**self.details.get()? else { return None };
        request.outgoing.borrow().as_ref().map(|outgoing| String::from(&*outgoing.to))
    }

    pub(crate) fn set_outgoing(&self, outgoing: Outgoing) {
        *self.of_request().outgoing.borrow_mut() = Some(outgoing);
    }

    /// Changes what a request hands over.
    pub(crate) fn change_outgoing(&self, change: impl FnOnce(&mut Outgoing)) {
        if let Some(outgoing) = &mut *self.of_request().outgoing.borrow_mut() {
            change(outgoing);
        }
    }

    pub(crate) fn set_message_key(&self, key: Rc<str>) {
        self.change_outgoing(|outgoing| {
            if let Parcel::Message(message) = &mut outgoing.parcel {
                message.key = Some(key);
            }
        });
    }

    /// Of a child: `waiter` is woken when it was started.
    pub(crate) fn set_start_waiter(&self, waiter: Waiter) {
        self.of_request().start_waiter.set(Some(waiter));
    }

    pub(crate) fn take_start_waiter(&self) -> Option<Waiter> {
        self.of_request().start_waiter.take()
    }
}

/// Of receives.
impl Operation {
    fn of_receive(&self) -> Option<&OfReceive> {
        match &**self.details.get()? {
            Details::Receive(receive) => Some(receive),
            Details::Step(_) | Details::Request(_) => None,
        }
    }

    /// Gives a receive a message in hand.
    pub(crate) fn set_arrived(&self, arrived: Arrived) {
        if let Some(receive) = self.of_receive() {
            receive.arrived.set(Some(arrived));
        }
    }

    pub(crate) fn take_arrived(&self) -> Option<Arrived> {
        self.of_receive()?.arrived.take()
    }
}

/// Of several kinds.
impl Operation {
    /// Whether the history says that an `at_most_once` body may have begun, that a child was started, or
    /// that a request has left.
    pub(crate) fn has_begun(&self) -> bool {
        match self.details.get().map(|details| &**details) {
            Some(Details::Step(step)) => step.begun.get(),
            Some(Details::Request(request)) => request.begun.get(),
            Some(Details::Receive(_)) | None => false,
        }
    }

    pub(crate) fn note_begun(&self) {
        match self.details.get().map(|details| &**details) {
            Some(Details::Request(request)) => request.begun.set(true),
            Some(Details::Step(_) | Details::Receive(_)) | None => {
                self.of_step_anew().begun.set(true);
            }
        }
    }

    /// What the history tells of attempts counts no longer, nor that it has begun.
    pub(crate) fn forget_attempts(&self) {
        match self.details.get().map(|details| &**details) {
            Some(Details::Step(step)) => {
                step.attempts.set(0);
                step.forget_failed();
                step.begun.set(false);
                step.deferred.set(false);
            }
            Some(Details::Request(request)) => request.begun.set(false),
            Some(Details::Receive(_)) | None => {}
        }
    }

    /// The place of a receive among all of its run, or of a transaction among all.
    pub(crate) fn order(&self) -> u64 {
        match self.of_receive() {
            Some(receive) => receive.order.get(),
            None => self.seldom().map_or(0, |seldom| seldom.order.get()),
        }
    }

    pub(crate) fn set_order(&self, order: u64) {
        match self.of_receive() {
            Some(receive) => receive.order.set(order),
            None => self.of_step_anew().seldom().order.set(order),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each message that is sent or waited for has some.
    #[test]
    fn details_are_small() {
        let spans = size_of::<StepSpans>();
        assert!(size_of::<Details>() <= 144 + spans, "{}", size_of::<Details>());
    }
}
