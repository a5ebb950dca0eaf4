use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use dacapo_values::Detached;
use futures::future::BoxFuture;

use super::Remote;
use super::sending::Later;
use crate::error::Result;
use crate::executor::{Executor, unread_answer};
use crate::name::Question;
use crate::values::Value;

/// A question to a run from another thread, made by [`Remote::ask`]; a future of the answer.
///
/// # Cancel safety
///
/// As with [`Asking`](crate::Asking).
#[must_use = "nothing is asked unless it is awaited"]
pub struct RemoteAsking<A> {
    later: Later<Detached>,
    to: String,
    name: &'static str,
    answer: PhantomData<fn() -> A>,
}

impl Remote {
    /// Asks a run something, and waits for its answer; see [`Executor::ask`](crate::Executor::ask).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// use dacapo::{Ctx, Error, Executor, Question, Workflow};
    ///
    /// const DOUBLE: Workflow<(), ()> = Workflow::new("double");
    /// const OF: Question<u64, u64> = Question::new("of");
    ///
    /// let double = async |ctx: &Ctx, ()| {
    ///     let asked = ctx.receive(OF).await;
    ///     let double = 2 * asked.question;
    ///     Ok::<_, Error>(asked.answer(ctx, double))
    /// };
    /// let executor = Executor::builder().workflow(DOUBLE, double).in_memory();
    /// let _run = executor.start(DOUBLE, "double-1", ())?;
    /// let asking = executor.remote().ask("double-1", OF, 7).key("request-1");
    /// assert_eq!(executor.block_on(asking)?, 14);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn ask<Q: Value + Send, A: Value>(
        &self,
        to: &str,
        question: Question<Q, A>,
        asked: Q,
    ) -> RemoteAsking<A> {
        let (to, name) = (to.to_owned(), question.name());
        let id = to.clone();
        let send = move |remote: Remote, key| -> BoxFuture<'static, Result<Detached>> {
            let post =
                move |executor: &Executor| executor.post_question(&id, question, &asked, key);
            Box::pin(remote.answer(post))
        };
        let later = Later::Unsent { remote: self.clone(), key: None, send: Box::new(send) };
        RemoteAsking { later, to, name, answer: PhantomData }
    }
}

impl<A> RemoteAsking<A> {
    /// Gives the question a key; see [`Asking::key`](crate::Asking::key). It is too late once it was
    /// polled.
    pub fn key(self, key: impl fmt::Display) -> Self {
        Self { later: self.later.key(&key), ..self }
    }
}

impl<A: Value> Future for RemoteAsking<A> {
    type Output = Result<A>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<A>> {
        let this = &mut *self;
        this.later.poll(cx).map(|answer| unread_answer(&this.to, this.name, answer?.decode()))
    }
}

impl<A> fmt::Debug for RemoteAsking<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, name, .. } = self;
        f.debug_struct("RemoteAsking").field("to", to).field("name", name).finish_non_exhaustive()
    }
}
