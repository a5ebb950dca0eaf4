//! The checkpoint log of `dacapo`: bytes in, bytes out, for good when a commit returns.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod batch;
mod error;
mod run;
mod store;

mod memory;

pub mod conformance;

#[cfg(feature = "redb")]
mod disk;
#[cfg(feature = "redb")]
mod format;

pub use batch::Batch;
#[cfg(feature = "redb")]
pub use disk::{Options, RedbStore};
pub use error::{Error, Result};
pub use memory::MemoryStore;
pub use run::{Filter, RunKey, RunRow, RunState};
pub use store::{Entry, Store};
