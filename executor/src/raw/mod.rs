//! For those who build an engine on the executor: tasks by id, loops of one's own, gates.
//!
//! **Tasks do not need this.** What is here keeps the order, but hands over what the executor otherwise
//! takes care of: an id that is not aborted leaves its task running, an id of another executor names
//! some task of this one, a loop that does not register sleeps for ever, and a gate that keeps too much
//! out stalls its tasks. It follows the needs of the engine above, and changes more often than
//! [`FifoExecutor`].

mod loops;
mod tasks;

use alloc::rc::Rc;
use alloc::sync::Arc;

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

/// How many panics of wakers that loops had [registered](Raw::register) were caught on this thread.
///
/// ```
/// assert_eq!(dacapo_executor::raw::caught_panics(), 0);
/// ```
#[cfg(feature = "std")]
pub fn caught_panics() -> u64 {
    crate::aside::caught()
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
