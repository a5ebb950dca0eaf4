//! A value with its checksum in front: a note, or what a user keeps in a table.
//!
//! ```text
//! checksum 8 | the bytes
//! ```

use alloc::vec::Vec;

use super::{Flaw, checksum, read_u64};

/// The value as it stands under its key. The key's checksum is the seed of the value's.
pub(crate) fn pack(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(8 + bytes.len());
    value.extend_from_slice(&checksum(checksum(0, key), bytes).to_le_bytes());
    value.extend_from_slice(bytes);
    value
}

/// The bytes, if they are what was written under this key.
pub(crate) fn read<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Flaw> {
    let bytes = value.get(8..).ok_or("it is too short")?;
    match checksum(checksum(0, key), bytes) == sum(value) {
        true => Ok(bytes),
        false => Err("it does not match its checksum"),
    }
}

/// What a value adds to the sum of its table.
pub(crate) fn sum(value: &[u8]) -> u64 {
    if value.len() < 8 { 0 } else { read_u64(value, 0) }
}
