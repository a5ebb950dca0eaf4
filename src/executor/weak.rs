use alloc::rc::{Rc, Weak};
use core::fmt;

use super::{Executor, Shared};
use crate::error::{Error, Kind, Result};

/// A handle of an [`Executor`] on its own thread, which does not keep it alive: for bodies that start or
/// attach to runs. Made by [`Executor::weak`].
///
/// ```
/// use dacapo::{Ctx, Error, Executor, Result, Workflow};
///
/// const ECHO: Workflow<u8, u8> = Workflow::new("echo");
///
/// let executor = Executor::builder()
///     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, Error>(n))
///     .in_memory();
/// let weak = executor.weak();
/// let run = weak.with(|executor| executor.start(ECHO, "one", 1))??;
/// assert_eq!(executor.block_on(run)?, 1);
/// drop(executor);
/// assert!(weak.with(|_| ()).is_err());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct WeakExecutor {
    shared: Weak<Shared>,
}

impl Executor {
    /// A handle that does not keep the executor alive, for bodies.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert!(executor.weak().with(|_| ()).is_ok());
    /// ```
    #[must_use]
    pub fn weak(&self) -> WeakExecutor {
        WeakExecutor { shared: Rc::downgrade(&self.shared) }
    }
}

impl WeakExecutor {
    /// Calls `call` with the executor, and gives what it returns.
    ///
    /// # Errors
    ///
    /// If the executor was dropped.
    pub fn with<R>(&self, call: impl FnOnce(&Executor) -> R) -> Result<R> {
        let gone = || Error::of(Kind::Closed, "the executor was dropped");
        let shared = self.shared.upgrade().ok_or_else(gone)?;
        Ok(call(&Executor { shared, is_owner: false }))
    }
}

impl fmt::Debug for WeakExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakExecutor").finish_non_exhaustive()
    }
}
