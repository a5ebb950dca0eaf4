//! An executor as other threads and other runtimes reach it.

mod asking;
mod calls;
mod file;
mod follow;
#[cfg(feature = "std")]
mod handle;
mod held;
mod queued;
mod schedules;
mod sending;
mod tables;
#[cfg(feature = "redb")]
mod thread;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;

use dacapo_values::Detached;
use futures::channel::oneshot;

pub use asking::RemoteAsking;
#[cfg(feature = "std")]
pub use handle::RemoteHandle;
pub use sending::Sending;
#[cfg(feature = "redb")]
pub use thread::{Spawned, spawn};

use crate::error::{Error, Kind, Result};
use crate::executor::{Command, Executor};
use crate::mailbox::Mailbox;
use crate::panics;
use crate::watch::{Far, Watch};

/// A handle of an [`Executor`] for other threads and other runtimes; made by
/// [`Executor::remote`].
///
/// Whatever an executor can do can be asked for here, from any number of clones. The futures are
/// `Send` and run on any runtime. What is asked for is carried out on the executor's thread, in the
/// order in which it was asked, before the next commit is gathered: so only while the executor is
/// driven. No thread waits for another.
///
/// Workflow code that awaits such a future is parked: it waits for something that its history does
/// not know. Bodies may.
///
/// # Errors
///
/// All futures end with an error when the executor is dropped or shut down ([`Error::is_closed`]),
/// and with that of the store when it failed. [`failed`](Self::failed) is ready then, too.
///
/// # Cancel safety
///
/// Dropping one of the futures loses its answer, and nothing else: what was asked for is done all
/// the same, once the future was polled.
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
///     let answer = futures::executor::block_on(async {
///         let run = remote.start(ECHO, "one", 1);
///         run.accepted().await?; // From here on no crash can undo it.
///         run.await
///     });
///     done.send(answer).expect("somebody waits");
/// });
/// assert_eq!(executor.block_on(is_done).expect("it is sent")?, 1);
/// other.join().expect("it does not panic");
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
        Remote { mailbox: self.commands().clone() }
    }
}

impl Remote {
    /// Calls `call` with the executor, on its thread, and gives what it returns.
    ///
    /// It is posted when the future is first polled, and takes its turn between two rounds: `call`
    /// must not block.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let known = executor.remote().with(|executor| executor.parked().map(|runs| runs.len()));
    /// assert_eq!(executor.block_on(known)??, 0);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If `call` panics ([`Error::is_panic`]); if the executor is gone, or goes before the turn of
    /// the call comes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future after its first poll loses what `call` returns; it is called all the
    /// same.
    pub fn with<R: Send + 'static, C: FnOnce(&Executor) -> R + Send + 'static>(
        &self,
        call: C,
    ) -> impl Future<Output = Result<R>> + Send + use<R, C> {
        let mailbox = self.mailbox.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            mailbox.post(Box::new(move |executor| {
                let called = panics::catch(|| call(executor));
                let called = called.map_err(|message| {
                    Error::of(Kind::Panicked, format_args!("the call panicked: {message}"))
                });
                // Whoever asked may be gone, and its answer is dropped here then.
                let _ = panics::catch(|| drop(answer.send(called)));
            }));
            answered.await.map_err(|_| gone())?
        }
    }

    /// Ready, with the reason, when the executor has stopped: the store failed, or it was shut down
    /// or dropped. A service that cannot do without its runs ends then.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow, store::MemoryStore};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let store = MemoryStore::new();
    /// store.fail_after(0); // As a disk that is full.
    /// let executor = Executor::builder().workflow(ECHO, echo).open_with(store)?;
    /// let remote = executor.remote();
    /// let run = remote.start(ECHO, "one", 1);
    /// let why = executor.block_on(remote.failed());
    /// assert!(why.is_store());
    /// assert!(executor.block_on(run).unwrap_err().is_store());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn failed(&self) -> impl Future<Output = Error> + Send + use<> {
        let mailbox = self.mailbox.clone();
        async move {
            let (teller, told) = oneshot::channel();
            mailbox.post(Box::new(move |executor| executor.tell_when_stopped(teller)));
            told.await.map_or_else(|_| gone(), |stopped| stopped.why)
        }
    }

    /// What may fail, called on the executor's thread.
    fn call<R: Send + 'static, C: FnOnce(&Executor) -> Result<R> + Send + 'static>(
        &self,
        call: C,
    ) -> impl Future<Output = Result<R>> + Send + use<R, C> {
        let called = self.with(call);
        async move { called.await? }
    }

    /// Ready when what earlier calls had the next commit do is committed.
    ///
    /// # Errors
    ///
    /// Why the executor has stopped: then it is not.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let remote = executor.remote();
    /// let asked = async {
    ///     remote.with(|executor| executor.resume_all(dacapo::ParkReason::Panicked)).await??;
    ///     remote.committed().await
    /// };
    /// assert_eq!(executor.block_on(asked), Ok(()));
    /// ```
    pub fn committed(&self) -> impl Future<Output = Result<()>> + Send + use<> {
        // It is carried out a turn later, behind the commit.
        self.call(Executor::check)
    }

    /// Something is asked for, and ready when it is committed: `post` gives where to wait for that.
    fn post<P: FnOnce(&Executor) -> Result<Rc<Watch>> + Send + 'static>(
        &self,
        post: P,
    ) -> impl Future<Output = Result<()>> + Send + use<P> {
        let remote = self.clone();
        async move {
            let (teller, accepted) = oneshot::channel();
            remote.watch(post, Far { accepted: Some(teller), ended: None });
            accepted.await.map_err(|_| gone())?
        }
    }

    /// A question is asked, and its answer is ready when it is committed: `post` gives where to wait.
    fn answer<P: FnOnce(&Executor) -> Result<Rc<Watch>> + Send + 'static>(
        &self,
        post: P,
    ) -> impl Future<Output = Result<Detached>> + Send + use<P> {
        let remote = self.clone();
        async move {
            let (teller, told) = oneshot::channel();
            remote.watch(post, Far { accepted: None, ended: Some(teller) });
            Ok(told.await.map_err(|_| gone())???)
        }
    }

    /// Has `find` called on the executor's thread, and `far` told what becomes of that.
    fn watch(&self, find: impl FnOnce(&Executor) -> Result<Rc<Watch>> + Send + 'static, far: Far) {
        self.mailbox.post(Box::new(move |executor| {
            // What is handed over is encoded there, by code of its type.
            let found = panics::catch(|| find(executor)).unwrap_or_else(|message| {
                Err(Error::of(Kind::Panicked, format_args!("the call panicked: {message}")))
            });
            match found {
                Ok(watch) => watch.tell_far(far, executor.values()),
                Err(why) => far.refuse(&why),
            }
        }));
    }
}

/// What those are told whose question nobody is there to answer.
fn gone() -> Error {
    Error::of(Kind::Closed, "the executor has stopped, and takes no more calls")
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}
