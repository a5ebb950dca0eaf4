//! The shapes of programs that break other engines, row by row: H1 to H20 of
//! docs/hazards.md.
//!
//! Each program is run live with many seeds, which give its steps random latencies; again from
//! the stored state after every commit; and each of these runs is replayed from its whole
//! history. Polls, numbers, deliveries and the result must be the same, poll for poll.

mod builds;
mod channels;
mod combinators;
mod common;
mod dropped;
mod join;
mod leaked;
mod many;
mod orders;
mod panics;
mod primitives;
mod race;
mod random;
mod restarts;
mod select;
mod smuggled;
mod spawn;
mod streams;
mod talking;
mod timeouts;
mod tokio_sync;
mod unordered;
