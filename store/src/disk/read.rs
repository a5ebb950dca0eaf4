use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::iter::Peekable;

use redb::{AccessGuard, Database, ReadTransaction, ReadableDatabase};

use super::tables::{BLOCKS, ENDED, HISTORIES, IDS, UNFINISHED};
use super::tail::Tail;
use super::trouble::Trouble;
use crate::format::contents::{self, Item};
use crate::format::{Flaw, chunk, is_sound, row};
use crate::{Entry, Filter, RunKey, RunRow, RunState};

type Result<T> = core::result::Result<T, Trouble>;

/// The newest row of a run: the tail's if it has one.
pub(super) fn row(db: &Database, tail: &Tail, run: RunKey) -> Result<Option<RunRow>> {
    match tail.index().rows().get(&run) {
        Some(row) => Ok(Some(row.clone())),
        None => table_row(&db.begin_read()?, run),
    }
}

/// The newest row of the run with an id.
pub(super) fn find(db: &Database, tail: &Tail, id: &str) -> Result<Option<RunRow>> {
    if let Some(row) = tail.index().find(id) {
        return Ok(Some(row.clone()));
    }
    let txn = db.begin_read()?;
    let Some(key) = txn.open_table(IDS)?.get(id)?.map(|key| RunKey(key.value())) else {
        return Ok(None);
    };
    let row = match tail.index().rows().get(&key) {
        Some(row) => Some(row.clone()),
        None => table_row(&txn, key)?,
    };
    match row {
        Some(row) if row.id == id => Ok(Some(row)),
        _ => Err(Trouble::Damaged(format!("the id {id:?} leads to run {key}, which has another"))),
    }
}

fn table_row(txn: &ReadTransaction, run: RunKey) -> Result<Option<RunRow>> {
    for table in [UNFINISHED, ENDED] {
        if let Some(bytes) = txn.open_table(table)?.get(run.0)? {
            return read_row(run, bytes.value()).map(Some);
        }
    }
    Ok(None)
}

fn read_row(run: RunKey, bytes: &[u8]) -> Result<RunRow> {
    row::read(run, bytes).map_err(|flaw| Trouble::Damaged(format!("the row of run {run}: {flaw}")))
}

/// The rows of one table, or of the tail, from a key on.
type Rows<'a> = Peekable<Box<dyn Iterator<Item = Result<RunRow>> + 'a>>;

/// The rows that a filter keeps: those of up to three sources, merged by their keys.
pub(super) fn list(db: &Database, tail: &Tail, filter: &Filter) -> Result<Vec<RunRow>> {
    let Some(first) = filter.first_key() else { return Ok(Vec::new()) };
    let admits = |ended| {
        RunState::ALL.iter().any(|state| state.has_ended() == ended && filter.admits_state(*state))
    };
    let index = tail.index();
    let txn = db.begin_read()?;
    let recent = index.rows().range(first..).map(|(_, row)| Ok(row.clone()));
    // The tail comes first: where it has a row, that of a table is out of date.
    let mut sources: Vec<Rows<'_>> = Vec::from([boxed(recent)]);
    for (table, ended) in [(UNFINISHED, false), (ENDED, true)] {
        if admits(ended) {
            let rows = txn.open_table(table)?.range(first.0..)?.map(|item| {
                let (key, bytes) = item?;
                read_row(RunKey(key.value()), bytes.value())
            });
            sources.push(boxed(rows));
        }
    }
    let mut rows = Vec::new();
    while rows.len() < filter.max_runs()
        && let Some(row) = next(&mut sources)?
    {
        if filter.admits(&row) {
            rows.push(row);
        }
    }
    Ok(rows)
}

fn boxed<'a>(rows: impl Iterator<Item = Result<RunRow>> + 'a) -> Rows<'a> {
    (Box::new(rows) as Box<dyn Iterator<Item = _> + 'a>).peekable()
}

/// Takes the row with the smallest key, from the first source that has one for this key.
fn next(sources: &mut [Rows<'_>]) -> Result<Option<RunRow>> {
    let mut smallest = None;
    for source in sources.iter_mut() {
        match source.peek() {
            Some(Ok(row)) => {
                smallest = Some(smallest.map_or(row.key, |key: RunKey| key.min(row.key)))
            }
            Some(Err(_)) => return source.next().transpose(),
            None => {}
        }
    }
    let Some(smallest) = smallest else { return Ok(None) };
    let mut found = None;
    for source in sources {
        let row = source.next_if(|row| row.as_ref().is_ok_and(|row| row.key == smallest));
        found = found.or(row);
    }
    found.transpose()
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
            entries.push(slot.check().ok_or_else(|| at(run, slot.place(), UNSOUND))?);
        }
    }
    for slot in tail.index().slots(run) {
        expect_place(run, slot.place, entries.len())?;
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
    slot.check().map(Some).ok_or_else(|| at(run, slot.place(), UNSOUND))
}

/// Where a run's chunks are.
fn contents(txn: &ReadTransaction, run: RunKey) -> Result<Vec<Item>> {
    let Some(list) = txn.open_table(HISTORIES)?.get(run.0)? else { return Ok(Vec::new()) };
    contents::read(run, list.value())
        .map_err(|flaw| Trouble::Damaged(format!("the history of run {run}: {flaw}")))
}

/// The entries of a chunk, which have not been checked.
fn read_chunk<'a>(
    run: RunKey,
    item: &Item,
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
        return Err(at(run, slot.place, UNSOUND));
    }
    let commit = tail.commit(slot.row as usize);
    Ok(Entry { place: slot.place, commit, time: tail.row(slot).time, record: record.to_vec() })
}

fn expect_place(run: RunKey, place: u64, expected: usize) -> Result<()> {
    let expected = expected as u64;
    if place == expected {
        return Ok(());
    }
    Err(Trouble::Damaged(format!(
        "the history of run {run} goes on at place {place} where place {expected} should be"
    )))
}

fn at(run: RunKey, place: u64, flaw: Flaw) -> Trouble {
    Trouble::Damaged(format!("the history of run {run} at place {place}: {flaw}"))
}
