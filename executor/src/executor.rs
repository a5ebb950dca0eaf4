//! The executor as its users see it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use futures::FutureExt;

use crate::guest::Guest;
use crate::id::TaskId;
use crate::join::{Outcome, Task};
use crate::tasks::{Body, Core};

/// Runs tasks on one thread, first in, first out.
pub struct FifoExecutor {
    core: Rc<Core>,
    /// Whether this is what `new` gave. Tasks hold clones of it, and would own themselves if a
    /// clone owned them.
    owner: bool,
}

impl FifoExecutor {
    /// An executor without tasks.
    pub fn new() -> FifoExecutor {
        FifoExecutor { core: Rc::new(Core::new()), owner: true }
    }

    /// Puts a task at the tail of the queue.
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

    /// Spawns a future that is boxed already and has nothing to give.
    pub fn spawn_boxed(&self, future: Pin<Box<dyn Future<Output = ()>>>) -> TaskId {
        self.core.spawn(Body::Task(Some(future)))
    }

    /// Drops a task's future, there and then.
    pub fn abort(&self, id: TaskId) {
        self.core.abort(id);
    }

    /// Whether the task has not ended.
    pub fn is_alive(&self, id: TaskId) -> bool {
        self.core.is_alive(id)
    }

    /// Polls the next ready task; `false` if none is ready.
    pub fn try_tick(&self) -> bool {
        self.core.tick(None, &mut |_| Poll::Pending)
    }

    /// Ticks until no task is ready, and counts the polls.
    pub fn run_until_stalled(&self) -> usize {
        let mut polls = 0;
        while self.try_tick() {
            polls += 1;
        }
        polls
    }

    /// Whether anything waits in the queue.
    pub fn has_ready(&self) -> bool {
        self.core.has_ready()
    }

    /// How many tasks are queued: the round that begins now.
    ///
    /// Ticking that often, and no oftener, polls none of the tasks that the round itself queues.
    /// Tasks that ended while they were queued are counted.
    pub fn queued(&self) -> usize {
        self.core.queued()
    }

    /// Has `waker` woken, once, when a task becomes ready.
    pub fn register(&self, waker: &Waker) {
        self.core.register(waker);
    }

    /// Wakes whoever is registered, although no task became ready: there is something else to do.
    pub fn rouse(&self) {
        self.core.rouse();
    }

    pub(crate) fn deregister(&self, waker: &Waker) {
        self.core.deregister(waker);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Takes a place in the queue for a future that stays with the caller.
    pub fn guest(&self) -> Guest {
        Guest::new(&self.core)
    }

    /// Polls the next ready task, which may be `guest`.
    pub fn tick_with(
        &self,
        guest: &Guest,
        poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>,
    ) -> bool {
        assert!(guest.is_of(&self.core), "a guest is ticked by the executor that gave it");
        self.core.tick(Some(guest.id()), poll)
    }

    /// Drops all tasks in spawn order, for good.
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
        f.debug_struct("FifoExecutor").field("tasks", &self.core.slots.borrow().len()).finish()
    }
}
