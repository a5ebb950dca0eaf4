//! Runs that were deleted leave the tables: with the commit that deletes them, and piece by piece after it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use redb::WriteTransaction;

use super::blocks::Blocks;
use super::error::DiskError;
use super::ids::{self, Change};
use super::index::Index;
use super::runs::{Runs, Stage};
use super::tables::{HEADER, HEADER_KEY, IDS};
use crate::RunKey;
use crate::format::header::{self, Header};
use crate::format::journal::Deleted;
use crate::format::node::Entry;
use crate::format::{chunk_refs, row};

/// Deleted runs of which nothing is left in the tables but the ids.
///
/// Runs lie in the order of their keys, and those that are deleted together mostly side by side. Their ids lie
/// in the order of hashes: all over the index, so that to take them out at once writes a page for each. They
/// wait until there are many. Then some that lie side by side go with each commit that deletes others, and no
/// commit has to wait for all of them.
#[derive(Default)]
pub(super) struct Leaving {
    ids: BTreeSet<Entry>,
    /// Where the next piece begins.
    next: Option<Entry>,
    /// So many bytes have gone since the file was opened, or compacted.
    gone: u64,
}

impl Leaving {
    /// The shorter the journal, the more ids may wait: one for so many bytes until it is folded, which takes out
    /// those that are left.
    const BYTES: usize = 1_024;

    /// Fewer than this are not worth the nodes above them, which are written each time.
    const FEW: usize = 30;

    /// Takes runs that the commit of this transaction deletes out of the tables, and ids of earlier ones. Gives
    /// the header that the file has then, and those that are out altogether.
    ///
    /// So that a crash leaves the journal, which has them as deleted, with the tables as they are behind this
    /// commit: a fold takes out what is there, and misses nothing. `index` is that of the tail before it, and
    /// `room` how many bytes are left until that is folded.
    pub(super) fn take(
        &mut self,
        txn: &WriteTransaction,
        index: &Index,
        header: Header,
        deleted: &[Deleted],
        room: usize,
    ) -> Result<(Header, Vec<Entry>), DiskError> {
        let mut runs = Runs::open(txn, &header)?;
        let mut blocks = Blocks::open(txn, header.next_block)?;
        self.gone += remove(&mut runs, &mut blocks, deleted.iter().map(|deleted| deleted.run))?;
        let out = match self.ids.len() > room / Self::BYTES {
            // Somewhat more than come.
            true => self.piece((deleted.len() + deleted.len() / 4).max(Self::FEW)),
            false => Vec::new(),
        };
        let changes: Vec<_> = out.iter().map(|&entry| Change { entry, stays: false }).collect();
        let ids = ids::change(&mut txn.open_table(IDS)?, header.ids, &changes)?;
        // One that is deleted once more has an id that waits already, or none.
        let has_id = |deleted: &&Deleted| deleted.hash != 0 && !index.is_deleted(deleted.run);
        self.ids.extend(deleted.iter().filter(has_id).map(|deleted| (deleted.hash, deleted.run)));
        let header = Header { sums: runs.sums(), counts: runs.counts(), ids, ..header };
        txn.open_table(HEADER)?.insert(HEADER_KEY, &header::pack(&header)[..])?;
        Ok((header, out))
    }

    /// So many that lie side by side, in order.
    fn piece(&mut self, length: usize) -> Vec<Entry> {
        let from = self.next.unwrap_or((0, RunKey(0)));
        let piece: Vec<_> = self.ids.range(from..).take(length).copied().collect();
        for entry in &piece {
            self.ids.remove(entry);
        }
        self.next = self.ids.range(from..).next().copied();
        piece
    }

    /// How many ids wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// A fold has taken out all there are.
    pub(super) fn clear(&mut self) {
        *self = Leaving { gone: self.gone, ..Leaving::default() };
    }

    /// How many bytes have gone, of which room may be free.
    pub(super) fn gone(&self) -> u64 {
        self.gone
    }

    /// No room of theirs is free any more.
    pub(super) fn note_compacted(&mut self) {
        self.gone = 0;
    }
}

/// Takes runs and their chunks out of the tables, and says how many bytes those had.
pub(super) fn remove(
    runs: &mut Runs<'_>,
    blocks: &mut Blocks<'_>,
    removed: impl Iterator<Item = RunKey>,
) -> Result<u64, DiskError> {
    let (mut released, mut bytes) = (Vec::new(), 0);
    for run in removed {
        for stage in [Stage::Ended, Stage::Unfinished] {
            let Some(value) = runs.remove(run, stage)? else { continue };
            bytes += value.len() as u64;
            let refs = row::split(run, &value).map_or(&[][..], |(_, refs)| refs);
            // From damaged references nothing can be found: the chunks stay, and belong to nobody.
            let chunks = chunk_refs::read(run, refs).unwrap_or_default();
            released.extend(chunks.iter().map(|chunk| chunk.block));
        }
    }
    Ok(bytes + blocks.release(&mut released)?)
}
