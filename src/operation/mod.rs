//! One thing that a run awaits, from the moment its future is built to the delivery of its outcome.

mod details;

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::{Cell, OnceCell};
use core::fmt;
use core::task::{Poll, Waker};

use dacapo_executor::raw::TaskId;
use futures::future::LocalBoxFuture;

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::error::Failure;
use crate::record::{
    Asked, Ended, Note, Number, Outcome, Record, ShortAsked, Shown, Spent, borrowed,
};
use details::Details;
pub(crate) use details::{FailedAttempt, Policy};

/// One operation, shared by the future that awaits it, the table of those that wait, and its body.
// There are as many as steps, and a common allocator is fast up to 128 bytes: see the test below.
#[derive(Default)]
pub(crate) struct Operation {
    pub(crate) number: Number,
    /// What the code asked for, in less memory: see [`asked`](Self::asked).
    what: Named,
    /// Nothing for most steps, and for sleeps.
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

impl Default for Named {
    fn default() -> Self {
        Self::Name("")
    }
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
#[derive(Default)]
enum State {
    #[default]
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

/// The memory of a step that has ended, for the next one: a run of one step after the other needs no more.
#[derive(Default)]
pub(crate) struct Spare(Cell<Option<Rc<Operation>>>);

impl Spare {
    /// Keeps the memory of one that has ended, if nobody else has it.
    #[inline(always)]
    pub(crate) fn keep(&self, mut ended: Rc<Operation>) {
        if let Some(operation) = Rc::get_mut(&mut ended) {
            *operation = Operation::default();
            self.0.set(Some(ended));
        }
    }
}

impl From<Waiter> for State {
    fn from(waiter: Waiter) -> Self {
        match waiter {
            Waiter::Task(task) => State::TaskWaiting(task),
            Waiter::Waker(waker) => State::WakerWaiting(waker),
        }
    }
}

impl Operation {
    pub(crate) fn new(number: Number, asked: Asked<'static>, effort: Effort) -> Rc<Self> {
        Self::made_in(Rc::default(), number, asked, effort)
    }

    /// The same in the memory of one that has ended, if there is any.
    pub(crate) fn step(spare: &Spare, number: Number, name: &'static str) -> Rc<Self> {
        let memory = spare.0.take().unwrap_or_default();
        Self::made_in(memory, number, Asked::Step { name }, Effort::Nothing)
    }

    /// `operation` is as good as new, and nobody else has it.
    #[inline(always)]
    fn made_in(
        mut operation: Rc<Self>,
        number: Number,
        asked: Asked<'static>,
        effort: Effort,
    ) -> Rc<Self> {
        let what = match asked {
            Asked::Sleep { until } => Named::Until(until),
            Asked::Step { name }
            | Asked::StepOf { name, .. }
            | Asked::Send { channel: name }
            | Asked::Receive { channel: name, .. }
            | Asked::Child { workflow: name } => Named::Name(name),
        };
        // Made where it stays: to move what was just written in pieces is slow.
        if let Some(new) = Rc::get_mut(&mut operation) {
            (new.number, new.what) = (number, what);
            new.effort = Cell::new(effort);
            if let Some(details) = details::of_new(asked) {
                new.details = OnceCell::from(details);
            }
        }
        operation
    }

    /// What the code asked for.
    pub(crate) fn asked(&self) -> Asked<'static> {
        match (self.what, self.details.get()) {
            (Named::Until(until), _) => Asked::Sleep { until },
            (Named::Name(name), None) => Asked::Step { name },
            (Named::Name(name), Some(details)) => details.asked(name),
        }
    }

    // What is asked of each operation several times is read where it stands.
    /// Whether it is a step that says no more than its name, or a sleep.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.details.get().is_none()
    }

    /// Whether it changes something outside of the run.
    #[inline]
    pub(crate) fn is_request(&self) -> bool {
        match self.details.get().map(|details| &**details) {
            Some(Details::Request(_)) => true,
            Some(Details::Step(_) | Details::Receive(_)) | None => false,
        }
    }

    /// Whether the work phase begins something for it. A request has an order of its own; what waits for what
    /// comes has nothing done for it.
    #[inline]
    pub(crate) fn is_begun_by_work(&self) -> bool {
        match self.details.get().map(|details| &**details) {
            Some(Details::Step(_)) | None => true,
            Some(Details::Request(_) | Details::Receive(_)) => false,
        }
    }

    /// Whether the run must be in memory until it has its outcome, because something is done for it.
    #[inline]
    pub(crate) fn is_worked_on(&self) -> bool {
        match self.details.get().map(|details| &**details) {
            Some(Details::Step(_)) | None => matches!(self.what, Named::Name(_)),
            Some(details) => details.is_message(),
        }
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

    /// The parts of the record of its outcome, if it is a step and did not fail.
    #[inline(always)]
    pub(crate) fn ended(&self, spent: Spent) -> Option<Ended<'_>> {
        let (Some(Ok(bytes)), Named::Name(name)) = (self.outcome(), self.what) else { return None };
        let (of, label) = match self.details.get() {
            None => (None, None),
            Some(details) => details.of_and_label()?,
        };
        let asked = ShortAsked::step(name, of);
        Some(Ended { number: self.number, asked, label, bytes, spent })
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
    use alloc::string::ToString;

    use super::*;

    /// That of glibc has lists of their own for what takes no more than 128 bytes with its own 8.
    #[test]
    fn an_operation_is_small_enough_for_the_allocator() {
        let counts = 2 * size_of::<usize>();
        assert!(size_of::<Operation>() + counts <= 120, "{}", size_of::<Operation>());
    }

    #[test]
    fn the_memory_of_a_step_that_ended_is_used_again_and_nothing_of_it_is_left() {
        let (spare, number) = (Spare::default(), Number { task: 3, local: 4 });
        let first = Operation::step(&spare, number, "first");
        first.set_label("label".into());
        first.note_interrupted();
        first.set_body(Box::pin(async {}));
        first.set_done();
        let _waiter = first.hand_over();
        let address = Rc::as_ptr(&first);

        let shared = first.clone();
        spare.keep(first);
        let second = Operation::step(&spare, number, "second");
        assert_ne!(Rc::as_ptr(&second), address, "somebody has it");
        assert_eq!(shared.to_string(), r#"step 3.4 "first" [label]"#);

        spare.keep(shared);
        let third = Operation::step(&spare, Number { task: 5, local: 6 }, "third");
        assert_eq!(Rc::as_ptr(&third), address);
        assert_eq!(third.to_string(), r#"step 5.6 "third""#);
        assert!(third.is_built() && third.is_plain() && third.outcome().is_none());
        assert!(matches!(third.take_effort(), Effort::Nothing));
    }
}
