//! Several futures in one task, in a fixed order, each with a waker of its own.

mod all;
mod branch;
mod pair;
mod woken;

pub use all::{JoinAll, TryJoinAll, join_all, try_join_all};
pub use pair::{Either, join, race, select, try_join};
