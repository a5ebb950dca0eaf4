use alloc::format;
use alloc::vec::Vec;

use redb::{AccessGuard, Database, ReadTransaction, ReadableDatabase};

use super::error::DiskError;
use super::ids;
use super::tables::{BLOCKS, ENDED, IDS, UNFINISHED};
use super::tail::Tail;
use crate::format::chunk_refs::{self, ChunkRef};
use crate::format::header::Header;
use crate::format::{Flaw, chunk, is_sound, row};
use crate::{Entry, RunKey, RunRow};

pub(super) type Result<T, E = DiskError> = core::result::Result<T, E>;

/// The newest row of a run: the tail's if it has one.
pub(super) fn row(db: &Database, tail: &Tail, run: RunKey) -> Result<Option<RunRow>> {
    match tail.index().rows().get(&run) {
        Some(row) => Ok(Some(row.clone())),
        None => table_row(&db.begin_read()?, run),
    }
}

/// The newest row of the run with an id.
pub(super) fn find(
    db: &Database,
    tail: &Tail,
    header: &Header,
    id: &str,
) -> Result<Option<RunRow>> {
    if let Some(row) = tail.index().find(id) {
        return Ok(Some(row.clone()));
    }
    let txn = db.begin_read()?;
    for run in ids::find(&txn.open_table(IDS)?, header.ids, id)? {
        let row = match tail.index().rows().get(&run) {
            Some(row) => Some(row.clone()),
            None => table_row(&txn, run)?,
        };
        let lost = || DiskError::Damaged(format!("the row of run {run} ({id:?}): it is missing"));
        let row = row.ok_or_else(lost)?;
        if row.id == id {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn table_row(txn: &ReadTransaction, run: RunKey) -> Result<Option<RunRow>> {
    table_value(txn, run)?.map_or(Ok(None), |bytes| read_row(run, bytes.value()))
}

/// What the tables hold of a run.
fn table_value(
    txn: &ReadTransaction,
    run: RunKey,
) -> Result<Option<AccessGuard<'static, &'static [u8]>>> {
    for table in [UNFINISHED, ENDED] {
        if let Some(bytes) = txn.open_table(table)?.get(run.0)? {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

pub(super) fn read_row(run: RunKey, bytes: &[u8]) -> Result<Option<RunRow>> {
    row::read(run, bytes)
        .map_err(|flaw| DiskError::Damaged(format!("the row of run {run}: {flaw}")))
}

/// A run's history: its chunks, then what the tail has of it.
pub(super) fn history(db: &Database, tail: &Tail, run: RunKey) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let txn = db.begin_read()?;
    let blocks = txn.open_table(BLOCKS)?;
    for item in contents(&txn, run)? {
        expect_place(run, item.first, entries.len())?;
        let block = blocks.get(item.block)?;
        for slot in read_chunk(run, &item, block.as_ref().map(AccessGuard::value))? {
            entries.push(slot.check().ok_or_else(|| at(run, slot.seq(), UNSOUND))?);
        }
    }
    for slot in tail.index().slots(run) {
        expect_place(run, slot.seq, entries.len())?;
        entries.push(tail_entry(tail, run, slot)?);
    }
    Ok(entries)
}

/// The last entry of a run's history.
pub(super) fn last(db: &Database, tail: &Tail, run: RunKey) -> Result<Option<Entry>> {
    if let Some(slot) = tail.index().last(run) {
        return tail_entry(tail, run, slot).map(Some);
    }
    let txn = db.begin_read()?;
    let Some(item) = contents(&txn, run)?.pop() else { return Ok(None) };
    let block = txn.open_table(BLOCKS)?.get(item.block)?;
    let slots = read_chunk(run, &item, block.as_ref().map(AccessGuard::value))?;
    let slot = slots.last().ok_or_else(|| at(run, item.first, "its chunk is empty"))?;
    slot.check().map(Some).ok_or_else(|| at(run, slot.seq(), UNSOUND))
}

/// Where a run's chunks are.
fn contents(txn: &ReadTransaction, run: RunKey) -> Result<Vec<ChunkRef>> {
    let Some(bytes) = table_value(txn, run)? else { return Ok(Vec::new()) };
    let items = row::split(run, bytes.value()).and_then(|(_, list)| chunk_refs::read(run, list));
    items.map_err(|flaw| DiskError::Damaged(format!("the history of run {run}: {flaw}")))
}

/// The entries of a chunk, which have not been checked.
fn read_chunk<'a>(
    run: RunKey,
    item: &ChunkRef,
    block: Option<&'a [u8]>,
) -> Result<Vec<chunk::Slot<'a>>> {
    let chunk = block.and_then(|block| item.slice(block)).ok_or("its chunk is missing");
    let slots = chunk.and_then(|chunk| chunk::read(run, item.first, chunk));
    slots.map_err(|flaw| at(run, item.first, flaw))
}

const UNSOUND: Flaw = "the record does not match its checksum";

fn tail_entry(tail: &Tail, run: RunKey, slot: &super::index::Slot) -> Result<Entry> {
    let record = tail.record(slot);
    if !is_sound(record, slot.checksum) {
        return Err(at(run, slot.seq, UNSOUND));
    }
    let commit = tail.commit(slot.row as usize);
    Ok(Entry { seq: slot.seq, commit, time: tail.row(slot).time, record: record.to_vec() })
}

fn expect_place(run: RunKey, seq: u64, expected: usize) -> Result<()> {
    let expected = expected as u64;
    if seq == expected {
        return Ok(());
    }
    Err(DiskError::Damaged(format!(
        "the history of run {run} goes on at place {seq} where place {expected} should be"
    )))
}

fn at(run: RunKey, seq: u64, flaw: Flaw) -> DiskError {
    DiskError::Damaged(format!("the history of run {run} at place {seq}: {flaw}"))
}
