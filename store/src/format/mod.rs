//! How bytes lie in the file: pure functions, byte for byte as `docs/format.md` tells.
//!
//! Nothing here is trusted when it is read. What cannot be what was written is a [`Flaw`], and the
//! caller adds where it was found.

pub(crate) mod chunk;
pub(crate) mod chunk_refs;
pub(crate) mod journal;
pub(crate) mod header;
pub(crate) mod node;
pub(crate) mod row;
pub(crate) mod shape;
pub(crate) mod value;
mod varint;

#[cfg(test)]
mod tests;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// What is wrong with some bytes, to be put behind "damaged:".
pub(crate) type Flaw = &'static str;

/// That of a record.
pub(crate) const UNSOUND: Flaw = "the record does not match its checksum";

/// The checksum of anything but a record. The seed says where the bytes belong, so that a whole
/// piece in the place of another one is noticed.
fn checksum(seed: u64, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}

/// The checksum of one record. It is computed once, when the record is committed, and copied from
/// then on: a fold cannot make damaged bytes look sound.
fn record_checksum(record: &[u8]) -> u32 {
    xxh3_64(record) as u32
}

/// Whether a record is the one that was committed.
pub(crate) fn is_sound(record: &[u8], checksum: u32) -> bool {
    record_checksum(record) == checksum
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes were asked for"))
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes were asked for"))
}
