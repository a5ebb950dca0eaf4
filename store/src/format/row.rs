//! A run row: postcard's form of [`RunRow`], alone in the journal, under a checksum in the tables.

use alloc::vec::Vec;
use core::mem;

use super::{Flaw, checksum, read_u64};
use crate::{RunKey, RunRow};

/// Appends a row.
pub(super) fn put(out: &mut Vec<u8>, row: &RunRow) {
    *out = postcard::to_extend(row, mem::take(out)).expect("numbers and text can be written");
}

/// Takes a row off the front.
pub(super) fn take(bytes: &mut &[u8]) -> Option<RunRow> {
    let (row, rest) = postcard::take_from_bytes(bytes).ok()?;
    *bytes = rest;
    Some(row)
}

/// Replaces `out` by a row as it stands in a table.
pub(crate) fn pack(out: &mut Vec<u8>, row: &RunRow) {
    out.clear();
    out.extend_from_slice(&[0; 8]);
    put(out, row);
    let sum = checksum(row.key.0, &out[8..]);
    out[..8].copy_from_slice(&sum.to_le_bytes());
}

/// Reads a row that stood in a table under this key.
pub(crate) fn read(key: RunKey, bytes: &[u8]) -> Result<RunRow, Flaw> {
    if bytes.len() < 8 || checksum(key.0, &bytes[8..]) != read_u64(bytes, 0) {
        return Err("it does not match its checksum");
    }
    let mut rest = &bytes[8..];
    let row = take(&mut rest).filter(|row| row.key == key && rest.is_empty());
    row.ok_or("it cannot be read")
}
