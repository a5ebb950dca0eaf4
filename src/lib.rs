//! Durable execution as ordinary async Rust: crash anywhere, resume where it was.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// In reading order: a module imports only modules above it (within `executor`: any of its own).
mod clock;
mod codec;
mod context;
mod error;
mod executor;
mod fault;
mod gate;
mod instance;
mod name;
mod operation;
mod panics;
mod random;
mod record;
mod registry;
mod replay;
mod retry;
mod run;
#[cfg(feature = "sim")]
pub mod sim;
mod timer;
mod trace;
mod world;

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
