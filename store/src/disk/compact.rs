//! A file that is mostly free becomes shorter.

use redb::{ReadableDatabase, ReadableTableMetadata};

use super::RedbStore;
use super::blocks;
use super::error::DiskError;
use super::tables::{BLOCKS, ENDED, UNFINISHED, USER};
use crate::Store;

/// A shorter file is not worth the while.
const LEAST: u64 = 4 << 20;

/// What is left is no more than that: to move it takes about as long as a fold of the journal.
const LEFT: u64 = 64 << 20;

/// What a run takes beside its history, and a value of a table: so much is taken for granted.
const ROW: u64 = 256;

impl RedbStore {
    /// Whether there is so much room in the file that it should become shorter by itself. It has not if little was
    /// deleted: the journal takes again what is taken from it.
    pub(super) fn is_mostly_free(&self) -> Result<bool, DiskError> {
        let gone = self.leaving.gone();
        if gone < LEAST / 2 {
            return Ok(false);
        }
        let (left, bytes) = (self.left()?, self.bytes().unwrap_or_default());
        Ok(bytes >= LEAST && left <= gone.min(bytes / 4).min(LEFT))
    }

    /// About so many bytes are in the tables, without the journal.
    fn left(&self) -> Result<u64, DiskError> {
        let txn = self.db.begin_read()?;
        let blocks = txn.open_table(BLOCKS)?.len()?;
        let runs = txn.open_table(ENDED)?.len()? + txn.open_table(UNFINISHED)?.len()?;
        let values = txn.open_table(USER)?.len()?;
        Ok(blocks * blocks::FULL as u64 + (runs + values) * ROW)
    }

    /// Moves what lies at the end of the file to where it is free, and cuts the end off; whether there was any. redb
    /// does it in commits of its own, so a crash leaves what was there.
    pub(super) fn compact_file(&mut self) -> Result<bool, DiskError> {
        self.fold_tail(0)?;
        let before = self.bytes();
        let is_moved = self.db.compact()?;
        self.leaving.note_compacted();
        self.origin.find_file()?;
        Ok(is_moved || self.bytes() < before)
    }
}
