use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::Ctx;
use super::awaited::Awaited;
use crate::fault::ParkReason;
use crate::inbox::Address;
use crate::instance::Instance;
use crate::message::Arrived;
use crate::name::Channel;
use crate::operation::{Effort, Operation};
use crate::record::{Asked, Number};
use crate::values::Value;

/// What a run can receive from: a [`Channel`] gives messages, a [`Question`](crate::Question) gives
/// what is [`Asked`](crate::Asked).
#[diagnostic::on_unimplemented(
    message = "a run cannot receive from `{Self}`",
    label = "neither a channel nor a question",
    note = "name one: `const WORDS: dacapo::Channel<String> = dacapo::Channel::new(\"words\");`"
)]
pub trait Inbox: sealed::Sealed {
    /// What is received.
    type Message;

    #[doc(hidden)]
    #[track_caller]
    fn receive(self, ctx: &Ctx) -> Receive<Self::Message>;
}

pub(super) mod sealed {
    pub trait Sealed {}
}

/// A message that is awaited, made by [`Ctx::receive`].
///
/// # Cancel safety
///
/// Dropping it loses no message: one that it was given and did not return goes back to its place, and
/// the oldest receive that waits gets the first one.
#[must_use = "a receive does nothing unless it is awaited"]
pub struct Receive<M> {
    awaited: Awaited,
    from: Address<'static>,
    open: Open<M>,
}

/// Makes what is received of what has arrived, for the receive of this number.
pub(super) type Open<M> = fn(&Rc<Instance>, Number, &Arrived) -> Result<M, Unread>;

/// Why a message cannot be read.
pub(super) type Unread = (ParkReason, String);

impl Ctx {
    /// Waits for a message on a channel of this run, or for a question.
    ///
    /// Messages are sent by [`Executor::send`](crate::Executor::send), or by other runs
    /// ([`Ctx::send`]); questions are asked by [`Executor::ask`](crate::Executor::ask). Each is received
    /// once, in the order in which they arrived; among several
    /// receives on one channel the one that was built first gets the first. A message that arrives
    /// before anybody waits for it is kept. While a run waits for messages and times alone it may
    /// leave memory.
    ///
    /// A message of another type than that of the channel parks the run.
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
    #[track_caller]
    pub fn receive<B: Inbox>(&self, from: B) -> Receive<B::Message> {
        from.receive(self)
    }

    /// A receive of what `open` opens.
    #[track_caller]
    pub(super) fn receive_from<M>(&self, from: Address<'static>, open: Open<M>) -> Receive<M> {
        let Address { channel, is_question } = from;
        let asked = Asked::Receive { channel, is_question };
        let operation = Operation::new(self.take_number(), asked, Effort::Nothing);
        operation.set_order(self.instance.extra().inbox.borrow_mut().next_order());
        let awaited = Awaited::new(Rc::clone(&self.instance), operation);
        Receive { awaited, from, open }
    }
}

impl<T: Value> sealed::Sealed for Channel<T> {}

impl<T: Value> Inbox for Channel<T> {
    type Message = T;

    fn receive(self, ctx: &Ctx) -> Receive<T> {
        let from = Address { channel: self.name(), is_question: false };
        ctx.receive_from(from, |instance, _, arrived| decode(instance, arrived))
    }
}

/// The value of a message; or why it is none, with the name of the type.
pub(super) fn decode<T: Value>(instance: &Instance, arrived: &Arrived) -> Result<T, Unread> {
    let kind = core::any::type_name::<T>();
    let read = instance.world.values.decode(arrived.payload.as_slice());
    read.map_err(|why| (ParkReason::of_unread(&why), format!("{kind}: {why}")))
}

impl<M> Future for Receive<M> {
    type Output = M;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<M> {
        let (Awaited { instance, operation }, from) = (&self.awaited, self.from);
        let arrived = ready!(instance.poll_receive(operation, from, cx));
        match (self.open)(instance, operation.number, &arrived) {
            Ok(message) => Poll::Ready(message),
            Err((reason, why)) => {
                let what = if from.is_question { "question" } else { "message on channel" };
                let detail = format_args!(
                    "the {what} {:?}, record {}, does not decode as {why}",
                    from.channel, arrived.seq
                );
                instance.fail_message(arrived.seq, operation.number, reason, detail);
                Poll::Pending
            }
        }
    }
}
