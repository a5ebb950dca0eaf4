use alloc::rc::Rc;
use alloc::string::ToString;
use core::fmt::Display;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::Ctx;
use super::awaited::Awaited;
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing, Parcel};
use crate::name::Channel;
use crate::operation::{Effort, Operation};
use crate::record::Asked;
use crate::values::Value;

/// A message to another run, made by [`Ctx::send`].
///
/// # Cancel safety
///
/// It is sent with the commit that follows its first poll. Dropped before that, it is not sent.
#[must_use = "a message is not sent unless it is awaited"]
pub struct Sent {
    awaited: Awaited,
}

impl Ctx {
    /// Sends a message to a run: `Ok` when it is recorded there.
    ///
    /// That it is recorded there and that it was sent are one commit: after a crash it is sent either
    /// once or not yet. Messages of one run to another arrive in the order in which the code sent
    /// them. The other run need not receive it, and may end without having done so; one that is
    /// parked keeps it. A run may send to itself.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`Error::is_not_found`]), or it has ended
    /// ([`Error::is_ended`]), at that moment; or if the message cannot be recorded.
    ///
    /// ```
    /// use dacapo::{Channel, Ctx, Executor, Result, Workflow};
    ///
    /// const PING: Workflow<String, bool> = Workflow::new("ping");
    /// const PONG: Workflow<(), u64> = Workflow::new("pong");
    /// const BALL: Channel<u64> = Channel::new("ball");
    ///
    /// async fn ping(ctx: &Ctx, to: String) -> Result<bool> {
    ///     match ctx.send(&to, BALL, 7).await {
    ///         Err(error) if error.is_not_found() => Ok(false),
    ///         sent => sent.map(|()| true),
    ///     }
    /// }
    ///
    /// let executor = Executor::builder()
    ///     .workflow(PING, ping)
    ///     .workflow(PONG, async |ctx: &Ctx, ()| Ok::<_, dacapo::Error>(ctx.receive(BALL).await))
    ///     .in_memory();
    /// let pong = executor.start(PONG, "pong-1", ())?;
    /// let _run = executor.start(PING, "ping-1", "pong-1".into())?;
    /// assert_eq!(executor.block_on(pong)?, 7);
    /// let lost = executor.start(PING, "ping-2", "pong-2".into())?;
    /// assert!(!executor.block_on(lost)?);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[track_caller]
    pub fn send<T: Value>(&self, to: &str, channel: Channel<T>, message: T) -> Sent {
        let channel = channel.name();
        let number = self.take_number();
        let operation = Operation::new(number, Asked::Send { channel }, Effort::Nothing);
        let parcel = match self.values().encode(&message) {
            Ok(payload) => {
                let channel = channel.into();
                Parcel::Message(Message { channel, payload, key: None, is_question: false })
            }
            Err(why) => {
                let kind = core::any::type_name::<T>();
                let message = alloc::format!("the message, a {kind}, cannot be recorded: {why}");
                Parcel::Refused(Error::new(message).permanent())
            }
        };
        operation.set_outgoing(Outgoing::new(to.into(), parcel));
        Sent { awaited: Awaited::new(Rc::clone(&self.instance), operation) }
    }
}

impl Sent {
    /// Gives the message a key: if the run has a message on this channel with this key already, this
    /// one is not recorded, whatever it says, and is `Ok` all the same.
    ///
    /// # Panics
    ///
    /// Panics if it was polled.
    pub fn key(self, key: impl Display) -> Self {
        self.awaited.assert_unpolled("the key");
        self.awaited.operation.set_message_key(key.to_string().into());
        self
    }
}

impl Future for Sent {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.awaited.poll(cx));
        Poll::Ready(match self.awaited.operation.outcome() {
            Some(Ok(_)) => Ok(()),
            Some(Err(failure)) => Err(Error::from(failure.clone())),
            None => unreachable!("sends are delivered with their outcome"),
        })
    }
}
