//! What an executor is at, for threads that it does not answer, since its own is blocked.
//!
//! The executor's thread leaves word with two plain stores a poll of a body, and a few a turn; without somebody who
//! asked for it ([`Executor::heartbeat`](crate::Executor::heartbeat)) it leaves none. What the numbers that it
//! leaves mean is kept aside, and changes when runs come and go.

#[cfg(not(all(feature = "std", target_has_atomic = "64")))]
mod none;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
mod pulse;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
mod read;

#[cfg(not(all(feature = "std", target_has_atomic = "64")))]
pub(crate) use none::Pulse;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
pub(crate) use pulse::Pulse;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
pub use read::{Beat, Doing, Heartbeat};

/// Where the loop of an executor stands, beside the polls of bodies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    NotDriven,
    /// Between two turns.
    Waiting,
    /// A turn begins: what other threads asked for, and then bodies.
    Turn,
    Commit,
    /// The store gives back what is free in it.
    #[cfg(all(feature = "std", target_has_atomic = "64"))]
    Compaction,
}
