use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;

use futures::channel::oneshot;

use super::{Command, Executor};
use crate::error::{Error, Kind, Result};
use crate::mailbox::Mailbox;

/// A handle of an [`Executor`] for other threads and other runtimes; made by
/// [`Executor::remote`].
///
/// Commands are carried out on the executor's thread in the order in which they were given, between
/// two rounds, so only while it is driven.
///
/// ```
/// use dacapo::{Ctx, Error, Executor, Result, Workflow};
///
/// const ECHO: Workflow<u8, u8> = Workflow::new("echo");
///
/// let executor = Executor::builder()
///     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, Error>(n))
///     .in_memory();
/// let remote = executor.remote();
/// let (done, is_done) = futures::channel::oneshot::channel();
/// let other = std::thread::spawn(move || {
///     let started = remote.with(|executor| executor.start(ECHO, "one", 1).map(drop));
///     done.send(futures::executor::block_on(started)).expect("somebody waits");
/// });
/// executor.block_on(is_done).expect("it is sent")??;
/// other.join().expect("it does not panic");
/// assert_eq!(executor.block_on(executor.attach(ECHO, "one")?)?, 1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Remote {
    mailbox: Arc<Mailbox<Command>>,
}

impl Executor {
    /// A handle for other threads and other runtimes.
    ///
    /// ```
    /// fn handle<T: Send + Sync + Clone>(_: &T) {}
    /// handle(&dacapo::Executor::builder().in_memory().remote());
    /// ```
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote { mailbox: self.shared.commands.clone() }
    }
}

impl Remote {
    /// Calls `call` with the executor, on its thread, and gives what it returns.
    ///
    /// It is posted when the future is first polled, and takes its turn between two rounds: `call`
    /// must not block. A panic in it leaves the executor's loop.
    ///
    /// # Errors
    ///
    /// If the executor is gone, or goes before the turn of the call comes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future after its first poll loses what `call` returns; it is called all the
    /// same.
    pub fn with<R: Send + 'static>(
        &self,
        call: impl FnOnce(&Executor) -> R + Send + 'static,
    ) -> impl Future<Output = Result<R>> + Send + 'static {
        let mailbox = self.mailbox.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            mailbox.post(Box::new(move |executor| {
                // Whoever asked may be gone.
                let _ = answer.send(call(executor));
            }));
            answered.await.map_err(|_| Error::of(Kind::Closed, "the executor is gone"))
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}
