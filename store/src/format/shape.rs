//! A shape with its checksum in front.
//!
//! ```text
//! checksum 8 | the bytes
//! ```

use alloc::vec::Vec;

use super::{Flaw, checksum, read_u64};

/// The shape as it stands under its number, which is the seed of its checksum.
pub(crate) fn pack(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(8 + bytes.len());
    value.extend_from_slice(&checksum(number.into(), bytes).to_le_bytes());
    value.extend_from_slice(bytes);
    value
}

/// The bytes, if they are what was written under this number.
pub(crate) fn read(number: u32, value: &[u8]) -> Result<&[u8], Flaw> {
    let bytes = value.get(8..).ok_or("it is too short")?;
    match checksum(number.into(), bytes) == read_u64(value, 0) {
        true => Ok(bytes),
        false => Err("it does not match its checksum"),
    }
}
