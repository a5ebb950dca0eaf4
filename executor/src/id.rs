//! The name of a task.

use core::fmt;

/// Names one task of one executor, and is never given to another task of it.
///
/// Ids are ordered as their tasks were spawned, so a `BTreeMap<TaskId, _>` walks tasks in spawn
/// order. An id outlives its task: what is asked of an ended one is void.
///
/// ```
/// use dacapo_executor::{FifoExecutor, raw};
///
/// let executor = FifoExecutor::new();
/// let first = executor.spawn(async {});
/// let second = executor.spawn(async {});
/// assert!(raw::task_id(&first) < raw::task_id(&second));
/// ```
// The number comes first, because the derived order must be spawn order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// How many tasks were spawned before this one. It tells a slot's present task from earlier
    /// ones, too, and 64 bits do not wrap.
    pub(crate) number: u64,
    /// Where the task is kept.
    pub(crate) index: u32,
}

impl TaskId {
    /// The id of a task that never was.
    pub(crate) const DEAD: TaskId = TaskId { number: u64::MAX, index: u32::MAX };
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == TaskId::DEAD {
            return f.write_str("TaskId(dead)");
        }
        write!(f, "TaskId({})", self.number)
    }
}
