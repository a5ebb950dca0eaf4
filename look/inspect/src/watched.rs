//! A run that is looked at again and again.

use std::collections::BTreeMap;

use dacapo::store::RunState;
use dacapo::{Result, RunInfo};

use crate::fold::Fold;
use crate::operation::{Operation, Progress};
use crate::row::Row;
use crate::source::Source;

/// A run that is looked at again and again: each time what it did since.
#[derive(Debug)]
pub struct Watched {
    id: String,
    /// The pass that is followed, and what its records have said.
    pass: Option<(RunInfo, Fold, u64)>,
    /// How far each operation was that has no outcome.
    open: BTreeMap<String, (Progress, u32)>,
}

/// What a run did since it was looked at before.
#[derive(Debug)]
#[non_exhaustive]
pub struct Looked {
    /// So many records are not told of: there were too many at once.
    pub skipped: u64,
    /// What it did.
    pub operations: Vec<Operation>,
    /// Its row, if it does not go on: it has ended, or is parked.
    pub last: Option<Row>,
}

/// So many records are told of one look: it costs the executor no more than these, whatever the run does.
const MOST: u64 = 200;

/// So many bytes of each value.
const BYTES: usize = 200;

impl Watched {
    /// The run with this id, from now on.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), pass: None, open: BTreeMap::new() }
    }

    /// What it did since the last look, the first of which only sets out: what came to an end, and what began,
    /// failed or is to be tried again. Of very much, the last part.
    ///
    /// # Errors
    ///
    /// If there is no such run, or no longer ([`is_not_found`](dacapo::Error::is_not_found)), or if the store
    /// failed.
    pub fn look(&mut self, source: Source<'_>) -> Result<Looked> {
        let now = source.info(&self.id)?;
        let records = source.history(now.key, 0..0)?.records;
        // What was skipped by the first look, nobody asked for.
        let (mut skipped, mut told) = (0, Vec::new());
        let (run, mut fold, mut next) = match self.pass.take() {
            Some(known) if known.0.key == now.key => known,
            // It went on in another pass, or was deleted and started anew.
            Some(_) => (now.clone(), Fold::new(&self.id, BYTES), 0),
            None => (now.clone(), Fold::new(&self.id, BYTES), records),
        };
        if records.saturating_sub(next) > MOST {
            skipped = records - MOST - next;
            next = records - MOST;
        }
        for entry in &source.history(run.key, next..records)?.entries {
            told.extend(fold.add(entry));
            next = entry.seq + 1;
        }
        // What it did before it stopped is told first.
        let has_stopped = now.state != RunState::Running && next >= records;
        if !has_stopped {
            self.open_since(source, &mut fold, &mut told)?;
        }
        self.pass = Some((run, fold, next));
        let last = if has_stopped { Some(source.row(&now)?) } else { None };
        Ok(Looked { skipped, operations: told, last })
    }

    /// What has begun, failed or is tried again since.
    fn open_since(
        &mut self,
        source: Source<'_>,
        fold: &mut Fold,
        told: &mut Vec<Operation>,
    ) -> Result<()> {
        if let Some(awaited) = source.awaited(&self.id)? {
            awaited.iter().for_each(|awaited| fold.awaits(awaited));
        }
        let mut open = BTreeMap::new();
        for operation in fold.open() {
            let number = operation.number.clone().unwrap_or_default();
            let stands = (operation.state, operation.attempts);
            if self.open.get(&number) != Some(&stands) {
                told.push(operation.clone());
            }
            open.insert(number, stands);
        }
        self.open = open;
        Ok(())
    }
}
