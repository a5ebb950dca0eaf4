//! All integration tests, in one binary.

mod architecture;
mod compile_fail;
mod corpus;
mod faults;
mod hazards;
mod kill;
mod scale;
