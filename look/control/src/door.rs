//! The executor behind a socket, which may be busy.

use std::future::Future;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dacapo::{Error, Executor, Remote};
use dacapo_inspect::{Source, wait};

use crate::answer::Head;
use crate::kept::Kept;
use crate::problem::{Code, Problem};

type Result<T, E = Error> = std::result::Result<T, E>;

/// How an executor is asked for something.
pub(crate) trait Ask {
    fn remote(&self) -> &Remote;

    /// What comes of something that was asked for.
    ///
    /// # Errors
    ///
    /// What came of it, or if the executor has stopped or blocks.
    fn done<R>(&self, asked: impl Future<Output = Result<R>>) -> Result<R, Problem>;

    /// What `call` gives, called on the executor's thread.
    ///
    /// # Errors
    ///
    /// Those of `call`, and of [`done`](Self::done).
    fn call<R: Send + 'static>(
        &self,
        call: impl FnOnce(&Executor) -> Result<R> + Send + 'static,
    ) -> Result<R, Problem> {
        self.done(async { self.remote().with(call).await? })
    }
}

/// The executor behind a socket.
#[derive(Debug)]
pub(crate) struct Door {
    remote: Remote,
    pub(crate) head: Head,
    /// When it answered last.
    answered: Mutex<Instant>,
    is_closed: AtomicBool,
    pub(crate) kept: Kept,
}

/// Whoever asks is told after so long that the executor is busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked for may take so long, once it answers.
const LONG: Duration = Duration::from_secs(30);

impl Door {
    pub(crate) fn new(remote: Remote, file: Option<String>) -> Self {
        let (answered, is_closed) = (Mutex::new(Instant::now()), AtomicBool::new(false));
        let kept = Kept::default();
        Self { remote, head: Head::of_this_process(file), answered, is_closed, kept }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source::remote(&self.remote)
    }

    /// Whether it answers at all.
    ///
    /// # Errors
    ///
    /// If it does not within 2 s, or has stopped.
    pub(crate) fn knock(&self) -> Result<(), Problem> {
        let answered = || self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        match wait(self.remote.with(|_| ()), PATIENCE) {
            Some(Ok(())) => {
                *answered() = Instant::now();
                Ok(())
            }
            Some(Err(why)) => Err(Problem::new(Code::InUse, why)),
            None => {
                let since = answered().elapsed().as_secs();
                let message = format_args!(
                    "the executor of process {} has not answered for {since} s: code of a step or a workflow \
                     blocks its thread (see Ctx::step_blocking), or nobody drives it",
                    self.head.process
                );
                Err(Problem::new(Code::InUse, message))
            }
        }
    }

    /// From now on nobody is followed.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }
}

impl Ask for Door {
    fn remote(&self) -> &Remote {
        &self.remote
    }

    fn done<R>(&self, asked: impl Future<Output = Result<R>>) -> Result<R, Problem> {
        let late = || Problem::new(Code::InUse, format_args!("it was not done within {LONG:?}"));
        wait(asked, LONG).ok_or_else(late)?.map_err(Problem::from)
    }
}

/// An executor on its own thread, which is driven while something is asked of it.
pub(crate) struct Here<'a> {
    executor: &'a Executor,
    remote: Remote,
}

impl<'a> Here<'a> {
    pub(crate) fn new(executor: &'a Executor) -> Self {
        Self { executor, remote: executor.remote() }
    }
}

impl Ask for Here<'_> {
    fn remote(&self) -> &Remote {
        &self.remote
    }

    fn done<R>(&self, asked: impl Future<Output = Result<R>>) -> Result<R, Problem> {
        self.executor.block_on(asked).map_err(Problem::from)
    }
}
