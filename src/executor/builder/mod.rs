mod kinds;
mod limits;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::time::Duration;
#[cfg(feature = "redb")]
use std::path::Path;

use dacapo_store::{MemoryStore, Store};

use super::Executor;
use crate::choices::Choices;
use crate::clock::{Clock, Timestamp};
use crate::engine::{Engine, Guard, Limits};
use crate::error::{Error, Result};
use crate::instance::{Setup, World};
use crate::panics::Caught;
use crate::registry::Registry;
use crate::retention::Rules;
use crate::schedule::Scheduled;
use crate::store_id::StoreId;
use crate::telemetry::Telemetry;
use crate::timer::Timers;
use crate::trace::Observer;
use crate::values::Values;

/// Collects what an [`Executor`] needs; made by [`Executor::builder`].
#[must_use = "a builder does nothing until it opens a store"]
pub struct Builder {
    registry: Registry,
    clock: Option<Rc<dyn Clock>>,
    seed: Option<u64>,
    poll_budget: u64,
    retries_from: Duration,
    observer: Option<Rc<dyn Observer>>,
    choices: Option<Rc<dyn Choices>>,
    resident_max: Option<usize>,
    ended_max: Option<usize>,
    keep_keys: Duration,
    retention: Rules,
    guard: Guard,
    value_max: usize,
    build_id: Option<Rc<str>>,
    schedules: Vec<Scheduled>,
}

impl Executor {
    /// Starts to build an executor.
    pub fn builder() -> Builder {
        Builder {
            registry: Registry::default(),
            clock: None,
            seed: None,
            poll_budget: 1_000_000,
            retries_from: Duration::from_secs(1),
            observer: None,
            choices: None,
            resident_max: None,
            ended_max: None,
            guard: Guard::default(),
            retention: Rules::default(),
            keep_keys: Duration::from_secs(24 * 60 * 60),
            value_max: 64 << 20,
            build_id: None,
            schedules: Vec::new(),
        }
    }
}

impl Builder {
    /// Takes the time from `clock`. Without `std` there is no other, and this must be called.
    ///
    /// ```
    /// use dacapo::{Clock, Ctx, Error, Executor, Timestamp, Workflow};
    ///
    /// /// The clock of a device that has none: it always shows the same time.
    /// struct Stopped;
    ///
    /// impl Clock for Stopped {
    ///     fn now(&self) -> Timestamp {
    ///         Timestamp::from_nanos(7_000)
    ///     }
    ///
    ///     fn monotonic(&self) -> Duration {
    ///         Duration::ZERO
    ///     }
    /// }
    ///
    /// # use std::time::{Duration, SystemTime};
    /// const WHEN: Workflow<(), SystemTime> = Workflow::new("when");
    /// let executor = Executor::builder()
    ///     .clock(Stopped)
    ///     .workflow(WHEN, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.now()))
    ///     .in_memory();
    /// let now = executor.block_on(executor.start(WHEN, "when-1", ())?)?;
    /// assert_eq!(now, SystemTime::UNIX_EPOCH + Duration::from_nanos(7_000));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Some(Rc::new(clock)), ..self }
    }

    /// Opens without replaying the run with this id: it is parked
    /// ([`ParkReason::OnRequest`](crate::ParkReason::OnRequest)), as long as it has not ended, until it is
    /// resumed. For a run that ends or blocks the process whenever it is replayed. If there is no such run, that
    /// is told ([`Notice::NotHeld`](crate::Notice::NotHeld)).
    ///
    /// One that ended the process in three replays in a row is parked without being asked for
    /// ([`ParkReason::EndedProcess`](crate::ParkReason::EndedProcess)).
    ///
    /// ```
    /// use dacapo::store::MemoryStore;
    /// use dacapo::{Channel, Ctx, Error, Executor, ParkReason, Workflow};
    ///
    /// const WAIT: Workflow<(), u8> = Workflow::new("wait");
    /// const ANSWER: Channel<u8> = Channel::new("answer");
    /// let store = MemoryStore::new();
    /// let wait = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(ANSWER).await);
    /// let executor = Executor::builder().workflow(WAIT, wait).open_with(store.shared())?;
    /// executor.block_on(executor.start(WAIT, "order-7", ())?.accepted())?;
    /// drop(executor);
    ///
    /// let builder = Executor::builder().workflow(WAIT, wait).hold("order-7");
    /// let executor = builder.open_with(store.shared())?;
    /// executor.block_on(dacapo::yield_now());
    /// assert_eq!(executor.parked()?[0].reason, ParkReason::OnRequest);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn hold(mut self, id: &str) -> Self {
        self.guard.held.get_mut().insert(id.into(), "it was held when the file was opened");
        self
    }

    /// Says which build of your program this is: a version, or the hash of a commit.
    ///
    /// When a store is opened, runs that another build parked since they diverged or a recorded value did not
    /// decode are tried again by themselves; what this build parks, it does not try again. So a rollback
    /// takes up what a bad deployment has parked. Runs that were parked by a build that did not say which it
    /// is are tried, too. Without an id nobody is: see [`Executor::resume_all`].
    ///
    /// ```
    /// use dacapo::store::MemoryStore;
    /// use dacapo::{Channel, Ctx, Error, Executor, Result, Workflow};
    ///
    /// const ORDER: Workflow<(), u8> = Workflow::new("order");
    /// const CENTS: Channel<u8> = Channel::new("cents");
    /// let good = async |ctx: &Ctx, ()| -> Result<u8> {
    ///     ctx.step("pay", async || Ok::<_, Error>(())).await?;
    ///     Ok(ctx.receive(CENTS).await)
    /// };
    /// let bad = async |ctx: &Ctx, ()| -> Result<u8> {
    ///     ctx.step("charge", async || Ok::<_, Error>(())).await?;
    ///     Ok(ctx.receive(CENTS).await)
    /// };
    /// let store = MemoryStore::new();
    /// let open = |builder: dacapo::Builder| builder.open_with(store.shared());
    /// let executor = open(Executor::builder().build_id("1.0").workflow(ORDER, good))?;
    /// let run = executor.start(ORDER, "order-7", ())?;
    /// executor.block_on(async {
    ///     run.accepted().await?;
    ///     dacapo::yield_now().await; // The step's body, and its outcome.
    ///     dacapo::yield_now().await;
    ///     Ok::<_, Error>(())
    /// })?;
    /// drop(executor);
    ///
    /// let executor = open(Executor::builder().build_id("1.1").workflow(ORDER, bad))?;
    /// assert!(executor.parked()?[0].message.contains(r#"parked by build "1.1""#));
    /// executor.block_on(dacapo::yield_now());
    /// drop(executor);
    ///
    /// let executor = open(Executor::builder().build_id("1.0").workflow(ORDER, good))?;
    /// assert!(executor.parked()?.is_empty());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn build_id(self, id: &str) -> Self {
        Self { build_id: Some(id.into()), ..self }
    }

    /// Makes the seeds of runs a function of `seed` and the order of their starts. By default they
    /// are as random as the system's hash maps (without `std`: derived from 0).
    ///
    /// For tests: with one seed, [`Ctx::random`](crate::Ctx::random) gives the same numbers each time.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Result, Workflow};
    /// const DICE: Workflow<(), u64> = Workflow::new("dice");
    ///
    /// fn roll(seed: u64) -> Result<u64> {
    ///     let dice = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.random());
    ///     let executor = Executor::builder().workflow(DICE, dice).seed(seed).in_memory();
    ///     executor.block_on(executor.start(DICE, "dice-1", ())?)
    /// }
    ///
    /// assert_eq!(roll(1)?, roll(1)?);
    /// assert_ne!(roll(1)?, roll(2)?);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Shows `observer` what happens to every run.
    ///
    /// An `Rc` of one is an observer too, so that what it saw can be looked at.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Event, Executor, Observer, Workflow};
    /// # use std::{cell::Cell, rc::Rc};
    /// /// Counts the steps that have come to their outcome.
    /// #[derive(Default)]
    /// struct Steps(Cell<u32>);
    ///
    /// impl Observer for Steps {
    ///     fn observe(&self, _run: &str, event: Event<'_>) {
    ///         if let Event::Delivered(_, record) = event
    ///             && record.finished_step() == Some("compose")
    ///         {
    ///             self.0.set(self.0.get() + 1);
    ///         }
    ///     }
    /// }
    ///
    /// const GREET: Workflow<(), String> = Workflow::new("greet");
    /// let greet = async |ctx: &Ctx, ()| {
    ///     ctx.step("compose", async || Ok::<_, Error>("hello".to_owned())).await
    /// };
    /// let steps = Rc::new(Steps::default());
    /// let executor = Executor::builder().workflow(GREET, greet).observer(steps.clone()).in_memory();
    /// executor.block_on(executor.start(GREET, "greet-1", ())?)?;
    /// assert_eq!(steps.0.get(), 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        Self { observer: Some(Rc::new(observer)), ..self }
    }

    /// Has a simulation decide what circumstance decides otherwise.
    #[cfg(feature = "sim")]
    pub(crate) fn choices(self, choices: impl Choices + 'static) -> Self {
        Self { choices: Some(Rc::new(choices)), ..self }
    }

    /// Opens the file at `path`, or creates it, and replays the unfinished runs in it, but for those
    /// that sleep for long: these are replayed when they are due.
    ///
    /// # Errors
    ///
    /// If the file is in use by another executor, here or in another process; if it is not a
    /// store, is damaged, or was written by a newer format; or if the file system refuses. The
    /// file is left as it is. What is wrong with a single run is no error here: the run is parked.
    ///
    /// ```
    /// # use dacapo::Executor;
    /// let directory = std::env::temp_dir();
    /// let path = directory.join(format!("dacapo-doc-{}.redb", std::process::id()));
    /// let executor = Executor::builder().open(&path)?;
    /// let error = Executor::builder().open(&path).unwrap_err();
    /// assert!(error.is_store());
    /// drop(executor);
    /// std::fs::remove_file(&path).expect("it was created");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[cfg(feature = "redb")]
    pub fn open(self, path: impl AsRef<Path>) -> Result<Executor> {
        self.open_with(options().open(path).map_err(|error| Error::store(&error))?)
    }

    /// The same over any store.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or a [schedule](Self::schedule) is wrong. What is wrong with a single run is
    /// no error here.
    ///
    /// # Panics
    ///
    /// Panics without `std` if there is no [`clock`](Self::clock).
    pub fn open_with(mut self, store: impl Store + 'static) -> Result<Executor> {
        let schedules = mem::take(&mut self.schedules);
        let mut engine = self.over(store)?;
        engine.open_schedules(schedules)?;
        engine.recover()?;
        Ok(Executor::over(engine))
    }

    /// Before any run is taken up.
    pub(super) fn over(self, store: impl Store + 'static) -> Result<Engine> {
        let clock = self.clock.or_else(system_clock).expect("without std a clock must be set");
        let caught = Rc::<Caught>::default();
        let last_commit = Timestamp::from_nanos(store.time());
        let timers = Timers::new(clock, last_commit, caught.clone());
        let shapes = store.shapes().map_err(|error| Error::store(&error))?;
        let values = Values::new(&shapes, self.value_max, self.choices.is_some());
        let seed = self.seed.unwrap_or_else(random_seed);
        let setup = Setup {
            poll_budget: self.poll_budget,
            retries_from: self.retries_from,
            observer: self.observer,
            store_id: StoreId::of(&store, seed)?,
            build_id: self.build_id,
            choices: self.choices,
            places: None,
            caught,
        };
        let world = World::new(timers, values, setup, Telemetry::default());
        let limits = Limits {
            resident_max: self.resident_max.unwrap_or(usize::MAX),
            keep_keys: self.keep_keys,
            ended_max: self.ended_max.unwrap_or(usize::MAX),
        };
        Ok(Engine::new(
            world,
            self.registry,
            seed,
            Box::new(store),
            limits,
            self.guard,
            self.retention,
        ))
    }

    /// The same over memory: for tests, and for runs that need not outlive the process. Of those that have
    /// ended the last 10,000 are kept; see [`ended_max`](Self::ended_max).
    ///
    /// # Panics
    ///
    /// Panics without `std` if there is no [`clock`](Self::clock).
    #[must_use]
    pub fn in_memory(mut self) -> Executor {
        self.ended_max.get_or_insert(10_000);
        self.open_with(MemoryStore::new()).expect("an empty memory can be read")
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

/// How files are opened.
#[cfg(feature = "redb")]
pub(super) fn options() -> dacapo_store::Options {
    dacapo_store::Options::new().semantics_version(crate::record::SEMANTICS_VERSION)
}

fn system_clock() -> Option<Rc<dyn Clock>> {
    #[cfg(feature = "std")]
    return Some(Rc::new(crate::clock::SystemClock::new()));
    #[cfg(not(feature = "std"))]
    return None;
}

fn random_seed() -> u64 {
    #[cfg(feature = "std")]
    {
        use core::hash::BuildHasher;
        std::hash::RandomState::new().hash_one(0)
    }
    #[cfg(not(feature = "std"))]
    0
}
