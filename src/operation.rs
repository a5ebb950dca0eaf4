//! One thing that a run awaits, from the moment its future is built to the delivery of its outcome.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, OnceCell, Ref, RefCell};
use core::fmt;
use core::task::{Poll, Waker};
use core::time::Duration;

use dacapo_executor::raw::TaskId;
use futures::future::LocalBoxFuture;

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::error::{Error, Failure};
use crate::fingerprint::Fingerprint;
use crate::message::{Arrived, Outgoing, Parcel};
use crate::queue::Limit;
use crate::record::{Asked, Ended, Note, Number, Outcome, Record, Shown, Spent, borrowed};
use crate::retry::Retry;
use crate::rooms::Taken;
use crate::tables::TxBody;
use crate::telemetry::StepSpans;

/// One operation, shared by the future that awaits it, the table of those that wait, and its body.
// There are as many as steps, and a common allocator is fast up to 128 bytes: see the test below.
pub(crate) struct Operation {
    pub(crate) number: Number,
    /// What the code asked for, in less memory: see [`asked`](Self::asked).
    what: Named,
    /// Nothing for most operations.
    details: OnceCell<Box<Details>>,
    state: Cell<State>,
    effort: Cell<Effort>,
    /// Where the body leaves what came of it, and the future reads it once it is delivered: it is
    /// not moved on the way. In a replay the delivery leaves it here.
    outcome: OnceCell<Outcome<'static>>,
}

/// What an [`Asked`] holds. It is a third smaller, for its variant is with the details: steps and sleeps
/// need none for that.
#[derive(Clone, Copy)]
enum Named {
    Name(&'static str),
    Until(Timestamp),
}

/// Which of those that have a name it is; a sleep has none, and is as good as a step.
#[derive(Clone, Copy, Default)]
enum Kind {
    #[default]
    Step,
    Send,
    Receive,
    /// A receive of questions.
    Question,
    Child,
}

/// What few operations have.
#[derive(Default)]
struct Details {
    kind: Kind,
    label: OnceCell<Box<str>>,
    /// What a step is about.
    of: Cell<Option<Fingerprint>>,
    policy: Cell<Policy>,
    /// Of a step: the room that its attempts share with others, and what the next one has of it.
    limit: OnceCell<Limit>,
    room: Cell<Option<Taken>>,
    /// Of a step: whether an error is worth another attempt.
    retry_if: OnceCell<Box<RetryIf>>,
    /// Of a step that is a transaction: what it does in a commit.
    transaction: OnceCell<Box<TxBody>>,
    /// How many attempts were made before, as the history tells.
    attempts: Cell<u32>,
    /// How many of them the end of a process interrupted.
    interruptions: Cell<u32>,
    /// The last one, while the next one is waited for.
    failed: RefCell<Option<FailedAttempt>>,
    /// Whether the history says that an `at_most_once` body may have begun, that a child was started, or
    /// that a request has left.
    begun: Cell<bool>,
    /// Whether the history says that the body of a step has not begun since its process ended.
    deferred: Cell<bool>,
    /// Of a request.
    outgoing: RefCell<Option<Outgoing>>,
    /// Of a child: who waits for its start alone.
    start_waiter: Cell<Option<Waiter>>,
    /// Of a receive: its place among all of the run, by which the oldest is found. Of a transaction: its
    /// place among all, in which they are carried out.
    order: Cell<u64>,
    /// Of a receive: the message that it has in hand.
    arrived: Cell<Option<Arrived>>,
    /// Of a step, while it is carried out.
    spans: StepSpans,
}

impl Details {
    /// Of a step that waits for room each attempt is recorded to begin, unless there is but one.
    fn begin_anew(&self) {
        if self.limit.get().is_some() && !self.policy.get().at_most_once {
            self.begun.set(false);
        }
    }
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

pub(crate) type RetryIf = dyn Fn(&Error) -> bool;

/// How a step is carried out.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) retry: Retry,
    pub(crate) timeout: Option<Duration>,
    pub(crate) at_most_once: bool,
    /// Whether its run is parked when it gives up.
    pub(crate) or_park: bool,
}

/// Where the future of an operation stands.
///
/// | state     | `poll_delivered`     | `hand_over`           | `set_dropped` |
/// |-----------|----------------------|-----------------------|---------------|
/// | built     | asks, then waiting   | -                     | dropped       |
/// | waiting   | waiting, for another | delivered, and a wake | dropped       |
/// | delivered | ready, then taken    | -                     | dropped       |
/// | taken     | panics               | -                     | dropped       |
/// |           | (a receive whose message is skipped: waiting again, `wait_again`)    |
/// | dropped   | -                    | -                     | -             |
enum State {
    Built,
    // The two kinds of `Waiter`: one within the other they would be larger.
    TaskWaiting(TaskId),
    WakerWaiting(Waker),
    Delivered,
    Taken,
    Dropped,
}

/// Who is woken by a delivery.
pub(crate) enum Waiter {
    /// A task that awaits the operation itself.
    Task(TaskId),
    /// A combinator, or whatever else stands between the two.
    Waker(Waker),
}

/// What is done for an operation that was asked for, and must be ended with it.
#[derive(Default)]
pub(crate) enum Effort {
    /// Nothing, or no longer.
    #[default]
    Nothing,
    /// A body that has not begun: it waits for the work phase, or for a record that comes first.
    Unstarted(LocalBoxFuture<'static, ()>),
    /// A body that has begun.
    Body(TaskId),
    /// A timer, which is due when the operation says.
    Timer,
}

impl From<Waiter> for State {
    fn from(waiter: Waiter) -> Self {
        match waiter {
            Waiter::Task(task) => State::TaskWaiting(task),
            Waiter::Waker(waker) => State::WakerWaiting(waker),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { retry: Retry::never(), timeout: None, at_most_once: false, or_park: false }
    }
}

impl Operation {
    pub(crate) fn new(number: Number, asked: Asked<'static>, effort: Effort) -> Rc<Self> {
        let detailed = |kind| {
            // Made where it stays: it is large.
            let mut details = Box::<Details>::default();
            details.kind = kind;
            OnceCell::from(details)
        };
        let (what, details) = match asked {
            Asked::Step { name } => (Named::Name(name), OnceCell::new()),
            Asked::StepOf { name, of } => {
                let details = detailed(Kind::Step);
                details.get().expect("they were made").of.set(Some(of));
                (Named::Name(name), details)
            }
            Asked::Sleep { until } => (Named::Until(until), OnceCell::new()),
            Asked::Send { channel } => (Named::Name(channel), detailed(Kind::Send)),
            Asked::Receive { channel, is_question: false } => {
                (Named::Name(channel), detailed(Kind::Receive))
            }
            Asked::Receive { channel, is_question: true } => {
                (Named::Name(channel), detailed(Kind::Question))
            }
            Asked::Child { workflow } => (Named::Name(workflow), detailed(Kind::Child)),
        };
        Rc::new(Self {
            number,
            what,
            details,
            state: Cell::new(State::Built),
            effort: Cell::new(effort),
            outcome: OnceCell::new(),
        })
    }

    /// What the code asked for.
    pub(crate) fn asked(&self) -> Asked<'static> {
        match (self.what, self.kind()) {
            (Named::Until(until), _) => Asked::Sleep { until },
            (Named::Name(name), Kind::Step) => {
                match self.details.get().and_then(|details| details.of.get()) {
                    None => Asked::Step { name },
                    Some(of) => Asked::StepOf { name, of },
                }
            }
            (Named::Name(channel), Kind::Send) => Asked::Send { channel },
            (Named::Name(channel), Kind::Receive) => Asked::Receive { channel, is_question: false },
            (Named::Name(channel), Kind::Question) => Asked::Receive { channel, is_question: true },
            (Named::Name(workflow), Kind::Child) => Asked::Child { workflow },
        }
    }

    // What is asked of each operation several times is read where it stands.
    fn kind(&self) -> Kind {
        self.details.get().map_or(Kind::Step, |details| details.kind)
    }

    /// Whether it changes something outside of the run.
    #[inline]
    pub(crate) fn is_request(&self) -> bool {
        match self.kind() {
            Kind::Send | Kind::Child => true,
            Kind::Step | Kind::Receive | Kind::Question => false,
        }
    }

    /// Whether the work phase begins something for it. A request has an order of its own; what waits for what
    /// comes has nothing done for it.
    #[inline]
    pub(crate) fn is_begun_by_work(&self) -> bool {
        match self.kind() {
            Kind::Step => true,
            Kind::Send | Kind::Child | Kind::Receive | Kind::Question => false,
        }
    }

    /// Whether the run must be in memory until it has its outcome, because something is done for it.
    #[inline]
    pub(crate) fn is_worked_on(&self) -> bool {
        match self.kind() {
            Kind::Step => matches!(self.what, Named::Name(_)),
            Kind::Send => true,
            Kind::Child | Kind::Receive | Kind::Question => false,
        }
    }

    /// The spans of a step.
    #[cfg(feature = "tracing")]
    pub(crate) fn spans(&self) -> &StepSpans {
        &self.details().spans
    }

    /// The same in a build that has none.
    #[cfg(not(feature = "tracing"))]
    pub(crate) fn spans(&self) -> StepSpans {
        StepSpans
    }

    /// Its outcome is committed.
    #[inline]
    pub(crate) fn end_spans(&self) {
        if let Some(details) = self.details.get() {
            details.spans.end(self.outcome().and_then(|outcome| outcome.as_ref().err()));
        }
    }

    fn details(&self) -> &Details {
        self.details.get_or_init(Box::default)
    }

    pub(crate) fn policy(&self) -> Policy {
        self.details.get().map_or_else(Policy::default, |details| details.policy.get())
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        self.details().policy.set(policy);
    }

    /// How many attempts were made before this process, as the history tells.
    pub(crate) fn attempts(&self) -> u32 {
        self.details.get().map_or(0, |details| details.attempts.get())
    }

    /// The history tells of one more, which the end of a process interrupted.
    pub(crate) fn note_interrupted(&self) {
        let details = self.details();
        details.attempts.set(details.attempts.get() + 1);
        details.interruptions.set(details.interruptions.get() + 1);
        details.deferred.set(false);
        details.failed.take();
        details.begin_anew();
    }

    /// How many of these there were, as the history tells.
    pub(crate) fn interruptions(&self) -> u32 {
        self.details.get().map_or(0, |details| details.interruptions.get())
    }

    /// Whether the history says that it has not begun since a process ended that may have interrupted it.
    pub(crate) fn is_deferred(&self) -> bool {
        self.details.get().is_some_and(|details| details.deferred.get())
    }

    pub(crate) fn note_deferred(&self) {
        self.details().deferred.set(true);
    }

    /// The history tells of all up to one that failed.
    pub(crate) fn note_failed(&self, failed: FailedAttempt) {
        self.details().attempts.set(failed.attempt);
        self.details().begin_anew();
        self.set_failed(Some(failed));
    }

    /// The attempt that failed, while the next one is waited for.
    pub(crate) fn failed(&self) -> Option<FailedAttempt> {
        self.details.get()?.failed.borrow().clone()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.details.get().is_some_and(|details| details.failed.borrow().is_some())
    }

    /// An attempt has failed, and the next one is waited for; or it begins.
    pub(crate) fn set_failed(&self, failed: Option<FailedAttempt>) {
        if failed.is_some() || self.details.get().is_some() {
            *self.details().failed.borrow_mut() = failed;
        }
    }

    /// Whether the history says that an `at_most_once` body may have begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.details.get().is_some_and(|details| details.begun.get())
    }

    /// The room that its attempts share with those of others.
    pub(crate) fn limit(&self) -> Option<Limit> {
        self.details.get()?.limit.get().copied()
    }

    pub(crate) fn set_limit(&self, limit: Limit) {
        assert!(self.details().limit.set(limit).is_ok(), "{self} has a limit already");
    }

    /// Keeps room for the attempt that begins now.
    pub(crate) fn keep_room(&self, room: Taken) {
        self.details().room.set(Some(room));
    }

    pub(crate) fn take_room(&self) -> Option<Taken> {
        self.details.get()?.room.take()
    }

    /// A failed attempt is recorded: the next one has not begun.
    pub(crate) fn begin_anew(&self) {
        if let Some(details) = self.details.get() {
            details.begin_anew();
        }
    }

    /// Whether an attempt waits before it is made: for a time, or for room.
    pub(crate) fn waits(&self) -> bool {
        self.details.get().is_some_and(|details| {
            details.failed.borrow().is_some() || details.limit.get().is_some()
        })
    }

    pub(crate) fn note_begun(&self) {
        self.details().begun.set(true);
    }

    /// What the history tells of attempts counts no longer, nor that it has begun.
    pub(crate) fn forget_attempts(&self) {
        if let Some(details) = self.details.get() {
            details.attempts.set(0);
            details.failed.take();
            details.begun.set(false);
            details.deferred.set(false);
        }
    }

    /// Whether an error is worth another attempt, as the step decides.
    pub(crate) fn is_worth_another(&self, error: &Error) -> bool {
        let decides = self.details.get().and_then(|details| details.retry_if.get());
        decides.is_none_or(|decides| decides(error))
    }

    /// # Panics
    ///
    /// Panics if there is one already.
    pub(crate) fn set_retry_if(&self, decides: Box<RetryIf>) {
        let set = self.details().retry_if.set(decides);
        set.unwrap_or_else(|_| panic!("retry_if of {self} is set twice"));
    }

    /// What it does in a commit, if it is a transaction.
    pub(crate) fn transaction(&self) -> Option<&TxBody> {
        self.details.get()?.transaction.get().map(|body| &**body)
    }

    pub(crate) fn set_transaction(&self, body: Box<TxBody>) {
        let set = self.details().transaction.set(body);
        set.unwrap_or_else(|_| panic!("{self} is two transactions"));
    }

    pub(crate) fn label(&self) -> Option<&str> {
        self.details.get()?.label.get().map(|label| &**label)
    }

    /// # Panics
    ///
    /// Panics if it has a label.
    pub(crate) fn set_label(&self, label: String) {
        let label = self.details().label.set(label.into());
        label.unwrap_or_else(|_| panic!("the label of {self} is set twice"));
    }

    /// Says of a step what it is about.
    ///
    /// # Panics
    ///
    /// Panics if it was said before.
    pub(crate) fn set_of(&self, of: Fingerprint) {
        let before = self.details().of.replace(Some(of));
        assert!(before.is_none(), "what {self} is about is said twice");
    }

    /// What a request hands over.
    pub(crate) fn outgoing(&self) -> Ref<'_, Option<Outgoing>> {
        self.details().outgoing.borrow()
    }

    /// The id of the run that a request is about.
    pub(crate) fn outgoing_to(&self) -> Option<String> {
        let details = self.details.get()?;
        details.outgoing.borrow().as_ref().map(|outgoing| String::from(&*outgoing.to))
    }

    pub(crate) fn set_outgoing(&self, outgoing: Outgoing) {
        *self.details().outgoing.borrow_mut() = Some(outgoing);
    }

    /// Changes what a request hands over.
    pub(crate) fn change_outgoing(&self, change: impl FnOnce(&mut Outgoing)) {
        if let Some(outgoing) = &mut *self.details().outgoing.borrow_mut() {
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
        self.details.get_or_init(Box::default).start_waiter.set(Some(waiter));
    }

    pub(crate) fn take_start_waiter(&self) -> Option<Waiter> {
        self.details.get()?.start_waiter.take()
    }

    /// The place of a receive among all of its run, or of a transaction among all.
    pub(crate) fn order(&self) -> u64 {
        self.details.get().map_or(0, |details| details.order.get())
    }

    pub(crate) fn set_order(&self, order: u64) {
        self.details().order.set(order);
    }

    /// Gives a receive a message in hand.
    pub(crate) fn set_arrived(&self, arrived: Arrived) {
        self.details().arrived.set(Some(arrived));
    }

    pub(crate) fn take_arrived(&self) -> Option<Arrived> {
        self.details.get()?.arrived.take()
    }

    /// Marks the end of its future, whatever it was doing, and says whether it had what it waited
    /// for, so that nothing is left to be forgotten.
    pub(crate) fn set_dropped(&self) -> bool {
        matches!(self.state.replace(State::Dropped), State::Taken)
    }

    /// Takes what was delivered, or leaves `waiter` for the delivery; the first time calls `ask`.
    ///
    /// # Panics
    ///
    /// Panics if it was taken before.
    pub(crate) fn poll_delivered(
        &self,
        waiter: impl FnOnce() -> Waiter,
        ask: impl FnOnce(),
    ) -> Poll<()> {
        // The waker of an earlier poll is dropped when another has taken its place.
        let before = self.state.replace(State::Taken);
        let is_first = match before {
            State::Built => true,
            State::TaskWaiting(_) | State::WakerWaiting(_) => false,
            State::Delivered => return Poll::Ready(()),
            State::Taken | State::Dropped => panic!("{self} was polled after it was ready"),
        };
        self.state.set(waiter().into());
        // It calls user code, which must find the operation in order.
        if is_first {
            ask();
        }
        Poll::Pending
    }

    /// What was delivered was nothing: it waits for another.
    pub(crate) fn wait_again(&self, waiter: Waiter) {
        self.state.set(waiter.into());
    }

    /// A receive finds a message at its first poll.
    pub(crate) fn take_at_once(&self) {
        self.state.set(State::Taken);
    }

    /// Leaves the outcome for the future that waits, and gives whom to wake.
    pub(crate) fn hand_over(&self) -> Option<Waiter> {
        match self.state.replace(State::Delivered) {
            State::TaskWaiting(task) => Some(Waiter::Task(task)),
            State::WakerWaiting(waker) => Some(Waiter::Waker(waker)),
            State::Built | State::Delivered | State::Taken | State::Dropped => None,
        }
    }

    /// Whether its outcome was delivered, and not taken yet.
    pub(crate) fn is_delivered(&self) -> bool {
        let state = self.state.replace(State::Taken);
        let is_delivered = matches!(state, State::Delivered);
        self.state.set(state);
        is_delivered
    }

    /// Whether it was not polled yet.
    pub(crate) fn is_built(&self) -> bool {
        let state = self.state.replace(State::Taken);
        let is_built = matches!(state, State::Built);
        self.state.set(state);
        is_built
    }

    /// What came of it.
    pub(crate) fn outcome(&self) -> Option<&Outcome<'static>> {
        self.outcome.get()
    }

    /// What came of it, from the body or from the history.
    ///
    /// # Panics
    ///
    /// Panics if something came of it before.
    pub(crate) fn set_outcome(&self, outcome: Outcome<'static>) {
        assert!(self.outcome.set(outcome).is_ok(), "{self} has two outcomes");
    }

    /// It is done, and there is no value.
    pub(crate) fn set_done(&self) {
        self.set_outcome(Ok(Bytes::EMPTY));
    }

    pub(crate) fn set_failure(&self, failure: Failure) {
        self.set_outcome(Err(failure));
    }

    /// The outcome as a record has it.
    pub(crate) fn borrowed_outcome(&self) -> Outcome<'_> {
        match self.outcome() {
            Some(outcome) => borrowed(outcome),
            None => unreachable!("{self} has its outcome when that is recorded"),
        }
    }

    /// The parts of the record of its outcome, if it did not fail.
    #[inline]
    pub(crate) fn ended(&self, spent: Spent) -> Option<Ended<'_>> {
        let Some(Ok(bytes)) = self.outcome() else { return None };
        Some(Ended { number: self.number, asked: self.asked(), label: self.label(), bytes, spent })
    }

    /// Gives the record of what was carried out for a request to `take`: what came of it, or for a
    /// child that it was started.
    pub(crate) fn with_record<T>(&self, take: impl FnOnce(&Record<'_>) -> T) -> T {
        let outgoing = self.outgoing();
        let to = outgoing.as_ref().map(|outgoing| &*outgoing.to);
        let (number, asked) = (self.number, self.asked());
        match (self.outcome(), asked, to) {
            (None, Asked::Child { workflow }, Some(id)) => {
                take(&Record::OperationNoted { number, note: Note::ChildStarted { workflow, id } })
            }
            _ => take(&Record::OperationEnded {
                number,
                asked,
                label: to,
                outcome: self.borrowed_outcome(),
                spent: Spent::default(),
            }),
        }
    }

    /// Reads a little of it, so that its memory is in the processor's cache soon.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        core::hint::black_box((self.number.local, self.outcome.get().is_some()));
    }

    pub(crate) fn set_body(&self, body: LocalBoxFuture<'static, ()>) {
        self.effort.set(Effort::Unstarted(body));
    }

    /// Takes what is done for it; it is the caller's to end.
    pub(crate) fn take_effort(&self) -> Effort {
        self.effort.take()
    }

    /// When it is due, if all that it waits for is a time.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self.asked() {
            Asked::Sleep { until } => Some(until),
            Asked::Step { .. }
            | Asked::StepOf { .. }
            | Asked::Send { .. }
            | Asked::Receive { .. }
            | Asked::Child { .. } => None,
        }
    }

    /// Starts its body, unless it has begun.
    pub(crate) fn start(&self, spawn: impl FnOnce(LocalBoxFuture<'static, ()>) -> TaskId) {
        self.effort.set(match self.effort.take() {
            Effort::Unstarted(body) => Effort::Body(spawn(body)),
            begun => begun,
        });
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(&self.asked(), self.number, self.label()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of glibc has lists of their own for what takes no more than 128 bytes with its own 8.
    #[test]
    fn an_operation_is_small_enough_for_the_allocator() {
        let counts = 2 * size_of::<usize>();
        assert!(size_of::<Operation>() + counts <= 120, "{}", size_of::<Operation>());
    }
}
