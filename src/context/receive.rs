use alloc::rc::Rc;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::Ctx;
use super::awaited::Awaited;
use crate::codec::{self, Value};
use crate::name::Channel;
use crate::operation::{Effort, Operation};
use crate::record::Asked;

/// A message that is awaited, made by [`Ctx::receive`].
///
/// # Cancel safety
///
/// Dropping it loses no message: one that it was given and did not return goes back to its place, and
/// the oldest receive that waits gets the first one.
#[must_use = "a receive does nothing unless it is awaited"]
pub struct Receive<T> {
    awaited: Awaited,
    message: PhantomData<fn() -> T>,
}

impl Ctx {
    /// Waits for a message on a channel of this run.
    ///
    /// Messages are sent by [`Executor::send`](crate::Executor::send), or by other runs
    /// ([`Ctx::send`]). Each is received once, in the order in which they arrived; among several
    /// receives on one channel the one that was built first gets the first. A message that arrives
    /// before anybody waits for it is kept. While a run waits for messages and times alone it may
    /// leave memory.
    ///
    /// A message of another type than `T` parks the run.
    ///
    /// ```
    /// use std::time::Duration;
    /// use dacapo::{Channel, Ctx, Executor, Result, Workflow};
    ///
    /// const ORDER: Workflow<(), String> = Workflow::new("order");
    /// const APPROVAL: Channel<bool> = Channel::new("approval");
    ///
    /// async fn order(ctx: &Ctx, (): ()) -> Result<String> {
    ///     match ctx.timeout(Duration::from_secs(3600), ctx.receive(APPROVAL)).await {
    ///         Ok(true) => Ok("granted".into()),
    ///         Ok(false) => Ok("denied".into()),
    ///         Err(_) => Ok("nobody answered".into()),
    ///     }
    /// }
    ///
    /// let executor = Executor::builder().workflow(ORDER, order).in_memory();
    /// let run = executor.start(ORDER, "order-1", ())?;
    /// executor.block_on(executor.send("order-1", APPROVAL, true))?;
    /// assert_eq!(executor.block_on(run)?, "granted");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn receive<T: Value>(&self, channel: Channel<T>) -> Receive<T> {
        let asked = Asked::Receive { channel: channel.name() };
        let operation = Operation::new(self.take_number(), asked, Effort::Nothing);
        operation.set_order(self.instance.extra().inbox.borrow_mut().next_order());
        let awaited = Awaited::new(Rc::clone(&self.instance), operation);
        Receive { awaited, message: PhantomData }
    }
}

impl<T: Value> Future for Receive<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Awaited { instance, operation } = &self.awaited;
        let arrived = ready!(instance.poll_receive(operation, cx));
        match codec::decode(arrived.payload.as_slice()) {
            Ok(message) => Poll::Ready(message),
            Err(why) => {
                let (channel, kind) = (operation.asked().name(), core::any::type_name::<T>());
                let detail = format_args!(
                    "the message on channel {channel:?}, record {}, does not decode as {kind}: {why}",
                    arrived.seq
                );
                instance.fail_message(arrived.seq, detail);
                Poll::Pending
            }
        }
    }
}
