use alloc::collections::BTreeMap;
use alloc::string::String;

use super::Sim;
use crate::error::Result;

/// How all runs of a simulation ended.
#[derive(Debug)]
pub struct Ends<O> {
    pub(super) ends: BTreeMap<String, Result<O>>,
    pub(super) sim: Sim,
}

impl<O> Ends<O> {
    /// How the run with this id ended.
    ///
    /// # Panics
    ///
    /// Panics if it was not started.
    pub fn of(&self, id: &str) -> &Result<O> {
        self.ends.get(id).unwrap_or_else(|| panic!("no run {id:?} was started"))
    }

    /// How each run ended, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Result<O>)> {
        self.ends.iter().map(|(id, end)| (id.as_str(), end))
    }

    /// The last process, with what lies outside of it: see [`Sim::effects`] and [`Sim::outside`].
    #[must_use]
    pub fn sim(&self) -> &Sim {
        &self.sim
    }
}
