//! Queues from outside: what waits in them, moved, paused, drained.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use dacapo_store::{Filter, RunKey, RunState};

use super::posted::Posted;
use super::pruned::committed;
use super::{Executor, admit};
use crate::engine::Engine;
use crate::error::Result;
use crate::instance::{Change, PostWhat, Replaced};
use crate::queue::Queue;
use crate::record::CancelCause;
use crate::start::Start;
use crate::watch::Watch;

/// What is known of a queue; see [`Executor::queue`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct QueueInfo {
    /// How many runs wait in it, also those whose delay is not over.
    pub waiting: usize,
    /// Whether it admits nothing until [`Executor::resume_queue`].
    pub is_paused: bool,
}

/// A queue by its name; see [`Executor::queues`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NamedQueue {
    /// Its name.
    pub name: String,
    /// Whether this build defines it: nothing is admitted from one that it does not.
    pub is_defined: bool,
    /// Whether it admits nothing until somebody has it go on, as the store has it.
    pub is_paused: bool,
}

impl Executor {
    /// Gives a run that waits another place: queue, partition, priority, delay and unique key become what
    /// `options` say, a deadline and attributes if there are any. The delay counts from now.
    ///
    /// # Errors
    ///
    /// If there is no such run ([`Error::is_not_found`](crate::Error::is_not_found)), if it has begun, or if it may not wait there, as
    /// with [`start_with`](Self::start_with): then it stays where it is.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Start, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// # let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// let year = std::time::Duration::from_secs(31_536_000);
    /// let run = executor.start_with(ECHO, "one", 1, Start::new().delay(year))?;
    /// executor.block_on(executor.requeue("one", Start::new()))?; // Now, that is.
    /// assert_eq!(executor.block_on(run)?, 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn requeue(&self, id: &str, options: Start) -> Posted {
        Posted::to_run(&self.shared, id, requeued(options))
    }

    /// Has a queue admit nothing until [`resume_queue`](Self::resume_queue), in later processes too. Runs
    /// that it has admitted go on, and others may still be started into it.
    ///
    /// # Errors
    ///
    /// If this build does not define the queue.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Limits, Queue, Start, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # const LINE: Queue = Queue::new("line");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// # let builder = Executor::builder().workflow(ECHO, echo);
    /// let executor = builder.queue(LINE, Limits::new()).in_memory();
    /// executor.block_on(async {
    ///     executor.pause_queue(LINE).await?;
    ///     let run = executor.start_with(ECHO, "one", 1, Start::new().queue(LINE))?;
    ///     run.accepted().await?;
    ///     let queue = executor.queue(LINE)?;
    ///     assert_eq!((queue.waiting, queue.is_paused), (1, true));
    ///     executor.resume_queue(LINE).await?;
    ///     assert_eq!(run.await?, 1);
    ///     Ok::<_, Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn pause_queue(&self, queue: Queue) -> Posted {
        self.set_paused(queue, true)
    }

    /// Has a queue that was paused go on.
    ///
    /// # Errors
    ///
    /// If this build does not define the queue.
    pub fn resume_queue(&self, queue: Queue) -> Posted {
        self.set_paused(queue, false)
    }

    /// All queues that this build defines or that are paused, by name; how many runs wait in them is in the rows
    /// of these ([`RunInfo::queue`](crate::RunInfo::queue)).
    ///
    /// # Errors
    ///
    /// If the store failed.
    ///
    /// ```
    /// # use dacapo::{Executor, Limits, Queue};
    /// const MAILS: Queue = Queue::new("mails");
    /// let executor = Executor::builder().queue(MAILS, Limits::new()).in_memory();
    /// executor.block_on(executor.set_queue_paused("mails", true))?;
    /// let queues = executor.queues()?;
    /// assert_eq!((&*queues[0].name, queues[0].is_defined, queues[0].is_paused), ("mails", true, true));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn queues(&self) -> Result<Vec<NamedQueue>> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("queues cannot be listed"))?;
        let paused = engine.paused_queues()?;
        let mut queues = BTreeMap::new();
        for name in engine.queues.defined() {
            queues.insert(String::from(&*name), true);
        }
        for name in &paused {
            queues.entry(name.clone()).or_insert(false);
        }
        let named = |(name, is_defined)| {
            let is_paused = paused.contains(&name);
            NamedQueue { name, is_defined, is_paused }
        };
        Ok(queues.into_iter().map(named).collect())
    }

    /// Pauses a queue, or has it go on, by a name that comes from elsewhere; see [`pause_queue`](Self::pause_queue).
    ///
    /// # Errors
    ///
    /// If this build does not define the queue.
    pub fn set_queue_paused(&self, name: &str, is_paused: bool) -> Posted {
        let name = String::from(name);
        Posted::new(&self.shared, move |engine| set_paused(engine, &name, is_paused))
    }

    fn set_paused(&self, queue: Queue, is_paused: bool) -> Posted {
        Posted::new(&self.shared, move |engine| set_paused(engine, queue.name(), is_paused))
    }

    /// The same, posted at once.
    pub(crate) fn post_paused(&self, queue: &str, is_paused: bool) -> Result<Rc<Watch>> {
        set_paused(&self.shared.engine, queue, is_paused)
    }

    /// How many runs wait in a queue, and whether it is paused.
    ///
    /// # Errors
    ///
    /// If this build does not define the queue.
    pub fn queue(&self, queue: Queue) -> Result<QueueInfo> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("queue {:?} cannot be looked at", queue.name()))?;
        let (waiting, is_paused) = engine.queues.count_of(queue.name())?;
        Ok(QueueInfo { waiting, is_paused })
    }

    /// Ends all runs that wait in a queue now, as by [`cancel`](Self::cancel), and says how many did. Those that
    /// were admitted meanwhile are left alone.
    ///
    /// A hundred at most share a commit, so other runs go on meanwhile.
    ///
    /// # Errors
    ///
    /// If the store failed: some may have ended by then.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Limits, Queue, Start, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # const LINE: Queue = Queue::new("line");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// # let builder = Executor::builder().workflow(ECHO, echo);
    /// let executor = builder.queue(LINE, Limits::new()).in_memory();
    /// executor.block_on(executor.pause_queue(LINE))?;
    /// let run = executor.start_with(ECHO, "one", 1, Start::new().queue(LINE))?;
    /// assert_eq!(executor.block_on(executor.drain_queue(LINE))?, 1);
    /// assert!(executor.block_on(run).unwrap_err().is_cancelled());
    /// # Ok::<(), Error>(())
    /// ```
    pub async fn drain_queue(&self, queue: Queue) -> Result<usize> {
        let (mut after, mut all) = (None, 0);
        loop {
            let (ended, watch, last) = self.drain_piece(queue, after)?;
            all += ended;
            committed(watch).await?;
            if last.is_none() {
                return Ok(all);
            }
            after = last;
        }
    }

    /// Asks some more to end, behind the run with this key: how many, where to wait for the commit, and the last
    /// of those that were looked at, if there may be more.
    pub(crate) fn drain_piece(
        &self,
        queue: Queue,
        after: Option<RunKey>,
    ) -> Result<(usize, Option<Rc<Watch>>, Option<RunKey>)> {
        const AT_ONCE: usize = 100;
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("queue {:?} cannot be drained", queue.name()))?;
        engine.queues.count_of(queue.name())?;
        if after.is_none() {
            // What was started by now waits, too.
            engine.commit()?;
        }
        let mut filter = Filter::new().states(&[RunState::Queued]).limit(AT_ONCE);
        if let Some(after) = after {
            filter = filter.after(after);
        }
        let (rows, mut ended, mut watch) = (engine.list(&filter)?, 0, None);
        for row in &rows {
            if row.queue.as_ref().is_some_and(|queued| queued.name == queue.name()) {
                // Nothing is admitted before the commit that has this.
                watch = Some(engine.post(&*row.id, PostWhat::Cancel(CancelCause::Asked)));
                ended += 1;
            }
        }
        Ok((ended, watch, rows.last().map(|row| row.key)))
    }

    /// The same as [`requeue`](Self::requeue), posted at once.
    pub(crate) fn post_requeue(&self, id: &str, options: Start) -> Result<Rc<Watch>> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("run {id:?} cannot be moved"))?;
        Ok(engine.post(id, requeued(options)))
    }
}

fn set_paused(engine: &Engine, queue: &str, is_paused: bool) -> Result<Rc<Watch>> {
    engine.check()?;
    admit(engine, format_args!("queue {queue:?} cannot be paused"))?;
    engine.set_paused(queue, is_paused)
}

fn requeued(options: Start) -> PostWhat {
    let replaced = Replaced::All(options.later());
    PostWhat::Resubmit(Box::new(Change { input: None, replaced }))
}
