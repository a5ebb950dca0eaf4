use alloc::vec::Vec;

use redb::{Database, ReadableTable, WriteTransaction};

use super::blocks::Blocks;
use super::index::Index;
use super::tables::{ENDED, HISTORIES, IDS, JOURNAL, META, META_KEY, UNFINISHED};
use super::tail::Tail;
use super::trouble::Trouble;
use crate::format::chunk::Chunk;
use crate::format::contents;
use crate::format::meta::{self, Meta};
use crate::format::row;
use crate::{RunKey, RunRow};

/// Writes all that the tail holds into the tables it belongs to, forgets some runs, and cuts the
/// journal: one transaction, so that a crash at any point leaves either the journal or what became
/// of it. `forgotten` is in order of the keys.
pub(super) fn fold(
    db: &Database,
    tail: &Tail,
    meta: &Meta,
    forgotten: &[RunRow],
) -> Result<(), Trouble> {
    let txn = db.begin_write()?;
    let is_forgotten = |run| forgotten.binary_search_by_key(&run, |row| row.key).is_ok();
    write_histories(&txn, tail, is_forgotten)?;
    write_rows(&txn, tail, is_forgotten)?;
    remove(&txn, forgotten)?;
    // Everything up to the last commit is in the other tables now, so nothing of it stays.
    txn.delete_table(JOURNAL)?;
    txn.open_table(JOURNAL)?;
    txn.open_table(META)?.insert(META_KEY, &meta::pack(meta)[..])?;
    Ok(txn.commit()?)
}

fn write_histories(
    txn: &WriteTransaction,
    tail: &Tail,
    is_forgotten: impl Fn(RunKey) -> bool,
) -> Result<(), Trouble> {
    let mut blocks = Blocks::open(txn)?;
    let mut histories = txn.open_table(HISTORIES)?;
    let index = tail.index();
    let mut list = Vec::new();
    // Those that have ended have blocks to themselves: they will be deleted long before a run that
    // sleeps for a month, which would keep their blocks.
    let has_ended = |run| index.rows().get(&run).is_some_and(|row| row.state.has_ended());
    let (ended, unfinished): (Vec<_>, Vec<_>) =
        index.runs().into_iter().filter(|run| !is_forgotten(*run)).partition(|run| has_ended(*run));
    for runs in [ended, unfinished] {
        for run in runs {
            list.clear();
            if let Some(bytes) = histories.get(run.0)? {
                list.extend_from_slice(bytes.value());
            }
            for_each_chunk(tail, &index, run, |first, chunk| {
                contents::add(&mut list, run, blocks.add(first, chunk)?);
                Ok(())
            })?;
            histories.insert(run.0, &list[..])?;
        }
        blocks.finish()?;
    }
    Ok(())
}

/// Packs what the tail has of a run's history, and gives each chunk to `f` with its first place.
fn for_each_chunk(
    tail: &Tail,
    index: &Index,
    run: RunKey,
    mut f: impl FnMut(u64, &[u8]) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let (mut chunk, mut first) = (Chunk::default(), 0);
    for slot in index.slots(run) {
        // A gap would be a mistake of the caller: it begins a new chunk, so that reading finds it
        // where it is.
        let follows = slot.place == first + chunk.entries();
        if chunk.entries() > 0 && (!follows || chunk.is_full_for(slot.length as usize)) {
            chunk.finish(run, first, |bytes| f(first, bytes))?;
        }
        if chunk.entries() == 0 {
            first = slot.place;
        }
        let commit = tail.commit(slot.row as usize);
        chunk.push(commit, tail.row(slot).time, tail.record(slot), slot.checksum);
    }
    chunk.finish(run, first, |bytes| f(first, bytes))
}

/// Forgets runs of which the tail holds nothing, and leaves the journal alone.
pub(super) fn forget(db: &Database, forgotten: &[RunRow]) -> Result<(), Trouble> {
    let txn = db.begin_write()?;
    remove(&txn, forgotten)?;
    Ok(txn.commit()?)
}

fn write_rows(
    txn: &WriteTransaction,
    tail: &Tail,
    is_forgotten: impl Fn(RunKey) -> bool,
) -> Result<(), Trouble> {
    let mut unfinished = txn.open_table(UNFINISHED)?;
    let mut ended = txn.open_table(ENDED)?;
    let index = tail.index();
    let rows = || index.rows().values().filter(|row| !is_forgotten(row.key));
    let mut bytes = Vec::new();
    for row in rows() {
        row::pack(&mut bytes, row);
        let (to, from) = match row.state.has_ended() {
            true => (&mut ended, &mut unfinished),
            false => (&mut unfinished, &mut ended),
        };
        from.remove(row.key.0)?;
        to.insert(row.key.0, &bytes[..])?;
    }
    let mut ids: Vec<_> = rows().map(|row| (row.id.as_str(), row.key.0)).collect();
    ids.sort_unstable();
    let mut table = txn.open_table(IDS)?;
    for (id, key) in ids {
        table.insert(id, key)?;
    }
    Ok(())
}

/// Removes runs from all tables.
fn remove(txn: &WriteTransaction, runs: &[RunRow]) -> Result<(), Trouble> {
    let mut unfinished = txn.open_table(UNFINISHED)?;
    let mut ended = txn.open_table(ENDED)?;
    let mut ids = txn.open_table(IDS)?;
    let mut histories = txn.open_table(HISTORIES)?;
    let mut blocks = Blocks::open(txn)?;
    for RunRow { key, id, .. } in runs {
        unfinished.remove(key.0)?;
        ended.remove(key.0)?;
        ids.remove(id.as_str())?;
        let Some(list) = histories.remove(key.0)? else { continue };
        // From a damaged list nothing can be found: the chunks stay, and belong to nobody.
        for item in contents::read(*key, list.value()).unwrap_or_default() {
            blocks.release(item.block)?;
        }
    }
    Ok(())
}
