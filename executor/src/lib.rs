//! A single-threaded FIFO executor whose scheduling order is a promise.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod alarm;
mod combine;

mod executor;
mod guest;
mod id;
mod inbox;
mod join;
mod tasks;
mod turn;
mod yield_now;

#[cfg(feature = "std")]
mod park;

pub use combine::{JoinAll, TryJoinAll, join, join_all, race, try_join, try_join_all};
pub use executor::FifoExecutor;
pub use guest::Guest;
pub use id::TaskId;
pub use join::Task;
#[cfg(feature = "std")]
pub use park::Parker;
pub use yield_now::{YieldNow, yield_now};
