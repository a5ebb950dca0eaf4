//! What users keep beside the runs: one table of redb, written in the transaction of a commit.

use alloc::format;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Bound;

use redb::{ReadableTable, Table};

use super::error::{DiskError, guarded};
use crate::format::value;
use crate::tables::{KeyRange, Visit, full_key, full_range, own_key};
use crate::{Error, ReadTables, Result, Tables};

/// The tables of users within a transaction.
pub(super) struct UserTables<'a, T> {
    table: T,
    /// What messages call the file.
    name: &'a str,
    is_changed: bool,
    /// The error of the storage, whatever was made of it: the transaction cannot be committed.
    failed: RefCell<Option<Error>>,
}

impl<'a, T> UserTables<'a, T> {
    pub(super) fn new(table: T, name: &'a str) -> UserTables<'a, T> {
        UserTables { table, name, is_changed: false, failed: RefCell::default() }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }

    pub(super) fn failed(&self) -> Option<Error> {
        self.failed.borrow().clone()
    }

    /// Does something with redb. The panic of a user stays one; redb's own do not.
    fn guard<R>(&self, f: impl FnOnce() -> Result<R, DiskError>) -> Result<R> {
        guarded(f).map_err(|error| self.fail(error))
    }

    fn fail(&self, error: DiskError) -> Error {
        let error = error.about(self.name);
        *self.failed.borrow_mut() = Some(error.clone());
        error
    }

    /// A value without its checksum. One that is damaged does not stop the transaction.
    fn read<'b>(&self, table: &str, key: &[u8], bytes: &'b [u8]) -> Result<&'b [u8]> {
        value::read(key, bytes).map_err(|flaw| {
            let key = own_key(table, key);
            let what = format!("the value of {key:?} in the table {table:?}: {flaw}");
            DiskError::Damaged(what).about(self.name)
        })
    }
}

type Bytes = &'static [u8];

impl<T: ReadableTable<Bytes, Bytes>> ReadTables for UserTables<'_, T> {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let key = full_key(table, key);
        let Some(bytes) = self.guard(|| Ok(self.table.get(&key[..])?))? else { return Ok(None) };
        self.read(table, &key, bytes.value()).map(|value| Some(value.to_vec()))
    }

    fn range(&self, table: &str, keys: KeyRange<'_>, visit: &mut Visit<'_>) -> Result<()> {
        let Some((from, to)) = full_range(table, keys) else { return Ok(()) };
        let keys = (as_slice(&from), as_slice(&to));
        let mut rows = self.guard(|| Ok(self.table.range::<&[u8]>(keys)?))?;
        while let Some((key, bytes)) = self.guard(|| Ok(rows.next().transpose()?))? {
            let value = self.read(table, key.value(), bytes.value())?;
            if visit(own_key(table, key.value()), value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Tables for UserTables<'_, Table<'_, Bytes, Bytes>> {
    fn put(&mut self, table: &str, key: &[u8], value: &[u8]) -> Result<()> {
        let key = full_key(table, key);
        let value = value::pack(&key, value);
        self.is_changed = true;
        let inserted = guarded(|| {
            self.table.insert(&key[..], &value[..])?;
            Ok(())
        });
        inserted.map_err(|error| self.fail(error))
    }

    fn remove(&mut self, table: &str, key: &[u8]) -> Result<()> {
        self.is_changed = true;
        let removed = guarded(|| {
            self.table.remove(&full_key(table, key)[..])?;
            Ok(())
        });
        removed.map_err(|error| self.fail(error))
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}
