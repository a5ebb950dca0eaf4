//! What runs publish, read on other threads.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::future::Future;

use dacapo_values::Detached;
use futures::Stream;
use futures::channel::oneshot;
use futures::stream::unfold;

use super::Remote;
use crate::engine::{Page, Reader, Then};
use crate::error::{Error, Kind, Result};
use crate::executor::{Executor, unread_value};
use crate::name::Topic;
use crate::values::Value;

/// What a stream needs for its next item.
struct Follows {
    remote: Remote,
    /// What was read, and not given yet.
    values: VecDeque<(u64, Detached)>,
    state: State,
}

enum State {
    Reads(Reader),
    Waits(Reader, oneshot::Receiver<()>),
    Ended,
}

impl Remote {
    /// The value that a run published last on a topic; see
    /// [`Executor::latest`](crate::Executor::latest).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Topic, Workflow};
    /// # const ORDER: Workflow<(), ()> = Workflow::new("order");
    /// # const STATUS: Topic<String> = Topic::new("status");
    /// let executor = Executor::builder()
    ///     .workflow(ORDER, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.publish(STATUS, "sent".into())))
    ///     .in_memory();
    /// let remote = executor.remote();
    /// let latest = executor.block_on(async {
    ///     remote.start(ORDER, "order-1", ()).await?;
    ///     remote.latest("order-1", STATUS).await
    /// })?;
    /// assert_eq!(latest, Some("sent".into()));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn latest<T: Value>(
        &self,
        id: &str,
        topic: Topic<T>,
    ) -> impl Future<Output = Result<Option<T>>> + Send + use<T> {
        let asked = id.to_owned();
        let latest = self.call(move |executor| {
            let latest = executor.latest_bytes(&asked, topic.name())?;
            let detached = latest.map(|value| detach(executor, value.as_slice())).transpose()?;
            Ok(detached.map(|value| (asked, value)))
        });
        async move {
            let decode = |(id, value): (String, Detached)| unread_value(&id, topic, value.decode());
            latest.await?.map(decode).transpose()
        }
    }

    /// The values that a run publishes on a topic, from the one at the offset `from` on; see
    /// [`Executor::follow`](crate::Executor::follow).
    ///
    /// There must be such a run. To follow one that is about to be started, [`start`](Self::start) it with
    /// this `Remote` first, which need not be awaited. If somebody else starts it, start it as well: who
    /// comes second attaches.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Topic, Workflow};
    /// # use futures::StreamExt;
    /// # const ORDER: Workflow<(), ()> = Workflow::new("order");
    /// # const STATUS: Topic<String> = Topic::new("status");
    /// let executor = Executor::builder()
    ///     .workflow(ORDER, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.publish(STATUS, "sent".into())))
    ///     .in_memory();
    /// let remote = executor.remote();
    /// let _run = remote.start(ORDER, "order-1", ());
    /// let mut follow = remote.follow("order-1", STATUS, 0);
    /// let first = executor.block_on(follow.next()).expect("there is one")?;
    /// assert_eq!(first, (0, "sent".into()));
    /// assert!(executor.block_on(follow.next()).is_none());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn follow<T: Value>(
        &self,
        id: &str,
        topic: Topic<T>,
        from: u64,
    ) -> impl Stream<Item = Result<(u64, T)>> + Send + Unpin + use<T> {
        let state = State::Reads(Reader::new(id, topic.name(), from));
        let follows = Follows { remote: self.clone(), values: VecDeque::new(), state };
        let id = id.to_owned();
        Box::pin(unfold((follows, id), move |(mut follows, id)| async move {
            let item = match follows.next().await? {
                Ok((offset, value)) => {
                    unread_value(&id, topic, value.decode()).map(|value| (offset, value))
                }
                Err(error) => Err(error),
            };
            Some((item, (follows, id)))
        }))
    }
}

impl Follows {
    /// The next value, with its offset.
    async fn next(&mut self) -> Option<Result<(u64, Detached)>> {
        loop {
            if let Some(value) = self.values.pop_front() {
                return Some(Ok(value));
            }
            let reader = match core::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return None,
                State::Reads(reader) => reader,
                State::Waits(reader, told) => {
                    // Also if the executor is gone: that is what the next look says.
                    let _ = told.await;
                    reader
                }
            };
            let page = move |executor: &Executor| {
                let Page { reader, values, then } = executor.read_topic(reader)?;
                let values = values.iter();
                let values = values.map(|(offset, value)| Ok((*offset, detach(executor, value)?)));
                Ok((reader, values.collect::<Result<Vec<_>>>()?, then))
            };
            match self.remote.call(page).await {
                Ok((reader, values, then)) => {
                    self.values.extend(values);
                    self.state = match then {
                        Then::More => State::Reads(reader),
                        Then::Wait(told) => State::Waits(reader, told),
                        Then::End => State::Ended,
                    };
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A value that is read on another thread.
fn detach(executor: &Executor, value: &[u8]) -> Result<Detached> {
    executor.values().detach(value).map_err(|why| Error::of(Kind::Store, why))
}
