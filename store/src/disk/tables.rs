//! The tables of the file, each with what it holds.

use redb::{Database, Durability, ReadableDatabase, TableDefinition, TableError};

use super::error::DiskError;
use crate::format::header::{self, Header};

type Bytes = &'static [u8];

/// Commit number to all that the commit wrote. Empty after a fold.
pub(super) const JOURNAL: TableDefinition<u64, Bytes> = TableDefinition::new("journal");

/// Run key to run row and the references to the chunks that its folded history consists of, of the
/// runs that have not ended. They have a table to themselves so that opening does not go through
/// those that have ended.
pub(super) const UNFINISHED: TableDefinition<u64, Bytes> = TableDefinition::new("unfinished");

/// The same of the runs that have ended. No run is in both tables.
pub(super) const ENDED: TableDefinition<u64, Bytes> = TableDefinition::new("ended");

/// The nodes of the index by which the runs of both tables are found by their ids.
pub(super) const IDS: TableDefinition<u64, Bytes> = TableDefinition::new("ids");

/// Block number to the chunks of several runs, one behind the other. A fold adds its blocks at the
/// end. A row for each chunk was measured to take redb twice the time, for pages that are half
/// empty; under the keys of the runs it wrote the chunks that lie beside them again as well.
pub(super) const BLOCKS: TableDefinition<u64, Bytes> = TableDefinition::new("blocks");

/// Block number to how many of its chunks belong to a run. A block goes when none does.
pub(super) const CHUNKS_IN_USE: TableDefinition<u64, u64> = TableDefinition::new("chunks in use");

/// The engine's notes by their keys.
pub(super) const NOTES: TableDefinition<Bytes, Bytes> = TableDefinition::new("notes");

/// Shape number to shape. They are only ever added.
pub(super) const SHAPES: TableDefinition<u32, Bytes> = TableDefinition::new("shapes");

/// What users keep beside the runs, under the names and the keys of their tables.
pub(super) const USER: TableDefinition<Bytes, Bytes> = TableDefinition::new("user");

/// One row, which is what makes a redb file ours.
pub(super) const HEADER: TableDefinition<&str, Bytes> = TableDefinition::new("dacapo");

/// The key of the one row of [`HEADER`].
pub(super) const HEADER_KEY: &str = "store";

/// Makes the tables of a new store.
pub(super) fn initialise(db: &Database, semantics: u32) -> Result<(), DiskError> {
    let txn = db.begin_write()?;
    txn.open_table(JOURNAL)?;
    txn.open_table(UNFINISHED)?;
    txn.open_table(ENDED)?;
    txn.open_table(IDS)?;
    txn.open_table(BLOCKS)?;
    txn.open_table(CHUNKS_IN_USE)?;
    txn.open_table(NOTES)?;
    txn.open_table(SHAPES)?;
    txn.open_table(USER)?;
    let header = Header { semantics, ..Header::default() };
    txn.open_table(HEADER)?.insert(HEADER_KEY, &header::pack(&header)[..])?;
    Ok(txn.commit()?)
}

/// Opens the tables, of which none may be missing: writing would make it anew.
pub(super) fn expect_all(db: &impl ReadableDatabase) -> Result<(), DiskError> {
    let txn = db.begin_read()?;
    for table in [JOURNAL, UNFINISHED, ENDED, IDS, BLOCKS] {
        txn.open_table(table)?;
    }
    txn.open_table(CHUNKS_IN_USE)?;
    txn.open_table(SHAPES)?;
    for table in [NOTES, USER] {
        txn.open_table(table)?;
    }
    Ok(())
}

/// Reads the header, or `None` if it is none of ours.
pub(super) fn read_header(db: &impl ReadableDatabase) -> Result<Option<Header>, DiskError> {
    let table = match db.begin_read()?.open_table(HEADER) {
        Ok(table) => table,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let Some(bytes) = table.get(HEADER_KEY)? else { return Ok(None) };
    match header::read(bytes.value()) {
        Ok(header) => Ok(Some(header)),
        Err(header::Unfit::Newer(format)) => Err(DiskError::NewerFormat(format)),
        Err(header::Unfit::Damaged(flaw)) => {
            Err(DiskError::Damaged(alloc::format!("its header: {flaw}")))
        }
    }
}

/// Writes the header, to be on the disk when the file is closed.
pub(super) fn write_header(db: &Database, header: &Header) -> Result<(), DiskError> {
    let mut txn = db.begin_write()?;
    // redb syncs when it closes the file.
    txn.set_durability(Durability::None).expect("there are no savepoints");
    txn.open_table(HEADER)?.insert(HEADER_KEY, &header::pack(header)[..])?;
    Ok(txn.commit()?)
}
