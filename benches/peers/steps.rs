//! The bench `steps`, with the engines of others that run inside a process beside it.
//!
//! `cargo bench --manifest-path benches/peers/Cargo.toml --bench steps -- [--quick] [--json] …`
//!
//! The options and the ordinary rows are those of benches/steps. Each peer does the same work: a
//! step that gives a small number, awaited before the next one, in as many runs at once. Each has a
//! tokio of its own with a thread for each core, and the settings that it ships with or recommends.
//! The head of each file says what is durable when the outcome of a step is used; a throughput
//! without a sync is not to be compared with one that has it.

#[path = "../steps/harness.rs"]
mod harness;
mod memable;
mod durare;
mod duroxide;

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

fn main() {
    harness::main(&[memable::measure, durare::measure, duroxide::measure]);
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().expect("tokio starts")
}

/// How many of `count` records were replayed in a second.
fn replayed(took: Duration, count: u32) -> f64 {
    harness::report::per_second(took, count.into())
}
