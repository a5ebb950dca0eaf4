//! What transactions write, until the commit that they are part of.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

/// By table and key; `None` is a removal.
#[derive(Default)]
pub(crate) struct Changes {
    tables: BTreeMap<&'static str, BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
    /// How many bytes were written to it, also of what was overwritten since.
    bytes: usize,
}

/// What was under a key before it was changed: nothing of these changes, or a change.
pub(super) type Before = (&'static str, Vec<u8>, Option<Option<Vec<u8>>>);

impl Changes {
    pub(crate) fn are_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What a key was changed to, if it was.
    pub(super) fn get(&self, table: &str, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.tables.get(table)?.get(key)
    }

    /// The changes in a range that holds something, in the order of the keys.
    pub(super) fn range(
        &self,
        table: &str,
        range: (Bound<&[u8]>, Bound<&[u8]>),
    ) -> impl Iterator<Item = (&Vec<u8>, &Option<Vec<u8>>)> {
        self.tables.get(table).into_iter().flat_map(move |changes| changes.range::<[u8], _>(range))
    }

    /// Changes a key; what undoes that.
    pub(super) fn set(
        &mut self,
        table: &'static str,
        key: Vec<u8>,
        value: Option<Vec<u8>>,
    ) -> Before {
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        let before = self.tables.entry(table).or_default().insert(key.clone(), value);
        (table, key, before)
    }

    /// Takes changes back, the last one first.
    pub(super) fn undo(&mut self, changed: Vec<Before>, bytes: usize) {
        for (table, key, before) in changed.into_iter().rev() {
            let changes = self.tables.entry(table).or_default();
            match before {
                Some(change) => changes.insert(key, change),
                None => changes.remove(&key),
            };
            if changes.is_empty() {
                self.tables.remove(table);
            }
        }
        self.bytes = bytes;
    }

    /// Writes all of them.
    ///
    /// # Errors
    ///
    /// If the store refuses.
    pub(crate) fn write(&self, tables: &mut dyn dacapo_store::Tables) -> dacapo_store::Result<()> {
        for (table, changes) in &self.tables {
            for (key, value) in changes {
                match value {
                    Some(value) => tables.put(table, key, value)?,
                    None => tables.remove(table, key)?,
                }
            }
        }
        Ok(())
    }
}
