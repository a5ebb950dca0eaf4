//! The scenarios, by what they are about.

mod before;
mod several;
mod steps;
mod tasks;
mod time;

pub(super) use before::BEFORE;
pub(super) use several::SEVERAL;
pub(super) use steps::STEPS;
pub(super) use tasks::TASKS;
pub(super) use time::TIME;
