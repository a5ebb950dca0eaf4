//! Tasks by id.

use alloc::boxed::Box;
use core::pin::Pin;

use super::{Raw, TaskId};

/// Tasks by id.
impl Raw<'_> {
    /// Puts a boxed future at the tail of the queue, without a handle.
    ///
    /// It is the cheapest way in, for whoever keeps account of tasks himself: the id
    /// [aborts](Raw::abort) the task. In teardown the future is dropped at once, and the id names no
    /// task.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let id = executor.raw().spawn_boxed(Box::pin(async {}));
    /// assert!(executor.raw().is_alive(id));
    /// executor.run_until_stalled();
    /// assert!(!executor.raw().is_alive(id));
    /// ```
    pub fn spawn_boxed(self, future: Pin<Box<dyn Future<Output = ()>>>) -> TaskId {
        self.core.spawn(Some(future))
    }

    /// Ends a task: its future is dropped there and then.
    ///
    /// Void for a task that has ended, also if its place is used again. A task that is being polled ends
    /// at once, too, but its future is dropped when that poll has returned. Nobody is woken: whoever
    /// awaits the task waits for ever. The id must be one of this executor: the ids of two executors are
    /// alike.
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let held = Rc::new(());
    /// let holds = held.clone();
    /// let id = executor.raw().spawn_boxed(Box::pin(async move { drop(holds) }));
    /// executor.raw().abort(id);
    /// assert_eq!(Rc::strong_count(&held), 1);
    /// executor.raw().abort(id); // Void.
    /// ```
    ///
    /// # Panics
    ///
    /// With whatever the future's drop panics with; the task is ended all the same.
    pub fn abort(self, id: TaskId) {
        self.core.abort(id);
    }

    /// Whether a task was spawned and has not ended.
    ///
    /// A task ends when its future is ready, has panicked or was dropped, and at the beginning of the
    /// teardown.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let id = executor.raw().spawn_boxed(Box::pin(std::future::pending()));
    /// executor.run_until_stalled();
    /// assert!(executor.raw().is_alive(id));
    /// executor.raw().abort(id);
    /// assert!(!executor.raw().is_alive(id));
    /// ```
    pub fn is_alive(self, id: TaskId) -> bool {
        self.core.is_alive(id)
    }

    /// The task that is being polled, if one is.
    ///
    /// ```
    /// use dacapo_executor::{FifoExecutor, raw};
    ///
    /// let executor = FifoExecutor::new();
    /// let inner = executor.clone();
    /// let task = executor.spawn(async move { inner.raw().current() });
    /// let id = raw::task_id(&task);
    /// assert_eq!(executor.block_on(task), Some(id));
    /// assert_eq!(executor.raw().current(), None);
    /// ```
    pub fn current(self) -> Option<TaskId> {
        let current = self.core.current.get();
        (current != TaskId::DEAD).then_some(current)
    }

    /// Wakes a task as its waker would, without one; void for an ended task.
    ///
    /// For completions that keep the [`current`](Raw::current) task's id in the place of a waker:
    /// an id is copied where a waker is counted. No gate is asked.
    ///
    /// ```
    /// use std::future::pending;
    ///
    /// use dacapo_executor::{FifoExecutor, raw};
    ///
    /// let executor = FifoExecutor::new();
    /// let task = executor.spawn(pending::<()>());
    /// assert_eq!(executor.run_until_stalled(), 1);
    /// executor.raw().wake(raw::task_id(&task));
    /// executor.raw().wake(raw::task_id(&task));
    /// assert_eq!(executor.run_until_stalled(), 1);
    /// ```
    pub fn wake(self, id: TaskId) {
        self.core.wake(id);
    }
}
