//! Runs that come into being with a history: copied from a run of this store, or from elsewhere.

use alloc::boxed::Box;
use alloc::vec::Vec;

use dacapo_store::{RunRow, RunState};

use super::write::Writer;
use super::{Engine, empty_id};
use crate::error::{Error, Kind, Result};
use crate::fault::Fault;
use crate::ledger::{Copied, Ledger, What};

impl Engine {
    /// No longer history is copied: it is one commit.
    const COPIED_BYTES: usize = 256 << 20;

    /// The row of a run that is to be parked at its beginning, under a new key.
    pub(crate) fn copied_row(&self, id: &str, of: &RunRow) -> RunRow {
        let mut row = RunRow::new(self.take_key(), id, &*of.workflow);
        row.state = RunState::Parked;
        row.pass = of.pass;
        row.attributes = of.attributes.clone();
        row
    }

    /// # Errors
    ///
    /// If there is a run with this id by now, or it cannot be one. The message ends with what to do.
    pub(crate) fn expect_free(&self, id: &str, to_do: &str) -> Result<()> {
        if id.is_empty() {
            return Err(empty_id());
        }
        match self.ledgers.has_id(id) || self.find(id)?.is_some() {
            true => Err(taken(id, to_do)),
            false => Ok(()),
        }
    }

    /// Commits runs with their histories, all of them or none. They are parked for `fault`.
    ///
    /// # Errors
    ///
    /// If there is a run with one of the ids by now, if it is too much for one commit, or if the store refuses.
    pub(crate) fn copy(&self, copies: impl IntoIterator<Item = Copied>, to_do: &str) -> Result<()> {
        // What comes first may use the ids.
        self.commit()?;
        let copies: Vec<_> = copies.into_iter().collect();
        let mut bytes = 0;
        for copied in &copies {
            self.expect_free(&copied.row.id, to_do)?;
            bytes += copied.history.iter().map(|entry| entry.record.len() + 40).sum::<usize>();
        }
        if bytes > Self::COPIED_BYTES {
            let (size, max) = (bytes >> 20, Self::COPIED_BYTES >> 20);
            let message = format_args!(
                "histories of {size} MiB are not copied: one commit takes {max} MiB of them"
            );
            return Err(Error::of(Kind::Usage, message));
        }
        let keys: Vec<_> = copies.iter().map(|copied| copied.row.key).collect();
        for copied in copies {
            let draft = Ledger::new(copied.row.key).draft(What::Copy(Box::new(copied)));
            self.world.pending.borrow_mut().others_mut().rows.push(draft);
        }
        self.commit()?;
        for key in keys {
            if self.row(key)?.is_none() {
                let message = "another run took one of the ids meanwhile: nothing was copied";
                return Err(Error::of(Kind::Usage, message));
            }
        }
        Ok(())
    }
}

impl Writer<'_> {
    /// A run comes into being. One that was started in this very commit has its id before it.
    pub(super) fn write_copy(&mut self, to: &Ledger, copied: &Copied) {
        let Copied { row, history, own, fault } = copied;
        let is_born =
            self.elsewhere.as_ref().is_some_and(|known| known.born.contains_key(&*row.id));
        if is_born || self.engine.ledgers.has_id(&row.id) {
            return;
        }
        for entry in history {
            let write = |bytes: &mut Vec<u8>| bytes.extend_from_slice(entry.record);
            self.batch.push_copied(to.key, to.take_seq(), entry.commit, entry.time, write);
        }
        if !own.is_empty() {
            self.batch.push(to.key, to.take_seq(), |bytes| bytes.extend_from_slice(own));
        }
        let mut row = row.clone();
        let now = self.now.as_nanos();
        row.changed_at = now;
        row.started_at = history.first().map_or(now, |entry| entry.time);
        if row.state == RunState::Parked {
            row.note = Fault::to_note(fault);
        }
        self.put(row);
    }
}

/// What is said of an id that exists.
fn taken(id: &str, to_do: &str) -> Error {
    let message = format_args!("there is a run {id:?} already: {to_do}");
    Error::of(Kind::Usage, message)
}
