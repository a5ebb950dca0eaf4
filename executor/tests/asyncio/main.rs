//! The order of asyncio: programs whose traces were taken from CPython run the same way here, and
//! where asyncio leaves the order open there is one.

mod firmer;
mod interpret;
mod primitives;
mod program;
mod traces;
