//! What is known of the file as a whole.
//!
//! ```text
//! checksum 8 | format 4 | semantics 4 | commit 8 | time 8 | next run 8 | next block 8
//! | sums of the unfinished 8, of the ended 8, of the notes 8 | root of the ids 8 | last commit 8
//! | runs in each state 8 × 8 | shapes 8
//! ```
//! The first two fields stay where they are in every later format, and the checksum covers all
//! that follows it, however long that is: so a file of a later format is known for what it is.

use super::{Flaw, checksum, read_u32, read_u64};
use crate::Counts;

/// The format this crate writes.
pub(crate) const FORMAT: u32 = 1;

/// The numbers of eight bytes.
const NUMBERS: usize = 18;

const LENGTH: usize = 16 + 8 * NUMBERS;

/// Commit, time and next run are those of the last fold: the journal holds what came after it.
///
/// The rest is what the other tables must come to. redb holds its pages against their checksums
/// after a crash, and not when it opens a file that was closed: a flipped bit in one of its inner
/// pages can make it pass over rows, or find those of an earlier commit.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Header {
    pub(crate) semantics: u32,
    pub(crate) commit: u64,
    pub(crate) time: u64,
    pub(crate) next_run: u64,
    pub(crate) next_block: u64,
    /// The checksums of all rows, added up, of those that have not ended and of those that have.
    pub(crate) sums: [u64; 2],
    /// Those of all notes.
    pub(crate) notes: u64,
    /// The checksum of the root of the index of ids, or 0 if it is empty.
    pub(crate) ids: u64,
    /// The journal goes at least as far: the last commit when the file was closed or folded last.
    pub(crate) last_commit: u64,
    /// How many rows of each state the two tables of runs hold.
    pub(crate) counts: Counts,
    /// How many shapes the table of shapes holds.
    pub(crate) shapes: u64,
}

/// Why a file cannot be used.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Unfit {
    Damaged(Flaw),
    Newer(u32),
}

pub(crate) fn pack(header: &Header) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[12..16].copy_from_slice(&header.semantics.to_le_bytes());
    let Header { commit, time, next_run, next_block, sums, notes, ids, last_commit, .. } = *header;
    let numbers = [commit, time, next_run, next_block, sums[0], sums[1], notes, ids, last_commit];
    let numbers = numbers.into_iter().chain(header.counts.0).chain([header.shapes]);
    for (to, number) in bytes[16..].chunks_exact_mut(8).zip(numbers) {
        to.copy_from_slice(&number.to_le_bytes());
    }
    let sum = checksum(0, &bytes[8..]);
    bytes[..8].copy_from_slice(&sum.to_le_bytes());
    bytes
}

pub(crate) fn read(bytes: &[u8]) -> Result<Header, Unfit> {
    if bytes.len() < 12 || checksum(0, &bytes[8..]) != read_u64(bytes, 0) {
        return Err(Unfit::Damaged("it does not match its checksum"));
    }
    let format = read_u32(bytes, 8);
    if format > FORMAT {
        return Err(Unfit::Newer(format));
    }
    if format != FORMAT || bytes.len() != LENGTH {
        return Err(Unfit::Damaged("it has the wrong length, or a format that never was"));
    }
    let numbers: [u64; NUMBERS] = core::array::from_fn(|at| read_u64(bytes, 16 + 8 * at));
    let [
        commit,
        time,
        next_run,
        next_block,
        unfinished,
        ended,
        notes,
        ids,
        last_commit,
        ref counts @ ..,
        shapes,
    ] = numbers;
    let semantics = read_u32(bytes, 12);
    let (sums, counts) = ([unfinished, ended], Counts(*counts));
    Ok(Header {
        semantics,
        commit,
        time,
        next_run,
        next_block,
        sums,
        notes,
        ids,
        last_commit,
        counts,
        shapes,
    })
}
