use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::iter::Peekable;

use redb::{AccessGuard, Database, Range, ReadableDatabase, StorageError};

use super::error::DiskError;
use super::read::{Result, read_row};
use super::runs::Stage;
use super::tables::{ENDED, UNFINISHED};
use super::tail::Tail;
use crate::format::header::Header;
use crate::format::row;
use crate::{Filter, RunKey, RunRow, RunState};

/// The rows of one table, or of the tail, from a key on.
type Rows<'a> = Peekable<Box<dyn Iterator<Item = Result<RunRow>> + 'a>>;

/// The rows that a filter keeps: those of up to three sources, merged by their keys.
pub(super) fn list(
    db: &Database,
    tail: &Tail,
    header: &Header,
    filter: &Filter,
) -> Result<Vec<RunRow>> {
    let Some(first) = filter.first_key() else { return Ok(Vec::new()) };
    let admits = |stage| {
        let states = RunState::ALL.into_iter().filter(|state| filter.admits_state(*state));
        states.map(|state| Stage::of(state.has_ended())).any(|other| other == stage)
    };
    let index = tail.index();
    let txn = db.begin_read()?;
    let recent = index.rows().range(first..).map(|(_, row)| Ok(row.clone()));
    // The tail comes first: where it has a row, that of a table is out of date.
    let mut sources: Vec<Rows<'_>> = Vec::from([boxed(recent)]);
    for (definition, stage) in [(UNFINISHED, Stage::Unfinished), (ENDED, Stage::Ended)] {
        if admits(stage) {
            let rows = txn.open_table(definition)?.range(first.0..)?;
            let sum = (first == RunKey(0)).then_some(header.sums[stage as usize]);
            sources.push(boxed(TableRows { rows, sum, stage }));
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

/// The rows of a table from a key on.
struct TableRows {
    rows: Range<'static, u64, &'static [u8]>,
    /// What the checksums of the rows that are left must come to, if they began with the first:
    /// then none was passed over, and none is out of date.
    sum: Option<u64>,
    stage: Stage,
}

impl Iterator for TableRows {
    type Item = Result<RunRow>;

    fn next(&mut self) -> Option<Result<RunRow>> {
        while let Some(item) = self.rows.next() {
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

impl TableRows {
    /// `None`: the run has a history and no row.
    fn take(&mut self, item: Result<Pair, StorageError>) -> Result<Option<RunRow>> {
        let (key, bytes) = item?;
        self.sum = self.sum.map(|sum| sum.wrapping_sub(row::sum(bytes.value())));
        read_row(RunKey(key.value()), bytes.value())
    }
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
