//! A chunk: a piece of one run's history, folded out of the journal.
//!
//! ```text
//! checksum 8 | entries 4 | directory bytes 4
//! directory: for each entry, commit as a delta, time as a delta, length, checksum 4
//! body:      the records, one behind the other
//! ```
//! As in the journal, the checksum covers all but the body. The run and the seq of the first
//! entry are the seed of the checksum; seqs follow one another.

use alloc::vec::Vec;
use core::ops::Range;

use super::{Flaw, UNSOUND, checksum, is_sound, read_u32, read_u64, varint};
use crate::{Entry, History, RunKey};

const HEAD: usize = 16;

/// A chunk takes no further entry once it has this many bytes. A page of redb holds it, and the
/// end of a long history can be read without the rest.
const FULL: usize = 60_000;

/// A chunk in the making; a buffer to be used again.
#[derive(Default)]
pub(crate) struct Chunk {
    entries: u32,
    commit: u64,
    time: u64,
    /// The head, empty until [`finish`](Chunk::finish), and the directory behind it.
    front: Vec<u8>,
    body: Vec<u8>,
}

impl Chunk {
    /// Adds an entry; its checksum is the one that came with it, right or wrong.
    pub(crate) fn push(&mut self, commit: u64, time: u64, record: &[u8], checksum: u32) {
        if self.entries == 0 {
            self.front.resize(HEAD, 0);
        }
        varint::put_delta(&mut self.front, self.commit, commit);
        varint::put_delta(&mut self.front, self.time, time);
        varint::put(&mut self.front, record.len() as u64);
        self.front.extend_from_slice(&checksum.to_le_bytes());
        self.body.extend_from_slice(record);
        self.entries += 1;
        (self.commit, self.time) = (commit, time);
    }

    /// How many entries it holds.
    pub(crate) fn entries(&self) -> u64 {
        u64::from(self.entries)
    }

    /// Whether an entry of so many bytes belongs into the next chunk.
    pub(crate) fn is_full_for(&self, record: usize) -> bool {
        self.entries > 0 && self.front.len() + self.body.len() + record > FULL
    }

    /// Gives the chunk's bytes to `f`, and begins anew.
    pub(crate) fn finish<T>(&mut self, run: RunKey, first: u64, f: impl FnOnce(&[u8]) -> T) -> T {
        let directory = (self.front.len() - HEAD) as u32;
        self.front[8..12].copy_from_slice(&self.entries.to_le_bytes());
        self.front[12..16].copy_from_slice(&directory.to_le_bytes());
        let sum = checksum(seed(run, first), &self.front[8..]);
        self.front[..8].copy_from_slice(&sum.to_le_bytes());
        self.front.append(&mut self.body);
        let result = f(&self.front);
        self.front.clear();
        (self.entries, self.commit, self.time) = (0, 0, 0);
        result
    }
}

fn seed(run: RunKey, first: u64) -> u64 {
    run.0.rotate_left(32) ^ first
}

/// A chunk whose directory is what was written; the records are not checked yet.
pub(crate) struct Reader<'a> {
    first: u64,
    entries: u32,
    directory: &'a [u8],
    body: &'a [u8],
}

/// What is wrong with a chunk, and the seq at which it was found.
pub(crate) type FlawAt = (u64, Flaw);

impl<'a> Reader<'a> {
    /// Opens what should be this chunk of a run.
    pub(crate) fn open(run: RunKey, first: u64, bytes: &'a [u8]) -> Result<Reader<'a>, FlawAt> {
        if bytes.len() < HEAD {
            return Err((first, "its chunk is too short"));
        }
        let (entries, directory) = (read_u32(bytes, 8), read_u32(bytes, 12) as usize);
        let body = HEAD + directory;
        if bytes.len() < body || checksum(seed(run, first), &bytes[8..body]) != read_u64(bytes, 0) {
            return Err((first, "its chunk does not match its checksum"));
        }
        let (directory, body) = bytes[HEAD..].split_at(directory);
        Ok(Reader { first, entries, directory, body })
    }

    /// The seq behind its last entry.
    pub(crate) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.entries))
    }

    /// Adds its entries to a history, those within a range of seqs: only their records are checked.
    pub(crate) fn read(&self, seqs: &Range<u64>, history: &mut History) -> Result<(), FlawAt> {
        if seqs.start <= self.first && self.end() <= seqs.end {
            history.reserve(self.entries as usize, self.body.len());
        }
        let (mut directory, mut body, mut commit, mut time) = (self.directory, self.body, 0, 0);
        for seq in self.first..self.end() {
            let mut take_entry = || {
                commit = varint::take_delta(&mut directory, commit)?;
                time = varint::take_delta(&mut directory, time)?;
                let length = usize::try_from(varint::take(&mut directory)?).ok()?;
                let checksum = varint::take_u32(&mut directory)?;
                let (record, rest) = body.split_at_checked(length)?;
                body = rest;
                Some((record, checksum))
            };
            let (record, checksum) = take_entry().ok_or((seq, "its chunk cannot be read"))?;
            if seqs.contains(&seq) {
                if !is_sound(record, checksum) {
                    return Err((seq, UNSOUND));
                }
                history.push(Entry { seq, commit, time, record });
            }
        }
        match directory.is_empty() && body.is_empty() {
            true => Ok(()),
            false => Err((self.first, "its chunk has bytes left over")),
        }
    }
}
