//! The program as a person and a script have it: what it prints, and the codes it ends with.

mod changes;
mod commands;
mod hostile;
mod lines;
mod live;
mod refusals;
mod support;
mod world;
