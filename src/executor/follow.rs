//! What runs publish, as callers read it.

use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures::Stream;
use futures::channel::oneshot;

use super::unread::unread;
use super::{Executor, Shared, admit};
use crate::bytes::Bytes;
use crate::engine::{Page, Reader, Then};
use crate::error::{Error, Kind, Result};
use crate::name::Topic;
use crate::values::{Value, Values};

/// The values that a run publishes on a topic, from one of them on: a stream of their offsets and the
/// values, made by [`Executor::follow`].
///
/// # Cancel safety
///
/// Dropping it loses nothing: who knows the offset of the last value that he had follows from there.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Follow<T> {
    shared: Weak<Shared>,
    id: Rc<str>,
    topic: Topic<T>,
    /// What was read, and not given yet.
    values: VecDeque<(u64, Vec<u8>)>,
    values_of_file: Rc<Values>,
    state: State,
    value: PhantomData<fn() -> T>,
}

enum State {
    Reads(Reader),
    Waits(Reader, oneshot::Receiver<()>),
    Ended,
}

impl Executor {
    /// The value that a run published last on a topic, as of the last commit. `None`: it has not
    /// published any.
    ///
    /// The run need not be in memory, and may be parked or have ended.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`Error::is_not_found`]), if the value does not decode as `T`,
    /// or if the store failed.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Topic, Workflow};
    /// const ORDER: Workflow<(), ()> = Workflow::new("order");
    /// const STATUS: Topic<String> = Topic::new("status");
    ///
    /// async fn order(ctx: &Ctx, (): ()) -> Result<()> {
    ///     ctx.publish(STATUS, "packed".into());
    ///     Ok(())
    /// }
    ///
    /// let executor = Executor::builder().workflow(ORDER, order).in_memory();
    /// let run = executor.start(ORDER, "order-1", ())?;
    /// assert_eq!(executor.latest("order-1", STATUS)?, None); // Nothing is committed yet.
    /// executor.block_on(run)?;
    /// assert_eq!(executor.latest("order-1", STATUS)?, Some("packed".into()));
    /// assert!(executor.latest("order-2", STATUS).unwrap_err().is_not_found());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn latest<T: Value>(&self, id: &str, topic: Topic<T>) -> Result<Option<T>> {
        let latest = self.latest_bytes(id, topic.name())?;
        let values = &self.shared.engine.world.values;
        latest.map(|value| unread_value(id, topic, values.decode(value.as_slice()))).transpose()
    }

    pub(crate) fn latest_bytes(&self, id: &str, topic: &str) -> Result<Option<Bytes<'static>>> {
        admit(&self.shared.engine, format_args!("run {id:?} cannot be read"))?;
        self.shared.engine.latest(id, topic)
    }

    /// The values that a run publishes on a topic, in their order: those that are committed, and those
    /// that will be.
    ///
    /// It begins with the value at the offset `from`, and the first has the offset 0. It waits while the
    /// run sleeps or is parked, without bringing it into memory, and ends when the run has ended or is
    /// deleted, behind its last value.
    ///
    /// # Errors
    ///
    /// An item is an error if there is no run with this id ([`Error::is_not_found`]), if what was
    /// recorded cannot be read, or if the executor has stopped, and is the last one then. A value that
    /// does not decode as `T` is an error, too, and others follow.
    ///
    /// ```
    /// use dacapo::{Ctx, Executor, Result, Topic, Workflow};
    /// use futures::StreamExt;
    ///
    /// const COUNT: Workflow<u8, ()> = Workflow::new("count");
    /// const AT: Topic<u8> = Topic::new("at");
    ///
    /// async fn count(ctx: &Ctx, to: u8) -> Result<()> {
    ///     for n in 0..to {
    ///         ctx.publish(AT, 10 * n);
    ///         ctx.step("work", async || Ok::<_, dacapo::Error>(())).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let executor = Executor::builder().workflow(COUNT, count).in_memory();
    /// let _run = executor.start(COUNT, "count-1", 4)?;
    /// let values = executor.follow("count-1", AT, 1).map(|value| value.unwrap());
    /// let values = executor.block_on(values.collect::<Vec<_>>());
    /// assert_eq!(values, [(1, 10), (2, 20), (3, 30)]);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn follow<T: Value>(&self, id: &str, topic: Topic<T>, from: u64) -> Follow<T> {
        Follow {
            shared: Rc::downgrade(&self.shared),
            id: id.into(),
            topic,
            values: VecDeque::new(),
            values_of_file: self.shared.engine.world.values.clone(),
            state: State::Reads(Reader::new(id, topic.name(), from)),
            value: PhantomData,
        }
    }

    /// A look at what is committed.
    pub(crate) fn read_topic(&self, reader: Reader) -> Result<Page> {
        admit(&self.shared.engine, format_args!("run {:?} cannot be followed", reader.id))?;
        self.shared.engine.read_topic(reader)
    }
}

impl<T> Follow<T> {
    /// Reads a page.
    fn read(&mut self, reader: Reader) -> Result<()> {
        let gone = || Error::of(Kind::Closed, "the executor was dropped");
        let shared = self.shared.upgrade().ok_or_else(gone)?;
        let Page { reader, values, then } =
            Executor { shared, is_owner: false }.read_topic(reader)?;
        self.values.extend(values);
        self.state = match then {
            Then::More => State::Reads(reader),
            Then::Wait(told) => State::Waits(reader, told),
            Then::End => State::Ended,
        };
        Ok(())
    }
}

impl<T: Value> Stream for Follow<T> {
    type Item = Result<(u64, T)>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some((offset, value)) = this.values.pop_front() {
                let value = unread_value(&this.id, this.topic, this.values_of_file.decode(&value));
                return Poll::Ready(Some(value.map(|value| (offset, value))));
            }
            let reader = match mem::replace(&mut this.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Reads(reader) => reader,
                State::Waits(reader, mut told) => {
                    if Pin::new(&mut told).poll(cx).is_pending() {
                        this.state = State::Waits(reader, told);
                        return Poll::Pending;
                    }
                    reader
                }
            };
            if let Err(error) = this.read(reader) {
                return Poll::Ready(Some(Err(error)));
            }
            if let (State::Reads(_), true) = (&this.state, this.values.is_empty()) {
                // A long history without a value: others have their turns meanwhile.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

impl<T> fmt::Debug for Follow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, topic, .. } = self;
        f.debug_struct("Follow").field("id", id).field("topic", topic).finish_non_exhaustive()
    }
}

/// A published value that was read, or why it cannot be.
pub(crate) fn unread_value<T: Value>(
    id: &str,
    topic: Topic<T>,
    read: Result<T, dacapo_values::Error>,
) -> Result<T> {
    read.map_err(|why| {
        let (topic, kind) = (topic.name(), core::any::type_name::<T>());
        let what =
            format_args!("a value of run {id:?} on topic {topic:?} does not decode as {kind}");
        unread(&why, what)
    })
}
