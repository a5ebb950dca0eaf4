use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

use super::MemoryStore;
use crate::tables::{KeyRange, Visit, full_key, full_range, own_key};
use crate::{ReadTables, Result, Tables};

/// What was written, by full key; `None` is a removal.
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The tables of a store with changes that are not in them yet. So a commit that is given up has
/// nothing to undo.
pub(super) struct Overlay<'a> {
    store: &'a MemoryStore,
    changes: Changes,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(store: &'a MemoryStore) -> Overlay<'a> {
        Overlay { store, changes: Changes::new() }
    }

    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }

    /// The first key of a range with its value, or with `None` if it was removed.
    fn first(
        &self,
        from: &Bound<Vec<u8>>,
        to: &Bound<Vec<u8>>,
    ) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let range = (from.clone(), to.clone());
        let changed = self.changes.range(range.clone()).next();
        let stored = self.store.with(|state| {
            let first = state.tables.range(range).next();
            first.map(|(key, value)| (key.clone(), value.clone()))
        });
        match (changed, stored) {
            (Some((key, value)), stored)
                if stored.as_ref().is_none_or(|(other, _)| key <= other) =>
            {
                Some((key.clone(), value.clone()))
            }
            (_, stored) => stored.map(|(key, value)| (key, Some(value))),
        }
    }
}

impl ReadTables for Overlay<'_> {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let key = full_key(table, key);
        if let Some(changed) = self.changes.get(&key) {
            return Ok(changed.clone());
        }
        Ok(self.store.with(|state| state.tables.get(&key).cloned()))
    }

    fn range(&self, table: &str, keys: KeyRange<'_>, visit: &mut Visit<'_>) -> Result<()> {
        let Some((mut from, to)) = full_range(table, keys) else { return Ok(()) };
        while let Some((key, value)) = self.first(&from, &to) {
            if value.is_some_and(|value| visit(own_key(table, &key), &value).is_break()) {
                break;
            }
            if matches!(&to, Bound::Included(to) if *to == key) {
                break;
            }
            from = Bound::Excluded(key);
        }
        Ok(())
    }
}

impl Tables for Overlay<'_> {
    fn put(&mut self, table: &str, key: &[u8], value: &[u8]) -> Result<()> {
        self.changes.insert(full_key(table, key), Some(value.to_vec()));
        Ok(())
    }

    fn remove(&mut self, table: &str, key: &[u8]) -> Result<()> {
        self.changes.insert(full_key(table, key), None);
        Ok(())
    }
}
