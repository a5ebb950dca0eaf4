//! The executor as its users see it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use futures::FutureExt;

use crate::gate::Gate;
use crate::guest::Guest;
use crate::id::TaskId;
use crate::join::{Outcome, Task};
use crate::tasks::Core;

/// Runs tasks on one thread, first in, first out.
///
/// A clone is another handle to the same executor, for tasks that spawn tasks. The handle that
/// [`new`](FifoExecutor::new) gave **owns** the tasks: when it is dropped they are, as by
/// [`close`](FifoExecutor::close), however many clones are left. So tasks may hold clones without
/// keeping themselves alive; only the owner should not be moved into one of its own tasks.
///
/// ```
/// use dacapo_executor::FifoExecutor;
///
/// let executor = FifoExecutor::new();
/// let handle = executor.clone();
/// let sum = executor.block_on(async move {
///     let (one, two) = (handle.spawn(async { 1 }), handle.spawn(async { 2 }));
///     one.await + two.await
/// });
/// assert_eq!(sum, 3);
/// ```
pub struct FifoExecutor {
    core: Rc<Core>,
    /// Whether this is what `new` gave. Tasks hold clones of it, and would own themselves if a
    /// clone owned them.
    owner: bool,
}

impl FifoExecutor {
    /// An executor without tasks, and the handle that owns it.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// assert!(!executor.has_ready());
    /// ```
    pub fn new() -> FifoExecutor {
        FifoExecutor { core: Rc::new(Core::new(None)), owner: true }
    }

    /// Creates an empty executor whose wakers ask a gate; see [`Gate`].
    pub fn gated(gate: Arc<dyn Gate>) -> FifoExecutor {
        FifoExecutor { core: Rc::new(Core::new(Some(gate))), owner: true }
    }

    /// Puts a task at the tail of the queue, and gives its handle.
    ///
    /// Nothing of the future runs before its first turn. In teardown the future is dropped at once, and
    /// the handle is [dead](Task::dead).
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let task = executor.spawn(async { 6 * 7 });
    /// assert_eq!(executor.block_on(task), 42);
    /// ```
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        if self.core.is_closed() {
            return Task::dead();
        }
        let outcome = Rc::new(Outcome::new());
        let giver = outcome.clone();
        // `map` drops the future before it calls the closure: the awaiter goes behind whatever
        // that drop wakes.
        let id = self.spawn_boxed(Box::pin(future.map(move |output| giver.give(output))));
        Task::new(id, Rc::downgrade(&self.core), outcome)
    }

    /// Puts a boxed future at the tail of the queue, without a handle.
    ///
    /// It is the cheapest way in, for whoever keeps account of tasks himself: the id
    /// [aborts](FifoExecutor::abort) the task. In teardown the future is dropped at once, and the id
    /// names no task.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let id = executor.spawn_boxed(Box::pin(async {}));
    /// assert!(executor.is_alive(id));
    /// executor.run_until_stalled();
    /// assert!(!executor.is_alive(id));
    /// ```
    pub fn spawn_boxed(&self, future: Pin<Box<dyn Future<Output = ()>>>) -> TaskId {
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
    /// let id = executor.spawn_boxed(Box::pin(async move { drop(holds) }));
    /// executor.abort(id);
    /// assert_eq!(Rc::strong_count(&held), 1);
    /// executor.abort(id); // Void.
    /// ```
    ///
    /// # Panics
    ///
    /// With whatever the future's drop panics with; the task is ended all the same.
    pub fn abort(&self, id: TaskId) {
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
    /// let id = executor.spawn_boxed(Box::pin(std::future::pending()));
    /// executor.run_until_stalled();
    /// assert!(executor.is_alive(id));
    /// executor.abort(id);
    /// assert!(!executor.is_alive(id));
    /// ```
    pub fn is_alive(&self, id: TaskId) -> bool {
        self.core.is_alive(id)
    }

    /// Polls the next ready task; `false` if none is ready.
    ///
    /// Tasks may tick their own executor: the task that is being polled is passed by, all others have
    /// their turns.
    ///
    /// ```
    /// use dacapo_executor::{FifoExecutor, yield_now};
    ///
    /// let executor = FifoExecutor::new();
    /// executor.spawn(yield_now()).detach();
    /// assert!(executor.try_tick());
    /// assert!(executor.try_tick());
    /// assert!(!executor.try_tick());
    /// ```
    ///
    /// # Panics
    ///
    /// If the task does. It is ended then, and the next tick goes on with the next task.
    pub fn try_tick(&self) -> bool {
        self.core.tick(TaskId::DEAD, &mut |_| Poll::Pending)
    }

    /// Ticks until no task is ready, and counts the polls.
    ///
    /// It does not return while tasks keep each other ready.
    ///
    /// ```
    /// use dacapo_executor::{FifoExecutor, yield_now};
    ///
    /// let executor = FifoExecutor::new();
    /// executor.spawn(yield_now()).detach();
    /// assert_eq!(executor.run_until_stalled(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// If a task does, as [`try_tick`](FifoExecutor::try_tick).
    pub fn run_until_stalled(&self) -> usize {
        let mut polls = 0;
        while self.try_tick() {
            polls += 1;
        }
        polls
    }

    /// Whether a tick may find a task to poll.
    ///
    /// If not, no task is ready. If so, one is, unless it ended while it was queued; the tick tells. A
    /// guest whose turn is [overdue](Guest::is_overdue) does not count: only its owner can poll it.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// executor.spawn(async {}).detach();
    /// assert!(executor.has_ready());
    /// ```
    pub fn has_ready(&self) -> bool {
        self.core.has_ready()
    }

    /// The task that is being polled, if one is.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let inner = executor.clone();
    /// let task = executor.spawn(async move { inner.current() });
    /// let id = task.id();
    /// assert_eq!(executor.block_on(task), Some(id));
    /// assert_eq!(executor.current(), None);
    /// ```
    pub fn current(&self) -> Option<TaskId> {
        let current = self.core.current.get();
        (current != TaskId::DEAD).then_some(current)
    }

    /// Wakes a task as its waker would, without one; void for an ended task.
    ///
    /// For completions that keep the [`current`](Self::current) task's id in the place of a waker:
    /// an id is copied where a waker is counted.
    ///
    /// ```
    /// use std::future::pending;
    ///
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let task = executor.spawn(pending::<()>());
    /// assert_eq!(executor.run_until_stalled(), 1);
    /// executor.wake(task.id());
    /// executor.wake(task.id());
    /// assert_eq!(executor.run_until_stalled(), 1);
    /// ```
    pub fn wake(&self, id: TaskId) {
        self.core.wake(id);
    }

    /// How many tasks are queued: the round that begins now.
    ///
    /// Ticking that often polls these tasks and none that they queue. (Should some of them be
    /// cancelled before their turn, the last ticks go to the next round's first tasks.) Counting
    /// takes as many steps as tasks are queued.
    ///
    /// ```
    /// use dacapo_executor::{FifoExecutor, yield_now};
    ///
    /// let executor = FifoExecutor::new();
    /// executor.spawn(yield_now()).detach();
    /// assert_eq!(executor.queued(), 1);
    /// ```
    pub fn queued(&self) -> usize {
        self.core.queued()
    }

    /// How long the queue is, with the tasks that ended while they were in it.
    ///
    /// It is [`queued`](Self::queued) without the counting, and may be larger.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// drop(executor.spawn(async {}));
    /// assert_eq!((executor.queued(), executor.queue_len()), (0, 1));
    /// ```
    pub fn queue_len(&self) -> usize {
        self.core.queue_len()
    }

    /// Has `waker` woken, once, when a task becomes ready by a wake or a spawn.
    ///
    /// For loops that tick and sleep. No wake is lost by a loop which ticks until nothing is ready,
    /// registers, and then sleeps only if [`has_ready`](FifoExecutor::has_ready) says that there is still
    /// nothing. Registering again replaces nothing: all who registered since the last wake are woken.
    ///
    /// ```
    /// use dacapo_executor::{FifoExecutor, Parker};
    ///
    /// let (executor, parker) = (FifoExecutor::new(), Parker::new());
    /// let task = executor.spawn(async { 1 });
    /// while !task.is_finished() {
    ///     if !executor.try_tick() {
    ///         executor.register(&parker.waker());
    ///         if !executor.has_ready() {
    ///             parker.park();
    ///         }
    ///     }
    /// }
    /// ```
    pub fn register(&self, waker: &Waker) {
        self.core.register(waker);
    }

    /// Wakes all who registered, once, although no task became ready.
    ///
    /// For loops that have more to look after than tasks.
    ///
    /// ```
    /// use dacapo_executor::{FifoExecutor, Parker};
    ///
    /// let (executor, parker) = (FifoExecutor::new(), Parker::new());
    /// executor.register(&parker.waker());
    /// executor.rouse();
    /// parker.park(); // Returns at once.
    /// ```
    pub fn rouse(&self) {
        self.core.inbox.notify();
    }

    pub(crate) fn deregister(&self, waker: &Waker) {
        self.core.deregister(waker);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Takes a place at the tail of the queue for a future that stays with the caller.
    ///
    /// See [`Guest`]. In teardown the guest is one that has ended.
    pub fn guest(&self) -> Guest {
        Guest::new(&self.core)
    }

    /// Polls the next ready task, and calls `poll` if that is `guest`.
    ///
    /// It is [`try_tick`](FifoExecutor::try_tick) for a loop with a main future; see [`Guest`]. When
    /// `poll` is ready the guest has ended. Other loops' guests are passed over, and have their turn
    /// when their owner ticks next.
    ///
    /// # Panics
    ///
    /// If the task or `poll` does; either is ended then. If the guest is another executor's.
    pub fn tick_with(
        &self,
        guest: &Guest,
        poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>,
    ) -> bool {
        assert!(guest.is_of(&self.core), "a guest is ticked by the executor that gave it");
        self.core.tick(guest.id(), poll)
    }

    /// Drops all tasks in spawn order, for good: the teardown.
    ///
    /// From its beginning on all tasks count as ended, wakes are void, and what is spawned is dropped:
    /// nothing that the tasks' drops do has an effect here. The handle that owns the executor does this
    /// when it is dropped. A task that calls it finishes its poll first.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let task = executor.spawn(async {});
    /// executor.close();
    /// assert!(task.is_finished());
    /// assert_eq!(executor.run_until_stalled(), 0);
    /// ```
    ///
    /// # Panics
    ///
    /// With what a drop panics with, when all tasks have been dropped. A second panic aborts the process,
    /// as everywhere.
    pub fn close(&self) {
        self.core.close();
    }
}

impl Clone for FifoExecutor {
    fn clone(&self) -> FifoExecutor {
        FifoExecutor { core: self.core.clone(), owner: false }
    }
}

impl Default for FifoExecutor {
    fn default() -> FifoExecutor {
        FifoExecutor::new()
    }
}

impl Drop for FifoExecutor {
    fn drop(&mut self) {
        if self.owner {
            self.core.close();
        }
    }
}

impl fmt::Debug for FifoExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FifoExecutor")
            .field("tasks", &self.core.state.borrow().slots.len())
            .finish()
    }
}
