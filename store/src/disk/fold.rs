use alloc::format;
use alloc::vec::Vec;

use redb::{Database, WriteTransaction};

use super::blocks::Blocks;
use super::error::DiskError;
use super::ids::{self, Change};
use super::index::Index;
use super::runs::{Runs, Stage};
use super::tables::{HEADER, HEADER_KEY, IDS, JOURNAL};
use super::tail::Tail;
use crate::format::chunk::Chunk;
use crate::format::header::{self, Header};
use crate::format::{chunk_refs, node, row};
use crate::{RunKey, RunRow};

/// PendingWrites all that the tail holds into the tables it belongs to, forgets some runs, and cuts the
/// journal: one transaction, so that a crash at any point leaves either the journal or what became
/// of it. `forgotten` is in order of the keys. Returns the header then.
pub(super) fn fold(
    db: &Database,
    tail: &Tail,
    header: Header,
    forgotten: &[RunRow],
) -> Result<Header, DiskError> {
    let txn = db.begin_write()?;
    let mut fold = Fold::begin(&txn, header)?;
    fold.write_runs(tail, |run| forgotten.binary_search_by_key(&run, |row| row.key).is_ok())?;
    fold.remove(forgotten)?;
    let header = fold.end(&txn)?;
    // Everything up to the last commit is in the other tables now, so nothing of it stays.
    txn.delete_table(JOURNAL)?;
    txn.open_table(JOURNAL)?;
    txn.commit()?;
    Ok(header)
}

/// Forgets runs of which the tail holds nothing, and leaves the journal alone.
pub(super) fn forget(
    db: &Database,
    header: Header,
    forgotten: &[RunRow],
) -> Result<Header, DiskError> {
    let txn = db.begin_write()?;
    let mut fold = Fold::begin(&txn, header)?;
    fold.remove(forgotten)?;
    let header = fold.end(&txn)?;
    txn.commit()?;
    Ok(header)
}

/// The tables that a fold writes.
struct Fold<'txn> {
    header: Header,
    runs: Runs<'txn>,
    blocks: Blocks<'txn>,
    ids: Vec<Change>,
}

impl<'txn> Fold<'txn> {
    fn begin(txn: &'txn WriteTransaction, header: Header) -> Result<Fold<'txn>, DiskError> {
        let runs = Runs::open(txn, header.sums)?;
        let blocks = Blocks::open(txn, header.next_block)?;
        Ok(Fold { header, runs, blocks, ids: Vec::new() })
    }

    fn write_runs(
        &mut self,
        tail: &Tail,
        is_forgotten: impl Fn(RunKey) -> bool,
    ) -> Result<(), DiskError> {
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
    ) -> Result<(), DiskError> {
        let was = self.runs.get(run, before)?;
        let (row_before, list_before) = match was {
            None => (&[][..], &[][..]),
            Some(_) => row::split(run, before)
                .map_err(|flaw| DiskError::Damaged(format!("the row of run {run}: {flaw}")))?,
        };
        let mut list = list_before.to_vec();
        for_each_chunk(tail, index, run, |first, chunk| {
            chunk_refs::add(&mut list, run, self.blocks.add(first, chunk)?);
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
    fn remove(&mut self, runs: &[RunRow]) -> Result<(), DiskError> {
        for RunRow { key, id, .. } in runs {
            self.ids.push(Change { entry: (node::hash(id), *key), stays: false });
            for stage in [Stage::Unfinished, Stage::Ended] {
                let Some(value) = self.runs.remove(*key, stage)? else { continue };
                let list = row::split(*key, &value).map_or(&[][..], |(_, list)| list);
                // From a damaged list nothing can be found: the chunks stay, and belong to nobody.
                for item in chunk_refs::read(*key, list).unwrap_or_default() {
                    self.blocks.release(item.block)?;
                }
            }
        }
        Ok(())
    }

    /// PendingWrites what the other tables come to.
    fn end(mut self, txn: &'txn WriteTransaction) -> Result<Header, DiskError> {
        self.ids.sort_unstable();
        let ids = ids::change(&mut txn.open_table(IDS)?, self.header.ids, &self.ids)?;
        let (sums, next_block) = (self.runs.sums(), self.blocks.next());
        let header = Header { sums, ids, next_block, ..self.header };
        txn.open_table(HEADER)?.insert(HEADER_KEY, &header::pack(&header)[..])?;
        Ok(header)
    }
}

/// Packs what the tail has of a run's history, and gives each chunk to `f` with its first seq.
fn for_each_chunk(
    tail: &Tail,
    index: &Index,
    run: RunKey,
    mut f: impl FnMut(u64, &[u8]) -> Result<(), DiskError>,
) -> Result<(), DiskError> {
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
