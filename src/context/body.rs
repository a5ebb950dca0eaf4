//! How a body is carried out: attempts, their time limits, the waits between them.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::cell::OnceCell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use dacapo_executor::yield_now;
use dacapo_store::RunKey;

use super::key::Keyed;
use crate::bytes::Bytes;
use crate::ending::UnderWay;
use crate::error::{BoxError, Error, Failure, Kind, Result};
use crate::fault::{Fault, ParkReason};
use crate::instance::{Instance, World};
use crate::mailbox::Mailbox;
use crate::notice::Notice;
use crate::operation::{FailedAttempt, Operation};
use crate::panics::{self, Caller};
use crate::queue::Limit;
use crate::random;
use crate::record::{Note, Number};
use crate::rooms::Taken;
use crate::tables::Tx;
#[cfg(feature = "std")]
use crate::threads::Owner;
use crate::timer::BodyTimer;
use crate::topics::Report;
use crate::values::{FarValue, Value};

/// A body that is polled for so long is told of.
const BLOCKS_FROM: Duration = Duration::from_millis(100);

/// What a body is told about the attempt that it is.
///
/// It is `Send`, so that it can go with blocking work to another thread.
#[derive(Clone)]
pub struct Attempt {
    run_id: Arc<str>,
    pass: u32,
    step: Number,
    name: &'static str,
    number: u32,
    run: RunKey,
    /// The number of the store.
    /// The store and the run that are in its idempotency key.
    keyed: (u64, RunKey),
    /// Where what it publishes goes.
    reports: Arc<Mailbox<Report>>,
    value_max: usize,
    #[cfg(feature = "sim")]
    is_at_most_once: bool,
    key: OnceCell<String>,
}

impl Attempt {
    pub(super) fn new(number: u32, job: &Job) -> Self {
        let Job { instance, operation } = job;
        Self {
            run_id: instance.id.clone(),
            pass: instance.pass(),
            step: operation.number,
            name: operation.asked().name(),
            number,
            run: instance.key(),
            keyed: instance.keyed(),
            reports: instance.world.reports.clone(),
            value_max: instance.world.values.value_max(),
            #[cfg(feature = "sim")]
            is_at_most_once: operation.runs_at_most_once(),
            key: OnceCell::new(),
        }
    }

    /// Which attempt this is, counted from 1.
    ///
    /// After a restart, attempts that the end of a process interrupted count, and so do those that had
    /// failed if the next one waited for a second or longer
    /// ([`Builder::record_retries`](crate::Builder::record_retries)); others are forgotten, so the number
    /// may be lower than one that was seen then. Use
    /// it for logs and to try another way; to tell an effect from its repetition use
    /// [`key`](Self::key), which is the same in all attempts.
    ///
    /// ```
    /// # use dacapo::{Attempt, Ctx, Error, Executor, Result, Retry, Workflow};
    /// # use std::time::Duration;
    /// const FETCH: Workflow<(), String> = Workflow::new("fetch");
    ///
    /// async fn fetch(ctx: &Ctx, (): ()) -> Result<String> {
    ///     let body = async |attempt: Attempt| {
    ///         let mirrors = ["a.example", "b.example"];
    ///         let mirror = mirrors[(attempt.number() as usize - 1) % 2];
    ///         if mirror == "a.example" { Err(Error::new("down")) } else { Ok(mirror.to_owned()) }
    ///     };
    ///     ctx.step_with("fetch", body).retry(Retry::exponential(Duration::ZERO)).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(FETCH, fetch).in_memory();
    /// assert_eq!(executor.block_on(executor.start(FETCH, "fetch-1", ())?)?, "b.example");
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The step's idempotency key: the same in every attempt and after every restart, and another one for
    /// each other step, of this store and of any other, also of a run whose id was used before.
    ///
    /// It is made of the run's id, the step's number, its name, a random number that the store got when it
    /// was made, and the number of the run in the store: `order-7/1/charge/5f0c2b19d6a7e843-12`. It has at
    /// most 200 characters, all of them visible ASCII, so that it can stand in a header of HTTP: what else
    /// is in id and name is escaped as in a URL, and what is too long is cut.
    ///
    /// ```
    /// # use dacapo::{Attempt, Ctx, Error, Executor, Result, Retry, Workflow};
    /// # use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};
    /// const PAY: Workflow<(), ()> = Workflow::new("pay");
    ///
    /// // What the bank has seen: a key that it knows is not charged again.
    /// let charged = Rc::new(RefCell::new(BTreeSet::new()));
    /// let bank = charged.clone();
    /// let pay = async move |ctx: &Ctx, ()| -> Result<()> {
    ///     let bank = bank.clone();
    ///     let charge = async move |attempt: Attempt| {
    ///         bank.borrow_mut().insert(attempt.key().to_owned());
    ///         if attempt.number() < 3 { Err(Error::new("the answer was lost")) } else { Ok(()) }
    ///     };
    ///     ctx.step_with("charge", charge).retry(Retry::exponential(Duration::ZERO)).await
    /// };
    ///
    /// let executor = Executor::builder().workflow(PAY, pay).in_memory();
    /// executor.block_on(executor.start(PAY, "order/7", ())?)?;
    /// let charged = charged.borrow();
    /// let key = charged.first().expect("the bank was asked");
    /// assert!(key.starts_with("order%2F7/1/charge/"));
    /// assert_eq!(charged.len(), 1);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.get_or_init(|| {
            let (id, number) = (&*self.run_id, self.step);
            let Self { keyed: (store, run), pass, name, .. } = *self;
            Keyed { store, run, id, pass, number, name }.key()
        })
    }

    /// Something was published, and is to be recorded.
    pub(super) fn report(&self, topic: &'static str, value: FarValue) {
        let (run, step, attempt) = (self.run, self.step, self.number);
        self.reports.post(Report { run, step, attempt, topic, value });
    }

    /// So many bytes what it publishes may take.
    pub(super) fn value_max(&self) -> usize {
        self.value_max
    }

    #[cfg(feature = "sim")]
    pub(crate) fn runs_at_most_once(&self) -> bool {
        self.is_at_most_once
    }

    /// The run's id.
    ///
    /// ```
    /// # use dacapo::{Attempt, Ctx, Error, Executor, Result, Workflow};
    /// const WHO: Workflow<(), String> = Workflow::new("who");
    ///
    /// async fn who(ctx: &Ctx, (): ()) -> Result<String> {
    ///     let body = async |attempt: Attempt| Ok::<_, Error>(attempt.run_id().to_owned());
    ///     ctx.step_with("who", body).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(WHO, who).in_memory();
    /// assert_eq!(executor.block_on(executor.start(WHO, "run-9", ())?)?, "run-9");
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.run_id
    }
}

/// A step that is carried out: whose it is.
#[derive(Clone)]
pub(super) struct Job {
    instance: Rc<Instance>,
    operation: Rc<Operation>,
}

impl Job {
    pub(super) fn new(instance: Rc<Instance>, operation: Rc<Operation>) -> Self {
        Self { instance, operation }
    }

    #[cfg(feature = "std")]
    pub(super) fn world(&self) -> &World {
        &self.instance.world
    }

    /// Who the work of its threads belongs to.
    #[cfg(feature = "std")]
    pub(super) fn owner(&self) -> Owner {
        (self.instance.key(), self.operation.number)
    }

    fn seed(&self) -> u64 {
        let number = self.operation.number;
        let index = u64::from(number.task) << 32 | u64::from(number.local);
        random::mix(!self.instance.seed.get(), index)
    }

    pub(super) fn into_parts(self) -> (Rc<Instance>, Rc<Operation>) {
        (self.instance, self.operation)
    }

    /// An attempt begins.
    fn begin_spans(&self, attempt: u32) {
        let Self { instance, operation } = self;
        let step = (operation.number, operation.asked().name(), operation.label());
        let spans = &instance.world.telemetry.spans;
        operation.spans().begin(spans, instance.who(), step, attempt);
    }

    /// Calls what a transaction does, once, with its time limit.
    pub(super) fn call(&self, tx: &mut Tx<'_>, attempt: u32) -> Result<Bytes<'static>, Failure> {
        let World { timers, setup, .. } = &*self.instance.world;
        let body = self.operation.transaction().expect("only transactions are called");
        let (begun, from) = (self.poll_begins(), timers.monotonic());
        self.begin_spans(attempt);
        let called = {
            let _entered = self.operation.spans().enter();
            panics::catch(|| setup.caught.calling(Caller::Transaction, || body(tx)))
        };
        self.poll_ends(begun);
        self.instance.world.pulse.has_polled();
        let limit = self.operation.timeout();
        let is_late = |limit: &Duration| timers.monotonic().saturating_sub(from) > *limit;
        let ended = match (called, limit.filter(is_late)) {
            (Err(message), _) => Err(panicked(&message)),
            (Ok(Ok(_)), Some(limit)) => Err(elapsed(limit)),
            (Ok(ended), _) => ended,
        };
        self.operation.spans().end_attempt(ended.as_ref().err());
        ended
    }

    /// An attempt has failed: whether there is another. If not, that is the outcome.
    pub(super) fn fail(&self, failure: Failure, attempts: u32) -> bool {
        let operation = &self.operation;
        let delay = operation.policy().retry.delay_after(attempts, self.seed());
        let delay = delay.filter(|_| !failure.is_permanent());
        let (delay, failure) = self.decide(delay, failure);
        self.notify_failed(attempts, &failure, delay);
        match delay {
            Some(delay) => self.note_failed(attempts, failure, delay),
            None => self.give_up(explain(failure, operation, attempts)),
        }
        delay.is_some()
    }

    /// The last attempt has failed: that is the outcome, or the run is parked.
    fn give_up(&self, failure: Failure) {
        let Self { instance, operation } = self;
        let policy = operation.policy();
        // What may run at most once is not tried again, so there is nothing to park for.
        match policy.or_park && !policy.at_most_once {
            true => instance.give_up(Fault::new(ParkReason::GaveUp, failure.message())),
            false => operation.set_failure(failure),
        }
    }

    /// Keeps what is known of an attempt until the next one, and has it recorded if that is far.
    fn note_failed(&self, attempt: u32, failure: Failure, delay: Duration) {
        let World { timers, setup, .. } = &*self.instance.world;
        let next_at = timers.present() + delay;
        if delay >= setup.retries_from {
            let note = Note::AttemptFailed { attempt, failure: failure.clone(), next_at };
            self.instance.draft_note(self.operation.number, note);
            self.operation.begin_anew();
        }
        self.operation.set_failed(FailedAttempt { attempt, failure, next_at });
    }

    fn notify_failed(&self, attempt: u32, failure: &Failure, next_in: Option<Duration>) {
        let world = &self.instance.world;
        if world.is_watched() {
            let (step, error) = (&*self.operation.to_string(), &Error::from(failure.clone()));
            let run = &*self.instance.id;
            world.notify(&Notice::AttemptFailed { run, step, attempt, error, next_in });
        }
    }

    /// A poll of the body begins: when, if anybody wants to know how long it takes.
    #[inline]
    fn poll_begins(&self) -> Option<Duration> {
        if self.instance.world.tells_polls.get() { self.tell_poll() } else { None }
    }

    #[inline(never)]
    fn tell_poll(&self) -> Option<Duration> {
        let Self { instance, operation } = self;
        let world = &instance.world;
        world.pulse.polls(instance.key(), operation.number, operation.asked().name());
        world.is_watched().then(|| world.timers.monotonic())
    }

    #[inline(always)]
    fn poll_ends(&self, begun: Option<Duration>) {
        if let Some(begun) = begun {
            self.poll_has_lasted(self.instance.world.timers.monotonic().saturating_sub(begun));
        }
    }

    /// Tells of a poll that took long.
    #[cold]
    fn poll_has_lasted(&self, lasted: Duration) {
        if lasted >= BLOCKS_FROM {
            let (run, step) = (&*self.instance.id, &*self.operation.to_string());
            self.instance.world.notify(&Notice::Blocked { run, step, lasted });
        }
    }

    /// What waits until the next attempt after one that failed, in this process or an earlier one.
    fn timer(&self) -> BodyTimer {
        let timers = &self.instance.world.timers;
        let left = self.operation.failed().map(|failed| failed.next_at.since(timers.present()));
        timers.sleep(left.unwrap_or_default())
    }

    /// Asks the step whether an error is worth the next attempt, if there is to be one.
    fn decide(&self, delay: Option<Duration>, failure: Failure) -> (Option<Duration>, Failure) {
        let Some(wait) = delay else { return (None, failure) };
        let error = Error::from(failure.clone());
        match panics::catch(|| self.operation.is_worth_another(&error)) {
            Ok(true) => (Some(wait), failure),
            Ok(false) => (None, failure),
            Err(message) => (None, panicked(format_args!("in retry_if: {message}"))),
        }
    }

    /// Waits for the next attempt.
    pub(super) async fn wait(&self) {
        // At least one turn for the others, also if there is nothing to wait for.
        yield_now().await;
        self.timer().await;
    }

    /// Waits until the next attempt may begin: for its time, and for room.
    async fn wait_to_begin(&self) {
        if self.operation.has_failed() {
            self.wait().await;
        }
        if let Some(limit) = self.operation.limit() {
            // Few steps have one, and each body would be larger by it.
            Box::pin(self.wait_for_room(limit)).await;
        }
    }

    /// Waits for room, and for the commit that says that an attempt begins: one that only waited when the
    /// process ended has lost nothing.
    async fn wait_for_room(&self, limit: Limit) {
        let Self { instance, operation } = self;
        let room = instance.world.rooms.wait(limit).await;
        if instance.world.ending.is_closing() {
            // The next process makes this attempt.
            return core::future::pending().await;
        }
        if !operation.has_begun() {
            instance.draft_note(operation.number, Note::Begun);
            instance.world.holds_bodies.set(true);
            while !operation.has_begun() {
                yield_now().await;
            }
        }
        operation.keep_room(room);
    }
}

/// Tries `body` until it succeeds or its policy gives up, and leaves the outcome for a commit.
///
/// `body` is given the number of the attempt, and runs user code only when it is polled.
// References that are held over an await would make every body larger: see the test below.
#[expect(clippy::manual_async_fn, reason = "an `async fn` has room for its arguments twice")]
pub(super) fn perform<T: Value, E: Into<BoxError>>(
    job: Job,
    body: impl AsyncFn(&Job, u32) -> Result<T, E>,
) -> impl Future<Output = ()> {
    async move {
        let started_at = job.instance.world.timers.now();
        let mut attempts = job.operation.attempts();
        loop {
            if job.operation.waits() {
                job.wait_to_begin().await;
            }
            if job.instance.world.ending.is_closing() {
                // It is dropped soon, and the next process makes this attempt.
                return core::future::pending().await;
            }
            attempts += 1;
            job.operation.forget_failed();
            job.begin_spans(attempts);
            let ended = Trial::new(&job, body(&job, attempts)).await;
            job.operation.spans().end_attempt(ended.as_ref().err());
            let Err(failure) = ended else { break };
            if !job.fail(failure, attempts) {
                break;
            }
        }
        let Job { instance, operation } = job;
        // It is here, at its end: nothing is left to be ended by the delivery.
        operation.take_effort();
        // Otherwise its run is parked.
        if operation.outcome().is_some() {
            instance.end_body(operation, attempts, started_at);
        }
        // What it owned is dropped with it; a panic in that comes too late to matter.
        let _ = panics::catch_drop(body);
    }
}

/// Puts the step before a failure's message.
pub(crate) fn explain(failure: Failure, operation: &Operation, attempts: u32) -> Failure {
    match attempts {
        1 => failure.within(format_args!("{operation} failed")),
        _ => failure.within(format_args!("{operation} failed, after {attempts} attempts")),
    }
}

/// What an attempt may have: a time limit with its timer, and room that others wait for.
struct Beside {
    timer: Option<(Duration, BodyTimer)>,
    _room: Option<Taken>,
}

pin_project_lite::pin_project! {
    /// An attempt that is under way, with its time limit. When it is ready the attempt has been
    /// dropped, and a panic of that drop is one of the attempt.
    struct Trial<'a, F> {
        job: &'a Job,
        #[pin]
        attempt: Option<F>,
        // Few steps have either, and each body would be larger by it.
        beside: Option<Box<Beside>>,
        under_way: UnderWay<'a>,
    }
}

impl<'a, F> Trial<'a, F> {
    fn new(job: &'a Job, attempt: F) -> Self {
        let World { timers, ending, .. } = &*job.instance.world;
        let timer = job.operation.timeout().map(|limit| (limit, timers.sleep(limit)));
        let room = job.operation.take_room();
        let has_any = timer.is_some() || room.is_some();
        let beside = has_any.then(|| Box::new(Beside { timer, _room: room }));
        Self { job, attempt: Some(attempt), beside, under_way: ending.begin_attempt() }
    }
}

impl<T: Value, E: Into<BoxError>, F: Future<Output = Result<T, E>>> Future for Trial<'_, F> {
    type Output = Result<(), Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let mut this = self.project();
        let begun = this.job.poll_begins();
        let _entered = this.job.operation.spans().enter();
        let timer = this.beside.as_deref().and_then(|beside| beside.timer.as_ref());
        // One that others kept waiting is ready in time.
        let limit = timer.filter(|(_, timer)| !timer.is_due());
        let polled = panics::catch(|| {
            let attempt = this.attempt.as_mut().as_pin_mut();
            let ended = ready!(attempt.expect("it is dropped when it is ready").poll(cx));
            this.attempt.set(None);
            Poll::Ready(match limit {
                Some(&(limit, ref timer)) if ended.is_ok() && timer.is_due() => Err(elapsed(limit)),
                Some(_) | None => encode(ended, this.job),
            })
        });
        this.job.poll_ends(begun);
        let failure = match polled {
            Ok(Poll::Ready(ended)) => return Poll::Ready(ended),
            Ok(Poll::Pending) => ready!(poll_timer(this.beside, cx)),
            Err(message) => panicked(message),
        };
        let dropped = panics::catch(|| this.attempt.set(None));
        Poll::Ready(Err(dropped.map_or_else(panicked, |()| failure)))
    }
}

/// What an attempt returned: its outcome in bytes, or why it failed.
fn encode<T: Value, E: Into<BoxError>>(
    result: Result<T, E>,
    Job { instance, operation }: &Job,
) -> Result<(), Failure> {
    let value = result.map_err(|error| Failure::from_error(&*error.into()))?;
    let bytes = instance.world.values.encode(&value).map_err(|why| {
        let kind = core::any::type_name::<T>();
        let message = alloc::format!("the outcome, a {kind}, cannot be recorded: {why}");
        Error::new(message).permanent().into_failure()
    })?;
    operation.set_outcome(Ok(bytes));
    Ok(())
}

/// Ready with a failure when the limit of an attempt has passed.
fn poll_timer(beside: &mut Option<Box<Beside>>, cx: &mut Context<'_>) -> Poll<Failure> {
    let timer = beside.as_deref_mut().and_then(|beside| beside.timer.as_mut());
    let Some((limit, timer)) = timer else { return Poll::Pending };
    Pin::new(timer).poll(cx).map(|()| elapsed(*limit))
}

fn elapsed(limit: Duration) -> Failure {
    Error::of(Kind::Elapsed, format_args!("not ready within {limit:?}")).into_failure()
}

fn panicked(message: impl fmt::Display) -> Failure {
    let message = message.to_string();
    let hint = hint(&message);
    Error::of(Kind::Panicked, format_args!("panicked: {message}{hint}")).into_failure()
}

/// What to do about a panic that many meet once: tokio's own message does not know of us.
fn hint(message: &str) -> &'static str {
    match message.contains("no reactor running") || message.contains("of a Tokio") {
        true => {
            "; have a tokio runtime of more than one thread, and put `let _entered = \
             runtime.enter();` before Executor::block_on, or await Executor::run inside tokio"
        }
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As with operations: there are as many bodies as steps under way.
    #[test]
    fn a_small_body_is_small_enough_for_the_allocator() {
        fn size_of_future<F>(_: impl FnOnce(Job) -> F) -> usize {
            size_of::<F>()
        }
        let n = 7u32;
        let body = async move || Ok::<u64, Error>(n.into());
        let body = async move |_: &Job, _: u32| body().await;
        let size = size_of_future(|job| perform(job, body));
        assert!(size <= 120, "{size} bytes");
    }
}
