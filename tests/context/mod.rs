//! What a workflow calls, one file for each: what it gives, and what can go wrong with it.

mod about;
mod blocking;
mod call;
mod keys;
mod patched;
mod sleep_until;
mod uuid;

use dacapo::sim::{Snapshots, VirtualClock};
use dacapo::store::{MemoryStore, Store};
use dacapo::{Builder, Executor, Timestamp};

/// Opens an executor in virtual time over `stored`, and gives the store to look into.
fn open(builder: Builder, stored: MemoryStore) -> (Executor, Snapshots) {
    let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()));
    let store = Snapshots::new(stored);
    let executor = builder.clock(clock).open_with(store.clone());
    (executor.expect("a store in memory opens"), store)
}
