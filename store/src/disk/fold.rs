use redb::{Database, Table, WriteTransaction};

use super::tables::{ENDED, HISTORIES, IDS, JOURNAL, META, META_KEY, UNFINISHED};
use super::tail::Tail;
use super::trouble::Trouble;
use crate::format::chunk::Chunk;
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
    forget(&txn, forgotten)?;
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
    let mut table = txn.open_table(HISTORIES)?;
    let index = tail.index();
    let mut chunk = Chunk::default();
    for run in index.runs() {
        if is_forgotten(run) {
            continue;
        }
        let mut first = 0;
        for slot in index.slots(run) {
            // A gap would be a mistake of the caller: it begins a new chunk, so that reading finds
            // it where it is.
            let follows = slot.place == first + chunk.entries();
            if chunk.entries() > 0 && (!follows || chunk.is_full_for(slot.length as usize)) {
                write_chunk(&mut table, &mut chunk, run, first)?;
            }
            if chunk.entries() == 0 {
                first = slot.place;
            }
            let commit = tail.commit(slot.row as usize);
            chunk.push(commit, tail.row(slot).time, tail.record(slot), slot.checksum);
        }
        write_chunk(&mut table, &mut chunk, run, first)?;
    }
    Ok(())
}

fn write_chunk(
    table: &mut Table<'_, (u64, u64), &'static [u8]>,
    chunk: &mut Chunk,
    run: RunKey,
    first: u64,
) -> Result<(), Trouble> {
    let before = chunk.finish(run, first, |bytes| {
        table.insert((run.0, first), bytes).map(|before| before.is_some())
    })?;
    assert!(!before, "run {run}: place {first} of its history was committed twice");
    Ok(())
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
    let mut bytes = alloc::vec::Vec::new();
    for row in rows() {
        row::pack(&mut bytes, row);
        let (to, from) = match row.state.has_ended() {
            true => (&mut ended, &mut unfinished),
            false => (&mut unfinished, &mut ended),
        };
        from.remove(row.key.0)?;
        to.insert(row.key.0, &bytes[..])?;
    }
    let mut ids: alloc::vec::Vec<_> = rows().map(|row| (row.id.as_str(), row.key.0)).collect();
    ids.sort_unstable();
    let mut table = txn.open_table(IDS)?;
    for (id, key) in ids {
        table.insert(id, key)?;
    }
    Ok(())
}

fn forget(txn: &WriteTransaction, forgotten: &[RunRow]) -> Result<(), Trouble> {
    let mut unfinished = txn.open_table(UNFINISHED)?;
    let mut ended = txn.open_table(ENDED)?;
    let mut ids = txn.open_table(IDS)?;
    let mut histories = txn.open_table(HISTORIES)?;
    for RunRow { key, id, .. } in forgotten {
        unfinished.remove(key.0)?;
        ended.remove(key.0)?;
        ids.remove(id.as_str())?;
        histories.retain_in((key.0, 0)..=(key.0, u64::MAX), |_, _| false)?;
    }
    Ok(())
}
