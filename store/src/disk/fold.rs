use alloc::format;
use alloc::vec::Vec;

use redb::{Database, WriteTransaction};

use super::blocks::Blocks;
use super::ids::{self, Change};
use super::index::Index;
use super::runs::{Runs, Stage};
use super::tables::{IDS, JOURNAL, META, META_KEY};
use super::tail::Tail;
use super::trouble::Trouble;
use crate::format::chunk::Chunk;
use crate::format::meta::{self, Meta};
use crate::format::{contents, node, row};
use crate::{RunKey, RunRow};

/// Writes all that the tail holds into the tables it belongs to, forgets some runs, and cuts the
/// journal: one transaction, so that a crash at any point leaves either the journal or what became
/// of it. `forgotten` is in order of the keys. Returns what the file says of itself then.
pub(super) fn fold(
    db: &Database,
    tail: &Tail,
    meta: Meta,
    forgotten: &[RunRow],
) -> Result<Meta, Trouble> {
    let txn = db.begin_write()?;
    let mut fold = Fold::begin(&txn, meta)?;
    fold.write_runs(tail, |run| forgotten.binary_search_by_key(&run, |row| row.key).is_ok())?;
    fold.remove(forgotten)?;
    let meta = fold.end(&txn)?;
    // Everything up to the last commit is in the other tables now, so nothing of it stays.
    txn.delete_table(JOURNAL)?;
    txn.open_table(JOURNAL)?;
    txn.commit()?;
    Ok(meta)
}

/// Forgets runs of which the tail holds nothing, and leaves the journal alone.
pub(super) fn forget(db: &Database, meta: Meta, forgotten: &[RunRow]) -> Result<Meta, Trouble> {
    let txn = db.begin_write()?;
    let mut fold = Fold::begin(&txn, meta)?;
    fold.remove(forgotten)?;
    let meta = fold.end(&txn)?;
    txn.commit()?;
    Ok(meta)
}

/// The tables that a fold writes.
struct Fold<'txn> {
    meta: Meta,
    runs: Runs<'txn>,
    blocks: Blocks<'txn>,
    ids: Vec<Change>,
}

impl<'txn> Fold<'txn> {
    fn begin(txn: &'txn WriteTransaction, meta: Meta) -> Result<Fold<'txn>, Trouble> {
        let runs = Runs::open(txn, meta.sums)?;
        let blocks = Blocks::open(txn, meta.next_block)?;
        Ok(Fold { meta, runs, blocks, ids: Vec::new() })
    }

    fn write_runs(
        &mut self,
        tail: &Tail,
        is_forgotten: impl Fn(RunKey) -> bool,
    ) -> Result<(), Trouble> {
        let index = tail.index();
        // Those that have ended have blocks to themselves: they will be deleted long before a run
        // that sleeps for a month, which would keep their blocks.
        let has_ended =
            |run: &RunKey| index.rows().get(run).is_some_and(|row| row.state.has_ended());
        let runs = index.runs().into_iter().filter(|run| !is_forgotten(*run));
        let (ended, unfinished): (Vec<_>, Vec<_>) = runs.partition(has_ended);
        let (mut before, mut value) = (Vec::new(), Vec::new());
        for runs in [ended, unfinished] {
            for run in runs {
                self.write_run(tail, &index, run, &mut before, &mut value)?;
            }
            self.blocks.finish()?;
        }
        Ok(())
    }

    /// Brings what is kept of a run up to date. `before` and `value` are room for bytes.
    fn write_run(
        &mut self,
        tail: &Tail,
        index: &Index,
        run: RunKey,
        before: &mut Vec<u8>,
        value: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let was = self.runs.get(run, before)?;
        let (row_before, list_before) = match was {
            None => (&[][..], &[][..]),
            Some(_) => row::split(run, before)
                .map_err(|flaw| Trouble::Damaged(format!("the row of run {run}: {flaw}")))?,
        };
        let mut list = list_before.to_vec();
        for_each_chunk(tail, index, run, |first, chunk| {
            contents::add(&mut list, run, self.blocks.add(first, chunk)?);
            Ok(())
        })?;
        let mut row_now = Vec::new();
        let (stage, row_now) = match index.rows().get(&run) {
            None => (was.unwrap_or(Stage::Unfinished), row_before),
            Some(row) => {
                if row_before.is_empty() {
                    let entry = (node::hash(&row.id), run);
                    self.ids.push(Change { entry, stays: true });
                }
                row::put(&mut row_now, row);
                (Stage::of(row.state.has_ended()), &row_now[..])
            }
        };
        row::pack(value, run, row_now, &list);
        self.runs.put(run, stage, value)?;
        if let Some(was) = was.filter(|was| *was != stage) {
            self.runs.remove(run, was)?;
        }
        Ok(())
    }

    /// Removes runs from all tables.
    fn remove(&mut self, runs: &[RunRow]) -> Result<(), Trouble> {
        for RunRow { key, id, .. } in runs {
            self.ids.push(Change { entry: (node::hash(id), *key), stays: false });
            for stage in [Stage::Unfinished, Stage::Ended] {
                let Some(value) = self.runs.remove(*key, stage)? else { continue };
                let list = row::split(*key, &value).map_or(&[][..], |(_, list)| list);
                // From a damaged list nothing can be found: the chunks stay, and belong to nobody.
                for item in contents::read(*key, list).unwrap_or_default() {
                    self.blocks.release(item.block)?;
                }
            }
        }
        Ok(())
    }

    /// Writes what the other tables come to.
    fn end(mut self, txn: &'txn WriteTransaction) -> Result<Meta, Trouble> {
        self.ids.sort_unstable();
        let ids = ids::change(&mut txn.open_table(IDS)?, self.meta.ids, &self.ids)?;
        let (sums, next_block) = (self.runs.sums(), self.blocks.next());
        let meta = Meta { sums, ids, next_block, ..self.meta };
        txn.open_table(META)?.insert(META_KEY, &meta::pack(&meta)[..])?;
        Ok(meta)
    }
}

/// Packs what the tail has of a run's history, and gives each chunk to `f` with its first seq.
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
        let follows = slot.seq == first + chunk.entries();
        if chunk.entries() > 0 && (!follows || chunk.is_full_for(slot.length as usize)) {
            chunk.finish(run, first, |bytes| f(first, bytes))?;
        }
        if chunk.entries() == 0 {
            first = slot.seq;
        }
        let commit = tail.commit(slot.row as usize);
        chunk.push(commit, tail.row(slot).time, tail.record(slot), slot.checksum);
    }
    // A run may have nothing here but a new row.
    match chunk.entries() {
        0 => Ok(()),
        _ => chunk.finish(run, first, |bytes| f(first, bytes)),
    }
}
