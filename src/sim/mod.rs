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
use crate::random;

/// One simulated process: its virtual time, its random numbers, and what its bodies noted.
#[derive(Clone)]
pub struct Sim {
    shared: Rc<Shared>,
}

struct Shared {
    clock: VirtualClock,
    seed: u64,
    drawn: Cell<u64>,
    noted: RefCell<BTreeMap<String, u32>>,
}

impl Sim {
    /// A process whose choices all follow from `seed`, and whose time begins at `clock`'s.
    #[must_use]
    pub fn new(seed: u64, clock: VirtualClock) -> Self {
        let noted = RefCell::default();
        Self { shared: Rc::new(Shared { clock, seed, drawn: Cell::new(0), noted }) }
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
