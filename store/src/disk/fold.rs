use alloc::format;
use alloc::vec::Vec;

use redb::{Database, WriteTransaction};

use super::blocks::Blocks;
use super::error::DiskError;
use super::ids::{self, Change};
use super::index::Index;
use super::leaving;
use super::notes;
use super::runs::{Runs, Stage};
use super::shapes;
use super::tables::{HEADER, HEADER_KEY, IDS, JOURNAL};
use super::tail::Tail;
use crate::format::chunk::Chunk;
use crate::format::header::{self, Header};
use crate::format::journal::Deleted;
use crate::format::row::Lent;
use crate::format::{chunk_refs, node, row};
use crate::{RunKey, RunState};

/// Writes all that the tail holds into the tables it belongs to, and cuts the journal: one
/// transaction, so that a crash at any point leaves either the journal or what became of it.
/// Returns the header that the file has then.
pub(super) fn fold(db: &Database, tail: &Tail, header: Header) -> Result<Header, DiskError> {
    let txn = db.begin_write()?;
    let index = tail.index();
    let mut fold = Fold::begin(&txn, header)?;
    // What was deleted goes first, so that nothing which came later goes with it.
    for deleted in index.deleted() {
        fold.remove(*deleted)?;
    }
    fold.write_runs(tail, &index)?;
    let header = fold.end(&txn, &index)?;
    // Everything up to the last commit is in the other tables now, so nothing of it stays.
    txn.delete_table(JOURNAL)?;
    txn.open_table(JOURNAL)?;
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
        let runs = Runs::open(txn, &header)?;
        let blocks = Blocks::open(txn, header.next_block)?;
        Ok(Fold { header, runs, blocks, ids: Vec::new() })
    }

    fn write_runs(&mut self, tail: &Tail, index: &Index) -> Result<(), DiskError> {
        // Those that have ended have blocks to themselves: they will be deleted long before a run
        // that sleeps for a month, which would keep their blocks.
        let has_ended =
            |run: &RunKey| tail.row(index, *run).is_some_and(|row| row.state.has_ended());
        let (ended, unfinished): (Vec<_>, Vec<_>) =
            index.runs().iter().partition(|run| has_ended(run));
        let (mut before, mut value) = (Vec::new(), Vec::new());
        for runs in [ended, unfinished] {
            for run in runs {
                self.write_run(tail, index, run, &mut before, &mut value)?;
            }
            self.blocks.finish()?;
        }
        Ok(())
    }

    /// Brings what the tables hold of a run up to date. `before` and `value` are room for bytes.
    fn write_run(
        &mut self,
        tail: &Tail,
        index: &Index,
        run: RunKey,
        before: &mut Vec<u8>,
        value: &mut Vec<u8>,
    ) -> Result<(), DiskError> {
        let was = self.runs.get(run, before)?;
        let (row_before, refs_before) = match was {
            None => (&[][..], &[][..]),
            Some(_) => row::split(run, before)
                .map_err(|flaw| DiskError::Damaged(format!("the row of run {run}: {flaw}")))?,
        };
        let mut refs = refs_before.to_vec();
        for_each_chunk(tail, index, run, |first, chunk| {
            chunk_refs::add(&mut refs, run, self.blocks.add(first, chunk)?);
            Ok(())
        })?;
        let (stage, row_now) = match tail.row(index, run) {
            None => (was.unwrap_or(Stage::Unfinished), row_before),
            Some(row) => {
                self.index_id(row, row::state(before));
                (Stage::of(row.state.has_ended()), row.bytes)
            }
        };
        row::pack(value, run, row_now, &refs);
        self.runs.put(run, stage, value)?;
        if let Some(was) = was.filter(|was| *was != stage) {
            self.runs.remove(run, was)?;
        }
        Ok(())
    }

    /// Sees to it that a run is found by its id, unless it is continued.
    fn index_id(&mut self, row: Lent<'_>, before: Option<RunState>) {
        let was_found = before.is_some_and(|before| before != RunState::Continued);
        let stays = row.state != RunState::Continued;
        if was_found != stays {
            self.ids.push(Change { entry: (node::hash(row.id), row.key), stays });
        }
    }

    /// Removes a run from all tables.
    fn remove(&mut self, Deleted { run, hash }: Deleted) -> Result<(), DiskError> {
        self.ids.push(Change { entry: (hash, run), stays: false });
        leaving::remove(&mut self.runs, &mut self.blocks, [run].into_iter()).map(drop)
    }

    /// Writes the notes and the shapes, and what the other tables come to.
    fn end(mut self, txn: &'txn WriteTransaction, index: &Index) -> Result<Header, DiskError> {
        self.ids.sort_unstable();
        let ids = ids::change(&mut txn.open_table(IDS)?, self.header.ids, &self.ids)?;
        let notes = notes::write(txn, index.notes(), self.header.notes)?;
        let shapes = shapes::write(txn, index.shapes(), self.header.shapes)?;
        let (sums, counts) = (self.runs.sums(), self.runs.counts());
        let next_block = self.blocks.next();
        let header = Header { sums, counts, ids, notes, next_block, shapes, ..self.header };
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
    for record in index.records(run) {
        // A gap would be a mistake of the caller: it begins a new chunk, so that reading finds it
        // where it is.
        let follows = record.seq == first + chunk.entries();
        if chunk.entries() > 0 && (!follows || chunk.is_full_for(record.length as usize)) {
            chunk.finish(run, first, |bytes| f(first, bytes))?;
        }
        if chunk.entries() == 0 {
            first = record.seq;
        }
        let (commit, time) = tail.origin(index, record);
        chunk.push(commit, time, tail.bytes(record), record.checksum);
    }
    // A run may have nothing here but a new row.
    match chunk.entries() {
        0 => Ok(()),
        _ => chunk.finish(run, first, |bytes| f(first, bytes)),
    }
}
