//! A main future: a task that lives with the loop that drives the executor.

use alloc::rc::{Rc, Weak};
use core::fmt;

use crate::id::TaskId;
use crate::tasks::Core;

/// A main future's place in the queue.
///
/// A loop that drives the executor often has a future of its own, which borrows from the stack and
/// cannot be spawned. As a guest it is a task like any other all the same: it has a waker, it goes to
/// the tail when it is woken, and it is polled when its turn comes, by the loop that owns it, in
/// [`tick_with`](crate::raw::Raw::tick_with). Dropping the guest gives up the place.
///
/// Where loops are nested (a task that itself blocks on the executor) or side by side (two
/// [`run`](crate::FifoExecutor::run)s), one loop may come upon the guest of another. It cannot poll it, so
/// it marks its turn as overdue and goes on, and the owner's next tick begins with that turn. An
/// outer main future therefore makes no progress while an inner loop runs; an inner one that waits
/// for the outer one waits for ever.
///
/// ```
/// use std::cell::Cell;
/// use std::task::Poll;
///
/// use dacapo_executor::FifoExecutor;
///
/// let executor = FifoExecutor::new();
/// let turns = Cell::new(0); // Borrowed: no task could do so.
/// let guest = executor.raw().guest();
/// while executor.raw().tick_with(&guest, &mut |cx| {
///     turns.set(turns.get() + 1);
///     cx.waker().wake_by_ref();
///     if turns.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
/// }) {}
/// assert_eq!(turns.get(), 3);
/// ```
pub struct Guest {
    id: TaskId,
    core: Weak<Core>,
}

impl Guest {
    pub(crate) fn new(core: &Rc<Core>) -> Guest {
        let id = core.spawn(None);
        Guest { id, core: Rc::downgrade(core) }
    }

    /// Whether its turn came while another loop ticked, and waits for its owner's next tick.
    ///
    /// A loop that always ticks before it parks need not ask.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let guest = executor.raw().guest();
    /// executor.try_tick();
    /// assert!(guest.is_overdue());
    /// ```
    pub fn is_overdue(&self) -> bool {
        self.core.upgrade().is_some_and(|core| core.is_overdue(self.id))
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn is_of(&self, core: &Rc<Core>) -> bool {
        core::ptr::eq(self.core.as_ptr(), Rc::as_ptr(core))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.abort(self.id);
        }
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guest").field(&self.id).finish()
    }
}
