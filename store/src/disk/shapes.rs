//! The shapes of values. They are few and small, so all of them are in memory: the table is read when
//! the file is opened, and must hold as many as the header says.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use redb::{ReadTransaction, WriteTransaction};

use super::error::DiskError;
use super::tables::SHAPES;
use crate::Batch;
use crate::format::shape;

/// The shapes by their numbers, or what is wrong with them: their runs can still be looked at.
pub(super) struct Shapes(Result<Vec<Vec<u8>>, String>);

impl Shapes {
    /// Reads the table, which must hold `count` of them.
    pub(super) fn read(txn: &ReadTransaction, count: u64) -> Result<Shapes, DiskError> {
        let (table, mut shapes) = (txn.open_table(SHAPES)?, Vec::new());
        for number in 0..count {
            let number = u32::try_from(number).expect("a header counts what was written");
            let shape = match table.get(number)? {
                Some(bytes) => shape::read(number, bytes.value()).map(<[u8]>::to_vec),
                None => Err("it is missing"),
            };
            match shape {
                Ok(shape) => shapes.push(shape),
                Err(flaw) => return Ok(Shapes(Err(format!("its shape {number}: {flaw}")))),
            }
        }
        Ok(Shapes(Ok(shapes)))
    }

    /// Follows a commit.
    pub(super) fn apply(&mut self, batch: &Batch) {
        batch.shapes().for_each(|(number, shape)| self.add(number, shape));
    }

    pub(super) fn add(&mut self, number: u32, shape: &[u8]) {
        let Ok(shapes) = &mut self.0 else { return };
        match shapes.len() == number as usize {
            true => shapes.push(shape.to_vec()),
            false => self.0 = Err(format!("its shape {}: it is missing", shapes.len())),
        }
    }

    pub(super) fn all(&self) -> Result<&[Vec<u8>], DiskError> {
        self.0.as_deref().map_err(|what| DiskError::Damaged(what.clone()))
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
