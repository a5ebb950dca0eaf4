//! A store that keeps nothing: what is left is the engine.

use std::ops::Range;

use dacapo::store::{
    Batch, Counts, Filter, History, ReadTables, Result, RunKey, RunRow, Store, Work,
};

/// Takes every commit, and forgets it.
#[derive(Default)]
pub(crate) struct Forgetful {
    next_run: u64,
    commits: u64,
}

impl Store for Forgetful {
    fn commit(&mut self, batch: &Batch) -> Result<u64> {
        self.next_run += batch.rows().len() as u64;
        self.commits += u64::from(!batch.is_empty());
        Ok(self.commits)
    }

    fn commit_with(&mut self, _: &mut Batch, _: &mut Work<'_>) -> Result<u64> {
        unreachable!("nothing here has tables")
    }

    fn read_tables(&self, _: &mut dyn FnMut(&dyn ReadTables) -> Result<()>) -> Result<()> {
        unreachable!("nothing here has tables")
    }

    fn find(&self, _: &str) -> Result<Option<RunRow>> {
        Ok(None)
    }

    fn row(&self, _: RunKey) -> Result<Option<RunRow>> {
        Ok(None)
    }

    fn scan(&self, _: &Filter, _: &mut dyn FnMut(RunRow)) -> Result<()> {
        Ok(())
    }

    fn count(&self) -> Result<Counts> {
        Ok(Counts::default())
    }

    fn history(&self, _: RunKey) -> Result<History> {
        Ok(History::default())
    }

    fn entries(&self, _: RunKey, _: Range<u64>) -> Result<History> {
        Ok(History::default())
    }

    fn last(&self, _: RunKey) -> Result<History> {
        Ok(History::default())
    }

    fn note(&self, _: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn notes(&self, _: &[u8], _: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        Ok(())
    }

    fn shapes(&self) -> Result<Vec<Option<Vec<u8>>>> {
        Ok(Vec::new())
    }

    fn fold(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn next_run(&self) -> RunKey {
        RunKey(self.next_run)
    }

    fn time(&self) -> u64 {
        0
    }

    fn last_commit(&self) -> u64 {
        self.commits
    }
}
