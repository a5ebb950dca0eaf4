//! A store that keeps nothing: what is left is the engine.

use dacapo::store::{Batch, Entry, Filter, Result, RunKey, RunRow, Store};

/// Takes every commit, and forgets it.
#[derive(Default)]
pub(crate) struct Forgetful {
    next_run: u64,
}

impl Store for Forgetful {
    fn commit(&mut self, batch: &Batch) -> Result<()> {
        self.next_run += batch.rows().len() as u64;
        Ok(())
    }

    fn find(&self, _: &str) -> Result<Option<RunRow>> {
        Ok(None)
    }

    fn row(&self, _: RunKey) -> Result<Option<RunRow>> {
        Ok(None)
    }

    fn list(&self, _: &Filter) -> Result<Vec<RunRow>> {
        Ok(Vec::new())
    }

    fn history(&self, _: RunKey) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    fn last(&self, _: RunKey) -> Result<Option<Entry>> {
        Ok(None)
    }

    fn delete(&mut self, _: &[RunKey]) -> Result<()> {
        Ok(())
    }

    fn next_run(&self) -> RunKey {
        RunKey(self.next_run)
    }

    fn time(&self) -> u64 {
        0
    }
}
