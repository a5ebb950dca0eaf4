//! What may be said of a run when it is started.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::time::Duration;

use crate::clock::{Now, Timestamp};
use crate::queue::Queue;
use crate::record::{Options, Place};

/// Options of a run, for [`Executor::start_with`](crate::Executor::start_with) and
/// [`Ctx::child_with`](crate::Ctx::child_with).
///
/// ```
/// use std::time::Duration;
/// use dacapo::{Ctx, Executor, Result, Start, Workflow};
///
/// const NAP: Workflow<(), ()> = Workflow::new("nap");
///
/// async fn nap(ctx: &Ctx, (): ()) -> Result<()> {
///     ctx.sleep(Duration::from_secs(3600)).await;
///     Ok(())
/// }
///
/// let executor = Executor::builder().workflow(NAP, nap).in_memory();
/// let soon = Start::new().timeout(Duration::from_millis(20)).attribute("customer", "ada");
/// let run = executor.start_with(NAP, "nap-1", (), soon)?;
/// assert!(executor.block_on(run).unwrap_err().is_cancelled());
/// assert_eq!(executor.runs(&Default::default())?[0].attributes[0].1, "ada");
/// # Ok::<(), dacapo::Error>(())
/// ```
#[derive(Clone, Default, Debug)]
#[must_use = "options change nothing unless a run is started with them"]
pub struct Start {
    deadline: Option<Timestamp>,
    timeout: Option<Duration>,
    attributes: Vec<(String, String)>,
    queue: Option<Queue>,
    partition: Option<String>,
    priority: i32,
    unique: Option<String>,
    delay: Option<Duration>,
    pub(crate) is_same_input: bool,
    pub(crate) is_only_new: bool,
}

/// Options of a run that is submitted later: its times are counted from then.
#[derive(Clone)]
pub(crate) struct Later {
    timeout: Option<Duration>,
    delay: Option<Duration>,
    options: Options,
}

impl Later {
    /// As of a run that is submitted now.
    pub(crate) fn at(self, now: Timestamp) -> Options {
        let Self { timeout, delay, mut options } = self;
        let late = timeout.map(|timeout| now + timeout);
        options.deadline = options.deadline.into_iter().chain(late).min();
        if let Some(delay) = delay {
            options.place.get_or_insert_default().eligible_at = Some(now + delay);
        }
        options
    }
}

impl Start {
    /// No options: as [`Executor::start`](crate::Executor::start) starts a run.
    pub fn new() -> Self {
        Self::default()
    }

    /// The run is asked to end at this time, as by [`Executor::cancel`](crate::Executor::cancel), if it
    /// has not ended; without `std` it is a [`Timestamp`]. Its children are, too.
    ///
    /// [`Ctx::cancelled`](crate::Ctx::cancelled) gives the cause
    /// [`Deadline`](crate::Cause::Deadline). A time that has passed is due at once: the run is accepted,
    /// and asked to end with the next commit, before any of its steps begins. While a run is parked or
    /// its workflow is not registered it is not asked. The earlier one counts if there is a
    /// [`timeout`](Self::timeout), too.
    pub fn deadline(self, time: Now) -> Self {
        Self { deadline: Some(Timestamp::from_now(time)), ..self }
    }

    /// The same, so long after the run is submitted.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// If there is a run with this id or this [unique](Self::unique) key, and it was started with another input, the
    /// start is an error: a client has used an id twice, perhaps. By default it attaches to that run, and the
    /// input is ignored.
    ///
    /// Inputs are compared by what they hold, with the one that the run's first pass begins with (the last one, of a
    /// run that is debounced); that one is read from the run's history. Children do not attach, so it changes nothing for them.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Start, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder()
    ///     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, dacapo::Error>(n))
    ///     .in_memory();
    /// let same = || Start::new().same_input();
    /// assert!(executor.start_with(ECHO, "one", 1, same())?.is_new());
    /// assert!(!executor.start_with(ECHO, "one", 1, same())?.is_new());
    /// let error = executor.start_with(ECHO, "one", 2, same()).unwrap_err();
    /// assert!(error.to_string().starts_with(r#"run "one" was started with another input"#));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn same_input(self) -> Self {
        Self { is_same_input: true, ..self }
    }

    /// A name and a value by which the run is found
    /// ([`Filter::attribute`](crate::store::Filter::attribute)); they are in its row. A name that was given
    /// before gets the new value.
    pub fn attribute(mut self, name: &str, value: impl Display) -> Self {
        self.attributes.retain(|(before, _)| before != name);
        self.attributes.push((name.to_string(), value.to_string()));
        self
    }

    /// Puts the run into a queue: it is accepted at once, and begins when there is room for it. Until then
    /// it is no more than its row in the file, and takes what comes: messages, requests to end.
    ///
    /// Of those that wait the ones with the smallest [priority](Self::priority) come first, and of these
    /// the one that was accepted first. See [`Builder::queue`](crate::Builder::queue) for what room is.
    pub fn queue(self, queue: Queue) -> Self {
        Self { queue: Some(queue), ..self }
    }

    /// Which part of its queue it is in, such as a customer: a queue may have limits for each
    /// ([`Limits::per_partition`](crate::Limits::per_partition)), and needs this then.
    pub fn partition(self, partition: impl Display) -> Self {
        Self { partition: Some(partition.to_string()), ..self }
    }

    /// Smaller ones are admitted first; 0 by default.
    pub fn priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }

    /// The run does not begin before this time has passed since it was submitted. It needs no queue.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Start, Workflow, sim::VirtualClock};
    /// # use std::time::{Duration, SystemTime};
    /// const WHEN: Workflow<(), SystemTime> = Workflow::new("when");
    /// let clock = VirtualClock::default();
    /// let builder = Executor::builder().clock(clock.clone());
    /// let executor = builder.workflow(WHEN, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.now())).in_memory();
    /// let soon = executor.block_on(executor.start(WHEN, "soon", ())?)?;
    /// let hour = Duration::from_secs(3600);
    /// let late = executor.start_with(WHEN, "late", (), Start::new().delay(hour))?;
    /// assert!(executor.block_on(late)? >= soon + hour);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay: Some(delay).filter(|delay| !delay.is_zero()), ..self }
    }

    /// No other run of the queue (or, without one, of those in none) has this key, until this one has ended:
    /// who starts another with it gets a handle of this one, or an error with
    /// [`only_new`](Self::only_new). A child with a key that is taken is not started, and awaiting it is an
    /// error.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Start, Workflow};
    /// # const NAP: Workflow<(), ()> = Workflow::new("nap");
    /// # let nap = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.sleep(std::time::Duration::from_secs(9)).await);
    /// let executor = Executor::builder().workflow(NAP, nap).in_memory();
    /// let of_ada = || Start::new().unique("ada");
    /// assert!(executor.start_with(NAP, "one", (), of_ada())?.is_new());
    /// let same = executor.start_with(NAP, "two", (), of_ada())?;
    /// assert_eq!((same.id(), same.is_new()), ("one", false));
    /// let taken = executor.start_with(NAP, "three", (), of_ada().only_new());
    /// assert!(taken.unwrap_err().is_taken());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn unique(self, key: impl Display) -> Self {
        Self { unique: Some(key.to_string()), ..self }
    }

    /// If there is a run with this id, or an unended one with its [unique](Self::unique) key, the start is an
    /// error ([`Error::is_taken`](crate::Error::is_taken)). By default it attaches to that run.
    pub fn only_new(self) -> Self {
        Self { is_only_new: true, ..self }
    }

    /// For a run that is submitted later.
    pub(crate) fn later(self) -> Later {
        let Self { deadline, timeout, mut attributes, queue, partition, .. } = self;
        let Self { priority, unique, delay, .. } = self;
        attributes.sort();
        let queue = queue.map(|queue| queue.name().to_string());
        let place =
            Place { queue, partition, priority, unique, is_debounced: false, eligible_at: None };
        let place = Some(place).filter(|place| *place != Place::default()).map(Box::new);
        Later { timeout, delay, options: Options { deadline, attributes, place } }
    }
}
