use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;
use core::future::{Future, pending};
use core::marker;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures::future::BoxFuture;

use super::Remote;
use crate::error::Result;
use crate::executor::Executor;
use crate::name::Channel;
use crate::values::Value;

/// A message for a run from another thread, made by [`Remote::send`]; a future that is ready when it
/// is recorded.
///
/// # Cancel safety
///
/// It is sent when it is first polled, and arrives whether or not it is polled again.
#[must_use = "a message is not sent unless it is awaited"]
pub struct Sending(Later<()>);

/// Something for a run that may get a key before it is sent, with the first poll.
pub(super) enum Later<T> {
    Unsent { remote: Remote, key: Option<String>, send: Box<Send<T>> },
    Sent(BoxFuture<'static, Result<T>>),
}

pub(super) type Send<T> =
    dyn FnOnce(Remote, Option<String>) -> BoxFuture<'static, Result<T>> + marker::Send;

impl Remote {
    /// Sends a message to a run; see [`Executor::send`](crate::Executor::send).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// use dacapo::{Channel, Ctx, Executor, Result, Workflow};
    ///
    /// const ORDER: Workflow<(), bool> = Workflow::new("order");
    /// const APPROVAL: Channel<bool> = Channel::new("approval");
    ///
    /// let executor = Executor::builder()
    ///     .workflow(ORDER, async |ctx: &Ctx, ()| Ok::<_, dacapo::Error>(ctx.receive(APPROVAL).await))
    ///     .in_memory();
    /// let run = executor.start(ORDER, "order-1", ())?;
    /// let remote = executor.remote();
    /// executor.block_on(remote.send("order-1", APPROVAL, true).key("webhook-7"))?;
    /// assert!(executor.block_on(run)?);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn send<T: Value + marker::Send>(
        &self,
        to: &str,
        channel: Channel<T>,
        message: T,
    ) -> Sending {
        let to = to.to_owned();
        let send = move |remote: Remote, key| -> BoxFuture<'static, Result<()>> {
            let post =
                move |executor: &Executor| executor.post_message(&to, channel, &message, key);
            Box::pin(remote.post(post))
        };
        Sending(Later::Unsent { remote: self.clone(), key: None, send: Box::new(send) })
    }
}

impl Sending {
    /// Gives the message a key: if the run has a message on this channel with this key already, this
    /// one is not recorded, whatever it says, and is `Ok` all the same. It is too late once it was polled.
    pub fn key(self, key: impl fmt::Display) -> Self {
        Self(self.0.key(&key))
    }
}

impl<T> Later<T> {
    pub(super) fn key(mut self, to: &dyn fmt::Display) -> Self {
        if let Self::Unsent { key, .. } = &mut self {
            *key = Some(to.to_string());
        }
        self
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>>
    where
        T: 'static + marker::Send,
    {
        if let Self::Unsent { .. } = self {
            // Never seen: it is replaced at once.
            let nothing = Self::Sent(Box::pin(pending()));
            if let Self::Unsent { remote, key, send } = mem::replace(self, nothing) {
                *self = Self::Sent(send(remote, key));
            }
        }
        match self {
            Self::Sent(sent) => sent.as_mut().poll(cx),
            Self::Unsent { .. } => unreachable!("it has just been sent"),
        }
    }
}

impl Future for Sending {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll(cx)
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}
