use alloc::vec::Vec;

use redb::{ReadableTable, Table, WriteTransaction};

use super::error::DiskError;
use super::tables::{BLOCKS, CHUNKS_IN_USE};
use crate::format::chunk_refs::ChunkRef;

/// A block takes no further chunk once it has this many bytes: with redb's own, that is just below
/// a page of 64 KiB, and redb doubles its pages.
pub(super) const FULL: usize = 60_000;

/// Writes chunks into new blocks behind all others.
pub(super) struct Blocks<'txn> {
    blocks: Table<'txn, u64, &'static [u8]>,
    in_use: Table<'txn, u64, u64>,
    /// The block in the making.
    number: u64,
    bytes: Vec<u8>,
    chunks: u64,
}

impl<'txn> Blocks<'txn> {
    /// `number` is that of the next block: the last one in the table may be hidden by damage, and
    /// would be written over.
    pub(super) fn open(
        txn: &'txn WriteTransaction,
        number: u64,
    ) -> Result<Blocks<'txn>, DiskError> {
        let (blocks, in_use) = (txn.open_table(BLOCKS)?, txn.open_table(CHUNKS_IN_USE)?);
        Ok(Blocks { blocks, in_use, number, bytes: Vec::new(), chunks: 0 })
    }

    /// The number of the next block.
    pub(super) fn next(&self) -> u64 {
        self.number
    }

    /// Adds a chunk, and says where it is.
    pub(super) fn add(&mut self, first: u64, chunk: &[u8]) -> Result<ChunkRef, DiskError> {
        if self.bytes.len() + chunk.len() > FULL {
            self.finish()?;
        }
        let (offset, length) = (self.bytes.len() as u64, chunk.len() as u64);
        self.bytes.extend_from_slice(chunk);
        self.chunks += 1;
        Ok(ChunkRef { first, block: self.number, offset, length })
    }

    /// Writes the block in the making, if there is something in it.
    pub(super) fn finish(&mut self) -> Result<(), DiskError> {
        if self.chunks > 0 {
            self.blocks.insert(self.number, &self.bytes[..])?;
            self.in_use.insert(self.number, self.chunks)?;
            self.bytes.clear();
            (self.number, self.chunks) = (self.number + 1, 0);
        }
        Ok(())
    }

    /// Gives up chunks of the blocks with these numbers, one for each time a number is there, and sorts them;
    /// with its last chunk a block goes. Says how many bytes went.
    pub(super) fn release(&mut self, blocks: &mut [u64]) -> Result<u64, DiskError> {
        blocks.sort_unstable();
        let mut bytes = 0;
        for same in blocks.chunk_by(u64::eq) {
            bytes += self.release_some(same[0], same.len() as u64)?;
        }
        Ok(bytes)
    }

    fn release_some(&mut self, block: u64, count: u64) -> Result<u64, DiskError> {
        let chunks = self.in_use.get(block)?.map(|chunks| chunks.value());
        // Where the number is lost the block stays: it may hold chunks of other runs.
        let Some(left) = chunks.and_then(|chunks| chunks.checked_sub(count)) else { return Ok(0) };
        if left > 0 {
            self.in_use.insert(block, left)?;
            return Ok(0);
        }
        self.in_use.remove(block)?;
        let removed = self.blocks.remove(block)?;
        Ok(removed.map_or(0, |bytes| bytes.value().len() as u64))
    }
}
