//! Queues, as other threads reach them.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::future::Future;

use super::Remote;
use crate::error::Result;
use crate::executor::{Executor, QueueInfo};
use crate::queue::Queue;
use crate::start::Start;

impl Remote {
    /// Gives a run that waits another place; see [`Executor::requeue`](crate::Executor::requeue).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use dacapo::{Executor, Start};
    /// let executor = Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().requeue("one", Start::new())).unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    pub fn requeue(
        &self,
        id: &str,
        options: Start,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let id = id.to_owned();
        self.post(move |executor| executor.post_requeue(&id, options))
    }

    /// Has a queue admit nothing; see [`Executor::pause_queue`](crate::Executor::pause_queue).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use dacapo::{Executor, Limits, Queue};
    /// # const LINE: Queue = Queue::new("line");
    /// let executor = Executor::builder().queue(LINE, Limits::new()).in_memory();
    /// let remote = executor.remote();
    /// executor.block_on(remote.pause_queue(LINE))?;
    /// assert!(executor.block_on(remote.queue(LINE))?.is_paused);
    /// executor.block_on(remote.resume_queue(LINE))?;
    /// assert_eq!(executor.block_on(remote.drain_queue(LINE))?, 0);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn pause_queue(&self, queue: Queue) -> impl Future<Output = Result<()>> + Send + use<> {
        self.post(move |executor| executor.post_paused(queue.name(), true))
    }

    /// Has a queue that was paused go on; see [`Executor::resume_queue`](crate::Executor::resume_queue).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn resume_queue(&self, queue: Queue) -> impl Future<Output = Result<()>> + Send + use<> {
        self.post(move |executor| executor.post_paused(queue.name(), false))
    }

    /// Pauses a queue, or has it go on; see [`Executor::set_queue_paused`](crate::Executor::set_queue_paused).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set_queue_paused(
        &self,
        name: &str,
        is_paused: bool,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let name = String::from(name);
        self.post(move |executor| executor.post_paused(&name, is_paused))
    }

    /// What is known of a queue; see [`Executor::queue`](crate::Executor::queue).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn queue(&self, queue: Queue) -> impl Future<Output = Result<QueueInfo>> + Send + use<> {
        self.call(move |executor| executor.queue(queue))
    }

    /// Ends all runs that wait in a queue; see [`Executor::drain_queue`](crate::Executor::drain_queue). Ready
    /// when that is committed.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn drain_queue(&self, queue: Queue) -> impl Future<Output = Result<usize>> + Send + use<> {
        let remote = self.clone();
        async move {
            let (mut after, mut all) = (None, 0);
            loop {
                let drain = move |executor: &Executor| {
                    let (ended, _, last) = executor.drain_piece(queue, after)?;
                    Ok((ended, last))
                };
                let (ended, last) = remote.call(drain).await?;
                all += ended;
                if last.is_none() {
                    return remote.committed().await.map(|()| all);
                }
                after = last;
            }
        }
    }
}
