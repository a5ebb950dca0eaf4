use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use redb::{Database, ReadableDatabase};

use super::error::DiskError;
use super::ids;
use super::reading::{Reading, Tables};
use super::tables::{ENDED, IDS, UNFINISHED};
use super::tail::Tail;
use crate::format::chunk::{FlawAt, Reader};
use crate::format::chunk_refs::{self, ChunkRef};
use crate::format::header::Header;
use crate::format::row::{self, Lent};
use crate::{Counts, History, RunKey, RunRow, RunState};

pub(super) type Result<T, E = DiskError> = core::result::Result<T, E>;

/// The newest row of a run: the tail's if it has one.
pub(super) fn row(
    db: &Database,
    reading: &Reading,
    tail: &Tail,
    run: RunKey,
) -> Result<Option<RunRow>> {
    let index = tail.index();
    match tail.row(&index, run) {
        Some(row) => Ok(Some(row.to_row())),
        None if index.is_deleted(run) => Ok(None),
        None => table_row(reading.tables(db)?.as_ref(), run),
    }
}

/// The newest row of the run with an id.
pub(super) fn find(
    db: &Database,
    reading: &Reading,
    tail: &Tail,
    header: &Header,
    id: &str,
) -> Result<Option<RunRow>> {
    let index = tail.index();
    if let Some(row) = tail.find(&index, id) {
        return Ok(Some(row.to_row()));
    }
    if header.ids == 0 {
        // The tables hold no run, and need not be opened.
        return Ok(None);
    }
    let txn = db.begin_read()?;
    for run in ids::find(&txn.open_table(IDS)?, header.ids, id)? {
        if index.is_deleted(run) {
            continue;
        }
        let row = match tail.row(&index, run) {
            Some(row) => Some(row.to_row()),
            None => table_row(reading.tables(db)?.as_ref(), run)?,
        };
        let lost = || DiskError::Damaged(format!("the row of run {run} ({id:?}): it is missing"));
        let row = row.ok_or_else(lost)?;
        if row.id == id && row.state != RunState::Continued {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn table_row(tables: &Tables, run: RunKey) -> Result<Option<RunRow>> {
    let Some(bytes) = tables.of(run)? else { return Ok(None) };
    Ok(read_row(run, bytes.value())?.map(Lent::to_row))
}

pub(super) fn read_row(run: RunKey, bytes: &[u8]) -> Result<Option<Lent<'_>>> {
    row::read(run, bytes)
        .map_err(|flaw| DiskError::Damaged(format!("the row of run {run}: {flaw}")))
}

/// How many rows of each state there are: those that were folded, less those of which the tail
/// knows better, and the tail's.
pub(super) fn count(db: &Database, tail: &Tail, header: &Header) -> Result<Counts> {
    let (index, mut counts) = (tail.index(), header.counts);
    let txn = db.begin_read()?;
    let tables = [txn.open_table(UNFINISHED)?, txn.open_table(ENDED)?];
    // Later runs are not in the tables yet.
    for run in index.overruled().filter(|run| run.0 < header.next_run) {
        for table in &tables {
            let state = table.get(run.0)?.and_then(|bytes| row::state(bytes.value()));
            counts.replace(state, None);
        }
    }
    for state in RunState::ALL {
        counts[state] = counts[state].wrapping_add(index.counts()[state]);
    }
    Ok(counts)
}

/// The entries of a run's history with seqs in a range: those in its chunks, then those that the
/// tail has.
pub(super) fn entries(
    db: &Database,
    reading: &Reading,
    tail: &Tail,
    run: RunKey,
    seqs: Range<u64>,
) -> Result<History> {
    let (index, tables) = (tail.index(), reading.tables(db)?);
    let refs = if index.is_deleted(run) { Vec::new() } else { chunk_refs(&tables, run)? };
    let tail_begins = index.records(run).next().map(|record| record.seq);
    let (mut history, mut place) = (History::default(), Place { run, seqs, expected: None });
    for (at, chunk) in refs.iter().enumerate() {
        let next = refs.get(at + 1).map(|next| next.first).or(tail_begins);
        if place.is_before(next) || chunk.first >= place.seqs.end {
            continue;
        }
        place.expect(chunk.first)?;
        let end = read_chunk(&tables, run, chunk, |reader| {
            reader.read(&place.seqs, &mut history)?;
            Ok(reader.end())
        })?;
        place.expected = Some(end);
    }
    for record in index.records(run) {
        if record.seq >= place.seqs.end {
            break;
        }
        if record.seq >= place.seqs.start {
            place.expect(record.seq)?;
            history.push(tail.entry(&index, record).map_err(|flaw| at(run, (record.seq, flaw)))?);
            place.expected = Some(record.seq + 1);
        }
    }
    Ok(history)
}

/// The last entry of a run's history.
pub(super) fn last(db: &Database, reading: &Reading, tail: &Tail, run: RunKey) -> Result<History> {
    let (index, mut history) = (tail.index(), History::default());
    if let Some(record) = index.last(run) {
        history.push(tail.entry(&index, record).map_err(|flaw| at(run, (record.seq, flaw)))?);
    } else if !index.is_deleted(run) {
        let tables = reading.tables(db)?;
        if let Some(chunk) = chunk_refs(&tables, run)?.pop() {
            read_chunk(&tables, run, &chunk, |reader| {
                reader.read(&(reader.end().saturating_sub(1)..u64::MAX), &mut history)
            })?;
        }
    }
    Ok(history)
}

/// Where a reader is in the history of a run.
struct Place {
    run: RunKey,
    seqs: Range<u64>,
    /// The seq that has to come next, once something was read.
    expected: Option<u64>,
}

impl Place {
    /// Whether the range begins no earlier than the next piece of the history.
    fn is_before(&self, next: Option<u64>) -> bool {
        next.is_some_and(|next| next <= self.seqs.start)
    }

    /// The next piece begins with this seq.
    fn expect(&self, seq: u64) -> Result<()> {
        let (run, expected) = (self.run, self.expected.unwrap_or(self.seqs.start));
        if seq == expected || (self.expected.is_none() && seq < expected) {
            return Ok(());
        }
        Err(DiskError::Damaged(format!(
            "the history of run {run} goes on at record {seq} where record {expected} should be"
        )))
    }
}

/// Where a run's chunks are.
fn chunk_refs(tables: &Tables, run: RunKey) -> Result<Vec<ChunkRef>> {
    let Some(bytes) = tables.of(run)? else { return Ok(Vec::new()) };
    let refs = row::split(run, bytes.value()).and_then(|(_, refs)| chunk_refs::read(run, refs));
    refs.map_err(|flaw| DiskError::Damaged(format!("the history of run {run}: {flaw}")))
}

/// Opens a chunk for `read`.
fn read_chunk<T>(
    tables: &Tables,
    run: RunKey,
    chunk: &ChunkRef,
    read: impl FnOnce(&Reader<'_>) -> Result<T, FlawAt>,
) -> Result<T> {
    let block = tables.blocks.get(chunk.block)?;
    let bytes = block.as_ref().and_then(|block| chunk.slice(block.value()));
    let result = bytes
        .ok_or((chunk.first, "its chunk is missing"))
        .and_then(|bytes| Reader::open(run, chunk.first, bytes))
        .and_then(|reader| read(&reader));
    result.map_err(|flaw| at(run, flaw))
}

fn at(run: RunKey, (seq, flaw): FlawAt) -> DiskError {
    DiskError::Damaged(format!("the history of run {run} at record {seq}: {flaw}"))
}
