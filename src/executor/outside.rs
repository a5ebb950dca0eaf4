//! What callers have for runs: messages, and requests to end.

use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::fmt::Display;

use super::posted::Posted;
use super::{Executor, admit};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::instance::PostWhat;
use crate::message::Message;
use crate::name::Channel;
use crate::record::CancelCause;
use crate::values::Value;
use crate::watch::Watch;

impl Executor {
    /// Sends a message to a run: `Ok` when it is recorded there, and no crash can lose it.
    ///
    /// The run need not receive it, and may end without having done so. One that is parked keeps it;
    /// one that has left memory is brought back. Give it a [`key`](Posted::key) if it may be sent
    /// again, by a client that repeats its request or after a crash: then it arrives once.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`Error::is_not_found`](crate::Error::is_not_found)), if it has
    /// ended ([`Error::is_ended`](crate::Error::is_ended)), if the message cannot be recorded, or if the
    /// store failed.
    ///
    /// ```
    /// use dacapo::{Channel, Ctx, Executor, Result, Workflow};
    ///
    /// const SUM: Workflow<u32, u64> = Workflow::new("sum");
    /// const NUMBER: Channel<u64> = Channel::new("number");
    ///
    /// async fn sum(ctx: &Ctx, count: u32) -> Result<u64> {
    ///     let mut sum = 0;
    ///     for _ in 0..count {
    ///         sum += ctx.receive(NUMBER).await;
    ///     }
    ///     Ok(sum)
    /// }
    ///
    /// let executor = Executor::builder().workflow(SUM, sum).in_memory();
    /// let run = executor.start(SUM, "sum-1", 2)?;
    /// executor.block_on(executor.send("sum-1", NUMBER, 3).key("a"))?;
    /// executor.block_on(executor.send("sum-1", NUMBER, 3).key("a"))?; // Once more.
    /// executor.block_on(executor.send("sum-1", NUMBER, 4).key("b"))?;
    /// assert_eq!(executor.block_on(run)?, 7);
    /// let late = executor.block_on(executor.send("sum-1", NUMBER, 5));
    /// assert!(late.unwrap_err().is_ended());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn send<T: Value>(&self, to: &str, channel: Channel<T>, message: T) -> Posted {
        Posted::message(&self.shared, to, encode(&self.shared.engine, to, channel, &message))
    }

    /// The same, posted at once; where to wait for the commit.
    pub(crate) fn post_message<T: Value>(
        &self,
        to: &str,
        channel: Channel<T>,
        message: &T,
        key: Option<String>,
    ) -> Result<Rc<Watch>> {
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("run {to:?} cannot be sent to"))?;
        let message = encode(&self.shared.engine, to, channel, message)?;
        let message = Message { key: key.map(Rc::from), ..message };
        Ok(self.shared.engine.post(to, PostWhat::Message(message)))
    }

    /// A request to end, posted at once.
    pub(crate) fn post_cancel(&self, id: &str, cause: CancelCause) -> Result<Rc<Watch>> {
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("run {id:?} cannot be asked to end"))?;
        Ok(self.shared.engine.post(id, PostWhat::Cancel(cause)))
    }

    /// Asks a run to end: `Ok` when that is recorded.
    ///
    /// Its code is told, if it awaits [`Ctx::cancelled`](crate::Ctx::cancelled), and is dropped
    /// otherwise. A run that was asked before is not asked again, and one that has ended has ended: both
    /// are `Ok`. One whose workflow this build does not have is asked when its code is there.
    ///
    /// # Errors
    ///
    /// If there is no such run, if it is parked (resume it, or [`terminate`](Self::terminate) it), or
    /// if the store failed.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const NAP: Workflow<(), ()> = Workflow::new("nap");
    /// let executor = Executor::builder()
    ///     .workflow(NAP, async |ctx: &Ctx, ()| {
    ///         ctx.sleep(std::time::Duration::from_secs(3600)).await;
    ///         Ok::<_, dacapo::Error>(())
    ///     })
    ///     .in_memory();
    /// let run = executor.start(NAP, "nap-1", ())?;
    /// executor.block_on(executor.cancel("nap-1"))?;
    /// assert!(executor.block_on(run).unwrap_err().is_cancelled());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn cancel(&self, id: &str) -> Posted {
        Posted::to_run(&self.shared, id, PostWhat::Cancel(CancelCause::Asked))
    }

    /// Ends a run, whatever its code would do about it: `Ok` when that is recorded.
    ///
    /// Its code is dropped, where it is; nothing is cleaned up. A run that is parked, or whose workflow
    /// this build does not have, ends without its code. One that has ended has ended: `Ok`.
    ///
    /// # Errors
    ///
    /// If there is no such run, or if the store failed.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const STUCK: Workflow<(), ()> = Workflow::new("stuck");
    /// let executor = Executor::builder()
    ///     .workflow(STUCK, async |_: &Ctx, ()| -> Result<()> { panic!("no tea") })
    ///     .in_memory();
    /// assert!(executor.block_on(executor.start(STUCK, "one", ())?).unwrap_err().is_parked());
    /// executor.block_on(executor.terminate("one"))?;
    /// let ended = executor.block_on(executor.attach(STUCK, "one")?);
    /// assert!(ended.unwrap_err().is_cancelled());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn terminate(&self, id: &str) -> Posted {
        Posted::to_run(&self.shared, id, PostWhat::Cancel(CancelCause::Terminated))
    }
}

fn encode<T: Value>(
    engine: &Engine,
    to: &str,
    channel: Channel<T>,
    message: &T,
) -> Result<Message> {
    let payload = engine.world.values.encode(message).map_err(|why| {
        let (channel, kind) = (channel.name(), core::any::type_name::<T>());
        let message = format_args!(
            "the message for run {to:?} on channel {channel:?}, a {kind}, cannot be recorded: {why}"
        );
        Error::of(Kind::Usage, message)
    });
    Ok(Message { channel: channel.name().into(), payload: payload?, key: None, is_question: false })
}

impl Posted {
    /// Gives a message a key: if the run has a message on this channel with this key already, this
    /// one is not recorded, whatever it says, and is `Ok` all the same. What is no message is not changed by it.
    pub fn key(self, key: impl Display) -> Self {
        self.with_key(key.to_string().into())
    }
}
