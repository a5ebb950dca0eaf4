//! The tests of the store, in one binary.

mod conformance;
mod crash;
mod disk;
mod place;
