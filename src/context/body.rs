//! How a body is carried out: attempts, their time limits, the waits between them.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;

use dacapo_executor::yield_now;

use crate::codec::{self, Value};
use crate::error::{BoxError, Error, Failure, Kind, Result};
use crate::instance::Instance;
use crate::operation::Operation;
use crate::panics;
use crate::random;
use crate::timer::BodyTimer;
use crate::world::Produced;

/// What a body is told about the attempt that it is.
#[derive(Clone)]
pub struct Attempt {
    number: u32,
    job: Job,
    key: OnceCell<String>,
}

impl Attempt {
    /// Which attempt this is, from 1; attempts before a restart count, as far as it is known.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The step's idempotency key: the same in every attempt and after every restart, and
    /// different for any two steps of one store.
    ///
    /// It is made of the run's id (in which `%` and `/` are escaped as in a URL), the step's
    /// number and its name.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.get_or_init(|| {
            let Job { instance, operation } = &self.job;
            let id = instance.id.replace('%', "%25").replace('/', "%2F");
            alloc::format!("{id}/{}/{}", operation.number, operation.name)
        })
    }

    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.job.instance.id
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

    fn seed(&self) -> u64 {
        let number = self.operation.number;
        let index = u64::from(number.task) << 32 | u64::from(number.local);
        random::mix(!self.instance.seed.get(), index)
    }
}

/// Tries `body` until it succeeds or its policy gives up, and leaves the outcome for a commit.
pub(super) async fn perform<T: Value, E: Into<BoxError>>(
    job: Job,
    body: impl AsyncFn(Attempt) -> Result<T, E>,
) {
    let timers = &job.instance.world.timers;
    let policy = job.operation.policy();
    let started_at = timers.now();
    let mut attempts = job.operation.cut_off.get();
    let outcome = loop {
        attempts += 1;
        let attempt = Attempt { number: attempts, job: job.clone(), key: OnceCell::new() };
        let ended = match panics::catch(|| body(attempt)) {
            Err(message) => Err(panicked(&message)),
            Ok(attempt) => {
                // Awaited in place: what wraps a future in another moves it.
                let mut attempt = pin!(Some(attempt));
                let mut timer = policy.timeout.map(|limit| (limit, timers.sleep(limit)));
                let ended = poll_fn(|cx| poll_attempt(attempt.as_mut(), &mut timer, cx)).await;
                let dropped = panics::catch(|| attempt.set(None));
                dropped.map_err(|message| panicked(&message)).and(ended)
            }
        };
        let failure = match ended {
            Ok(bytes) => break Ok(bytes.into()),
            Err(failure) => failure,
        };
        let delay = policy.retry.delay_after(attempts, job.seed());
        match delay.filter(|_| !failure.is_permanent()) {
            Some(delay) => {
                // At least one turn for the others, also if there is nothing to wait for.
                yield_now().await;
                timers.sleep(delay).await;
            }
            None => break Err(explain(failure, &job.operation, attempts)),
        }
    };
    let (run, slot, ended_at) = (job.instance.key, job.instance.slot.get(), timers.now());
    let operation = job.operation.clone();
    let produced = Produced { run, slot, operation, outcome, attempts, started_at, ended_at };
    job.instance.world.produced.borrow_mut().push(produced);
    // What it owned is dropped with it; a panic in that comes too late to matter.
    let _ = panics::catch(|| drop(body));
}

/// Puts the step before a failure's message.
pub(crate) fn explain(failure: Failure, operation: &Operation, attempts: u32) -> Failure {
    match attempts {
        1 => failure.within(format_args!("{operation} failed")),
        _ => failure.within(format_args!("{operation} failed, after {attempts} attempts")),
    }
}

/// One poll of an attempt, and of its time limit.
fn poll_attempt<T: Value, E: Into<BoxError>>(
    mut attempt: Pin<&mut Option<impl Future<Output = Result<T, E>>>>,
    timer: &mut Option<(Duration, BodyTimer)>,
    cx: &mut Context<'_>,
) -> Poll<Result<Vec<u8>, Failure>> {
    let attempt = attempt.as_mut().as_pin_mut().expect("it is dropped after its last poll");
    match panics::catch(|| attempt.poll(cx).map(encoded)) {
        Ok(Poll::Ready(ended)) => Poll::Ready(ended),
        Ok(Poll::Pending) => poll_timer(timer, cx).map(Err),
        Err(message) => Poll::Ready(Err(panicked(&message))),
    }
}

/// What an attempt returned: its outcome in bytes, or why it failed.
fn encoded<T: Value, E: Into<BoxError>>(result: Result<T, E>) -> Result<Vec<u8>, Failure> {
    match result {
        Ok(value) => codec::encode(&value).map_err(|why| {
            let kind = core::any::type_name::<T>();
            let message = alloc::format!("the outcome, a {kind}, cannot be encoded: {why}");
            Error::new(message).permanent().into_failure()
        }),
        Err(error) => Err(Failure::from_error(&*error.into())),
    }
}

/// Ready with a failure when the limit of an attempt has passed.
fn poll_timer(timer: &mut Option<(Duration, BodyTimer)>, cx: &mut Context<'_>) -> Poll<Failure> {
    let Some((limit, timer)) = timer else { return Poll::Pending };
    let limit = *limit;
    Pin::new(timer).poll(cx).map(|()| {
        Error::of(Kind::Elapsed, format_args!("not ready within {limit:?}")).into_failure()
    })
}

fn panicked(message: &str) -> Failure {
    Error::of(Kind::Panicked, format_args!("panicked: {message}")).into_failure()
}
