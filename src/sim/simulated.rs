use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use super::VirtualClock;
use super::chosen::Chosen;
use super::outside::Outside;
use crate::context::Attempt;
use crate::executor::Builder;
use crate::random;

/// One simulated process: its virtual time, its choices, and what its bodies noted.
#[derive(Clone)]
pub struct Sim {
    shared: Rc<Shared>,
}

struct Shared {
    clock: VirtualClock,
    seed: u64,
    wakes: Option<u64>,
    commit_bytes: Cell<Option<usize>>,
    drawn: Cell<u64>,
    noted: RefCell<BTreeMap<String, u32>>,
    outside: Rc<Outside>,
}

impl Sim {
    /// A process whose choices all follow from `seed`, and whose time begins at `clock`'s.
    ///
    /// It makes no spurious wakes.
    #[must_use]
    pub fn new(seed: u64, clock: VirtualClock) -> Self {
        Self::with_wakes(seed, None, clock)
    }

    /// The same, with spurious wakes: a second seed decides which tasks of a run are polled once more
    /// when a delivery has been dealt with, although nothing calls for it.
    ///
    /// They are a function of the seed and of how much of the history was delivered. So processes that are to make the
    /// same polls, a replay among them, must be given the same one.
    #[must_use]
    pub fn with_wakes(seed: u64, wakes: Option<u64>, clock: VirtualClock) -> Self {
        let outside = Rc::<Outside>::default();
        outside.begin_process();
        Self::inside(outside, seed, wakes, clock)
    }

    pub(super) fn inside(
        outside: Rc<Outside>,
        seed: u64,
        wakes: Option<u64>,
        clock: VirtualClock,
    ) -> Self {
        let (drawn, noted) = (Cell::new(0), RefCell::default());
        let commit_bytes = Cell::default();
        let shared = Shared { clock, seed, wakes, commit_bytes, drawn, noted, outside };
        Self { shared: Rc::new(shared) }
    }

    /// Has the commits of this process be small: none takes a further run when its records have more
    /// than so many bytes, and what is left over comes with the next. What one run asked for at one
    /// point is in one commit all the same. In production the limit is 16 MiB.
    ///
    /// It is to be called before [`apply`](Self::apply).
    ///
    /// ```
    /// use dacapo::sim::{Sim, Snapshots, VirtualClock};
    /// use dacapo::{Ctx, Error, Executor, Workflow, join};
    ///
    /// const ONE: Workflow<(), u8> = Workflow::new("one");
    ///
    /// let commits = |bytes| -> dacapo::Result<usize> {
    ///     let (sim, store) = (Sim::new(0, VirtualClock::default()), Snapshots::default());
    ///     sim.set_commit_bytes(bytes);
    ///     let builder = Executor::builder().workflow(ONE, async |_: &Ctx, ()| Ok::<_, Error>(1));
    ///     let executor = sim.apply(builder).open_with(store.clone())?;
    ///     let (a, b) = (executor.start(ONE, "a", ())?, executor.start(ONE, "b", ())?);
    ///     executor.block_on(async { join(a, b).await });
    ///     Ok(store.take().len())
    /// };
    /// assert_eq!(commits(1 << 20)?, 2, "two starts, two ends");
    /// assert_eq!(commits(0)?, 4);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_commit_bytes(&self, bytes: usize) {
        self.shared.commit_bytes.set(Some(bytes));
    }

    /// Has an executor take its time and all its choices from this process: which of the bodies that
    /// are ready is polled next, how many outcomes share a commit, and spurious wakes.
    ///
    /// ```
    /// use dacapo::sim::{Recorder, Sim, VirtualClock};
    /// use dacapo::{Ctx, Executor, Result, Workflow, join_all};
    ///
    /// const ALL: Workflow<(), ()> = Workflow::new("all");
    ///
    /// async fn all(ctx: &Ctx, (): ()) -> Result<()> {
    ///     let step = |n| ctx.step("step", async || Ok::<_, dacapo::Error>(())).label(n);
    ///     join_all((0..4).map(step)).await.into_iter().collect()
    /// }
    ///
    /// let trace = |seed| {
    ///     let (sim, recorder) = (Sim::new(seed, VirtualClock::default()), Recorder::default());
    ///     let builder = Executor::builder().workflow(ALL, all).observer(recorder.clone());
    ///     let executor = sim.apply(builder).in_memory();
    ///     executor.block_on(executor.start(ALL, "all-1", ()).unwrap()).unwrap();
    ///     recorder.trace("all-1")
    /// };
    /// assert_eq!(trace(1), trace(1));
    /// let traces: std::collections::HashSet<_> = (0..1_000).map(trace).collect();
    /// assert_eq!(traces.len(), 24, "all orders");
    /// ```
    pub fn apply(&self, builder: Builder) -> Builder {
        let Shared { clock, seed, wakes, commit_bytes, .. } = &*self.shared;
        let chosen = Chosen::new(*seed, *wakes).with_commit_bytes(commit_bytes.get());
        builder.clock(clock.clone()).choices(chosen)
    }

    /// The virtual time.
    #[must_use]
    pub fn clock(&self) -> &VirtualClock {
        &self.shared.clock
    }

    /// The next random number of the process. For bodies: workflows have `Ctx::random`.
    #[must_use]
    pub fn random(&self) -> u64 {
        let index = self.shared.drawn.replace(self.shared.drawn.get() + 1);
        random::mix(self.shared.seed, index)
    }

    /// Takes a random while of virtual time, at most 63 milliseconds and often none: for bodies.
    pub async fn latency(&self) {
        let millis = (self.random() % 128).saturating_sub(64);
        self.shared.clock.sleep(Duration::from_millis(millis)).await;
    }

    /// Notes the effect of a step's body, so that [`check`](super::check) finds bodies that run again
    /// although their outcome is recorded.
    pub fn note(&self, attempt: &Attempt) {
        self.shared.outside.note(attempt);
        *self.shared.noted.borrow_mut().entry(attempt.key().into()).or_default() += 1;
    }

    /// How often each step's body noted its effect in all processes of the simulation: once, unless one of
    /// them ended after the effect and before its outcome was committed.
    ///
    /// They are found by the beginnings of their idempotency keys, such as `order-7/1/charge`: the last part,
    /// behind the name, is left out.
    #[must_use]
    pub fn effects(&self) -> BTreeMap<String, u32> {
        by_place(self.shared.outside.effects())
    }

    /// The one `T` that lies outside of the processes of a simulation, and outlives them: a bank, a
    /// mail server, whatever bodies have their effects on. It begins anew with each simulation.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::collections::HashMap;
    ///
    /// use dacapo::sim::{self, Sim};
    /// use dacapo::{Attempt, Ctx, Executor, Result, Workflow};
    ///
    /// /// Cents by idempotency key: a charge with a key that is known is not made again.
    /// #[derive(Default)]
    /// struct Bank(RefCell<HashMap<String, u64>>);
    ///
    /// const PAY: Workflow<u64, ()> = Workflow::new("pay");
    ///
    /// let build = |sim: &Sim| {
    ///     let bank = sim.outside::<Bank>();
    ///     Executor::builder().workflow(PAY, async move |ctx: &Ctx, cents| {
    ///         let bank = bank.clone();
    ///         let charge = async move |attempt: Attempt| -> Result<()> {
    ///             bank.0.borrow_mut().insert(attempt.key().into(), cents);
    ///             Ok(())
    ///         };
    ///         ctx.step_with("charge", charge).await
    ///     })
    /// };
    /// sim::check(PAY).start("a", 30).start("b", 12).run_all(build, |ends| {
    ///     let bank = ends.sim().outside::<Bank>();
    ///     assert_eq!(bank.0.borrow().values().sum::<u64>(), 42);
    /// });
    /// ```
    #[must_use]
    pub fn outside<T: Default + 'static>(&self) -> Rc<T> {
        self.shared.outside.thing()
    }

    /// This process ended in order.
    pub(super) fn end_in_order(&self) {
        self.shared.outside.end_in_order();
    }

    /// The same [effects](Self::effects) in this process alone.
    #[must_use]
    pub fn noted(&self) -> BTreeMap<String, u32> {
        by_place(self.shared.noted.borrow().clone())
    }
}

/// What was counted by idempotency keys, without the part of these that is another one in each store.
fn by_place(counted: BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let mut by_place = BTreeMap::new();
    for (key, times) in counted {
        let place = key.rsplit_once('/').map_or(&*key, |(place, _)| place);
        *by_place.entry(place.into()).or_default() += times;
    }
    by_place
}

impl core::fmt::Debug for Sim {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sim").field("seed", &self.shared.seed).finish_non_exhaustive()
    }
}
