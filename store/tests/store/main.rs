//! The tests of the store, in one binary.

mod conformance;
mod crash;
mod damage;
mod disk;
mod open;
mod place;
