//! The tests of the store, in one binary.

mod beside;
mod compact;
mod conformance;
mod crash;
mod damage;
mod disk;
mod golden;
mod hidden;
mod large;
mod memory;
mod open;
mod place;
mod surroundings;
