//! The checkpoint log of `dacapo`: bytes in, bytes out, and there for good when a commit returns.
//!
//! A [`Store`] holds **runs**, each with a row (id, workflow, state) and a history of records that
//! only grows. It is written in one way: a [`Batch`] of records of any number of runs, with run
//! rows that are new or changed, is committed whole or not at all. It knows nothing of futures,
//! nor of what is in a record.
//!
//! There are two stores, [`MemoryStore`] and [`RedbStore`]; [`conformance`] is the test that a
//! third one has to pass.
//!
//! ```
//! use dacapo_store::{Batch, Filter, MemoryStore, RunRow, RunState, Store};
//!
//! let mut store = MemoryStore::new();
//! let key = store.next_run();
//! let mut row = RunRow::new(key, "order-7", "order");
//! (row.started_at, row.changed_at) = (1_000, 1_000);
//!
//! let mut batch = Batch::new();
//! batch.set_time(1_000);
//! batch.push(key, 0, |bytes| bytes.extend_from_slice(b"started"));
//! batch.put_row(row.clone());
//! store.commit(&batch)?;
//!
//! batch.clear();
//! batch.set_time(2_000);
//! batch.push(key, 1, |bytes| bytes.extend_from_slice(b"finished"));
//! (row.state, row.changed_at) = (RunState::Completed, 2_000);
//! batch.put_row(row);
//! store.commit(&batch)?;
//!
//! let last = store.history(key)?;
//! let last = last.last().unwrap();
//! assert_eq!((last.seq, last.commit, last.time), (1, 2, 2_000));
//! assert_eq!(store.list(&Filter::new().unfinished())?, []);
//!
//! batch.clear();
//! batch.set_time(3_000);
//! batch.delete(key);
//! store.commit(&batch)?;
//! assert_eq!(store.find("order-7")?, None);
//! # Ok::<(), dacapo_store::Error>(())
//! ```
//!
//! # How the file works
//! A commit has to be small, since every step of every run waits for one; and a history has to be
//! found by its run, in a file that may hold millions. One row per record under the key of its run
//! gives the second and costs twenty times as much as an append. So the file does both, one after
//! the other:
//!
//! - The **journal** has one row per commit, with all that it wrote packed one behind the other.
//!   A commit writes nothing else. What the journal holds is also in memory, where reads find
//!   it by an index that is made when it is first needed.
//! - When the journal has become long, it is **folded**: in one large transaction the run rows go
//!   to their tables (those that have ended apart from the others), the records of
//!   each run are put together as a chunk, the chunks are written in blocks behind those of earlier
//!   folds, and the journal is cut. A crash in the middle leaves the journal as it was.
//!
//! So a run that sleeps for a month costs one chunk and a row, and opening reads the rows of the
//! unfinished runs and a bounded tail of the journal, however many have ended.
//!
//! Every record has a **checksum**, which is computed when it is committed and moves with it from
//! the journal to its chunk without being computed again: a bit that has flipped is found when the
//! history of that run is read, wherever it happened, and the other runs are not affected by it.
//! What leads to the records is under checksums too, and so is what is *not* there: that no run has
//! an id, and that a list of runs is complete. `docs/format.md` has it byte for byte.
//!
//! # Features
//! Without `std` there are the trait, the batch and the store in memory, for `no_std` with `alloc`.
//! `redb`, on by default, is the store on disk.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod batch;
mod counts;
mod error;
mod filter;
mod history;
mod run;
mod tables;

mod store;

mod hooked;
mod memory;

pub mod conformance;

#[cfg(feature = "redb")]
mod disk;
#[cfg(feature = "redb")]
mod format;

pub use batch::Batch;
pub use counts::Counts;
#[cfg(feature = "redb")]
pub use disk::{Options, RedbStore};
pub use error::{Error, Result};
pub use filter::Filter;
pub use history::{Entries, Entry, History};
pub use hooked::{Hooked, Hooks, Operation};
pub use memory::MemoryStore;
/// What [`Options::open_backend`] opens: implement it to keep a store somewhere else.
#[cfg(feature = "redb")]
pub use redb::StorageBackend;
pub use run::{Link, Queued, RunKey, RunRow, RunState};
pub use store::{Store, Work};
pub use tables::{KeyRange, ReadTables, Tables, Visit};

/// For [`forward_store!`], which may be used where there is no `alloc` by that name.
#[doc(hidden)]
pub mod macros {
    pub use alloc::string::String;
    pub use alloc::vec::Vec;
}
