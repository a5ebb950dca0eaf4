//! How aborted tasks are dropped, which may hold the handles of others, which may hold others again.

use alloc::collections::VecDeque;
use core::cell::{Cell, RefCell};
use core::mem;

use crate::id::TaskId;
use crate::slots::BoxedFuture;
use crate::tasks::Core;

/// So many drops lie one within the other on the stack. What is below them waits in a queue.
const DEEPEST: usize = 32;

/// The drops of aborted tasks that are under way.
#[derive(Default)]
pub(crate) struct Drops {
    depth: Cell<usize>,
    /// Those that have ended, and whose futures go before the drop at [`DEEPEST`] returns.
    deferred: RefCell<VecDeque<BoxedFuture>>,
}

impl Core {
    /// Ends a task now; one that is being polled is dropped by its turn.
    pub(crate) fn abort(&self, id: TaskId) {
        let removed = self.state.borrow_mut().slots.remove(id);
        let Some((future, waker)) = removed else { return };
        waker.iter().for_each(|waker| waker.state.end());
        if let Some(future) = future {
            self.drops.drop(future);
        }
    }
}

impl Drops {
    /// Drops a task, and with it those whose handles it holds, however long a chain they form.
    ///
    /// Down to some depth each is gone before whoever holds it goes on. Those below go in the order
    /// in which their handles were dropped, each after whoever held it.
    fn drop(&self, future: BoxedFuture) {
        let depth = self.depth.get() + 1;
        if depth > DEEPEST {
            self.deferred.borrow_mut().push_back(future);
            return;
        }
        self.depth.set(depth);
        // Both do their part when a drop panics, too; the later one is the first to.
        let _level = OnDrop(|| self.depth.set(depth - 1));
        let _rest = (depth == DEEPEST).then(|| OnDrop(|| self.drop_deferred()));
        drop(future);
    }

    fn drop_deferred(&self) {
        let next = || self.deferred.borrow_mut().pop_front();
        while let Some(future) = next() {
            let rest = OnDrop(|| self.drop_deferred());
            drop(future);
            mem::forget(rest);
        }
    }
}

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
