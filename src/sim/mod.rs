//! Simulation: a workflow under many seeds, crashed at every commit, in virtual time.
//!
//! A failure of determinism shows where outcomes arrive in another order, or where the process
//! ends at another point, than on the afternoon when the code was written. [`check`] makes both
//! happen. A seed decides all that circumstance decides in production; after every commit the
//! process ends, and another goes on where it was. It compares what must be equal and panics at the
//! first difference, with the seed, the trace, and what to change.
//!
//! `docs/simulation.md` tells more. A test of a workflow is this:
//!
//! ```
//! use std::time::Duration;
//!
//! use dacapo::sim::{self, Sim};
//! use dacapo::{Attempt, Ctx, Executor, Result, Workflow, join};
//!
//! const SUM: Workflow<u64, u64> = Workflow::new("sum");
//!
//! async fn sum(ctx: &Ctx, sim: &Sim, n: u64) -> Result<u64> {
//!     let part = |n| {
//!         let sim = sim.clone();
//!         ctx.step_with("part", async move |attempt: Attempt| -> Result<u64> {
//!             sim.note(&attempt);
//!             sim.latency().await;
//!             Ok(n)
//!         })
//!     };
//!     let (a, b) = join(part(n), part(2 * n)).await;
//!     ctx.sleep(Duration::from_secs(365 * 86_400)).await;
//!     Ok(a? + b?)
//! }
//!
//! let build = |sim: &Sim| {
//!     let sim = sim.clone();
//!     Executor::builder().workflow(SUM, async move |ctx: &Ctx, n| sum(ctx, &sim, n).await)
//! };
//! let report = sim::check(SUM).start("sum-1", 7).run(build, |sum| assert_eq!(*sum, 21));
//! assert!(report.restarts >= 80);
//! ```

#[cfg(doctest)]
#[doc = include_str!("../../docs/simulation.md")]
mod page {}

mod changed;
mod check;
mod chosen;
mod clock;
mod compare;
mod disk;
mod disk_faults;
mod ends;
mod outside;
mod pace;
mod plan;
mod process;
mod recorder;
mod replayed;
mod report;
mod simulated;
mod snapshots;
mod storage;
mod story;

pub use check::{Check, check};
pub use clock::{VirtualClock, VirtualSleep};
pub use disk::{Disk, DiskFault, Loss};
pub use ends::Ends;
pub use recorder::Recorder;
pub use replayed::replay;
pub use report::Report;
pub use simulated::Sim;
pub use snapshots::{Crash, Snapshots};
