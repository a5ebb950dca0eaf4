//! One row of the journal: all that one commit wrote.
//!
//! ```text
//! checksum 8 | time 8 | records 4 | directory bytes 4 | change bytes 4 | body bytes 4
//! directory: for each record, run as a delta, seq, length, checksum 4
//! changes:   each begins with a byte that says what it is
//!   16       copied records: how many, and for each its index, commit and time, as deltas; first
//!   0 to 7   a run row in this state
//!   17       a run that is deleted: key, hash of its id 8
//!   18, 19   a note: key, bytes; a note that is removed: key
//!   20       a shape: number, bytes
//! body:      the records, one behind the other
//! ```
//! The checksum covers all but the body, whose records have their own, each in the directory: a
//! damaged record is damage to one run, a damaged directory to the file.

use alloc::vec::Vec;
use core::ops::Range;

use super::row::Lent;
use super::varint::{put, put_bytes, put_delta, take, take_bytes, take_delta, take_u32, take_u64};
use super::{Flaw, checksum, read_u32, read_u64, record_checksum, row};
use crate::batch::Copied;
use crate::{Batch, RunKey};

const HEAD: usize = 32;

const COPIED: u8 = 16;
const DELETED: u8 = 17;
const NOTE: u8 = 18;
const REMOVED_NOTE: u8 = 19;
const SHAPE: u8 = 20;

/// A commit holds no more than this many bytes: redb takes no value above 3 GiB.
pub(crate) const MAX_BYTES: usize = 1 << 31;

/// A run that is deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Deleted {
    pub(crate) run: RunKey,
    /// That of its id, by which the index of ids has it; 0 if the run has no row.
    pub(crate) hash: u64,
}

/// Appends a batch as the row of a commit. `deleted` is what it deletes.
pub(crate) fn pack(out: &mut Vec<u8>, commit: u64, batch: &Batch, deleted: &[Deleted]) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    let mut before = 0;
    for (run, entry) in batch.entries(commit) {
        put_delta(out, before, run.0);
        put(out, entry.seq);
        put(out, entry.record.len() as u64);
        out.extend_from_slice(&record_checksum(entry.record).to_le_bytes());
        before = run.0;
    }
    let changes = out.len();
    put_changes(out, batch, deleted);
    let body = out.len();

    let head = &mut out[start..start + HEAD];
    head[8..16].copy_from_slice(&batch.time().to_le_bytes());
    let lengths = [batch.len(), changes - start - HEAD, body - changes, batch.bytes().len()];
    for (i, length) in lengths.into_iter().enumerate() {
        let length = u32::try_from(length).expect("a batch is smaller than MAX_BYTES");
        head[16 + 4 * i..20 + 4 * i].copy_from_slice(&length.to_le_bytes());
    }
    let sum = checksum(commit, &out[start + 8..]);
    out[start..start + 8].copy_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(batch.bytes());
}

fn put_changes(out: &mut Vec<u8>, batch: &Batch, deleted: &[Deleted]) {
    if !batch.copied().is_empty() {
        out.push(COPIED);
        put(out, batch.copied().len() as u64);
        let mut before = Copied { index: 0, commit: 0, time: 0 };
        for copied in batch.copied() {
            put(out, (copied.index - before.index) as u64);
            put_delta(out, before.commit, copied.commit);
            put_delta(out, before.time, copied.time);
            before = *copied;
        }
    }
    batch.rows().iter().for_each(|row| row::encode(out, row));
    for Deleted { run, hash } in deleted {
        out.push(DELETED);
        put(out, run.0);
        out.extend_from_slice(&hash.to_le_bytes());
    }
    for (key, note) in batch.notes() {
        out.push(if note.is_some() { NOTE } else { REMOVED_NOTE });
        put_bytes(out, key);
        if let Some(note) = note {
            put_bytes(out, note);
        }
    }
    for (number, shape) in batch.shapes() {
        out.push(SHAPE);
        put(out, number.into());
        put_bytes(out, shape);
    }
}

/// A row whose directory and changes are what was written.
pub(crate) struct Row<'a> {
    pub(crate) time: u64,
    records: u32,
    directory: &'a [u8],
    changes: &'a [u8],
    /// Where the body lies in the row.
    body: Range<usize>,
}

/// Where one record lies.
pub(crate) struct Record {
    pub(crate) run: RunKey,
    pub(crate) seq: u64,
    /// Its bytes, counted from the start of the row.
    pub(crate) range: Range<usize>,
    pub(crate) checksum: u32,
    /// The commit and the time of a copied one.
    pub(crate) origin: Option<(u64, u64)>,
}

/// What a commit changes beside histories.
pub(crate) enum Change<'a> {
    /// A run row, and where it lies, counted from the start of the journal's.
    Row(usize, Lent<'a>),
    Deleted(Deleted),
    /// A note and what it becomes: `None` if it goes.
    Note(&'a [u8], Option<&'a [u8]>),
    /// A shape and its number.
    Shape(u32, &'a [u8]),
}

impl<'a> Row<'a> {
    /// Reads a row, and checks everything but the records.
    pub(crate) fn read(commit: u64, bytes: &'a [u8]) -> Result<Row<'a>, Flaw> {
        if bytes.len() < HEAD {
            return Err("it is too short");
        }
        let [records, directory, changes, body] = [16, 20, 24, 28].map(|at| read_u32(bytes, at));
        let changes_at = HEAD + directory as usize;
        let body_at = changes_at + changes as usize;
        if bytes.len() != body_at + body as usize {
            return Err("it has the wrong length");
        }
        if checksum(commit, &bytes[8..body_at]) != read_u64(bytes, 0) {
            return Err("its directory does not match its checksum");
        }
        let (directory, changes) = (&bytes[HEAD..changes_at], &bytes[changes_at..body_at]);
        Ok(Row {
            time: read_u64(bytes, 8),
            records,
            directory,
            changes,
            body: body_at..bytes.len(),
        })
    }

    /// Calls `f` with each record's position in the row, in order.
    pub(crate) fn for_each_record(&self, mut f: impl FnMut(Record)) -> Result<(), Flaw> {
        let copied = take_copied(&mut { self.changes })?;
        let mut copied = copied.iter().peekable();
        let (mut directory, mut run, mut start) = (self.directory, 0, self.body.start);
        for index in 0..self.records {
            let mut take = || {
                run = take_delta(&mut directory, run)?;
                let seq = take(&mut directory)?;
                let length = usize::try_from(take(&mut directory)?).ok()?;
                let end = start.checked_add(length)?;
                let checksum = take_u32(&mut directory)?;
                let origin = copied.next_if(|copied| copied.index == index as usize);
                let origin = origin.map(|copied| (copied.commit, copied.time));
                Some(Record { run: RunKey(run), seq, range: start..end, checksum, origin })
            };
            let record = take().ok_or("its directory cannot be read")?;
            start = record.range.end;
            f(record);
        }
        match directory.is_empty() && start == self.body.end && copied.next().is_none() {
            true => Ok(()),
            false => Err("its directory and its records have different lengths"),
        }
    }

    /// Calls `f` with each change, in order.
    pub(crate) fn for_each_change(&self, mut f: impl FnMut(Change<'a>)) -> Result<(), Flaw> {
        let mut bytes = self.changes;
        take_copied(&mut bytes)?;
        while !bytes.is_empty() {
            let start = self.body.start - bytes.len();
            f(take_change(start, &mut bytes).ok_or("its changes cannot be read")?);
        }
        Ok(())
    }
}

/// Takes off the front which records were copied, and from where.
fn take_copied(bytes: &mut &[u8]) -> Result<Vec<Copied>, Flaw> {
    let mut copied = Vec::new();
    let Some((&COPIED, rest)) = bytes.split_first() else { return Ok(copied) };
    *bytes = rest;
    let flaw = "its copied records cannot be read";
    let mut before = Copied { index: 0, commit: 0, time: 0 };
    for _ in 0..take(bytes).ok_or(flaw)? {
        before = take_one_copied(bytes, before).ok_or(flaw)?;
        copied.push(before);
    }
    Ok(copied)
}

fn take_one_copied(bytes: &mut &[u8], before: Copied) -> Option<Copied> {
    let index = before.index.checked_add(usize::try_from(take(bytes)?).ok()?)?;
    let commit = take_delta(bytes, before.commit)?;
    Some(Copied { index, commit, time: take_delta(bytes, before.time)? })
}

fn take_change<'a>(start: usize, bytes: &mut &'a [u8]) -> Option<Change<'a>> {
    let (&kind, rest) = bytes.split_first()?;
    if kind < COPIED {
        return row::take_row(bytes).map(|row| Change::Row(start, row));
    }
    *bytes = rest;
    Some(match kind {
        DELETED => {
            let run = RunKey(take(bytes)?);
            Change::Deleted(Deleted { run, hash: take_u64(bytes)? })
        }
        NOTE => Change::Note(take_bytes(bytes)?, Some(take_bytes(bytes)?)),
        REMOVED_NOTE => Change::Note(take_bytes(bytes)?, None),
        SHAPE => Change::Shape(u32::try_from(take(bytes)?).ok()?, take_bytes(bytes)?),
        _ => return None,
    })
}
