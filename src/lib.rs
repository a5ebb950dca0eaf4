//! Durable execution as ordinary async Rust: crash anywhere, resume where it was.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// In reading order, which is the direction of dependencies: a module uses only modules above it.
// What is remembered.
mod codec;
mod error;
mod name;
mod random;
mod retry;
mod clock;
mod record;
mod fault;
mod panics;
mod trace;
// What surrounds a run.
mod gate;
mod timer;
mod table;
mod operation;
mod world;
mod instance;
// What a run is.
mod replay;
mod context;
mod registry;
mod run;
// What drives it.
mod executor;
#[cfg(feature = "sim")]
pub mod sim;

pub use clock::{Clock, Timestamp};
pub use codec::Value;
pub use context::{Attempt, Ctx, Sleep, Step};
pub use dacapo_executor::{Task, join, join_all, race, try_join, try_join_all, yield_now};
pub use error::{BoxError, Elapsed, Error, Result};
pub use executor::{Builder, Executor, Handle, ParkedRun, UnregisteredRun};
pub use fault::ParkReason;
pub use name::Workflow;
pub use retry::Retry;
pub use trace::{Event, Observer, Recorded};

/// Stores: where runs are remembered, and how to write another.
pub use dacapo_store as store;
