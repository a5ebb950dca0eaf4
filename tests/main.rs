//! All integration tests, in one binary.

mod architecture;
mod chains;
mod compile_fail;
mod context;
mod corpus;
mod coverage;
mod crash;
mod documents;
mod evicted;
mod faults;
mod hazards;
mod histories;
mod kill;
mod look;
mod order;
mod programs;
mod remote;
mod scale;
mod schedules;
mod shutdown;
mod simulation;
mod tables;
mod talk;
mod values;
