//! The checkpoint log of `dacapo`: bytes in, bytes out, for good when a commit returns.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod batch;
mod error;
mod memory;
mod run;
mod store;

pub use batch::Batch;
pub use error::{Error, Result};
pub use memory::MemoryStore;
pub use run::{Filter, RunKey, RunRow, RunState};
pub use store::{Entry, Store};
