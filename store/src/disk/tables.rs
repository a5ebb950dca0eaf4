//! The tables of the file, each with what it holds.

use redb::{Database, ReadableDatabase, TableDefinition, TableError};

use super::trouble::Trouble;
use crate::format::meta::{self, Meta};

type Bytes = &'static [u8];

/// Commit number to all that the commit wrote. Empty after a fold.
pub(super) const JOURNAL: TableDefinition<u64, Bytes> = TableDefinition::new("journal");

/// Run key to run row, of the runs that are running or parked. They have a table to themselves so
/// that opening does not go through those that have ended.
pub(super) const UNFINISHED: TableDefinition<u64, Bytes> = TableDefinition::new("unfinished");

/// Run key to run row, of the runs that have ended. No run is in both tables.
pub(super) const ENDED: TableDefinition<u64, Bytes> = TableDefinition::new("ended");

/// Run id to run key, of the runs of both tables.
pub(super) const IDS: TableDefinition<&str, u64> = TableDefinition::new("ids");

/// Run key and place of the first entry to a chunk of the run's history.
pub(super) const HISTORIES: TableDefinition<(u64, u64), Bytes> = TableDefinition::new("histories");

/// One row, which is what makes a redb file ours.
pub(super) const META: TableDefinition<&str, Bytes> = TableDefinition::new("dacapo");

/// The key of the one row of [`META`].
pub(super) const META_KEY: &str = "store";

/// Makes the tables of a new store.
pub(super) fn initialise(db: &Database, semantics: u32) -> Result<(), Trouble> {
    let txn = db.begin_write()?;
    txn.open_table(JOURNAL)?;
    txn.open_table(UNFINISHED)?;
    txn.open_table(ENDED)?;
    txn.open_table(IDS)?;
    txn.open_table(HISTORIES)?;
    let meta = Meta { semantics, commit: 0, time: 0, next_run: 0 };
    txn.open_table(META)?.insert(META_KEY, &meta::pack(&meta)[..])?;
    Ok(txn.commit()?)
}

/// Reads what the file says of itself, or `None` if it is none of ours.
pub(super) fn read_meta(db: &impl ReadableDatabase) -> Result<Option<Meta>, Trouble> {
    let table = match db.begin_read()?.open_table(META) {
        Ok(table) => table,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let Some(bytes) = table.get(META_KEY)? else { return Ok(None) };
    match meta::read(bytes.value()) {
        Ok(meta) => Ok(Some(meta)),
        Err(meta::Unfit::Newer(format)) => Err(Trouble::NewerFormat(format)),
        Err(meta::Unfit::Damaged(flaw)) => {
            Err(Trouble::Damaged(alloc::format!("what the file says of itself: {flaw}")))
        }
    }
}
