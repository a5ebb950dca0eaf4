use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt::Display;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use super::Ctx;
use super::awaited::Awaited;
use super::body::{Attempt, Job, perform};
use crate::codec::{self, Value};
use crate::error::{BoxError, Error, Result};
use crate::fault::ParkReason;
use crate::operation::{Effort, Operation, Policy};
use crate::record::Asked;
use crate::retry::Retry;

/// A step: a durable operation with a body, made by [`Ctx::step`] and [`Ctx::step_with`].
///
/// It has its number from the moment it is built, its body begins after its first poll, and its
/// outcome is recorded before it is ready. The body makes progress whether or not the step is
/// being polled.
///
/// # Cancel safety
///
/// Dropping a step drops its body, wherever it is; an outcome that was not recorded by then never
/// is. A body that must not be cut off is awaited in a detached task of its own.
#[must_use = "a step does nothing unless it is awaited"]
pub struct Step<T> {
    awaited: Awaited,
    outcome: PhantomData<fn() -> T>,
}

impl Ctx {
    /// A step: runs `body`, and records what came of it before anything else goes on.
    ///
    /// `name` is durable, like the workflow's: what varies belongs into a
    /// [`label`](Step::label).
    ///
    /// A step whose outcome is recorded is never run again; in a replay its outcome is delivered
    /// when it was delivered before. A body that was cut off by the end of the process is run
    /// again (at least once). The body owns what it uses, so clone what it needs into it. It lives
    /// beside the workflow: it may use any future of any library, hold an `Rc`, and need not be
    /// `Send`. It runs on the executor's thread, so it must not block it.
    ///
    /// # Errors
    ///
    /// Awaiting the step gives the body's last error, as recorded, when its
    /// [`retry`](Step::retry) policy gives up, if the body panicked (with `std`), if it took longer
    /// than its [`timeout`](Step::timeout), or if its outcome cannot be encoded. Failures of the
    /// disk never come out here.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// const GREET: Workflow<String, String> = Workflow::new("greet");
    ///
    /// async fn greet(ctx: &Ctx, name: String) -> Result<String> {
    ///     ctx.step("compose", async move || Ok::<_, dacapo::Error>(format!("hello {name}"))).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(GREET, greet).in_memory();
    /// let run = executor.start(GREET, "greet-ada", "ada".into())?;
    /// assert_eq!(executor.block_on(run)?, "hello ada");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn step<T: Value, E: Into<BoxError> + 'static>(
        &self,
        name: &'static str,
        body: impl AsyncFn() -> Result<T, E> + 'static,
    ) -> Step<T> {
        self.build_step(name, async move |_: &Job, _: u32| body().await)
    }

    /// A step whose body is told which attempt it is, and its idempotency key.
    ///
    /// Everything else is as with [`step`](Self::step).
    ///
    /// ```
    /// # use dacapo::{Attempt, Ctx, Executor, Result, Workflow};
    /// const CHARGE: Workflow<u64, String> = Workflow::new("charge");
    ///
    /// async fn charge(ctx: &Ctx, cents: u64) -> Result<String> {
    ///     let body = async move |attempt: Attempt| {
    ///         // A payment service that sees the key a second time does not charge again.
    ///         Ok::<_, dacapo::Error>(format!("{cents} cents, key {}", attempt.key()))
    ///     };
    ///     ctx.step_with("charge card", body).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(CHARGE, charge).in_memory();
    /// let run = executor.start(CHARGE, "order-7", 250)?;
    /// assert_eq!(executor.block_on(run)?, "250 cents, key order-7/1/charge card");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn step_with<T: Value, E: Into<BoxError> + 'static>(
        &self,
        name: &'static str,
        body: impl AsyncFn(Attempt) -> Result<T, E> + 'static,
    ) -> Step<T> {
        self.build_step(name, async move |job: &Job, number: u32| {
            body(Attempt::new(number, job)).await
        })
    }

    fn build_step<T: Value, E: Into<BoxError> + 'static>(
        &self,
        name: &'static str,
        body: impl AsyncFn(&Job, u32) -> Result<T, E> + 'static,
    ) -> Step<T> {
        let operation = Operation::new(self.take_number(), Asked::Step { name }, Effort::Nothing);
        let job = Job::new(self.instance.clone(), operation.clone());
        operation.set_body(Box::pin(perform(job, body)));
        let awaited = Awaited::new(self.instance.clone(), operation);
        Step { awaited, outcome: PhantomData }
    }
}

impl<T> Step<T> {
    /// Records `label` beside the name, for timelines and messages, and compares it in a replay.
    ///
    /// With labels even two steps of one call site that change places are found, such as those of
    /// a loop over a `HashMap`; without them they are not.
    ///
    /// # Panics
    ///
    /// Panics if it has a label already, or if the step was polled; the three methods below panic
    /// if it was polled.
    pub fn label(self, label: impl Display) -> Self {
        self.awaited.assert_unpolled("the label");
        self.awaited.operation.set_label(label.to_string());
        self
    }

    /// Tries the body again when it fails, as `retry` says; without this it is tried once.
    ///
    /// The body is called anew for each attempt, so what it uses up it must clone inside. The
    /// waits between attempts are not recorded: if the process ends meanwhile, the next attempt
    /// comes at once after the restart, and the one that was waited for counts as cut off.
    pub fn retry(self, retry: Retry) -> Self {
        self.set("the retry policy", |policy| Policy { retry, ..policy })
    }

    /// Gives each attempt at most `limit`; a longer one is dropped and counts as failed. A body that
    /// blocks the thread cannot be cut off.
    pub fn timeout(self, limit: Duration) -> Self {
        self.set("the timeout", |policy| Policy { timeout: Some(limit), ..policy })
    }

    /// Never runs the body again after the end of a process cut it off.
    ///
    /// That it may have begun is committed before it begins, one commit more. If the process ends
    /// before its outcome is recorded, the step fails with an error of which
    /// [`Error::is_interrupted`] is true: whether its effect took place is not known. Attempts that
    /// fail within one process are retried as ever if there is a [`retry`](Self::retry) policy.
    pub fn at_most_once(self) -> Self {
        self.set("at_most_once", |policy| Policy { at_most_once: true, ..policy })
    }

    fn set(self, what: &str, change: impl FnOnce(Policy) -> Policy) -> Self {
        self.awaited.assert_unpolled(what);
        let operation = &self.awaited.operation;
        operation.set_policy(change(operation.policy()));
        self
    }
}

impl<T: Value> Future for Step<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        ready!(self.awaited.poll(cx));
        let operation = &self.awaited.operation;
        let outcome = operation.outcome();
        let bytes = match &*outcome {
            Some(Ok(bytes)) => bytes,
            Some(Err(failure)) => return Poll::Ready(Err(Error::from(failure.clone()))),
            None => unreachable!("steps are delivered with their outcome"),
        };
        match codec::decode(bytes.as_slice()) {
            Ok(value) => Poll::Ready(Ok(value)),
            Err(why) => {
                let kind = core::any::type_name::<T>();
                let detail =
                    format_args!("the outcome of {operation} does not decode as {kind}: {why}");
                self.awaited.instance.fail(ParkReason::Undecodable, detail);
                Poll::Pending
            }
        }
    }
}
