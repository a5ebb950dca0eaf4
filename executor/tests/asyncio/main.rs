//! The order of asyncio: programs whose traces were taken from CPython run the same way here.

mod interpret;
mod primitives;
mod program;
mod traces;
