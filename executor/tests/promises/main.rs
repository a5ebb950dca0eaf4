//! The executor's promises, each shown as a trace: what happened, in order, as one line of text.

mod cancel;
mod chain;
mod combine;
mod completion;
mod guest;
mod model;
mod no_std;
mod panic;
mod park;
mod program;
mod random;
mod round;
mod spawn;
mod teardown;
mod trace;
mod wake;
