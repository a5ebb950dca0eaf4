//! Durable execution as ordinary async Rust: crash anywhere, resume where it was.
//!
//! A **workflow** is a named `async fn(&Ctx, Input) -> Result<Output>`. A **run** is one execution of
//! it, with an id. Each side effect is a **step**, whose outcome is checkpointed before the workflow
//! moves on. When the process ends, the next one replays every unfinished run from its history, poll
//! for poll, and goes on where it was.
//!
//! ```
//! use std::time::Duration;
//!
//! use dacapo::{Ctx, Error, Executor, Result, Retry, Workflow, try_join};
//!
//! const TRIP: Workflow<String, (String, String)> = Workflow::new("trip");
//! const PATIENT: Retry = Retry::exponential(Duration::from_secs(1));
//!
//! async fn trip(ctx: &Ctx, to: String) -> Result<(String, String)> {
//!     let flight = ctx.call("flight", book, ("flight", to.clone())).retry(PATIENT);
//!     let hotel = ctx.call("hotel", book, ("hotel", to)).retry(PATIENT);
//!     try_join(flight, hotel).await
//! }
//!
//! async fn book(what: &'static str, to: String) -> Result<String> {
//!     Ok(format!("{what} to {to}"))
//! }
//!
//! # let path = std::env::temp_dir().join(format!("dacapo-crate-{}.redb", std::process::id()));
//! let executor = Executor::builder().workflow(TRIP, trip).open(&path)?;
//! let run = executor.start(TRIP, "trip-1", "Oslo".into())?;
//! assert_eq!(executor.block_on(run)?.1, "hotel to Oslo");
//! # drop(executor);
//! # std::fs::remove_file(path).expect("it was created");
//! # Ok::<(), Error>(())
//! ```
//!
//! # Where to look
//!
//! - [`Ctx`]: what a workflow calls: functions ([`Ctx::call`]), closures, what blocks; sleeps, tasks, time,
//!   UUIDs. [`Step`]: retries, time limits, labels, `at_most_once`.
//! - [`Executor`]: start, attach, drive; what is parked, and how it goes on.
//! - [`Retry`], [`Error`], [`ParkReason`]: what happens when things go wrong.
//! - [`join`], [`race`], [`select`] and their kin poll in a fixed order; the combinators of any other crate work,
//!   too.
//! - [`Executor::runs`], [`Executor::history`], [`Builder::open_read_only`]: what runs did, also without their
//!   code and their types. [`Secret`]: a value that nobody is shown.
//! - `sim` (feature): simulation, for tests of your own workflows.
//! - [`store`]: stores, and what one must do.
//!
//! # The rules
//!
//! Bodies have side effects, and workflow code has none: it takes the time from [`Ctx::now`] and
//! random numbers from [`Ctx::random`], awaits operations of its own run and what they feed, and
//! whatever it prints is printed again in each replay. What the compiler cannot see is caught at the
//! first record that differs, and the run is parked with both sides shown.
//!
//! # Features
//!
//! - `std` (default): `block_on`, the system's clock, panics kept to their run.
//! - `redb` (default): the store on disk.
//! - `cron`: schedules by lines of cron, in the system's time zones.
//! - `tracing`: spans of runs, steps and attempts, and notices as events. `metrics`: counters, gauges and
//!   histograms. Whatever collects them is yours.
//! - `view`: values as the types of this program show them (`Executor::typed_values`).
//! - `sim`: simulation. Not for production.
//!
//! Without `std`, `alloc` suffices; set a [`Clock`], and poll [`Executor::run`] again by
//! [`Executor::next_wait`].
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(all(doctest, feature = "redb"))]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(all(doctest, feature = "sim"))]
#[doc = include_str!("../docs/guide.md")]
mod guide {}

#[cfg(doctest)]
#[doc = include_str!("../docs/look.md")]
mod look {}

#[cfg(doctest)]
#[doc = include_str!("../docs/semantics.md")]
mod semantics {}

// In reading order, which is the direction of dependencies: a module uses only modules above it.
// What is remembered.
mod bytes;
mod codec;
mod values;
mod source;
mod fault;
mod error;
mod name;
mod random;
mod fingerprint;
mod retry;
mod clock;
mod record;
mod places;
mod store_id;
mod queue;
mod start;
mod schedule;
mod retention;
#[cfg(feature = "export")]
mod lines;
mod panics;
mod notice;
mod trace;
mod telemetry;
mod tables;
// What surrounds a run.
mod mailbox;
mod gate;
mod heartbeat;
mod histogram;
mod load;
#[cfg(feature = "std")]
mod threads;
#[cfg(feature = "std")]
mod watchdog;
mod timer;
mod rooms;
mod choices;
mod ending;
mod list;
mod table;
mod watch;
mod message;
mod operation;
mod mark;
mod inbox;
mod cancelling;
mod topics;
mod operations;
mod retried;
mod ledger;
mod instance;
// What a run is.
mod replay;
mod context;
mod history;
mod registry;
mod run;
// What drives all of them.
mod engine;
mod rehearsal;
mod executor;
mod remote;
#[cfg(feature = "sim")]
pub mod sim;

pub use clock::{Clock, Timestamp};
pub use context::{
    Again, Asked, Attempt, Body, Cancelled, Cause, Child, Children, Ctx, Inbox, Receive, Sent,
    Sleep, Step,
};
pub use dacapo_executor::{
    Either, Task, join, join_all, race, select, try_join, try_join_all, yield_now,
};
pub use dacapo_values::{Secret, View};
pub use engine::ScheduleInfo;
pub use error::{BoxError, Elapsed, Error, Result};
#[cfg(feature = "view")]
pub use executor::TypedValues;
pub use executor::{
    Asking, AwaitedOperation, Builder, Cut, Divergence, Executor, Follow, Fork, Handle, NamedQueue,
    ParkedRun, Posted, QueueInfo, Recent, RecentCommits, RehearsedRuns, RetryingStep, RunInfo,
    Sources, Statistics, Suspect, UnregisteredRun, WeakExecutor, Written,
};
pub use fault::ParkReason;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
pub use heartbeat::{Beat, Doing, Heartbeat};
pub use history::{
    HistoryEntry, HistoryEvent, HistoryPage, HistoryValue, OperationKind, OperationNumber,
};
pub use name::{Channel, Question, Table, Topic, Workflow};
pub use notice::Notice;
pub use queue::{Debounce, Limit, Limits, Queue};
#[cfg(feature = "std")]
pub use remote::RemoteHandle;
pub use remote::{Remote, RemoteAsking, Sending};
#[cfg(feature = "redb")]
pub use remote::{Spawned, spawn};
pub use retention::Retention;
pub use retry::Retry;
#[cfg(feature = "cron")]
pub use schedule::Cron;
pub use schedule::{Missed, Overlap, Schedule, Tick};
pub use source::SourceLine;
pub use start::Start;
pub use tables::{AsKey, Key, Range, Tables, Tx};
pub use trace::{Event, Observer, Recorded};
pub use values::Value;

/// Stores: where runs are remembered, and how to write another.
#[doc(inline)]
pub use dacapo_store as store;
