//! What a run awaits: its operations from the first poll to the delivery of their outcome.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, Ref, RefCell};
use core::mem;
use core::task::{Poll, Waker};
use core::time::Duration;

use dacapo_executor::raw::TaskId;
use futures::future::LocalBoxFuture;

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::error::Failure;
use crate::list::List;
use crate::record::{Kind, Number, Outcome, Record, Shown};
use crate::retry::Retry;
use crate::table::Table;

/// One operation, shared by the future that awaits it, the table below and its body.
pub(crate) struct Operation {
    pub(crate) number: Number,
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    /// Nothing for most operations.
    details: OnceCell<Box<Details>>,
    /// Attempts that the end of a process cut off, as the history tells.
    pub(crate) interrupted: Cell<u32>,
    /// Whether the history says that an `at_most_once` body may have begun.
    pub(crate) begun: Cell<bool>,
    state: Cell<State>,
    /// What is done for it.
    effort: Cell<Effort>,
    /// Where the body leaves what came of it, and the future reads it once it is delivered: it is
    /// not moved on the way. In a replay the delivery leaves it here.
    outcome: RefCell<Option<Outcome<'static>>>,
}

/// What few operations have.
#[derive(Default)]
struct Details {
    label: OnceCell<Box<str>>,
    policy: Cell<Policy>,
}

/// What came of a step: the end of its body's last attempt.
pub(crate) struct Ended {
    /// With its outcome.
    pub(crate) operation: Rc<Operation>,
    pub(crate) attempts: u32,
    /// When the first attempt of this process began.
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
}

/// How a step is carried out.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) retry: Retry,
    pub(crate) timeout: Option<Duration>,
    pub(crate) at_most_once: bool,
}

/// ```text
/// Built --first poll--> Waiting --delivery--> Delivered --next poll--> Taken
///   any of them --drop--> Dropped
/// ```
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

/// What is done for an operation that was asked for.
#[derive(Default)]
pub(crate) enum Effort {
    /// It has ended, or was taken.
    #[default]
    Nothing,
    /// A body that has not begun: it waits for the work phase, or for a record that comes first.
    Unstarted(LocalBoxFuture<'static, ()>),
    /// A body that has begun.
    Body(TaskId),
    /// A timer that is due then.
    Timer(Timestamp),
}

impl Default for Policy {
    fn default() -> Self {
        Self { retry: Retry::never(), timeout: None, at_most_once: false }
    }
}

impl Operation {
    pub(crate) fn new(number: Number, kind: Kind, name: &'static str, effort: Effort) -> Rc<Self> {
        Rc::new(Self {
            number,
            kind,
            name,
            details: OnceCell::new(),
            interrupted: Cell::new(0),
            begun: Cell::new(false),
            state: Cell::new(State::Built),
            effort: Cell::new(effort),
            outcome: RefCell::default(),
        })
    }

    pub(crate) fn policy(&self) -> Policy {
        self.details.get().map_or_else(Policy::default, |details| details.policy.get())
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        self.details.get_or_init(Box::default).policy.set(policy);
    }

    pub(crate) fn label(&self) -> Option<&str> {
        self.details.get()?.label.get().map(|label| &**label)
    }

    /// # Panics
    ///
    /// Panics if it has a label.
    pub(crate) fn set_label(&self, label: String) {
        let label = self.details.get_or_init(Box::default).label.set(label.into());
        label.unwrap_or_else(|_| panic!("the label of {self} is set twice"));
    }

    /// Marks the end of its future, whatever it was doing, and says whether it had what it waited
    /// for, so that nothing is left to be forgotten.
    pub(crate) fn set_dropped(&self) -> bool {
        matches!(self.state.replace(State::Dropped), State::Taken)
    }

    /// Takes what was delivered, or leaves `waiter` for the delivery.
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
        match before {
            State::Built => ask(),
            State::TaskWaiting(_) | State::WakerWaiting(_) => {}
            State::Delivered => return Poll::Ready(()),
            State::Taken | State::Dropped => panic!("{self} was polled after it was ready"),
        }
        self.state.set(match waiter() {
            Waiter::Task(task) => State::TaskWaiting(task),
            Waiter::Waker(waker) => State::WakerWaiting(waker),
        });
        Poll::Pending
    }

    /// Leaves the outcome for the future that waits, and gives whom to wake.
    pub(crate) fn hand_over(&self) -> Option<Waiter> {
        match self.state.replace(State::Delivered) {
            State::TaskWaiting(task) => Some(Waiter::Task(task)),
            State::WakerWaiting(waker) => Some(Waiter::Waker(waker)),
            _ => None,
        }
    }

    /// Whether it was not polled yet.
    pub(crate) fn is_built(&self) -> bool {
        let state = self.state.replace(State::Taken);
        let is_built = matches!(state, State::Built);
        self.state.set(state);
        is_built
    }

    /// What came of it.
    pub(crate) fn outcome(&self) -> Ref<'_, Option<Outcome<'static>>> {
        self.outcome.borrow()
    }

    /// Its body has ended with what `write` writes to the place where it stays.
    pub(crate) fn end_body(
        &self,
        write: impl FnOnce(&mut Bytes<'static>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut outcome = self.outcome.borrow_mut();
        if let Ok(bytes) = outcome.insert(Ok(Bytes::EMPTY)) {
            let written = write(bytes);
            if written.is_err() {
                *outcome = None;
            }
            return written;
        }
        Ok(())
    }

    /// Leaves what came of it according to the history.
    pub(crate) fn copy_outcome(&self, outcome: &Outcome<'_>) {
        match outcome {
            Ok(bytes) => self
                .outcome
                .borrow_mut()
                .insert(Ok(Bytes::EMPTY))
                .as_mut()
                .map_or((), |held| held.copy(bytes.as_slice())),
            Err(failure) => *self.outcome.borrow_mut() = Some(Err(failure.clone())),
        }
    }

    /// Leaves what came of it.
    pub(crate) fn set_outcome(&self, outcome: impl FnOnce() -> Outcome<'static>) {
        let outcome = outcome();
        *self.outcome.borrow_mut() = Some(outcome);
    }

    /// Reads a little of it.
    #[inline(always)]
    pub(crate) fn touch(&self) {
        core::hint::black_box((self.number.local, self.interrupted.get()));
    }

    pub(crate) fn set_body(&self, body: LocalBoxFuture<'static, ()>) {
        self.effort.set(Effort::Unstarted(body));
    }

    /// Ends what is done for it.
    pub(crate) fn take_effort(&self) -> Effort {
        self.effort.take()
    }

    /// The deadline of a timer.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let effort = self.effort.take();
        let deadline = match effort {
            Effort::Timer(deadline) => Some(deadline),
            _ => None,
        };
        self.effort.set(effort);
        deadline
    }

    /// Starts its body, unless it has begun.
    pub(crate) fn start(&self, spawn: impl FnOnce(LocalBoxFuture<'static, ()>) -> TaskId) {
        self.effort.set(match self.effort.take() {
            Effort::Unstarted(body) => Effort::Body(spawn(body)),
            begun => begun,
        });
    }
}

impl Ended {
    /// Gives the record of it, for a commit at `now`, to `take`.
    pub(crate) fn with_record<T>(&self, now: Timestamp, take: impl FnOnce(&Record<'_>) -> T) -> T {
        let outcome = self.operation.outcome();
        take(&Record::StepFinished {
            number: self.operation.number,
            name: self.operation.name,
            label: self.operation.label(),
            outcome: match &*outcome {
                Some(Ok(bytes)) => Ok(Bytes::Borrowed(bytes.as_slice())),
                Some(Err(failure)) => Err(failure.clone()),
                None => unreachable!("a body leaves its outcome when it ends"),
            },
            attempts: self.attempts,
            started_before: now.nanos_since(self.started_at),
            took: self.ended_at.nanos_since(self.started_at),
        })
    }
}

impl core::fmt::Display for Operation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        Shown(self.kind, self.number, self.name, self.label()).fmt(f)
    }
}

/// The operations of a run that were asked for and have no delivered outcome.
#[derive(Default)]
pub(crate) struct Operations {
    waiting: Table<Rc<Operation>>,
    asked: Asked,
}

enum Asked {
    /// What the next work phase takes up.
    Live(List<Number>),
    /// In a replay nothing is taken up, and at its end all that waits. The operations that were
    /// dropped are kept: the history may still speak of them.
    Replay { dropped: BTreeMap<Number, Rc<Operation>> },
}

impl Default for Asked {
    fn default() -> Self {
        Self::Live(List::default())
    }
}

/// What a number of the history stands for in this build.
pub(crate) enum Found {
    Waiting(Rc<Operation>),
    Dropped(Rc<Operation>),
    Unknown,
}

impl Operations {
    /// Those of a run whose history is to be delivered.
    pub(crate) fn in_replay() -> Self {
        Self { asked: Asked::Replay { dropped: BTreeMap::new() }, ..Self::default() }
    }

    pub(crate) fn is_replaying(&self) -> bool {
        matches!(self.asked, Asked::Replay { .. })
    }

    /// All that was committed has been delivered: what still waits is asked for.
    pub(crate) fn end_replay(&mut self) {
        self.asked = Asked::Live(List::Many(self.waiting.numbers()));
    }

    pub(crate) fn ask(&mut self, operation: Rc<Operation>) {
        let number = operation.number;
        self.waiting.insert(number, operation);
        self.ask_again(number);
    }

    /// Has the next work phase look at an operation.
    pub(crate) fn ask_again(&mut self, number: Number) {
        if let Asked::Live(asked) = &mut self.asked {
            asked.push(number);
        }
    }

    /// Takes what was asked for since the last time, in the order of the numbers. Some of it may
    /// no longer wait.
    pub(crate) fn take_asked(&mut self) -> List<Number> {
        let Asked::Live(asked) = &mut self.asked else { return List::default() };
        let mut asked = mem::take(asked);
        asked.as_mut_slice().sort_unstable();
        asked
    }

    /// Gives the memory of a list back that was taken, to be used again.
    pub(crate) fn reuse(&mut self, mut asked: List<Number>) {
        if let Asked::Live(before) = &mut self.asked
            && before.as_slice().is_empty()
            && asked.capacity() <= Self::KEPT
        {
            asked.clear();
            *before = asked;
        }
    }

    /// Longer lists are not kept: most runs never need one again.
    const KEPT: usize = 16;

    pub(crate) fn find(&self, number: Number) -> Found {
        if let Some(waiting) = self.waiting.get(number) {
            return Found::Waiting(waiting.clone());
        }
        match &self.asked {
            Asked::Live(_) => Found::Unknown,
            Asked::Replay { dropped } => {
                dropped.get(&number).cloned().map_or(Found::Unknown, Found::Dropped)
            }
        }
    }

    pub(crate) fn waiting(&self, number: Number) -> Option<Rc<Operation>> {
        self.waiting.get(number).cloned()
    }

    /// Removes an operation whose outcome is there; what was done for it is the caller's to end.
    pub(crate) fn finish(&mut self, number: Number) {
        self.waiting.remove(number);
    }

    pub(crate) fn waits(&self, number: Number) -> bool {
        self.waiting.get(number).is_some()
    }

    /// Removes an operation whose future was dropped; likewise.
    pub(crate) fn forget(&mut self, number: Number) -> bool {
        let Some(operation) = self.waiting.remove(number) else { return false };
        if let Asked::Replay { dropped } = &mut self.asked {
            dropped.insert(number, operation);
        }
        true
    }

    /// Removes all; likewise.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Rc<Operation>> + use<> {
        mem::take(&mut self.waiting).into_values()
    }

    /// When a timer that waits is due.
    pub(crate) fn deadline(&self, number: Number) -> Option<Timestamp> {
        self.waiting.get(number)?.deadline()
    }

    /// An operation that waits, and what is done for it.
    pub(crate) fn get(&self, number: Number) -> Option<&Rc<Operation>> {
        self.waiting.get(number)
    }

    /// The first timer, if there are a few timers and nothing else.
    pub(crate) fn sleeps_until(&self) -> Option<(Timestamp, Number)> {
        let mut first = None;
        for (number, waiting) in self.waiting.few()? {
            let deadline = waiting.deadline()?;
            let before = first.get_or_insert((deadline, *number));
            *before = (*before).min((deadline, *number));
        }
        first
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Some of the operations that wait, for a message.
    pub(crate) fn show(&self) -> String {
        const SHOWN: usize = 5;
        let numbers = self.waiting.numbers();
        let operations = numbers.iter().filter_map(|&number| self.waiting.get(number));
        let shown = operations.map(|waiting| waiting.to_string());
        let mut shown: Vec<_> = shown.take(SHOWN).collect();
        match numbers.len() {
            0 => shown.push("no operation".into()),
            all if all > SHOWN => shown.push(alloc::format!("{} more", all - SHOWN)),
            _ => {}
        }
        shown.join(", ")
    }
}
