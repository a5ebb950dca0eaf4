//! What a workflow calls.

mod again;
mod awaited;
#[cfg(feature = "std")]
mod blocking;
mod body;
mod call;
mod cancel;
mod child;
mod children;
mod key;
mod patched;
mod publish;
mod question;
mod receive;
mod send;
mod sleep;
mod step;
mod timeout;
pub(crate) mod transaction;

use alloc::rc::Rc;
use core::cell::Cell;
use core::panic::Location;

use dacapo_executor::Task;

pub use again::Again;
pub use body::Attempt;
pub(crate) use body::explain;
pub use call::Body;
pub use cancel::{Cancelled, Cause};
pub use child::Child;
pub use children::Children;
pub use question::Asked;
pub use receive::{Inbox, Receive};
pub use send::Sent;
pub use sleep::Sleep;
pub use step::Step;

use crate::clock::Now;
use crate::instance::Instance;
use crate::random;
use crate::record::{Number, Outcome};
use crate::values::Values;

/// A task's way to everything durable: each task of a run is given one of its own.
///
/// Operations are numbered by the task that builds them, in the order in which it builds them, at
/// the moment they are built. A `Ctx` is passed by reference and cannot be kept, so it cannot
/// leave its task; bodies cannot capture it, so they cannot nest durable operations.
///
/// ```
/// use dacapo::{Ctx, Executor, Result, Workflow, join};
///
/// const SUM: Workflow<(u64, u64), u64> = Workflow::new("sum");
///
/// async fn sum(ctx: &Ctx, (a, b): (u64, u64)) -> Result<u64> {
///     let double = async move || Ok::<_, dacapo::Error>(a * 2);
///     let triple = async move || Ok::<_, dacapo::Error>(b * 3);
///     let (a, b) = join(ctx.step("double", double), ctx.step("triple", triple)).await;
///     Ok(a? + b?)
/// }
///
/// let executor = Executor::builder().workflow(SUM, sum).in_memory();
/// let run = executor.start(SUM, "sum-1", (1, 2))?;
/// assert_eq!(executor.block_on(run)?, 8);
/// # Ok::<(), dacapo::Error>(())
/// ```
pub struct Ctx {
    instance: Rc<Instance>,
    task: u32,
    /// Operations built so far.
    built: Cell<u32>,
    /// Random numbers taken so far.
    drawn: Cell<u32>,
    /// UUIDs taken so far: counted apart, so that one more in a new build changes no random number.
    uuids: Cell<u32>,
}

impl Ctx {
    /// The context of the task that is spawned next.
    pub(crate) fn next(instance: Rc<Instance>) -> Self {
        let task = instance.take_task_number();
        let (built, drawn, uuids) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Self { instance, task, built, drawn, uuids }
    }

    pub(crate) fn task(&self) -> u32 {
        self.task
    }

    /// The task is a root, and has ended. If something in it ended the pass at the same poll, that came
    /// first.
    pub(crate) fn end(&self, outcome: Outcome<'static>) {
        if !self.instance.has_ended() {
            self.instance.set_outcome(outcome);
        }
    }

    pub(crate) fn values(&self) -> &Values {
        &self.instance.world.values
    }

    /// The number of the operation that is being built.
    #[track_caller]
    fn take_number(&self) -> Number {
        self.take_number_at(Location::caller())
    }

    /// The same of one that is built at this place.
    fn take_number_at(&self, place: &'static Location<'static>) -> Number {
        let local = self.built.get().checked_add(1);
        let local = local.expect("a task builds fewer than 2^32 operations");
        self.built.set(local);
        let number = Number { task: self.task, local };
        if self.instance.is_rehearsed {
            self.note_place(number, place);
        }
        number
    }

    #[cold]
    fn note_place(&self, number: Number, place: &'static Location<'static>) {
        if let Some(places) = self.instance.places() {
            places.build(number, place);
        }
    }

    /// The run's id, as its caller chose it.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const ECHO: Workflow<(), String> = Workflow::new("echo");
    /// let executor = Executor::builder()
    ///     .workflow(ECHO, async |ctx: &Ctx, ()| Ok::<_, dacapo::Error>(ctx.id().to_owned()))
    ///     .in_memory();
    /// let id = executor.block_on(executor.start(ECHO, "echo-1", ())?)?;
    /// assert_eq!(id, "echo-1");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> &str {
        &self.instance.id
    }

    /// Which pass of the run this is: 1 for the first.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const ONCE: Workflow<(), u32> = Workflow::new("once");
    /// let executor = Executor::builder()
    ///     .workflow(ONCE, async |ctx: &Ctx, ()| Ok::<_, dacapo::Error>(ctx.pass()))
    ///     .in_memory();
    /// assert_eq!(executor.block_on(executor.start(ONCE, "once-1", ())?)?, 1);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[must_use]
    pub fn pass(&self) -> u32 {
        self.instance.pass()
    }

    /// The time of the run: when the last delivered record was committed.
    ///
    /// It stands still between deliveries, never goes back, and is the same in a replay. Use it in
    /// the place of the system's clock. Without `std` it is a [`Timestamp`](crate::Timestamp).
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # use std::time::Duration;
    /// const NAP: Workflow<(), Duration> = Workflow::new("nap");
    ///
    /// async fn nap(ctx: &Ctx, (): ()) -> Result<Duration> {
    ///     let start = ctx.now();
    ///     ctx.sleep(Duration::from_millis(20)).await;
    ///     Ok(ctx.now().duration_since(start).expect("time never goes back"))
    /// }
    ///
    /// let executor = Executor::builder().workflow(NAP, nap).in_memory();
    /// let slept = executor.block_on(executor.start(NAP, "nap-1", ())?)?;
    /// assert!(slept >= Duration::from_millis(20));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[must_use]
    pub fn now(&self) -> Now {
        self.instance.now.get().to_now()
    }

    /// The next random number of this task, from the seed that was recorded at the start.
    ///
    /// It is the same in a replay, and not meant for secrets.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const DICE: Workflow<(), (u64, u64)> = Workflow::new("dice");
    /// let executor = Executor::builder()
    ///     .workflow(DICE, async |ctx: &Ctx, ()| Ok::<_, dacapo::Error>((ctx.random(), ctx.random())))
    ///     .in_memory();
    /// let (first, second) = executor.block_on(executor.start(DICE, "dice-1", ())?)?;
    /// assert_ne!(first, second);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[must_use]
    pub fn random(&self) -> u64 {
        let index = take_next(&self.drawn, "random numbers");
        let seed = random::mix(self.instance.seed.get(), u64::from(self.task));
        random::mix(seed, u64::from(index))
    }

    /// The next UUID of this task: a random one (version 4), as a number.
    ///
    /// It is the same in a replay, and another one in each call, in each task and in each run: for ids
    /// that a workflow gives away. It follows from the seed and the id of the run, so who knows both can
    /// tell it: it is not meant for secrets. For what a step does to be done once, use
    /// [`Step::key`].
    ///
    /// Whatever crate has a type for it takes it: `uuid::Uuid::from_u128(ctx.uuid())`.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const TICKETS: Workflow<(), (u128, u128)> = Workflow::new("tickets");
    /// let executor = Executor::builder()
    ///     .workflow(TICKETS, async |ctx: &Ctx, ()| Ok::<_, dacapo::Error>((ctx.uuid(), ctx.uuid())))
    ///     .in_memory();
    /// let (first, second) = executor.block_on(executor.start(TICKETS, "tickets-1", ())?)?;
    /// assert_ne!(first, second);
    /// assert_eq!((first >> 76 & 0xf, first >> 62 & 0b11), (4, 0b10)); // Version and variant.
    /// executor.verify("tickets-1")?; // They are the output, and the same in a replay.
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[must_use]
    pub fn uuid(&self) -> u128 {
        let place = [self.pass(), self.task, take_next(&self.uuids, "UUIDs")];
        random::uuid(self.instance.seed.get(), &self.instance.first_id(), place)
    }

    /// Spawns a task of this run, which goes on beside the one that spawned it.
    ///
    /// It is first polled after all that is queued already, gets a context of its own, and its
    /// operations are numbered apart from all others, by spawn order: those of the third task
    /// are 3.1, 3.2. Awaiting the [`Task`] gives its output. Dropping the `Task` cancels it, and
    /// [`Task::detach`] lets it go; when the run ends, it ends.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// const BOTH: Workflow<(), (u32, u32)> = Workflow::new("both");
    ///
    /// async fn both(ctx: &Ctx, (): ()) -> Result<(u32, u32)> {
    ///     let left = ctx.spawn(async |ctx| ctx.step("left", async || Ok::<_, dacapo::Error>(1)).await);
    ///     let right = ctx.spawn(async |ctx| ctx.step("right", async || Ok::<_, dacapo::Error>(2)).await);
    ///     Ok((left.await?, right.await?))
    /// }
    ///
    /// let executor = Executor::builder().workflow(BOTH, both).in_memory();
    /// assert_eq!(executor.block_on(executor.start(BOTH, "both-1", ())?)?, (1, 2));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn spawn<T: 'static>(&self, task: impl AsyncFnOnce(&Ctx) -> T + 'static) -> Task<T> {
        let ctx = Ctx::next(self.instance.clone());
        let number = ctx.task;
        self.instance.spawn(number, async move { task(&ctx).await })
    }
}

/// How many of these a task has drawn before this one. So many fit beside the rest of a [`Ctx`].
fn take_next(drawn: &Cell<u32>, what: &str) -> u32 {
    let index = drawn.get();
    let next = index.checked_add(1);
    drawn.set(next.unwrap_or_else(|| panic!("a task draws fewer than 2^32 {what}")));
    index
}
