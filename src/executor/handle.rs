use alloc::rc::Rc;
use core::future::{Future, poll_fn};
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::codec::{self, Value};
use crate::error::{Error, Kind, Result};
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
/// ([`Error::is_parked`]), with the reason; that its output has another type; that the store
/// failed ([`Error::is_store`]); or that the executor was dropped.
///
/// # Cancel safety
///
/// Dropping and attaching again loses nothing.
pub struct Handle<O> {
    id: Rc<str>,
    waiting: Waiting,
    output: PhantomData<fn() -> O>,
}

impl<O> Handle<O> {
    pub(super) fn new(id: Rc<str>, watch: Rc<Watch>) -> Self {
        Self { id, waiting: Waiting::new(watch), output: PhantomData }
    }

    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
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

impl<O: Value> Future for Handle<O> {
    type Output = Result<O>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<O>> {
        self.waiting.poll_ended(cx).map(|ended| match ended? {
            Ok(bytes) => decode_output(&self.id, bytes.as_slice()),
            Err(failure) => Err(failure.into()),
        })
    }
}

pub(crate) fn decode_output<O: Value>(id: &str, bytes: &[u8]) -> Result<O> {
    codec::decode(bytes).map_err(|why| {
        let kind = core::any::type_name::<O>();
        let message = format_args!(
            "the output of run {id:?} does not decode as {kind}: {why}; attach to it with the \
             output type of its workflow"
        );
        Error::of(Kind::Usage, message)
    })
}
