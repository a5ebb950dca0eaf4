use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::fmt::Display;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use serde::Serialize;

use super::Ctx;
use super::awaited::Awaited;
use super::body::{Attempt, Job, perform};
use super::key::Keyed;
use crate::error::{BoxError, Error, Result};
use crate::fault::ParkReason;
use crate::fingerprint::Fingerprint;
use crate::operation::{Operation, Policy};
use crate::queue::Limit;
use crate::retry::Retry;
use crate::values::Value;

/// A step: a durable operation with a body, made by [`Ctx::step`] and [`Ctx::step_with`].
///
/// It has its number from the moment it is built, its body begins after its first poll, and its
/// outcome is recorded before it is ready. The body makes progress whether or not the step is
/// being polled.
///
/// # Cancel safety
///
/// Dropping a step drops its body, wherever it is; an outcome that was not recorded by then never
/// is. A body that must come to its end although the step may be dropped is awaited in a detached task
/// of its own ([`Ctx::spawn`]): that saves it from a race or a timeout, and not from the end of the run,
/// which cuts it off. What must be done is awaited before the workflow returns.
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
    /// when it was delivered before. A body that the end of the process interrupted is run
    /// again (at least once). The body owns what it uses, so clone what it needs into it. It lives
    /// beside the workflow: it may use any future of any library, hold an `Rc`, and need not be
    /// `Send`. It runs on the executor's thread, so it must not block it
    /// (`step_blocking` is for what does).
    ///
    /// # Errors
    ///
    /// Awaiting the step gives the body's last error, as recorded, when its
    /// [`retry`](Step::retry) policy gives up, if the body panicked (with `std`), if it took longer
    /// than its [`timeout`](Step::timeout), or if its outcome cannot be recorded. Failures of the
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
    #[track_caller]
    pub fn step<T: Value, E: Into<BoxError> + 'static>(
        &self,
        name: &'static str,
        // The compiler shows the line below for a body that borrows.
        body: impl AsyncFn() -> Result<T, E> + 'static, // clone what it borrows, or `ctx.call`
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
    /// assert!(executor.block_on(run)?.starts_with("250 cents, key order-7/1/charge%20card/"));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[track_caller]
    pub fn step_with<T: Value, E: Into<BoxError> + 'static>(
        &self,
        name: &'static str,
        body: impl AsyncFn(Attempt) -> Result<T, E> + 'static, // clone what it borrows
    ) -> Step<T> {
        self.build_step(name, async move |job: &Job, number: u32| {
            body(Attempt::new(number, job)).await
        })
    }

    #[track_caller]
    pub(super) fn build_step<T: Value, E: Into<BoxError> + 'static>(
        &self,
        name: &'static str,
        body: impl AsyncFn(&Job, u32) -> Result<T, E> + 'static,
    ) -> Step<T> {
        let operation = Operation::step(&self.instance.world.spare, self.take_number(), name);
        let job = Job::new(self.instance.clone(), operation.clone());
        // Made where it stays: what is written in pieces and then moved at once waits for the pieces.
        let body = Box::write(Box::new_uninit(), perform(job, body));
        operation.set_body(Box::into_pin(body));
        Step::of_operation(Awaited::new(self.instance.clone(), operation))
    }
}

impl<T> Step<T> {
    pub(super) fn of_operation(awaited: Awaited) -> Self {
        Self { awaited, outcome: PhantomData }
    }

    /// The step's idempotency key, as its body has it by [`Attempt::key`].
    ///
    /// It is known from the moment the step is built: before its body begins, while it is under way and
    /// after its end. So a workflow can look for what a body has done, or undo it, whatever became of
    /// the step.
    ///
    /// ```
    /// # use dacapo::{Attempt, Ctx, Error, Executor, Result, Workflow};
    /// # use std::time::Duration;
    /// const PAY: Workflow<u64, String> = Workflow::new("pay");
    ///
    /// async fn pay(ctx: &Ctx, cents: u64) -> Result<String> {
    ///     let charge = async move |attempt: Attempt| -> Result<u64> {
    ///         assert!(attempt.key().starts_with("order-7/1/charge/"));
    ///         std::future::pending::<()>().await; // The bank does not answer.
    ///         Ok(cents)
    ///     };
    ///     let charge = ctx.step_with("charge", charge);
    ///     let key = charge.key();
    ///     match ctx.timeout(Duration::from_millis(5), charge).await {
    ///         Ok(charged) => Ok(format!("{} cents charged", charged?)),
    ///         Err(_) => ctx.step("refund", async move || refund(&key).await).await,
    ///     }
    /// }
    ///
    /// async fn refund(key: &str) -> Result<String> {
    ///     Ok(format!("{key} is refunded, if it was charged"))
    /// }
    ///
    /// let executor = Executor::builder().workflow(PAY, pay).in_memory();
    /// let end = executor.block_on(executor.start(PAY, "order-7", 250)?)?;
    /// assert!(end.starts_with("order-7/1/charge/"));
    /// assert!(end.ends_with(" is refunded, if it was charged"));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn key(&self) -> String {
        let Awaited { instance, operation } = &self.awaited;
        let (store, run) = instance.keyed();
        let (number, name) = (operation.number, operation.asked().name());
        Keyed { store, run, id: &instance.id, pass: instance.pass(), number, name }.key()
    }

    /// Records `label` beside the name, for timelines and messages, and compares it in a replay.
    ///
    /// With labels even two steps of one call site that change places are found, such as those of
    /// a loop over a `HashMap`; without them they are not.
    ///
    /// # Panics
    ///
    /// Panics if it has a label already, or if the step was polled; the methods below panic if it was
    /// polled.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Result, Workflow, try_join_all};
    /// const RESERVE: Workflow<Vec<String>, u32> = Workflow::new("reserve");
    ///
    /// async fn reserve(ctx: &Ctx, items: Vec<String>) -> Result<u32> {
    ///     // One name for the code, one label for each item.
    ///     let steps = items.iter().map(|item| {
    ///         let in_stock = item != "cup";
    ///         let body = async move || if in_stock { Ok(1) } else { Err(Error::new("sold out")) };
    ///         ctx.step("reserve", body).label(item)
    ///     });
    ///     Ok(try_join_all(steps).await?.iter().sum())
    /// }
    ///
    /// let executor = Executor::builder().workflow(RESERVE, reserve).in_memory();
    /// let run = executor.start(RESERVE, "order-1", vec!["tea".into(), "cup".into()])?;
    /// let error = executor.block_on(run).unwrap_err();
    /// assert_eq!(error.to_string(), r#"step 2 "reserve" [cup] failed: sold out"#);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn label(self, label: impl Display) -> Self {
        self.awaited.assert_unpolled("the label");
        self.awaited.operation.set_label(label.to_string());
        self
    }

    /// Says what the step is about, which a replay is held against: so steps of one name that change places
    /// are found, in a loop or under a lock, and the run is parked rather than given the outcome of the
    /// other.
    ///
    /// Recorded are four bytes, a fingerprint of `value`; use a [`label`](Self::label) where people are to
    /// read what it is. Two values have the same one if they are the same as JSON, so numbers may become
    /// wider, and fields change places. Say what never changes: an index, an id, a name; not a set whose
    /// order is another one each time.
    ///
    /// # Panics
    ///
    /// Panics if the value refuses to be serialized, if the step was told what it is about before, or was
    /// polled.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Result, Workflow, try_join_all};
    /// const RESERVE: Workflow<Vec<String>, u32> = Workflow::new("reserve");
    ///
    /// async fn count(item: String) -> Result<u32> {
    ///     Ok(item.len() as u32)
    /// }
    ///
    /// async fn reserve(ctx: &Ctx, items: Vec<String>) -> Result<u32> {
    ///     let steps = items.iter().map(|item| ctx.call("count", count, item.clone()).of(item));
    ///     Ok(try_join_all(steps).await?.iter().sum())
    /// }
    ///
    /// let executor = Executor::builder().workflow(RESERVE, reserve).in_memory();
    /// let run = executor.start(RESERVE, "order-1", vec!["tea".into(), "cups".into()])?;
    /// assert_eq!(executor.block_on(run)?, 7);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn of(self, value: &(impl Serialize + ?Sized)) -> Self {
        self.awaited.assert_unpolled("what it is about");
        let operation = &self.awaited.operation;
        match Fingerprint::of(value) {
            Ok(of) => operation.set_of(of),
            Err(why) => panic!("what {operation} is about cannot be serialized: {why}"),
        }
        self
    }

    /// Tries the body again when it fails, as `retry` says; without this it is tried once.
    ///
    /// The body is called anew for each attempt, so what it uses up it must clone inside. If the process
    /// ends during a wait of a second or longer, the next one waits for the rest of it; after a shorter
    /// one the attempt comes at once, and counts as one more. See
    /// [`Builder::record_retries`](crate::Builder::record_retries).
    ///
    /// ```
    /// # use dacapo::{Attempt, Ctx, Error, Executor, Result, Retry, Workflow};
    /// # use std::time::Duration;
    /// const ASK: Workflow<(), u32> = Workflow::new("ask");
    /// const PATIENT: Retry = Retry::exponential(Duration::from_millis(1)).max_attempts(5);
    ///
    /// async fn ask(ctx: &Ctx, (): ()) -> Result<u32> {
    ///     let flaky = async |attempt: Attempt| match attempt.number() {
    ///         1 | 2 => Err(Error::new("no answer")),
    ///         number => Ok(number),
    ///     };
    ///     ctx.step_with("ask", flaky).retry(PATIENT).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(ASK, ask).in_memory();
    /// assert_eq!(executor.block_on(executor.start(ASK, "ask-1", ())?)?, 3);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn retry(self, retry: Retry) -> Self {
        self.set("the retry policy", |policy| Policy { retry, ..policy })
    }

    /// Tries again only if `decides` says so of the attempt's error; it is asked when the
    /// [`retry`](Self::retry) policy would try again and the error is not permanent.
    ///
    /// It is given the error as it would be recorded: with what the predicates say of it, and its causes
    /// as text. A panic in it ends the attempts.
    ///
    /// # Panics
    ///
    /// Panics if the step has one already, or was polled.
    ///
    /// ```
    /// # use dacapo::{Attempt, Ctx, Error, Executor, Result, Retry, Workflow};
    /// # use std::time::Duration;
    /// const PAY: Workflow<(), ()> = Workflow::new("pay");
    /// const SOON: Retry = Retry::exponential(Duration::from_millis(1)).max_attempts(5);
    ///
    /// async fn pay(ctx: &Ctx, (): ()) -> Result<()> {
    ///     let charge = async |attempt: Attempt| -> Result<()> {
    ///         Err(Error::new(if attempt.number() < 3 { "no answer" } else { "card refused" }))
    ///     };
    ///     let is_transient = |error: &Error| !error.to_string().contains("refused");
    ///     ctx.step_with("charge", charge).retry(SOON).retry_if(is_transient).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(PAY, pay).in_memory();
    /// let error = executor.block_on(executor.start(PAY, "pay-1", ())?).unwrap_err();
    /// assert_eq!(error.to_string(), r#"step 1 "charge" failed, after 3 attempts: card refused"#);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn retry_if(self, decides: impl Fn(&Error) -> bool + 'static) -> Self {
        self.awaited.assert_unpolled("retry_if");
        self.awaited.operation.set_retry_if(Rc::new(decides));
        self
    }

    /// Has each attempt wait until fewer than so many others with this limit are under way, of whatever run
    /// and step: at most five calls of a payment provider at once, for example. Those that wait come in
    /// their order.
    ///
    /// That an attempt begins is committed before it does. So one that only waited when the process ended
    /// has not been made: it takes none of those that the [`retry`](Self::retry) policy allows, and a step that
    /// runs [`at_most_once`](Self::at_most_once) may still begin. A [`timeout`](Self::timeout) counts from
    /// when it begins, and during the wait between two attempts no room is taken. The room is that of one
    /// executor: a queue ([`Builder::queue`](crate::Builder::queue)) limits whole runs. A blocking body that has passed
    /// its timeout has given its room back, though it goes on on its thread.
    ///
    /// # Panics
    ///
    /// Panics if it has one already.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Result, Workflow, try_join_all};
    /// use dacapo::Limit;
    ///
    /// const PAY: Workflow<u32, u32> = Workflow::new("pay");
    /// const BANK: Limit = Limit::new("bank", 5);
    ///
    /// async fn pay(ctx: &Ctx, times: u32) -> Result<u32> {
    ///     let charge = |cents| ctx.step("charge", async move || Ok::<_, Error>(cents)).limit(BANK);
    ///     Ok(try_join_all((0..times).map(charge)).await?.iter().sum())
    /// }
    ///
    /// let executor = Executor::builder().workflow(PAY, pay).in_memory();
    /// assert_eq!(executor.block_on(executor.start(PAY, "pay-1", 20)?)?, 190);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn limit(self, limit: Limit) -> Self {
        self.awaited.assert_unpolled("the limit");
        self.awaited.operation.set_limit(limit);
        self
    }

    /// Gives each attempt at most `limit`; a longer one is dropped and counts as failed. A body that
    /// blocks the thread cannot be stopped: if the limit passes meanwhile, and it then succeeds, it counts as
    /// failed all the same. One that was kept waiting by other bodies, and is ready when it is polled next,
    /// does not.
    ///
    /// For a limit of the whole step, its retries and the waits between them included, see
    /// [`Ctx::timeout`].
    ///
    /// ```
    /// # use dacapo::{Attempt, Ctx, Error, Executor, Result, Retry, Workflow};
    /// # use std::time::Duration;
    /// const ASK: Workflow<(), u32> = Workflow::new("ask");
    /// const ONCE_MORE: Retry = Retry::exponential(Duration::ZERO).max_attempts(2);
    ///
    /// async fn ask(ctx: &Ctx, (): ()) -> Result<u32> {
    ///     // The first attempt hangs, the second one answers.
    ///     let hangs = async |attempt: Attempt| match attempt.number() {
    ///         1 => std::future::pending().await,
    ///         number => Ok::<_, Error>(number),
    ///     };
    ///     ctx.step_with("ask", hangs).timeout(Duration::from_millis(5)).retry(ONCE_MORE).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(ASK, ask).in_memory();
    /// assert_eq!(executor.block_on(executor.start(ASK, "ask-1", ())?)?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn timeout(self, limit: Duration) -> Self {
        self.set("the timeout", |policy| Policy { timeout: Some(limit), ..policy })
    }

    /// Never runs the body again after the end of a process interrupted it.
    ///
    /// That it may have begun is committed before it begins, one commit more. If the process ends
    /// before its outcome is recorded, the step fails with an error of which
    /// [`Error::is_interrupted`] is true: whether its effect took place is not known. Attempts that
    /// fail within one process are retried as ever if there is a [`retry`](Self::retry) policy.
    ///
    /// So have the workflow deal with that error, as below: [`Executor::retry`](crate::Executor::retry) does not run
    /// the body again either, and a run that it takes up fails there anew until its code does.
    ///
    /// The first executor below is dropped while the body is under way; the second one finds that it
    /// had begun.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Result, Workflow};
    /// const WIRE: Workflow<(), String> = Workflow::new("wire");
    ///
    /// async fn wire(ctx: &Ctx, (): ()) -> Result<String> {
    ///     let body = async || {
    ///         std::future::pending::<()>().await; // The bank is slow.
    ///         Ok::<_, Error>(())
    ///     };
    ///     match ctx.step("wire", body).at_most_once().await {
    ///         Ok(()) => Ok("sent".into()),
    ///         Err(error) if error.is_interrupted() => Ok("ask the bank whether it was sent".into()),
    ///         Err(error) => Err(error),
    ///     }
    /// }
    ///
    /// # let path = std::env::temp_dir().join(format!("dacapo-once-{}.redb", std::process::id()));
    /// let executor = Executor::builder().workflow(WIRE, wire).open(&path)?;
    /// let run = executor.start(WIRE, "wire-1", ())?;
    /// executor.block_on(async {
    ///     run.accepted().await?;
    ///     for _ in 0..10 {
    ///         dacapo::yield_now().await; // Turns in which the body begins.
    ///     }
    ///     Ok::<_, Error>(())
    /// })?;
    /// drop(executor);
    ///
    /// let executor = Executor::builder().workflow(WIRE, wire).open(&path)?;
    /// let run = executor.attach(WIRE, "wire-1")?;
    /// assert_eq!(executor.block_on(run)?, "ask the bank whether it was sent");
    /// # drop(executor);
    /// # std::fs::remove_file(path).expect("it was created");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn at_most_once(self) -> Self {
        self.set("at_most_once", |policy| Policy { at_most_once: true, ..policy })
    }

    /// Parks the run when the step gives up, in place of failing: for what a person is to look at, such as
    /// a service that is down for longer than the policy waits. Nothing is recorded as the outcome, so
    /// [`Executor::resume`](crate::Executor::resume) has the step tried once more, with the same
    /// idempotency key.
    ///
    /// An error that is permanent gives up at once, and so parks the run, too. A step that runs
    /// [at most once](Self::at_most_once) is never tried again: for it this changes nothing, and its error is
    /// its outcome.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, ParkReason, Result, Workflow};
    /// # use std::{cell::Cell, rc::Rc};
    /// const PAY: Workflow<(), u32> = Workflow::new("pay");
    ///
    /// let bank_is_up = Rc::new(Cell::new(false));
    /// let is_up = bank_is_up.clone();
    /// let pay = async move |ctx: &Ctx, ()| -> Result<u32> {
    ///     let is_up = is_up.clone();
    ///     let charge = async move || if is_up.get() { Ok(7) } else { Err(Error::new("no answer")) };
    ///     ctx.step("charge", charge).or_park().await
    /// };
    /// let executor = Executor::builder().workflow(PAY, pay).in_memory();
    /// let error = executor.block_on(executor.start(PAY, "pay-1", ())?).unwrap_err();
    /// assert_eq!(error.park_reason(), Some(ParkReason::GaveUp));
    ///
    /// bank_is_up.set(true);
    /// executor.resume("pay-1")?;
    /// assert_eq!(executor.block_on(executor.attach(PAY, "pay-1")?)?, 7);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn or_park(self) -> Self {
        self.set("or_park", |policy| Policy { or_park: true, ..policy })
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
        let Awaited { instance, operation } = &self.awaited;
        let bytes = match operation.outcome() {
            Some(Ok(bytes)) => bytes,
            Some(Err(failure)) => return Poll::Ready(Err(Error::from(failure.clone()))),
            None => unreachable!("steps are delivered with their outcome"),
        };
        match instance.world.values.decode(bytes.as_slice()) {
            Ok(value) => Poll::Ready(Ok(value)),
            Err(why) => {
                let kind = core::any::type_name::<T>();
                let detail =
                    format_args!("the outcome of {operation} does not decode as {kind}: {why}");
                instance.fail_at(operation.number, ParkReason::of_unread(&why), detail);
                Poll::Pending
            }
        }
    }
}
