//! Where a run's history is: the list of its chunks, which is only ever added to.
//!
//! ```text
//! for each chunk: seq of its first entry, block, offset in the block, length, checksum 4
//! ```
//! The checksum stands behind every item, so that a fold can add to a list without reading it:
//! damage in it stays where it is until somebody asks for the history.

use alloc::vec::Vec;

use super::{Flaw, checksum, varint};
use crate::RunKey;

/// Where a chunk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ChunkRef {
    /// The seq of its first entry.
    pub(crate) first: u64,
    pub(crate) block: u64,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// Adds a chunk to the list of a run.
pub(crate) fn add(list: &mut Vec<u8>, run: RunKey, item: ChunkRef) {
    let start = list.len();
    for number in [item.first, item.block, item.offset, item.length] {
        varint::put(list, number);
    }
    let sum = checksum(run.0, &list[start..]) as u32;
    list.extend_from_slice(&sum.to_le_bytes());
}

/// The chunks of a run, in order.
pub(crate) fn read(run: RunKey, list: &[u8]) -> Result<Vec<ChunkRef>, Flaw> {
    let (mut rest, mut items) = (list, Vec::new());
    while !rest.is_empty() {
        let before = rest;
        let mut take = || {
            let mut next = || varint::take(&mut rest);
            let item =
                ChunkRef { first: next()?, block: next()?, offset: next()?, length: next()? };
            let bytes = &before[..before.len() - rest.len()];
            (varint::take_u32(&mut rest)? == checksum(run.0, bytes) as u32).then_some(item)
        };
        items.push(take().ok_or("the list of its chunks does not match its checksums")?);
    }
    Ok(items)
}

impl ChunkRef {
    /// The chunk's bytes in its block.
    pub(crate) fn slice<'a>(&self, block: &'a [u8]) -> Option<&'a [u8]> {
        let start = usize::try_from(self.offset).ok()?;
        let end = start.checked_add(usize::try_from(self.length).ok()?)?;
        block.get(start..end)
    }
}
