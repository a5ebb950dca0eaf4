//! A run row: postcard's form of [`RunRow`], alone in the journal, and in the tables with the list
//! of the chunks that the run's history consists of.
//!
//! ```text
//! checksum 8 | length of the list 4 | row (none, if the run has only a history) | list
//! ```
//! The checksum covers the length and the row. So damage in the list is damage to this history
//! alone (each of its items has a checksum); a list that is shorter than it was is noticed.

use alloc::vec::Vec;
use core::mem;

use super::{Flaw, checksum, read_u32, read_u64};
use crate::{RunKey, RunRow};

const HEAD: usize = 12;

/// Appends a row.
pub(crate) fn put(out: &mut Vec<u8>, row: &RunRow) {
    *out = postcard::to_extend(row, mem::take(out)).expect("numbers and text can be written");
}

/// Takes a row off the front.
pub(super) fn take(bytes: &mut &[u8]) -> Option<RunRow> {
    let (row, rest) = postcard::take_from_bytes(bytes).ok()?;
    *bytes = rest;
    Some(row)
}

/// Replaces `out` by what a table holds of a run.
pub(crate) fn pack(out: &mut Vec<u8>, run: RunKey, row: &[u8], list: &[u8]) {
    out.clear();
    out.extend_from_slice(&[0; 8]);
    let length = u32::try_from(list.len()).expect("a value of redb has fewer than 2^32 bytes");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(row);
    let sum = checksum(run.0, &out[8..]);
    out[..8].copy_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(list);
}

/// The row, if there is one, and the list that stood in a table under this key.
pub(crate) fn split(run: RunKey, bytes: &[u8]) -> Result<(&[u8], &[u8]), Flaw> {
    let length = if bytes.len() < HEAD { usize::MAX } else { read_u32(bytes, 8) as usize };
    let end = bytes.len().checked_sub(length).filter(|end| *end >= HEAD);
    match end {
        Some(end) if checksum(run.0, &bytes[8..end]) == sum(bytes) => {
            Ok((&bytes[HEAD..end], &bytes[end..]))
        }
        _ => Err("it does not match its checksum"),
    }
}

/// Reads the row that stood in a table under this key; `None` if there is only a history.
pub(crate) fn read(run: RunKey, bytes: &[u8]) -> Result<Option<RunRow>, Flaw> {
    let mut rest = split(run, bytes)?.0;
    if rest.is_empty() {
        return Ok(None);
    }
    let row = take(&mut rest).filter(|row| row.key == run && rest.is_empty());
    row.map(Some).ok_or("it cannot be read")
}

/// What a value adds to the sum of its table.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    if bytes.len() < HEAD { 0 } else { read_u64(bytes, 0) }
}
