//! What is written is read: by its own type, by one that it became, by none, and not at all where
//! it must not be.

mod attributes;
mod calls;
mod compared;
mod corpus;
mod crates;
mod damage;
mod evolution;
mod growth;
mod limits;
mod ordinary;
mod refusals;
mod seen;
mod support;
mod typed;
