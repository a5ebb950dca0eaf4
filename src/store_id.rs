//! What tells a store from all others: a random number, made with its first run and kept for ever.

use alloc::rc::Rc;
use core::cell::Cell;

use dacapo_store::{Batch, RunKey, Store};

use crate::error::{Error, Kind, Result};
use crate::random;

/// See the module.
pub(crate) struct StoreId {
    pub(crate) number: u64,
    /// The next commit, which is the first one with a run, has to write it.
    is_new: Cell<bool>,
}

impl StoreId {
    const NOTE: &'static [u8] = b"store id";

    /// That of a store. One that has runs and no such number, since an earlier build made it, has 0.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn of(store: &impl Store, seed: u64) -> Result<Rc<Self>> {
        let note = store.note(Self::NOTE).map_err(|error| Error::store(&error))?;
        let is_new = note.is_none() && store.next_run() == RunKey(0);
        let number = match note {
            Some(note) => u64::from_le_bytes(note.try_into().map_err(|_| {
                Error::of(Kind::Store, "the number of the store is damaged: restore a backup")
            })?),
            // No run has this key, so that no seed of a run is the same.
            None if is_new => random::mix(seed, u64::MAX),
            None => 0,
        };
        Ok(Rc::new(Self { number, is_new: Cell::new(is_new) }))
    }

    /// Writes it, if that is still to be done.
    pub(crate) fn write(&self, batch: &mut Batch) {
        if self.is_new.take() {
            batch.put_note(Self::NOTE, &self.number.to_le_bytes());
        }
    }
}
