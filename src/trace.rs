//! What can be watched of a run: numbers, deliveries and polls.

use core::fmt;

/// Something that happened to a run, in the terms in which a replay repeats it exactly.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// The record at this place of the history was delivered.
    Delivered(u64, &'a dyn fmt::Display),
    /// The task with this number was polled; 0 is the root.
    Polled(u32),
    /// An operation was asked for, that is, polled for the first time.
    Asked(&'a dyn fmt::Display),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered(place, record) => write!(f, "deliver {place}: {record}"),
            Self::Polled(task) => write!(f, "poll {task}"),
            Self::Asked(operation) => write!(f, "ask {operation}"),
        }
    }
}

/// Someone who watches runs, set with `Builder::observer`.
///
/// Observers see every event of every run in order, live and in replays alike. They must not call
/// the executor.
pub trait Observer {
    /// Something happened to the run with this id.
    fn observe(&self, run: &str, event: Event<'_>);
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
