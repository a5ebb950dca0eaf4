//! The shapes of values. They are few and small, so all of them are in memory: the table is read when
//! the file is opened, and must hold as many as the header says.

use alloc::format;
use alloc::vec::Vec;

use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::error::{DiskError, guarded};
use super::tables::SHAPES;
use crate::Batch;
use crate::format::shape;

/// The shapes by their numbers; nothing for one that is damaged or missing. It keeps its number, and
/// nobody from the others.
pub(super) struct Shapes(Vec<Option<Vec<u8>>>);

impl Shapes {
    /// Reads the table, which must hold `count` of them.
    pub(super) fn read(txn: &ReadTransaction, count: u64) -> Result<Shapes, DiskError> {
        let table = txn.open_table(SHAPES)?;
        let numbers = 0..u32::try_from(count).expect("a header counts what was written");
        Ok(Shapes(numbers.map(|number| read(&table, number)).collect::<Result<_, _>>()?))
    }

    /// Follows a commit.
    pub(super) fn apply(&mut self, batch: &Batch) {
        self.0.extend(batch.shapes().map(|(_, shape)| Some(shape.to_vec())));
    }

    /// Follows a commit that was read.
    pub(super) fn add(&mut self, number: u32, shape: &[u8]) -> Result<(), DiskError> {
        if number != self.next() {
            let expected = self.next();
            return Err(DiskError::Damaged(format!("its shape {expected}: it is missing")));
        }
        self.0.push(Some(shape.to_vec()));
        Ok(())
    }

    /// The number of the next one.
    pub(super) fn next(&self) -> u32 {
        self.0.len() as u32
    }

    pub(super) fn all(&self) -> &[Option<Vec<u8>>] {
        &self.0
    }
}

/// The shape, or nothing if it is not what was written.
fn read(
    table: &impl ReadableTable<u32, &'static [u8]>,
    number: u32,
) -> Result<Option<Vec<u8>>, DiskError> {
    let read = guarded(|| {
        let value = table.get(number)?;
        let bytes = value.as_ref().and_then(|value| shape::read(number, value.value()).ok());
        Ok(bytes.map(<[u8]>::to_vec))
    });
    match read {
        // What leads to it.
        Err(DiskError::Damaged(_) | DiskError::Redb(redb::Error::Corrupted(_))) => Ok(None),
        read => read,
    }
}

/// Writes shapes that were added, and gives how many the table holds then, which were `count`.
pub(super) fn write(
    txn: &WriteTransaction,
    added: &[(u32, Vec<u8>)],
    count: u64,
) -> Result<u64, DiskError> {
    if added.is_empty() {
        return Ok(count);
    }
    let mut table = txn.open_table(SHAPES)?;
    for (number, bytes) in added {
        table.insert(number, &shape::pack(*number, bytes)[..])?;
    }
    Ok(count + added.len() as u64)
}
