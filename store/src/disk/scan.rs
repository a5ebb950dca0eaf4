use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::iter::Peekable;

use redb::{AccessGuard, Database, Range, ReadableDatabase, StorageError};

use super::error::DiskError;
use super::index::Index;
use super::read::{Result, read_row};
use super::runs::Stage;
use super::tables::{ENDED, UNFINISHED};
use super::tail::Tail;
use crate::format::header::Header;
use crate::format::row::{self, Lent};
use crate::{Filter, RunKey, RunRow, RunState};

/// The rows that pass a filter: those of up to three sources, merged by their keys.
pub(super) struct Scan<'a> {
    filter: &'a Filter,
    left: usize,
    tail: &'a Tail,
    index: &'a Index,
    sources: Vec<Rows<'a>>,
}

/// The rows of one table, or of the tail, in the order of the filter.
type Rows<'a> = Peekable<Box<dyn Iterator<Item = Result<(RunKey, Place)>> + 'a>>;

/// Where a row is that was not read yet.
enum Place {
    Tail,
    Table(AccessGuard<'static, &'static [u8]>),
}

impl<'a> Scan<'a> {
    pub(super) fn begin(
        db: &Database,
        tail: &'a Tail,
        index: &'a Index,
        header: &Header,
        filter: &'a Filter,
    ) -> Result<Scan<'a>> {
        let (left, sources) = (filter.max_runs(), Vec::new());
        let mut scan = Scan { filter, left, tail, index, sources };
        let Some((first, last)) = filter.keys() else { return Ok(scan) };
        let recent = index.runs().range(first..=last).copied();
        let recent = recent.filter(|run| index.has_row(*run)).map(|run| Ok((run, Place::Tail)));
        // The tail comes first: where it has a row, that of a table is out of date.
        scan.sources.push(match filter.is_newest_first() {
            true => boxed(recent.rev()),
            false => boxed(recent),
        });
        let txn = db.begin_read()?;
        for (table, stage) in [(UNFINISHED, Stage::Unfinished), (ENDED, Stage::Ended)] {
            let has_stage = |state: &RunState| Stage::of(state.has_ended()) == stage;
            let mut states = RunState::ALL.into_iter().filter(has_stage);
            if states.any(|state| filter.admits_state(state)) {
                let rows = txn.open_table(table)?.range(first.0..=last.0)?;
                let is_whole = (first, last) == (RunKey(0), RunKey(u64::MAX));
                let sum = is_whole.then_some(header.sums[stage as usize]);
                let is_newest_first = filter.is_newest_first();
                scan.sources.push(boxed(TableRows { rows, is_newest_first, index, sum, stage }));
            }
        }
        Ok(scan)
    }

    /// The next row that passes the filter.
    pub(super) fn next(&mut self) -> Result<Option<RunRow>> {
        while self.left > 0
            && let Some((run, place)) = self.next_of_all()?
        {
            let row = match &place {
                Place::Tail => self.tail.row(self.index, run),
                Place::Table(bytes) => read_row(run, bytes.value())?,
            };
            // One of a table may have a history and no row.
            if let Some(row) = row.filter(|row| admits(self.filter, row)) {
                self.left -= 1;
                return Ok(Some(row.to_row()));
            }
        }
        Ok(None)
    }

    /// Takes the row whose key comes first, from the first source that has one for this key.
    fn next_of_all(&mut self) -> Result<Option<(RunKey, Place)>> {
        let is_newest_first = self.filter.is_newest_first();
        let mut next: Option<RunKey> = None;
        for source in &mut self.sources {
            match source.peek() {
                Some(Ok((run, _))) => {
                    let comes_later =
                        |next: RunKey| if is_newest_first { next > *run } else { next < *run };
                    next = Some(next.filter(|next| comes_later(*next)).unwrap_or(*run));
                }
                Some(Err(_)) => return source.next().transpose(),
                None => {}
            }
        }
        let Some(next) = next else { return Ok(None) };
        let mut found = None;
        for source in &mut self.sources {
            let row = source.next_if(|row| row.as_ref().is_ok_and(|(run, _)| *run == next));
            found = found.or(row);
        }
        found.transpose()
    }
}

/// The rows of a table from a key on.
struct TableRows<'a> {
    rows: Range<'static, u64, &'static [u8]>,
    is_newest_first: bool,
    index: &'a Index,
    /// What the checksums of the rows that are left must come to, if these are all: then none was
    /// passed over, and none is out of date.
    sum: Option<u64>,
    stage: Stage,
}

impl Iterator for TableRows<'_> {
    type Item = Result<(RunKey, Place)>;

    fn next(&mut self) -> Option<Result<(RunKey, Place)>> {
        let is_newest_first = self.is_newest_first;
        let step = |rows: &mut Range<'static, _, _>| match is_newest_first {
            true => rows.next_back(),
            false => rows.next(),
        };
        while let Some(item) = step(&mut self.rows) {
            if let Some(row) = self.take(item).transpose() {
                return Some(row);
            }
        }
        self.sum.take().filter(|left| *left != 0).map(|_| {
            let runs = match self.stage {
                Stage::Unfinished => "runs that have not ended",
                Stage::Ended => "runs that have ended",
            };
            let flaw = "it does not hold what was written last";
            Err(DiskError::Damaged(format!("the table of {runs}: {flaw}")))
        })
    }
}

type Pair = (AccessGuard<'static, u64>, AccessGuard<'static, &'static [u8]>);

impl TableRows<'_> {
    /// `None`: the run was deleted.
    fn take(&mut self, item: Result<Pair, StorageError>) -> Result<Option<(RunKey, Place)>> {
        let (key, bytes) = item?;
        let run = RunKey(key.value());
        self.sum = self.sum.map(|sum| sum.wrapping_sub(row::sum(bytes.value())));
        Ok((!self.index.is_deleted(run)).then_some((run, Place::Table(bytes))))
    }
}

fn admits(filter: &Filter, row: &Lent<'_>) -> bool {
    let Lent { key, state, id, workflow, started_at, changed_at, .. } = *row;
    filter.admits_values((key, state), [id, workflow], [started_at, changed_at])
        && filter.attributes().iter().all(|(name, value)| row.has_attribute(name, value))
}

fn boxed<'a>(rows: impl Iterator<Item = Result<(RunKey, Place)>> + 'a) -> Rows<'a> {
    (Box::new(rows) as Box<dyn Iterator<Item = _> + 'a>).peekable()
}
