//! What a loop of one's own needs.

use core::task::{Context, Poll, Waker};

use super::{Guest, Raw};
#[cfg(doc)]
use crate::executor::FifoExecutor;

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

    /// A waker that does the same, on any thread, for loops that wait for something else, too. It never panics,
    /// whatever was registered.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    /// use dacapo_executor::raw::Parker;
    ///
    /// let (executor, parker) = (FifoExecutor::new(), Parker::new());
    /// let notifier = executor.raw().notifier();
    /// executor.raw().register(&parker.waker());
    /// std::thread::spawn(move || notifier.wake());
    /// parker.park(); // Returns.
    /// ```
    pub fn notifier(self) -> Waker {
        self.core.notifier()
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
