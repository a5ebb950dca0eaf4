use alloc::vec::Vec;

use redb::{ReadableTable, Table, WriteTransaction};

use super::error::DiskError;
use super::tables::{ENDED, UNFINISHED};
use crate::format::header::Header;
use crate::format::row;
use crate::{Counts, RunKey};

/// Which table a run is in; the sums of a [`Header`] are in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Unfinished,
    Ended,
}

impl Stage {
    pub(super) fn of(has_ended: bool) -> Stage {
        if has_ended { Stage::Ended } else { Stage::Unfinished }
    }
}

/// Writes the tables of runs, and keeps their sums and counts.
pub(super) struct Runs<'txn> {
    tables: [Table<'txn, u64, &'static [u8]>; 2],
    sums: [u64; 2],
    counts: Counts,
}

impl<'txn> Runs<'txn> {
    pub(super) fn open(
        txn: &'txn WriteTransaction,
        header: &Header,
    ) -> Result<Runs<'txn>, DiskError> {
        let tables = [txn.open_table(UNFINISHED)?, txn.open_table(ENDED)?];
        Ok(Runs { tables, sums: header.sums, counts: header.counts })
    }

    pub(super) fn sums(&self) -> [u64; 2] {
        self.sums
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Replaces `value` by what the tables hold of a run, and says which does; `None` if it is new.
    pub(super) fn get(&self, run: RunKey, value: &mut Vec<u8>) -> Result<Option<Stage>, DiskError> {
        value.clear();
        for stage in [Stage::Unfinished, Stage::Ended] {
            if let Some(bytes) = self.tables[stage as usize].get(run.0)? {
                value.extend_from_slice(bytes.value());
                return Ok(Some(stage));
            }
        }
        Ok(None)
    }

    pub(super) fn put(&mut self, run: RunKey, stage: Stage, value: &[u8]) -> Result<(), DiskError> {
        let at = stage as usize;
        let before = self.tables[at].insert(run.0, value)?;
        let (sum, state) =
            before.map_or((0, None), |bytes| (row::sum(bytes.value()), row::state(bytes.value())));
        self.sums[at] = self.sums[at].wrapping_add(row::sum(value)).wrapping_sub(sum);
        self.counts.replace(state, row::state(value));
        Ok(())
    }

    /// Removes a run from one table, and gives what it held.
    pub(super) fn remove(
        &mut self,
        run: RunKey,
        stage: Stage,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        let at = stage as usize;
        let removed = self.tables[at].remove(run.0)?;
        Ok(removed.map(|bytes| {
            self.sums[at] = self.sums[at].wrapping_sub(row::sum(bytes.value()));
            self.counts.replace(row::state(bytes.value()), None);
            bytes.value().to_vec()
        }))
    }
}
