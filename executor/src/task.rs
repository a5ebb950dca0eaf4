//! The handle of a task that gives an output.

use alloc::rc::{Rc, Weak};
use core::cell::Cell;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::id::TaskId;
use crate::tasks::Core;

/// The handle of a task: awaits it, lets it go, or cancels it.
///
/// Awaiting it gives the task's output. **Dropping it cancels the task**: its future is dropped there
/// and then, and so are the tasks whose handles that future holds, as deep as it goes. To let a task go,
/// [`detach`](Task::detach) it. A handle does not keep its executor alive, and gives an output that is
/// there even if the executor is gone.
///
/// ```
/// use std::rc::Rc;
///
/// use dacapo_executor::FifoExecutor;
///
/// let executor = FifoExecutor::new();
/// assert_eq!(executor.block_on(executor.spawn(async { 3 })), 3);
///
/// let held = Rc::new(());
/// let holds = held.clone();
/// let task = executor.spawn(async move { drop(holds) });
/// drop(task);
/// assert_eq!(Rc::strong_count(&held), 1);
/// ```
///
/// # Panics
///
/// If it is polled again after it gave the output. A task that panics or is aborted by id is never
/// ready.
///
/// # Cancel safety
///
/// `&mut task` may be awaited, given up and awaited again: the output waits in the handle. To give
/// up `task` itself is to cancel it.
#[must_use = "dropping a `Task` cancels it; `detach` lets it go"]
pub struct Task<T> {
    id: TaskId,
    /// Weak, because tasks hold the handles of other tasks.
    core: Weak<Core>,
    /// `None` for a dead task.
    outcome: Option<Rc<Outcome<T>>>,
}

/// What a task and its handle share.
pub(crate) struct Outcome<T> {
    output: Cell<Option<T>>,
    awaiter: Cell<Option<Waker>>,
    given: Cell<bool>,
}

impl<T> Outcome<T> {
    pub(crate) fn new() -> Outcome<T> {
        Outcome { output: Cell::new(None), awaiter: Cell::new(None), given: Cell::new(false) }
    }

    /// Leaves the output for the handle and wakes whoever awaits it.
    pub(crate) fn give(&self, output: T) {
        self.output.set(Some(output));
        self.given.set(true);
        if let Some(awaiter) = self.awaiter.take() {
            awaiter.wake();
        }
    }
}

impl<T> Task<T> {
    pub(crate) fn new(id: TaskId, core: Weak<Core>, outcome: Rc<Outcome<T>>) -> Task<T> {
        Task { id, core, outcome: Some(outcome) }
    }

    /// A task that has ended without an output.
    pub(crate) fn dead() -> Task<T> {
        Task { id: TaskId::DEAD, core: Weak::new(), outcome: None }
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    /// Lets the task go on without a handle; its output is dropped when it comes.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// executor.spawn(async {}).detach();
    /// assert_eq!(executor.run_until_stalled(), 1);
    /// ```
    pub fn detach(mut self) {
        self.core = Weak::new();
    }

    /// Whether the task runs no more: it gave its output, panicked or was aborted.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let task = executor.spawn(async {});
    /// assert!(!task.is_finished());
    /// executor.run_until_stalled();
    /// assert!(task.is_finished());
    /// ```
    pub fn is_finished(&self) -> bool {
        let given = self.outcome.as_ref().is_some_and(|outcome| outcome.given.get());
        given || !self.core.upgrade().is_some_and(|core| core.is_alive(self.id))
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(outcome) = &self.outcome else { return Poll::Pending };
        if let Some(output) = outcome.output.take() {
            return Poll::Ready(output);
        }
        assert!(!outcome.given.get(), "a `Task` was polled again after it gave its output");
        let awaiter = match outcome.awaiter.take() {
            Some(awaiter) if awaiter.will_wake(cx.waker()) => awaiter,
            _ => cx.waker().clone(),
        };
        outcome.awaiter.set(Some(awaiter));
        Poll::Pending
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.abort(self.id);
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("id", &self.id).finish_non_exhaustive()
    }
}
