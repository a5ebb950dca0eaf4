//! An executor that is stopped in order.

use core::time::Duration;

use futures::channel::oneshot;

use super::{Executor, admit};
use crate::engine::Stopped;
use crate::error::Result;

impl Executor {
    /// Stops in order, so that nothing is repeated which need not be: what a service does when it is
    /// told to end.
    ///
    /// From its first poll on no body, attempt or timer begins, and calls of other threads are
    /// refused. Attempts that are under way have `grace` to end; what comes of them is committed and
    /// delivered, with whatever their runs ask for then. It is ready when none is left, or `grace` is
    /// over: then the file is put in order for a quick start, and says that this end was one. What was
    /// dropped is begun again by the next executor, and **is not counted as an attempt**, as it is
    /// after a crash. Steps that [run at most once](crate::Step::at_most_once) and had begun are
    /// interrupted all the same.
    ///
    /// After that the executor has stopped: handles and calls end with an error that
    /// [`is_closed`](crate::Error::is_closed). Drop it to close the file. If it is called again
    /// meanwhile, the shorter grace counts for all; zero ends at once. Runs may still be started
    /// during the grace, by the bodies that are under way: their first bodies begin in the next
    /// process. A body that asks for this by a [`Remote`](crate::Remote) and awaits it is waited for itself, until the
    /// grace is over.
    ///
    /// # Errors
    ///
    /// If the store failed, before or now. What was not committed is done again then, as after a
    /// crash.
    ///
    /// # Cancel safety
    ///
    /// Once it was polled the executor stops, whether or not it is polled again.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    /// use std::time::Duration;
    ///
    /// use dacapo::{Attempt, Ctx, Error, Executor, Result, Workflow};
    ///
    /// const MAIL: Workflow<(), u32> = Workflow::new("mail");
    /// static SERVER_ANSWERS: AtomicBool = AtomicBool::new(false);
    ///
    /// async fn mail(ctx: &Ctx, (): ()) -> Result<u32> {
    ///     let body = async |attempt: Attempt| {
    ///         if !SERVER_ANSWERS.load(Relaxed) {
    ///             std::future::pending::<()>().await;
    ///         }
    ///         Ok::<_, Error>(attempt.number())
    ///     };
    ///     ctx.step_with("mail", body).await
    /// }
    ///
    /// # let path = std::env::temp_dir().join(format!("dacapo-shut-{}.redb", std::process::id()));
    /// let executor = Executor::builder().workflow(MAIL, mail).open(&path)?;
    /// let run = executor.start(MAIL, "mail-1", ())?;
    /// executor.block_on(run.accepted())?;
    /// executor.block_on(executor.shutdown(Duration::from_millis(5)))?;
    /// assert!(executor.block_on(run).unwrap_err().is_closed());
    /// drop(executor);
    ///
    /// SERVER_ANSWERS.store(true, Relaxed);
    /// let executor = Executor::builder().workflow(MAIL, mail).open(&path)?;
    /// let run = executor.attach(MAIL, "mail-1")?;
    /// assert_eq!(executor.block_on(run)?, 1, "the first attempt, again");
    /// # drop(executor);
    /// # std::fs::remove_file(path).expect("it was created");
    /// # Ok::<(), Error>(())
    /// ```
    pub async fn shutdown(&self, grace: Duration) -> Result<()> {
        admit(&self.shared.engine, format_args!("the executor cannot be shut down"))?;
        let (teller, told) = oneshot::channel();
        self.begin_shutdown(grace, teller);
        told.await.map_or_else(|_| self.shared.engine.check(), Stopped::into_result)
    }

    /// The same, begun at once; `teller` tells of the end.
    pub(crate) fn begin_shutdown(&self, grace: Duration, teller: oneshot::Sender<Stopped>) {
        // What was asked for before it is done before it.
        self.carry_out_commands();
        self.shared.commands.close();
        self.shared.engine.shut_down(grace);
        self.shared.engine.tell_when_stopped(teller);
    }
}
