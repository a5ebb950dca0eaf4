//! The shapes of programs that break other engines, row by row (docs/determinism.md).
//!
//! Each program is run live with many seeds, which give its steps random latencies; again from
//! the stored state after every commit; and each of these runs is replayed from its whole
//! history. Polls, numbers, deliveries and the result must be the same, poll for poll.

mod channels;
mod common;
mod join;
mod many;
mod orders;
mod race;
mod spawn;
mod tokio_sync;
mod unordered;
mod combinators;
mod dropped;
mod timeouts;
mod select;
mod random;
mod builds;
mod panics;
mod leaked;
mod restarts;
mod smuggled;
mod streams;
