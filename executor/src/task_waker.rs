//! The waker of a task.
//!
//! A task has one of its own only while somebody holds a clone of it. For other polls it borrows
//! the executor's spare one, so that most tasks that sleep need none.

use alloc::task::Wake;
use core::task::Waker;

use crate::id::TaskId;
use crate::inbox::Inbox;
use crate::sync::Arc;
use crate::waker_state::{WakerState, is_unshared};

/// A waker ready made, so that a poll clones nothing, and its state.
pub(crate) struct TaskWaker {
    pub(crate) state: Arc<WakerState>,
    waker: Waker,
}

impl TaskWaker {
    /// A waker without a task.
    pub(crate) fn new(inbox: Arc<Inbox>) -> TaskWaker {
        let state = Arc::new(WakerState::new(inbox));
        TaskWaker { waker: Waker::from(state.clone()), state }
    }

    /// Gives it to a task whose turn begins. It must be unshared: a clone wakes the task that the
    /// waker is for.
    pub(crate) fn assign(&self, id: TaskId) {
        debug_assert!(self.is_unshared(), "a clone of an earlier task's waker would wake this one");
        self.state.assign(id);
    }

    /// Whether there is no clone of it. Only in a poll can the next one be made.
    pub(crate) fn is_unshared(&self) -> bool {
        is_unshared(&self.state)
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }
}

impl Wake for WakerState {
    fn wake(self: Arc<Self>) {
        WakerState::wake(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        WakerState::wake(self);
    }
}
