//! The engine's notes. They are few and small, so all of them are in memory, and a note that is not
//! there was never written: the table is read when the file is opened, and checked against its sum.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use redb::{ReadTransaction, WriteTransaction};

use super::error::DiskError;
use super::tables::NOTES;
use crate::Batch;
use crate::format::value;

/// The notes by their keys, or what is wrong with them: that keeps nobody from the runs.
pub(super) struct Notes(Result<BTreeMap<Vec<u8>, Vec<u8>>, String>);

impl Notes {
    /// Reads the table, which must come to `sum`.
    pub(super) fn read(txn: &ReadTransaction, sum: u64) -> Result<Notes, DiskError> {
        let (mut notes, mut left) = (BTreeMap::new(), sum);
        for item in txn.open_table(NOTES)?.range::<&[u8]>(..)? {
            let (key, bytes) = item?;
            left = left.wrapping_sub(value::sum(bytes.value()));
            match value::read(key.value(), bytes.value()) {
                Ok(note) => drop(notes.insert(key.value().to_vec(), note.to_vec())),
                Err(flaw) => return Ok(Notes(Err(format!("one of its notes: {flaw}")))),
            }
        }
        Ok(Notes(match left {
            0 => Ok(notes),
            _ => Err(String::from("its notes: they are not what was written last")),
        }))
    }

    /// Follows a commit.
    pub(super) fn apply(&mut self, batch: &Batch) {
        batch.notes().for_each(|(key, note)| self.change(key, note));
    }

    pub(super) fn change(&mut self, key: &[u8], note: Option<&[u8]>) {
        if let Ok(notes) = &mut self.0 {
            match note {
                Some(note) => notes.insert(key.to_vec(), note.to_vec()),
                None => notes.remove(key),
            };
        }
    }

    pub(super) fn all(&self) -> Result<&BTreeMap<Vec<u8>, Vec<u8>>, DiskError> {
        self.0.as_ref().map_err(|what| DiskError::Damaged(what.clone()))
    }
}

/// Writes notes that were changed, and gives what the table comes to.
pub(super) fn write(
    txn: &WriteTransaction,
    changed: &BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    mut sum: u64,
) -> Result<u64, DiskError> {
    if changed.is_empty() {
        return Ok(sum);
    }
    let mut table = txn.open_table(NOTES)?;
    for (key, note) in changed {
        let note = note.as_ref().map(|note| value::pack(key, note));
        let before = match &note {
            Some(note) => table.insert(&key[..], &note[..])?,
            None => table.remove(&key[..])?,
        };
        let before = before.map_or(0, |before| value::sum(before.value()));
        sum = sum.wrapping_sub(before).wrapping_add(note.map_or(0, |note| value::sum(&note)));
    }
    Ok(sum)
}
