//! Questions of callers.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::posted::Posted;
use super::unread::unread;
use super::{Executor, admit};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::instance::PostWhat;
use crate::message::Message;
use crate::name::Question;
use crate::values::{Value, Values};
use crate::watch::Watch;

/// A question to a run, made by [`Executor::ask`]: a future of the answer.
///
/// # Cancel safety
///
/// It is asked when it is first polled, and is answered whether or not it is polled again. Dropping it
/// then loses the answer; with a [key](Self::key) the same question gets it again.
#[must_use = "nothing is asked unless it is awaited"]
pub struct Asking<A> {
    posted: Posted,
    to: String,
    name: &'static str,
    values: Rc<Values>,
    answer: PhantomData<fn() -> A>,
}

impl Executor {
    /// Asks a run something, and waits for its answer.
    ///
    /// The run receives it as [`Asked`](crate::Asked), now or later: the question is recorded, so no
    /// crash of the run loses it, and one that is parked has it when it goes on. The answer is ready
    /// when it is committed. What the run knows anyway it can publish: see
    /// [`latest`](Self::latest), which asks nobody.
    ///
    /// Whoever asks does not outlive this process. Give the question a [`key`](Asking::key) if it may be
    /// asked again: then it comes to the run once, and the answer is there for each who asks.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`Error::is_not_found`]); if it has ended, or ends without an
    /// answer ([`Error::is_ended`]); if it dropped the question; if the question cannot be recorded, or
    /// the answer does not decode as `A`; if the executor stopped, or the store failed.
    ///
    /// ```
    /// use dacapo::{Ctx, Executor, Question, Result, Workflow};
    ///
    /// const COUNTER: Workflow<u64, u64> = Workflow::new("counter");
    /// const ADD: Question<u64, u64> = Question::new("add");
    ///
    /// async fn counter(ctx: &Ctx, mut sum: u64) -> Result<u64> {
    ///     while sum < 10 {
    ///         let asked = ctx.receive(ADD).await;
    ///         sum += asked.question;
    ///         asked.answer(ctx, sum);
    ///     }
    ///     Ok(sum)
    /// }
    ///
    /// let executor = Executor::builder().workflow(COUNTER, counter).in_memory();
    /// let _run = executor.start(COUNTER, "counter-1", 0)?;
    /// let add = |n, key| executor.block_on(executor.ask("counter-1", ADD, n).key(key));
    /// assert_eq!(add(4, "a")?, 4);
    /// assert_eq!(add(7, "b")?, 11);
    /// assert_eq!(add(4, "a")?, 4); // Once more: it is not added again.
    /// assert!(add(1, "c").unwrap_err().is_ended());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn ask<Q: Value, A: Value>(
        &self,
        to: &str,
        question: Question<Q, A>,
        asked: Q,
    ) -> Asking<A> {
        let posted =
            Posted::message(&self.shared, to, encode(&self.shared.engine, to, question, &asked));
        let (to, name) = (to.to_owned(), question.name());
        let values = self.shared.engine.world.values.clone();
        Asking { posted, to, name, values, answer: PhantomData }
    }

    /// The same, asked at once; where to wait for the answer.
    pub(crate) fn post_question<Q: Value, A>(
        &self,
        to: &str,
        question: Question<Q, A>,
        asked: &Q,
        key: Option<String>,
    ) -> Result<Rc<Watch>> {
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("run {to:?} cannot be asked"))?;
        let message = encode(&self.shared.engine, to, question, asked)?;
        let message = Message { key: key.map(Rc::from), ..message };
        Ok(self.shared.engine.post(to, PostWhat::Message(message)))
    }
}

impl<A> Asking<A> {
    /// Gives the question a key: if the run was asked this with the same key before, it is not asked
    /// again, whatever the new question says: this waits for the answer to the first, or gets it.
    ///
    /// That holds after a restart, and when the run has ended, as long as it is not deleted; in later
    /// passes of a run as long as [`Builder::keep_keys`](crate::Builder::keep_keys) says.
    pub fn key(self, key: impl fmt::Display) -> Self {
        Self { posted: self.posted.with_key(key.to_string().into()), ..self }
    }
}

impl<A: Value> Future for Asking<A> {
    type Output = Result<A>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<A>> {
        self.posted.poll_answer(cx).map(|answer| match answer? {
            Ok(answer) => unread_answer(&self.to, self.name, self.values.decode(answer.as_slice())),
            Err(failure) => Err(failure.into()),
        })
    }
}

impl<A> fmt::Debug for Asking<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, name, .. } = self;
        f.debug_struct("Asking").field("to", to).field("name", name).finish_non_exhaustive()
    }
}

fn encode<Q: Value, A>(
    engine: &Engine,
    to: &str,
    question: Question<Q, A>,
    asked: &Q,
) -> Result<Message> {
    let payload = engine.world.values.encode(asked).map_err(|why| {
        let (name, kind) = (question.name(), core::any::type_name::<Q>());
        let message = format_args!(
            "the question {name:?} for run {to:?}, a {kind}, cannot be recorded: {why}"
        );
        Error::of(Kind::Usage, message)
    });
    let (channel, payload) = (question.name().into(), payload?);
    Ok(Message { channel, payload, key: None, is_question: true })
}

/// An answer that was read, or why it cannot be.
pub(crate) fn unread_answer<A: Value>(
    to: &str,
    name: &str,
    read: Result<A, dacapo_values::Error>,
) -> Result<A> {
    read.map_err(|why| {
        let kind = core::any::type_name::<A>();
        unread(&why, format_args!("the answer of run {to:?} to {name:?} does not decode as {kind}"))
    })
}
