//! The executor behind a socket, which may be busy.

use std::fmt;
use std::fs;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dacapo::{Beat, Doing, Error, Executor, Heartbeat, Remote};
use dacapo_inspect::{Source, Statistics, wait};

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
    heartbeat: Heartbeat,
    /// Whether it runs the code of workflows for whoever looks.
    rehearses: bool,
    pub(crate) head: Head,
    is_closed: AtomicBool,
    pub(crate) kept: Kept,
}

/// Whoever asks is told after so long that the executor is busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked for may take so long, once it answers.
const LONG: Duration = Duration::from_secs(30);

impl Door {
    pub(crate) fn new(executor: &Executor, file: Option<String>, rehearses: bool) -> Self {
        Self {
            remote: executor.remote(),
            heartbeat: executor.heartbeat(),
            rehearses,
            head: Head::of_this_process(file),
            is_closed: AtomicBool::new(false),
            kept: Kept::default(),
        }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        let source = Source::remote(&self.remote);
        if self.rehearses { source } else { source.without_rehearsals() }
    }

    /// Whether it answers at all.
    ///
    /// # Errors
    ///
    /// If it does not within 2 s, or has stopped.
    pub(crate) fn knock(&self) -> Result<(), Problem> {
        self.answers()?.map_err(|beat| Problem::new(Code::InUse, Blocked(&self.head, &beat)))
    }

    /// The store in numbers; if it does not answer, what is known without it.
    ///
    /// # Errors
    ///
    /// If it has stopped, or the store failed.
    pub(crate) fn statistics(&self) -> Result<Statistics, Problem> {
        let file = self.head.file.as_ref();
        let bytes = || file.and_then(|file| fs::metadata(file).ok()).map(|file| file.len());
        match self.answers()? {
            Ok(()) => Ok(self.source().statistics()?),
            Err(beat) => Ok(Statistics::of_busy(&beat, bytes())),
        }
    }

    /// Whether it answers; if it does not, what it does.
    fn answers(&self) -> Result<Result<(), Beat>, Problem> {
        match wait(self.remote.with(|_| ()), PATIENCE) {
            Some(Ok(())) => Ok(Ok(())),
            Some(Err(why)) => Err(Problem::new(Code::InUse, why)),
            None => Ok(Err(self.heartbeat.read())),
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

/// An executor that does not answer: what it does instead, and what to do about that.
struct Blocked<'a>(&'a Head, &'a Beat);

impl fmt::Display for Blocked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Head { process, .. }, Beat { doing, lasts, .. }) = self;
        let seconds = lasts.as_secs();
        write!(f, "the executor of process {process} does not answer: it {doing}, ")?;
        match doing {
            Doing::NotDriven => {
                write!(f, "for {seconds} s: its program awaits nothing in block_on or run")
            }
            Doing::Waiting => write!(f, "for {seconds} s: something else blocks that runtime"),
            doing => {
                write!(f, "in a turn that began {seconds} s ago: ")?;
                f.write_str(match doing {
                    Doing::Body { .. } => "what blocks belongs into Ctx::step_blocking",
                    Doing::Workflow { .. } => "what takes long, or blocks, belongs into a step",
                    Doing::Main => "it may not block",
                    Doing::Calls | Doing::Compaction => "ask again",
                    _ => "its disk is slow, or its observer blocks",
                })
            }
        }?;
        f.write_str("; what is known of it says \"dacapo stats\"")
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
