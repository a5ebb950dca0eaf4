use alloc::rc::Rc;
use core::future::Future;
use core::marker::PhantomData;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::Ctx;
use crate::error::{Error, Kind, Result};
use crate::fault::ParkReason;
use crate::instance::Instance;
use crate::name::Workflow;
use crate::record::Outcome;
use crate::values::Value;

/// The end of a pass, made by [`Ctx::again`]; never ready.
#[must_use = "the pass goes on unless it is awaited"]
pub struct Again<O> {
    instance: Rc<Instance>,
    workflow: &'static str,
    input: Option<Outcome<'static>>,
    output: PhantomData<fn() -> O>,
}

impl Ctx {
    /// Ends this pass of the run, and begins the next one with another input: for runs that never end,
    /// so that their histories do.
    ///
    /// The pass ends at the first poll of the future, in whichever task that is: all tasks are dropped,
    /// and bodies with them. In the next commit the run begins anew, under the same id, with a history of
    /// its own. It takes over: whoever waits for its end, and the run that started it; messages that
    /// nobody has taken, in their order; the keys of those that were (for a day, see
    /// [`Builder::keep_keys`](crate::Builder::keep_keys)); deadline and attributes; that it was asked to
    /// end. Its children are asked to end, as when a run ends: detach those that shall go on.
    ///
    /// `workflow` is the run's own; another one parks the run. A run whose passes await nothing is
    /// parked after a hundred of them.
    ///
    /// If the input cannot be recorded the run ends as failed.
    ///
    /// ```
    /// use dacapo::{Channel, Ctx, Executor, Result, Workflow};
    ///
    /// const COUNT: Workflow<u64, u64> = Workflow::new("count");
    /// const MORE: Channel<u64> = Channel::new("more");
    ///
    /// /// Adds up messages until one is 0, two in each pass.
    /// async fn count(ctx: &Ctx, mut sum: u64) -> Result<u64> {
    ///     for _ in 0..2 {
    ///         match ctx.receive(MORE).await {
    ///             0 => return Ok(sum),
    ///             more => sum += more,
    ///         }
    ///     }
    ///     ctx.again(COUNT, sum).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(COUNT, count).in_memory();
    /// let run = executor.start(COUNT, "count-1", 0)?;
    /// for more in [1, 2, 3, 4, 5, 0] {
    ///     executor.block_on(executor.send("count-1", MORE, more))?;
    /// }
    /// assert_eq!(executor.block_on(run)?, 15);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[track_caller]
    pub fn again<I: Value, O: Value>(&self, workflow: Workflow<I, O>, input: I) -> Again<O> {
        if let Some(places) = self.instance.places() {
            places.end_pass(Location::caller());
        }
        let input = self.values().encode(&input).map_err(|why| {
            let kind = core::any::type_name::<I>();
            let message =
                format_args!("the input of the next pass, a {kind}, cannot be recorded: {why}");
            Error::of(Kind::Unrecordable, message).into_failure()
        });
        let (instance, input) = (Rc::clone(&self.instance), Some(input));
        Again { instance, workflow: workflow.name(), input, output: PhantomData }
    }
}

impl<O> Future for Again<O> {
    type Output = Result<O>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<O>> {
        let this = &mut *self;
        let run = &this.instance;
        if !run.may_poll() {
            return Poll::Pending;
        }
        if run.workflow() != this.workflow {
            let (is, asked) = (run.workflow(), this.workflow);
            let detail = format_args!("a run of workflow {is:?} cannot go on as {asked:?}");
            run.fail(ParkReason::Misused, detail);
            return Poll::Pending;
        }
        if let Some(input) = this.input.take() {
            run.end_pass(input);
        }
        Poll::Pending
    }
}
