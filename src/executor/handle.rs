use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, OnceCell, RefCell};
use core::future::{Future, poll_fn};
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::codec::{self, Value};
use crate::error::{Error, Kind, Result};
use crate::record::Outcome;

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

/// A future that waits: when it is dropped its waker is.
struct Waiting {
    watch: Rc<Watch>,
    number: u64,
}

/// Where handles wait for a run.
#[derive(Default)]
pub(super) struct Watch {
    /// Whether the start is committed, or will never be.
    accepted: OnceCell<Result<()>>,
    ended: OnceCell<Result<Outcome<'static>>>,
    /// By the number of the future that waits.
    waiting: RefCell<BTreeMap<u64, Waker>>,
    next: Cell<u64>,
}

impl Watch {
    pub(super) fn accept(&self) {
        if self.accepted.set(Ok(())).is_ok() {
            self.wake();
        }
    }

    /// Ends the wait: with the recorded outcome, or with why there is none.
    pub(super) fn end(&self, ended: Result<Outcome<'static>>) {
        let _ = self.accepted.set(ended.as_ref().map(|_| ()).map_err(Error::clone));
        if self.ended.set(ended).is_ok() {
            self.wake();
        }
    }

    fn wake(&self) {
        self.waiting.take().into_values().for_each(Waker::wake);
    }
}

impl Waiting {
    fn new(watch: Rc<Watch>) -> Self {
        let number = watch.next.replace(watch.next.get() + 1);
        Self { watch, number }
    }

    fn poll<T: Clone>(&self, cell: fn(&Watch) -> &OnceCell<T>, cx: &Context<'_>) -> Poll<T> {
        if let Some(value) = cell(&self.watch).get() {
            return Poll::Ready(value.clone());
        }
        // Foreign wakers are cloned and dropped while nothing is borrowed.
        let waker = cx.waker().clone();
        let _before = self.watch.waiting.borrow_mut().insert(self.number, waker);
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _waker = self.watch.waiting.borrow_mut().remove(&self.number);
    }
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
        let waiting = Waiting::new(self.waiting.watch.clone());
        poll_fn(|cx| waiting.poll(|watch| &watch.accepted, cx)).await
    }
}

impl<O: Value> Future for Handle<O> {
    type Output = Result<O>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<O>> {
        self.waiting.poll(|watch| &watch.ended, cx).map(|ended| match ended? {
            Ok(bytes) => codec::decode(bytes.as_slice()).map_err(|why| {
                let (id, kind) = (&self.id, core::any::type_name::<O>());
                let message = format_args!(
                    "the output of run {id:?} does not decode as {kind}: {why}; attach to it \
                     with the output type of its workflow"
                );
                Error::of(Kind::Usage, message)
            }),
            Err(failure) => Err(failure.into()),
        })
    }
}
