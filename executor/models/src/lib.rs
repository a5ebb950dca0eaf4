//! The lock-free parts of the executor, in every order that threads can take.
//!
//! The files under test are the executor's own. Here they are compiled against another [`sync`],
//! whose atomics are those of loom: it runs a model again and again, each time with another order of
//! steps and another choice of what a load may see, until there is none left.
//!
//! `cargo test --manifest-path executor/models/Cargo.toml`
#![cfg(test)]
#![forbid(unsafe_code)]
// The executor uses the rest.
#![allow(dead_code)]

extern crate alloc;

mod sync;

#[path = "../../src/gate.rs"]
mod gate;
#[path = "../../src/id.rs"]
mod id;
#[path = "../../src/inbox.rs"]
mod inbox;
#[path = "../../src/waker_state.rs"]
mod waker_state;

mod combine;
mod inbox_tests;
mod support;
mod waker_tests;
