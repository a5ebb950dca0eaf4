//! Steps whose body blocks a thread.

use alloc::boxed::Box;
use alloc::sync::Arc;
use std::sync::{Mutex, PoisonError};

use futures::channel::oneshot;

use super::Ctx;
use super::body::{Attempt, Job};
use super::step::Step;
use crate::error::{BoxError, Error, Kind, Result};
use crate::panics;
use crate::telemetry::Carried;
use crate::values::Value;

impl Ctx {
    /// A step whose body blocks: it runs on a thread of its own, from a pool of the executor.
    ///
    /// For work that takes long without waiting for a future: a compression, a library that is not
    /// async. It must be `Send`, and so must its outcome; the error need not. Everything else is as with
    /// [`step_with`](Self::step_with).
    ///
    /// A thread cannot be cut off. When the step is dropped, or its [`timeout`](Step::timeout) passes,
    /// the body goes on to its end, what it returns reaches nobody, and the next attempt of the step waits
    /// for it, also after the run was parked and resumed. The end of the process ends it, too.
    ///
    /// There are at most 512 threads; further bodies wait for one. In a simulation (`sim`) the
    /// body runs where it is, so that it takes no time and its order is the seed's. No virtual time passes
    /// while a thread is waited for.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step); and if the system gives no thread.
    ///
    /// ```
    /// # use dacapo::{Attempt, Ctx, Error, Executor, Result, Workflow};
    /// const COUNT: Workflow<String, usize> = Workflow::new("count");
    ///
    /// async fn count(ctx: &Ctx, path: String) -> Result<usize> {
    ///     let body = move |_: &Attempt| -> std::io::Result<usize> {
    ///         Ok(std::fs::read_to_string(&path)?.lines().count())
    ///     };
    ///     ctx.step_blocking("count lines", body).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(COUNT, count).in_memory();
    /// let run = executor.start(COUNT, "count-1", "Cargo.toml".into())?;
    /// assert!(executor.block_on(run)? > 10);
    ///
    /// let run = executor.start(COUNT, "count-2", "no/such/file".into())?;
    /// let error = executor.block_on(run).unwrap_err();
    /// assert!(error.to_string().starts_with(r#"step 1 "count lines" failed: "#));
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn step_blocking<T: Value + Send, E: Into<BoxError> + 'static>(
        &self,
        name: &'static str,
        body: impl Fn(&Attempt) -> Result<T, E> + Send + 'static,
    ) -> Step<T> {
        // Locked by one thread at a time, since the pool does one piece of work of a step after the other.
        let body = Arc::new(Mutex::new(body));
        self.build_step(name, async move |job: &Job, number: u32| {
            let attempt = Attempt::new(number, job);
            let world = job.world();
            if world.setup.choices.is_some() {
                return carry_out(&body, &attempt);
            }
            let (answer, answered) = oneshot::channel();
            let body = body.clone();
            let span = Carried::here();
            let work = move || {
                // The attempt may have been dropped before its turn came.
                if answer.is_canceled() {
                    return;
                }
                let outcome = {
                    // It is left before anybody knows of the outcome, and closes with it.
                    let span = span;
                    let _entered = span.enter();
                    carry_out(&body, &attempt)
                };
                let _ = answer.send(outcome);
            };
            let _waits = world.threads.wait();
            world.threads.post(job.owner(), Box::new(work))?;
            answered.await.unwrap_or_else(|_| Err("its thread is gone".into()))
        })
    }
}

/// One attempt, on whatever thread. A panic of it is its outcome.
fn carry_out<T, E: Into<BoxError>>(
    body: &Mutex<impl Fn(&Attempt) -> Result<T, E>>,
    attempt: &Attempt,
) -> Result<T, BoxError> {
    let body = body.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = panics::catch(|| body(attempt).map_err(Into::into));
    outcome.unwrap_or_else(|message| {
        let panicked = format_args!("panicked: {message}");
        Err(Error::of(Kind::Panicked, panicked).into())
    })
}
