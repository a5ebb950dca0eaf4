//! For those who build an engine on the executor: tasks by id, loops of one's own, gates.
//!
//! **Tasks do not need this.** What is here keeps the order, but hands over what the executor otherwise
//! takes care of: an id that is not aborted leaves its task running, an id of another executor names
//! some task of this one, a loop that does not register sleeps for ever, and a gate that keeps too much
//! out stalls its tasks. It follows the needs of the engine above, and changes more often than
//! [`FifoExecutor`].

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::executor::FifoExecutor;
use crate::task::Task;
use crate::tasks::Core;

pub use crate::gate::Gate;
pub use crate::guest::Guest;
pub use crate::id::TaskId;
#[cfg(feature = "std")]
pub use crate::park::Parker;

/// Creates an empty executor whose wakers ask a gate; see [`Gate`].
pub fn gated(gate: Arc<dyn Gate>) -> FifoExecutor {
    FifoExecutor::of(Core::new(Some(gate)))
}

/// The handle of a task that has ended without an output: never ready, as what is spawned in teardown.
///
/// ```
/// use dacapo_executor::raw;
/// use futures::FutureExt;
///
/// assert_eq!(raw::dead_task::<()>().now_or_never(), None);
/// ```
pub fn dead_task<T>() -> Task<T> {
    Task::dead()
}

/// A task's id, which outlives the handle.
///
/// ```
/// use dacapo_executor::{FifoExecutor, raw};
///
/// let executor = FifoExecutor::new();
/// let task = executor.spawn(async {});
/// assert!(executor.raw().is_alive(raw::task_id(&task)));
/// ```
pub fn task_id<T>(task: &Task<T>) -> TaskId {
    task.id()
}

impl FifoExecutor {
    /// The executor as engines see it: see [`raw`](crate::raw), and its warning.
    #[inline]
    pub fn raw(&self) -> Raw<'_> {
        Raw { core: &self.core }
    }
}

/// What an engine does with an executor; [`FifoExecutor::raw`] gives it.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    core: &'a Rc<Core>,
}

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

/// Loops of one's own.
impl Raw<'_> {
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
    /// assert_eq!(executor.raw().queued(), 1);
    /// ```
    pub fn queued(self) -> usize {
        self.core.queued()
    }

    /// How long the queue is, with the tasks that ended while they were in it.
    ///
    /// It is [`queued`](Raw::queued) without the counting, and may be larger.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// drop(executor.spawn(async {}));
    /// assert_eq!((executor.raw().queued(), executor.raw().queue_len()), (0, 1));
    /// ```
    pub fn queue_len(self) -> usize {
        self.core.queue_len()
    }

    /// Has `waker` woken, once, when a task becomes ready by a wake or a spawn.
    ///
    /// For loops that tick and park. No wake is lost by a loop which ticks until nothing is ready,
    /// registers, and then parks only if [`has_ready`](FifoExecutor::has_ready) says that there is still
    /// nothing. Registering again replaces nothing: all who registered since the last wake are woken.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    /// use dacapo_executor::raw::Parker;
    ///
    /// let (executor, parker) = (FifoExecutor::new(), Parker::new());
    /// let task = executor.spawn(async { 1 });
    /// while !task.is_finished() {
    ///     if !executor.try_tick() {
    ///         executor.raw().register(&parker.waker());
    ///         if !executor.has_ready() {
    ///             parker.park();
    ///         }
    ///     }
    /// }
    /// assert!(task.is_finished());
    /// ```
    pub fn register(self, waker: &Waker) {
        self.core.register(waker);
    }

    /// Wakes all who registered, once, although no task became ready.
    ///
    /// For loops that have more to look after than tasks.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    /// use dacapo_executor::raw::Parker;
    ///
    /// let (executor, parker) = (FifoExecutor::new(), Parker::new());
    /// executor.raw().register(&parker.waker());
    /// executor.raw().notify();
    /// parker.park(); // Returns at once.
    /// ```
    pub fn notify(self) {
        self.core.inbox.notify();
    }

    /// Takes a place at the tail of the queue for a future that stays with the caller.
    ///
    /// See [`Guest`]. In teardown the guest is one that has ended.
    pub fn guest(self) -> Guest {
        Guest::new(self.core)
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
        self,
        guest: &Guest,
        poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>,
    ) -> bool {
        assert!(guest.is_of(self.core), "a guest is ticked by the executor that gave it");
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
    /// executor.raw().close();
    /// assert!(task.is_finished());
    /// assert_eq!(executor.run_until_stalled(), 0);
    /// ```
    ///
    /// # Panics
    ///
    /// With what a drop panics with, when all tasks have been dropped. A second panic aborts the process,
    /// as everywhere.
    pub fn close(self) {
        self.core.close();
    }
}
