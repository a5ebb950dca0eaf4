//! Simulation: a workflow under many seeds, restarted after every commit, in virtual time.
//!
//! A failure of determinism shows where outcomes arrive in another order, or where the process
//! ends at another point, than on the afternoon when the code was written. [`check`] makes both
//! happen: a seed decides how long each body takes, and after every commit the run is started
//! again from what was stored by then. It compares what must be equal and panics, with the seed,
//! at the first difference.
//!
//! ```
//! use dacapo::sim::{self, Sim};
//! use dacapo::{Builder, Ctx, Executor, Result, Workflow, join};
//! use std::time::Duration;
//!
//! const SUM: Workflow<u64, u64> = Workflow::new("sum");
//!
//! async fn sum(ctx: &Ctx, sim: &Sim, n: u64) -> Result<u64> {
//!     let part = |n| {
//!         let sim = sim.clone();
//!         ctx.step("part", async move || -> Result<u64> {
//!             sim.latency().await;
//!             Ok(n)
//!         })
//!     };
//!     let (a, b) = join(part(n), part(2 * n)).await;
//!     ctx.sleep(Duration::from_secs(86_400)).await;
//!     Ok(a? + b?)
//! }
//!
//! let build = |sim: &Sim| -> Builder {
//!     let sim = sim.clone();
//!     Executor::builder().workflow(SUM, async move |ctx: &Ctx, n| sum(ctx, &sim, n).await)
//! };
//! let report = sim::check(0..10, SUM, 7, build, |sum| assert_eq!(*sum, 21));
//! assert!(report.restarts >= 40);
//! ```

mod check;
mod chosen;
mod clock;
mod disk;
mod recorder;
mod snapshots;

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, RefCell};
use core::time::Duration;

pub use check::{Report, check};
pub use clock::{VirtualClock, VirtualSleep};
pub use disk::{Disk, DiskFault, Loss};
pub use recorder::Recorder;
pub use snapshots::Snapshots;

use crate::context::Attempt;
use crate::executor::Builder;
use crate::random;
use chosen::Chosen;

/// One simulated process: its virtual time, its choices, and what its bodies noted.
#[derive(Clone)]
pub struct Sim {
    shared: Rc<Shared>,
}

struct Shared {
    clock: VirtualClock,
    seed: u64,
    wakes: Option<u64>,
    drawn: Cell<u64>,
    noted: RefCell<BTreeMap<String, u32>>,
}

impl Sim {
    /// A process whose choices all follow from `seed`, and whose time begins at `clock`'s.
    ///
    /// Tasks are not woken without a reason.
    #[must_use]
    pub fn new(seed: u64, clock: VirtualClock) -> Self {
        Self::with_wakes(seed, None, clock)
    }

    /// The same, with spurious wakes: a second seed decides which tasks of a run are polled once more,
    /// and for no reason, when a delivery has been dealt with.
    ///
    /// They are a function of the seed and the place in the history. So processes that are to make the
    /// same polls, a replay among them, must be given the same one.
    #[must_use]
    pub fn with_wakes(seed: u64, wakes: Option<u64>, clock: VirtualClock) -> Self {
        let noted = RefCell::default();
        Self { shared: Rc::new(Shared { clock, seed, wakes, drawn: Cell::new(0), noted }) }
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
        let Shared { clock, seed, wakes, .. } = &*self.shared;
        builder.clock(clock.clone()).choices(Chosen::new(*seed, *wakes))
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

    /// Notes the effect of a step's body, so that [`check`] finds bodies that run again although
    /// their outcome is recorded.
    pub fn note(&self, attempt: &Attempt) {
        *self.shared.noted.borrow_mut().entry(attempt.key().into()).or_default() += 1;
    }

    /// How often each step's body noted its effect, by idempotency key.
    #[must_use]
    pub fn noted(&self) -> BTreeMap<String, u32> {
        self.shared.noted.borrow().clone()
    }
}

impl core::fmt::Debug for Sim {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sim").field("seed", &self.shared.seed).finish_non_exhaustive()
    }
}
