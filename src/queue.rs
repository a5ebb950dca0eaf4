//! Queues: their names, and how many runs of one go on at a time.

use core::time::Duration;

/// The durable name of a queue: runs that are started into it wait until there is room for them.
///
/// Define it as a `const`, give it limits with [`Builder::queue`](crate::Builder::queue), and start runs
/// into it with [`Start::queue`](crate::Start::queue).
///
/// ```
/// use dacapo::{Ctx, Executor, Limits, Queue, Result, Start, Workflow};
///
/// const PAY: Workflow<u32, u32> = Workflow::new("pay");
/// const BANK: Queue = Queue::new("bank");
///
/// async fn pay(ctx: &Ctx, cents: u32) -> Result<u32> {
///     ctx.step("pay", async move || Ok::<_, dacapo::Error>(cents)).await
/// }
///
/// let builder = Executor::builder().workflow(PAY, pay);
/// let executor = builder.queue(BANK, Limits::new().concurrency(1)).in_memory();
/// let one = executor.start_with(PAY, "pay-1", 100, Start::new().queue(BANK))?;
/// let two = executor.start_with(PAY, "pay-2", 200, Start::new().queue(BANK))?;
/// assert_eq!(executor.block_on(two)?, 200);
/// assert_eq!(executor.block_on(one)?, 100);
/// # Ok::<(), dacapo::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Queue {
    name: &'static str,
}

impl Queue {
    /// Names a queue.
    ///
    /// # Panics
    ///
    /// Panics (at compile time, in a `const`) if the name is empty.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty(), "a queue needs a name");
        Self { name }
    }

    /// The name that rows and histories hold.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// How long a run waits for later calls with its key, each of which gives it another input: see
/// [`Executor::debounce`](crate::Executor::debounce).
///
/// ```
/// use std::time::Duration;
/// use dacapo::Debounce;
///
/// // When nothing came for two seconds, and a minute after the first call at the latest.
/// let wait = Debounce::new(Duration::from_secs(2)).at_most(Duration::from_secs(60));
/// # let _ = wait;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "it is for a call of `debounce`"]
pub struct Debounce {
    pub(crate) wait: Duration,
    pub(crate) cap: Duration,
    pub(crate) queue: Option<Queue>,
}

impl Debounce {
    /// The run begins when so much time has passed since the last call.
    pub const fn new(wait: Duration) -> Self {
        Self { wait, cap: Duration::MAX, queue: None }
    }

    /// It begins when so much time has passed since the first call, however many follow.
    pub const fn at_most(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// After that it waits for room in this queue. Calls meanwhile still give it another input.
    pub const fn queue(self, queue: Queue) -> Self {
        Self { queue: Some(queue), ..self }
    }
}

/// How many attempts of steps are made at once, over all runs of an executor: see
/// [`Step::limit`](crate::Step::limit). Define it as a `const`; steps with one name share the room.
///
/// ```
/// use dacapo::Limit;
///
/// const BANK: Limit = Limit::new("bank", 5);
/// assert_eq!((BANK.name(), BANK.concurrency()), ("bank", 5));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    name: &'static str,
    concurrency: usize,
}

impl Limit {
    /// At most so many at once.
    ///
    /// # Panics
    ///
    /// Panics (at compile time, in a `const`) if the name is empty, or if it is 0, which would admit none.
    #[must_use]
    pub const fn new(name: &'static str, concurrency: usize) -> Self {
        assert!(!name.is_empty(), "a limit needs a name");
        assert!(concurrency > 0, "a limit of 0 would let no step begin");
        Self { name, concurrency }
    }

    /// What steps that share it have in common.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How many there may be at once.
    #[must_use]
    pub const fn concurrency(&self) -> usize {
        self.concurrency
    }
}

/// How many runs of a queue go on at a time, and how many begin within a time.
///
/// ```
/// use std::time::Duration;
/// use dacapo::Limits;
///
/// // At most ten at a time, one of each customer, and a hundred an hour.
/// const HOUR: Duration = Duration::from_secs(3600);
/// let limits = Limits::new().concurrency(10).rate(100, HOUR).per_partition(Limits::new().concurrency(1));
/// assert_ne!(limits, Limits::new());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[must_use = "limits hold for a queue that a builder is given with them"]
pub struct Limits {
    /// Of the whole queue.
    pub(crate) all: Room,
    /// Of each partition; `None`: it has none.
    pub(crate) each: Option<Room>,
}

/// How much there is room for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Room {
    pub(crate) concurrency: Option<usize>,
    pub(crate) rate: Option<Rate>,
}

/// So many admissions in any window of that length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rate {
    pub(crate) count: usize,
    pub(crate) per: Duration,
}

impl Limits {
    /// None: runs are admitted as they come, by their priorities.
    pub const fn new() -> Self {
        const ANY: Room = Room { concurrency: None, rate: None };
        Self { all: ANY, each: None }
    }

    /// So many runs of the queue may have begun and not ended. Those that wait for a time, a message or
    /// a child count; those that are parked, or whose workflow is not registered, do not.
    ///
    /// # Panics
    ///
    /// Panics if it is 0, which would admit none.
    pub const fn concurrency(mut self, runs: usize) -> Self {
        assert!(runs > 0, "a queue with a concurrency of 0 would admit no run");
        self.all.concurrency = Some(runs);
        self
    }

    /// So many runs of the queue begin in any time of this length, also over restarts.
    ///
    /// # Panics
    ///
    /// Panics if it is 0, which would admit none, or if the time is 0, which would limit nothing.
    pub const fn rate(mut self, runs: usize, per: Duration) -> Self {
        assert!(runs > 0, "a queue with a rate of 0 would admit no run");
        assert!(!per.is_zero(), "a rate within no time would limit nothing");
        self.all.rate = Some(Rate { count: runs, per });
        self
    }

    /// These limits hold for each partition by itself, beside those of the whole queue. Each run of the
    /// queue must say then to which one it belongs: [`Start::partition`](crate::Start::partition).
    ///
    /// # Panics
    ///
    /// Panics if these have limits for partitions themselves.
    pub const fn per_partition(mut self, limits: Limits) -> Self {
        assert!(limits.each.is_none(), "partitions have no partitions of their own");
        self.each = Some(limits.all);
        self
    }
}

impl Limits {
    /// The longest time that a rate looks back.
    pub(crate) fn looks_back(&self) -> Option<Duration> {
        let rates = [Some(self.all), self.each].into_iter().flatten();
        rates.filter_map(|room| room.rate).map(|rate| rate.per).max()
    }

    /// Whether anything is counted of the runs that go on.
    pub(crate) fn has_concurrency(&self) -> bool {
        self.all.concurrency.is_some() || self.each.is_some_and(|each| each.concurrency.is_some())
    }
}
