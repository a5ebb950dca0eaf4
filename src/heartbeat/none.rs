//! Where there are no threads, or no atomics of 64 bits: nobody asks.

use alloc::sync::Arc;

use dacapo_store::{Counts, RunKey};

use super::Place;
use crate::record::Number;

#[derive(Default)]
pub(crate) struct Pulse(());

impl Pulse {
    pub(crate) fn is_on(&self) -> bool {
        false
    }

    pub(crate) fn at(&self, _: Place) {}

    pub(crate) fn compacts<T>(&self, compact: impl FnOnce() -> T) -> T {
        compact()
    }

    pub(crate) fn polls_main(&self) {}

    pub(crate) fn polls(&self, _: RunKey, _: Number, _: &'static str) {}

    pub(crate) fn has_polled(&self) {}

    pub(crate) fn enter(&self, _: RunKey, _: &Arc<str>) {}

    pub(crate) fn leave(&self, _: RunKey) {}

    pub(crate) fn replays<T>(&self, _: RunKey, _: &str, replay: impl FnOnce() -> T) -> T {
        replay()
    }

    pub(crate) fn count_soon(&self) {}

    pub(crate) fn committed(&self, _: u64, _: u64, _: impl FnOnce() -> Option<Counts>) {}
}
