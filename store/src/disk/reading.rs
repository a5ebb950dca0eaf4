use alloc::sync::Arc;
use core::cell::RefCell;

use redb::{AccessGuard, Database, ReadOnlyTable, ReadableDatabase};

use super::read::Result;
use super::tables::{BLOCKS, ENDED, UNFINISHED};
use crate::RunKey;

/// The tables from which runs are read, as of the last write. To open them takes longer than to read a short
/// history, so they stay open until the next write: redb keeps what a reader sees.
#[derive(Default)]
pub(super) struct Reading(RefCell<Option<Arc<Tables>>>);

pub(super) struct Tables {
    unfinished: Table,
    ended: Table,
    pub(super) blocks: Table,
}

type Table = ReadOnlyTable<u64, &'static [u8]>;

impl Reading {
    pub(super) fn tables(&self, db: &Database) -> Result<Arc<Tables>> {
        if let Some(tables) = &*self.0.borrow() {
            return Ok(tables.clone());
        }
        let txn = db.begin_read()?;
        let tables = Arc::new(Tables {
            unfinished: txn.open_table(UNFINISHED)?,
            ended: txn.open_table(ENDED)?,
            blocks: txn.open_table(BLOCKS)?,
        });
        *self.0.borrow_mut() = Some(tables.clone());
        Ok(tables)
    }

    /// Something is about to be written, or the file to be closed.
    pub(super) fn end(&mut self) {
        self.0.take();
    }
}

impl Tables {
    /// What they hold of a run.
    pub(super) fn of(&self, run: RunKey) -> Result<Option<AccessGuard<'static, &'static [u8]>>> {
        for table in [&self.unfinished, &self.ended] {
            if let Some(bytes) = table.get(run.0)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}
