use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::future::{Future, poll_fn};
use core::marker::PhantomData;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::Ctx;
use super::awaited::Awaited;
use crate::error::{Error, Result};
use crate::fault::ParkReason;
use crate::message::{Birth, Outgoing, Parcel};
use crate::name::Workflow;
use crate::operation::{Effort, Operation};
use crate::record::Asked;
use crate::start::Start;
use crate::values::Value;

/// A run that this one starts and waits for, made by [`Ctx::child`].
///
/// # Errors
///
/// What the child's workflow returned, with the child before it, as in
/// `child 3 "ship" [order-7/3] failed: sold out`; an error of which
/// [`is_cancelled`](crate::Error::is_cancelled) is true if it was cancelled, terminated or deleted; that
/// there is a run with its id already. What the predicates say and the causes are those of the child's
/// error.
///
/// # Cancel safety
///
/// A child that was started is asked to end when this is dropped, as by
/// [`Executor::cancel`](crate::Executor::cancel). [`detach`](Self::detach) lets it go on. When the run
/// that started it ends, it is asked to end, too.
#[must_use = "a child is not started unless it is awaited or detached"]
pub struct Child<O> {
    awaited: Awaited,
    /// For `run_id`, which lends it.
    id: Rc<str>,
    output: PhantomData<fn() -> O>,
}

impl Ctx {
    /// Starts another run, and waits for its end.
    ///
    /// It is started by the commit that follows the first poll, once, whatever happens to this process.
    /// It goes on by itself, with a history of its own, and may be attached to by its
    /// [id](Child::run_id): that of this run and the number of the operation, `order-7/3`, or one of
    /// your own ([`Child::id`]). Its end and that this run knows of it are one commit. If its workflow is not registered in
    /// this build it waits for one in which it is.
    ///
    /// An output of another type than `O` parks this run.
    ///
    /// ```
    /// use dacapo::{Ctx, Executor, Result, Workflow};
    ///
    /// const ORDER: Workflow<String, String> = Workflow::new("order");
    /// const SHIPMENT: Workflow<String, String> = Workflow::new("shipment");
    ///
    /// async fn order(ctx: &Ctx, sku: String) -> Result<String> {
    ///     let tracking = ctx.child(SHIPMENT, sku).await?;
    ///     Ok(format!("shipped as {tracking}"))
    /// }
    ///
    /// async fn ship(ctx: &Ctx, sku: String) -> Result<String> {
    ///     ctx.step("hand over", async move || Ok::<_, dacapo::Error>(format!("{sku}-1"))).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(ORDER, order).workflow(SHIPMENT, ship).in_memory();
    /// let run = executor.start(ORDER, "order-7", "tea".into())?;
    /// assert_eq!(executor.block_on(run)?, "shipped as tea-1");
    /// let shipment = executor.attach(SHIPMENT, "order-7/1")?;
    /// assert_eq!(executor.block_on(shipment)?, "tea-1");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[track_caller]
    pub fn child<I: Value, O: Value>(&self, workflow: Workflow<I, O>, input: I) -> Child<O> {
        self.child_with(workflow, input, Start::new())
    }

    /// The same with options. Its deadline is the earlier one of its own and that of this run.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dacapo::{Ctx, Executor, Result, Start, Workflow};
    /// # const PARENT: Workflow<(), bool> = Workflow::new("parent");
    /// # const NAP: Workflow<u64, ()> = Workflow::new("nap");
    /// async fn parent(ctx: &Ctx, (): ()) -> Result<bool> {
    ///     let soon = Start::new().timeout(Duration::from_millis(20));
    ///     let nap = ctx.child_with(NAP, 3600, soon).await;
    ///     Ok(nap.is_err_and(|error| error.is_cancelled()))
    /// }
    ///
    /// async fn nap(ctx: &Ctx, seconds: u64) -> Result<()> {
    ///     ctx.sleep(Duration::from_secs(seconds)).await;
    ///     Ok(())
    /// }
    ///
    /// let executor = Executor::builder().workflow(PARENT, parent).workflow(NAP, nap).in_memory();
    /// assert!(executor.block_on(executor.start(PARENT, "parent-1", ())?)?);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[track_caller]
    pub fn child_with<I: Value, O: Value>(
        &self,
        workflow: Workflow<I, O>,
        input: I,
        options: Start,
    ) -> Child<O> {
        self.build_child(Location::caller(), workflow, input, options)
    }

    /// The same at this place.
    pub(super) fn build_child<I: Value, O: Value>(
        &self,
        place: &'static Location<'static>,
        workflow: Workflow<I, O>,
        input: I,
        options: Start,
    ) -> Child<O> {
        let number = self.take_number_at(place);
        let workflow = workflow.name();
        let operation = Operation::new(number, Asked::Child { workflow }, Effort::Nothing);
        let pass = match self.pass() {
            1 => String::new(),
            pass => format!("{pass}:"),
        };
        let id: Rc<str> = format!("{}/{pass}{number}", self.id()).into();
        let parcel = match self.values().encode(&input) {
            Ok(input) => {
                Parcel::Child(Box::new(Birth { workflow, input, options: options.later() }))
            }
            Err(why) => {
                let kind = core::any::type_name::<I>();
                let message =
                    format!("the input of {operation}, a {kind}, cannot be recorded: {why}");
                Parcel::Refused(Error::new(message).permanent())
            }
        };
        operation.set_outgoing(Outgoing::new(id.clone(), parcel));
        let awaited = Awaited::new(Rc::clone(&self.instance), operation);
        Child { awaited, id, output: PhantomData }
    }
}

impl<O> Child<O> {
    /// Gives the child an id of your own. If there is a run with it, the child is not started, and
    /// awaiting it gives an error.
    ///
    /// # Panics
    ///
    /// Panics if it was polled.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.awaited.assert_unpolled("the id");
        self.id = id.into().into();
        self.awaited.operation.change_outgoing(|outgoing| outgoing.to = self.id.clone());
        self
    }

    /// The id of the child's run.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.id
    }

    /// Waits until the child is started: from then on messages reach it. The first poll asks for it.
    ///
    /// # Errors
    ///
    /// If it was not: there is a run with its id.
    ///
    /// ```
    /// # use dacapo::{Channel, Ctx, Executor, Result, Workflow};
    /// # const PARENT: Workflow<(), u8> = Workflow::new("parent");
    /// # const ECHO: Workflow<(), u8> = Workflow::new("echo");
    /// # const WORD: Channel<u8> = Channel::new("word");
    /// async fn parent(ctx: &Ctx, (): ()) -> Result<u8> {
    ///     let mut echo = ctx.child(ECHO, ());
    ///     echo.started().await?;
    ///     ctx.send(echo.run_id(), WORD, 7).await?;
    ///     echo.await
    /// }
    ///
    /// let executor = Executor::builder()
    ///     .workflow(PARENT, parent)
    ///     .workflow(ECHO, async |ctx: &Ctx, ()| Ok::<_, dacapo::Error>(ctx.receive(WORD).await))
    ///     .in_memory();
    /// assert_eq!(executor.block_on(executor.start(PARENT, "parent-1", ())?)?, 7);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub async fn started(&mut self) -> Result<()> {
        let Awaited { instance, operation } = &self.awaited;
        poll_fn(|cx| instance.poll_started(operation, cx)).await;
        match operation.outcome() {
            Some(Err(failure)) if !operation.has_begun() => Err(Error::from(failure.clone())),
            _ => Ok(()),
        }
    }

    /// Lets the child go: it goes on by itself, and nobody waits for it. It is started if it was not,
    /// by the commit that follows, and inherits no deadline then; nothing happens if there is a run with
    /// its id.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const PARENT: Workflow<(), ()> = Workflow::new("parent");
    /// # const REPORT: Workflow<String, String> = Workflow::new("report");
    /// async fn parent(ctx: &Ctx, (): ()) -> Result<()> {
    ///     ctx.child(REPORT, ctx.id().to_owned()).id("report-1").detach();
    ///     Ok(())
    /// }
    ///
    /// let executor = Executor::builder()
    ///     .workflow(PARENT, parent)
    ///     .workflow(REPORT, async |_: &Ctx, of: String| Ok::<_, dacapo::Error>(of))
    ///     .in_memory();
    /// executor.block_on(executor.start(PARENT, "parent-1", ())?)?;
    /// assert_eq!(executor.block_on(executor.attach(REPORT, "report-1")?)?, "parent-1");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[track_caller]
    pub fn detach(self) {
        self.awaited.note_mark();
        self.awaited.instance.detach_child(&self.awaited.operation);
    }

    /// What is told of its end: which child it was is not in the error that it ended with. That it was not
    /// started says so itself.
    fn failed(&self, error: Error) -> Error {
        let (operation, id) = (&self.awaited.operation, &self.id);
        match (operation.has_begun(), error.is_cancelled()) {
            (false, _) => error,
            (true, true) => error.wrap(format_args!("{operation} [{id}]")),
            (true, false) => error.wrap(format_args!("{operation} [{id}] failed")),
        }
    }
}

impl<O: Value> Future for Child<O> {
    type Output = Result<O>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<O>> {
        ready!(self.awaited.poll(cx));
        let Awaited { instance, operation } = &self.awaited;
        let bytes = match operation.outcome() {
            Some(Ok(bytes)) => bytes,
            Some(Err(failure)) => {
                return Poll::Ready(Err(self.failed(Error::from(failure.clone()))));
            }
            None => unreachable!("children are delivered with their outcome"),
        };
        match instance.world.values.decode(bytes.as_slice()) {
            Ok(output) => Poll::Ready(Ok(output)),
            Err(why) => {
                let (id, kind) = (self.id.to_string(), core::any::type_name::<O>());
                let detail = format_args!(
                    "the output of {operation}, run {id:?}, does not decode as {kind}: {why}"
                );
                instance.fail_at(operation.number, ParkReason::of_unread(&why), detail);
                Poll::Pending
            }
        }
    }
}
