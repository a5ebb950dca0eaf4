//! Where a run's history is: the references to its chunks, which are only ever added to.
//!
//! ```text
//! for each chunk: seq of its first entry, block, offset in the block, length, checksum 4
//! ```
//! The checksum stands behind every reference, so that a fold can add to them without reading them:
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

/// Adds a reference to those of a run.
pub(crate) fn add(refs: &mut Vec<u8>, run: RunKey, chunk: ChunkRef) {
    let start = refs.len();
    for number in [chunk.first, chunk.block, chunk.offset, chunk.length] {
        varint::put(refs, number);
    }
    let sum = checksum(run.0, &refs[start..]) as u32;
    refs.extend_from_slice(&sum.to_le_bytes());
}

/// The chunks of a run, in order.
pub(crate) fn read(run: RunKey, refs: &[u8]) -> Result<Vec<ChunkRef>, Flaw> {
    let (mut rest, mut found) = (refs, Vec::new());
    while !rest.is_empty() {
        let before = rest;
        let mut take = || {
            let mut next = || varint::take(&mut rest);
            let chunk =
                ChunkRef { first: next()?, block: next()?, offset: next()?, length: next()? };
            let bytes = &before[..before.len() - rest.len()];
            (varint::take_u32(&mut rest)? == checksum(run.0, bytes) as u32).then_some(chunk)
        };
        found.push(take().ok_or("the references to its chunks do not match their checksums")?);
    }
    Ok(found)
}

impl ChunkRef {
    /// The chunk's bytes in its block.
    pub(crate) fn slice<'a>(&self, block: &'a [u8]) -> Option<&'a [u8]> {
        let start = usize::try_from(self.offset).ok()?;
        let end = start.checked_add(usize::try_from(self.length).ok()?)?;
        block.get(start..end)
    }
}
