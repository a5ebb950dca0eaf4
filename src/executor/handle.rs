use alloc::rc::Rc;
use alloc::sync::Arc;
use core::fmt;
use core::future::{Future, poll_fn};
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::unread::unread;
use crate::error::Result;
use crate::values::{Value, Values};
use crate::watch::{Waiting, Watch};

/// A run to wait for: a future of its result.
///
/// It is given by [`Executor::start`](crate::Executor::start) and
/// [`Executor::attach`](crate::Executor::attach); any number of them may wait for one run. Runs move
/// only while their executor is driven: await a handle in the main future of
/// [`block_on`](crate::Executor::block_on) or [`run`](crate::Executor::run), or beside it.
/// Dropping it changes nothing for the run.
///
/// # Errors
///
/// The error that the workflow returned; or one that says that the run is parked
/// ([`Error::is_parked`](crate::Error::is_parked)), with the reason; that its output has another type; that the store
/// failed ([`Error::is_store`](crate::Error::is_store)); or that the executor was dropped.
///
/// # Cancel safety
///
/// Dropping and attaching again loses nothing.
#[must_use = "a start is certain when its commit is: await the handle, or its `accepted`, or drop it"]
pub struct Handle<O> {
    id: Arc<str>,
    waiting: Waiting,
    is_new: bool,
    values: Rc<Values>,
    output: PhantomData<fn() -> O>,
}

impl<O> Handle<O> {
    pub(super) fn new(id: Arc<str>, watch: Rc<Watch>, values: Rc<Values>) -> Self {
        let waiting = Waiting::new(watch);
        Self { id, waiting, is_new: false, values, output: PhantomData }
    }

    /// The same of a run that the call has started.
    pub(super) fn started(self) -> Self {
        Self { is_new: true, ..self }
    }

    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the call that gave this handle started the run. If not the run was there before, and the
    /// input of the call was ignored.
    ///
    /// It says so at once, before the start is [`accepted`](Self::accepted).
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder()
    ///     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, dacapo::Error>(n))
    ///     .in_memory();
    /// assert!(executor.start(ECHO, "one", 1)?.is_new());
    /// assert!(!executor.start(ECHO, "one", 2)?.is_new());
    /// assert!(!executor.attach(ECHO, "one")?.is_new());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Waits until the start of the run is committed: from then on no crash can undo it.
    ///
    /// A service that tells its client "accepted" awaits this first.
    ///
    /// # Errors
    ///
    /// If the store refused the commit, or the executor was dropped.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const NOOP: Workflow<(), ()> = Workflow::new("noop");
    /// # let noop = async |_: &Ctx, ()| Ok::<_, dacapo::Error>(());
    /// let executor = Executor::builder().workflow(NOOP, noop).in_memory();
    /// let run = executor.start(NOOP, "noop-1", ())?;
    /// executor.block_on(run.accepted())?;
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub async fn accepted(&self) -> Result<()> {
        let waiting = self.waiting.again();
        poll_fn(|cx| waiting.poll_accepted(cx)).await
    }
}

impl<O> fmt::Debug for Handle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, is_new, .. } = self;
        f.debug_struct("Handle").field("id", id).field("is_new", is_new).finish_non_exhaustive()
    }
}

impl<O: Value> Future for Handle<O> {
    type Output = Result<O>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<O>> {
        self.waiting.poll_ended(cx).map(|ended| match ended? {
            Ok(bytes) => unread_output(&self.id, self.values.decode(bytes.as_slice())),
            Err(failure) => Err(failure.into()),
        })
    }
}

/// The output of a run that was read, or why it cannot be.
pub(crate) fn unread_output<O: Value>(
    id: &str,
    read: Result<O, dacapo_values::Error>,
) -> Result<O> {
    read.map_err(|why| {
        let kind = core::any::type_name::<O>();
        unread(&why, format_args!("the output of run {id:?} does not decode as {kind}"))
    })
}
