use alloc::borrow::ToOwned;
use core::fmt;
use core::time::Duration;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use dacapo_executor::race;
use futures::StreamExt;
use futures::channel::{mpsc as futures_mpsc, oneshot};

use super::{Remote, gone};
use crate::error::{Error, Result};
use crate::executor::{Builder, Executor};

/// Gives an executor a thread of its own, and opens the file at `path` there: for services whose
/// other threads have better things to do.
///
/// `build` is called on that thread, so what workflows and bodies share need not be `Send`. This
/// returns when the file is open and every unfinished run in it is replayed. From then on the thread
/// drives the executor, until [`shutdown`](Spawned::shutdown) or the drop of what is given here.
///
/// # Errors
///
/// Those of [`Builder::open`]; or if the system has no thread left.
///
/// # Panics
///
/// If `build` does.
///
/// ```
/// use std::time::Duration;
///
/// use dacapo::{Builder, Ctx, Error, Executor, Result, Workflow};
///
/// const ECHO: Workflow<u8, u8> = Workflow::new("echo");
///
/// fn build() -> Builder {
///     Executor::builder().workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, Error>(n))
/// }
///
/// # let path = std::env::temp_dir().join(format!("dacapo-spawn-{}.redb", std::process::id()));
/// let executor = dacapo::spawn(build, &path)?;
/// let remote = executor.remote();
/// // Any runtime, and any number of threads.
/// let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// runtime.block_on(async {
///     let run = remote.start(ECHO, "one", 1);
///     run.accepted().await?;
///     assert_eq!(run.await?, 1);
///     executor.shutdown(Duration::from_secs(10)).await
/// })?;
/// # std::fs::remove_file(path).expect("it was created");
/// # Ok::<(), Error>(())
/// ```
pub fn spawn(
    build: impl FnOnce() -> Builder + Send + 'static,
    path: impl AsRef<Path>,
) -> Result<Spawned> {
    let path = path.as_ref().to_owned();
    let (open, opened) = mpsc::channel();
    let (end, ended) = oneshot::channel();
    let (stop, stopped) = futures_mpsc::unbounded();
    let drive = move || {
        let executor = match build().open(path) {
            Ok(executor) => executor,
            // Whoever called `spawn` waits for it.
            Err(why) => return drop(open.send(Err(why))),
        };
        let _ = open.send(Ok(executor.remote()));
        let end_in_order = executor.block_on(until_stopped(&executor, stopped));
        // The file is closed before anybody is told that it is.
        drop(executor);
        let _ = end.send(end_in_order);
    };
    let thread = thread::Builder::new().name("dacapo".into()).spawn(drive);
    let thread = thread.map_err(|why| Error::new(format_args!("no thread to be had: {why}")))?;
    match opened.recv() {
        Ok(opened) => opened.map(|remote| Spawned { remote, stop, ended, thread: Some(thread) }),
        Err(_) => resume_unwind(thread.join().expect_err("it ended before it sent anything")),
    }
}

/// What the thread's main future does: waits for the end, and makes it one in order if that is
/// wanted.
async fn until_stopped(
    executor: &Executor,
    mut stopped: futures_mpsc::UnboundedReceiver<Duration>,
) -> Result<()> {
    match stopped.next().await {
        Some(grace) => {
            // Nobody waits for it any more, and that is the end.
            let cut_off = async {
                stopped.next().await;
                Err(gone())
            };
            race(executor.shutdown(grace), cut_off).await
        }
        None => Ok(()),
    }
}

/// An executor on a thread of its own; see [`spawn`].
///
/// Dropping it is what dropping an [`Executor`] is: the executor stops where it is and the file is
/// closed, before the drop returns; what was under way counts as interrupted, and all who wait are
/// told. It waits for the poll of a body that is under way. To end in order, call
/// [`shutdown`](Self::shutdown); to let it run as long as the process, keep it in `main`.
#[must_use = "dropping it stops the executor"]
pub struct Spawned {
    remote: Remote,
    /// Sends the grace. Closed, it is the end without one.
    stop: futures_mpsc::UnboundedSender<Duration>,
    ended: oneshot::Receiver<Result<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Spawned {
    /// A handle of the executor, for any thread.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("dacapo-far-{}.redb", std::process::id()));
    /// let executor = dacapo::spawn(dacapo::Executor::builder, &path)?;
    /// let parked = futures::executor::block_on(executor.remote().parked())?;
    /// assert!(parked.is_empty());
    /// # drop(executor);
    /// # std::fs::remove_file(path).expect("it was created");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[must_use]
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Stops the executor in order, as [`Executor::shutdown`] does. When it is ready the file is
    /// closed, and the thread has ended.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Once it was polled the executor has been told. Dropping it then cuts the grace off: the
    /// executor stops where it is.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let path = std::env::temp_dir().join(format!("dacapo-end-{}.redb", std::process::id()));
    /// let executor = dacapo::spawn(dacapo::Executor::builder, &path)?;
    /// futures::executor::block_on(executor.shutdown(Duration::from_secs(10)))?;
    /// # std::fs::remove_file(path).expect("it was created");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub async fn shutdown(mut self, grace: Duration) -> Result<()> {
        // If the thread is gone, so is the other end of `ended`.
        let _ = self.stop.unbounded_send(grace);
        (&mut self.ended).await.map_err(|_| gone())?
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        self.stop.close_channel();
        let thread = self.thread.take().expect("it is dropped once");
        // On the executor's own thread, in a call or a body, it ends when that returns.
        if thread.thread().id() != thread::current().id() {
            // It has said why it panicked, if it did.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").finish_non_exhaustive()
    }
}
