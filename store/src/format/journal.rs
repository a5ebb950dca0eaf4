//! One row of the journal: all that one commit wrote.
//!
//! ```text
//! checksum 8 | time 8 | records 4 | directory bytes 4 | row bytes 4 | body bytes 4
//! directory: for each record, run as a delta, seq, length, checksum 4
//! rows:      run rows, one behind the other
//! body:      the records, one behind the other
//! ```
//! The checksum covers all but the body, whose records have their own, each in the directory: a
//! damaged record is damage to one run, a damaged directory to the file.

use alloc::vec::Vec;
use core::ops::Range;

use super::{Flaw, checksum, read_u32, read_u64, record_checksum, row, varint};
use crate::{Batch, RunKey, RunRow};

const HEAD: usize = 32;

/// A commit holds no more than this many bytes: redb takes no value above 3 GiB.
pub(crate) const MAX_BYTES: usize = 1 << 31;

/// Appends a batch as the row of a commit.
pub(crate) fn pack(out: &mut Vec<u8>, commit: u64, batch: &Batch) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    let mut before = 0;
    for (run, seq, record) in batch.records() {
        varint::put_delta(out, before, run.0);
        varint::put(out, seq);
        varint::put(out, record.len() as u64);
        out.extend_from_slice(&record_checksum(record).to_le_bytes());
        before = run.0;
    }
    let rows = out.len();
    batch.rows().iter().for_each(|row| row::put(out, row));
    let body = out.len();

    let head = &mut out[start..start + HEAD];
    head[8..16].copy_from_slice(&batch.time().to_le_bytes());
    let lengths = [batch.len(), rows - start - HEAD, body - rows, batch.bytes().len()];
    for (i, length) in lengths.into_iter().enumerate() {
        let length = u32::try_from(length).expect("a batch is smaller than MAX_BYTES");
        head[16 + 4 * i..20 + 4 * i].copy_from_slice(&length.to_le_bytes());
    }
    let sum = checksum(commit, &out[start + 8..]);
    out[start..start + 8].copy_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(batch.bytes());
}

/// A row whose directory and run rows are what was written.
pub(crate) struct Row<'a> {
    pub(crate) time: u64,
    records: u32,
    directory: &'a [u8],
    rows: &'a [u8],
    /// Where the body lies in the row.
    body: Range<usize>,
}

/// Where one record lies.
pub(crate) struct Slot {
    pub(crate) run: RunKey,
    pub(crate) seq: u64,
    /// Its bytes, counted from the start of the row.
    pub(crate) range: Range<usize>,
    pub(crate) checksum: u32,
}

impl<'a> Row<'a> {
    /// Reads a row, and checks everything but the records.
    pub(crate) fn read(commit: u64, bytes: &'a [u8]) -> Result<Row<'a>, Flaw> {
        if bytes.len() < HEAD {
            return Err("it is too short");
        }
        let [records, directory, rows, body] = [16, 20, 24, 28].map(|at| read_u32(bytes, at));
        let rows_at = HEAD + directory as usize;
        let body_at = rows_at + rows as usize;
        if bytes.len() != body_at + body as usize {
            return Err("it has not the length it should have");
        }
        if checksum(commit, &bytes[8..body_at]) != read_u64(bytes, 0) {
            return Err("its directory does not match its checksum");
        }
        let (directory, rows) = (&bytes[HEAD..rows_at], &bytes[rows_at..body_at]);
        Ok(Row { time: read_u64(bytes, 8), records, directory, rows, body: body_at..bytes.len() })
    }

    /// Calls `f` with each record's position in the row, in order.
    pub(crate) fn for_each_slot(&self, mut f: impl FnMut(Slot)) -> Result<(), Flaw> {
        let (mut directory, mut run, mut start) = (self.directory, 0, self.body.start);
        for _ in 0..self.records {
            let mut take = || {
                run = varint::take_delta(&mut directory, run)?;
                let seq = varint::take(&mut directory)?;
                let length = usize::try_from(varint::take(&mut directory)?).ok()?;
                let end = start.checked_add(length)?;
                let checksum = varint::take_u32(&mut directory)?;
                Some(Slot { run: RunKey(run), seq, range: start..end, checksum })
            };
            let slot = take().ok_or("its directory cannot be read")?;
            start = slot.range.end;
            f(slot);
        }
        match directory.is_empty() && start == self.body.end {
            true => Ok(()),
            false => Err("its directory and its records are not of one length"),
        }
    }

    /// The run rows, in order.
    pub(crate) fn rows(&self) -> Result<Vec<RunRow>, Flaw> {
        let (mut bytes, mut rows) = (self.rows, Vec::new());
        while !bytes.is_empty() {
            rows.push(row::take(&mut bytes).ok_or("its run rows cannot be read")?);
        }
        Ok(rows)
    }
}
