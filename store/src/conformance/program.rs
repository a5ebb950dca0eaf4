use alloc::format;
use alloc::vec::Vec;

use super::Model;
use crate::{Batch, Error, Result, RunKey, RunRow, RunState, Store};

/// One step of a [`Program`].
#[derive(Clone, Debug)]
pub enum Action {
    /// Commits a batch, which may be empty.
    Commit(Batch),
    /// Deletes runs that may be deleted, and keys that are not known.
    Delete(Vec<RunKey>),
    /// Tries to delete runs of which one is running, and expects to be refused.
    DeleteUnfinished(Vec<RunKey>),
    /// Folds.
    Fold,
}

impl Action {
    /// Does it to a store.
    ///
    /// # Errors
    /// The store's, and if a running run could be deleted.
    pub fn perform(&self, store: &mut impl Store) -> Result<()> {
        match self {
            Action::Commit(batch) => store.commit(batch),
            Action::Delete(runs) => store.delete(runs),
            Action::Fold => store.fold(),
            Action::DeleteUnfinished(runs) => match store.delete(runs) {
                Err(error) if error.is_unfinished() => Ok(()),
                Err(error) => Err(error),
                Ok(()) => Err(Error::other("a running run could be deleted")),
            },
        }
    }
}

/// A random program: as many actions as are asked for, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Program {
    seed: u64,
}

impl Program {
    /// The program of a seed.
    pub fn new(seed: u64) -> Program {
        Program { seed }
    }

    /// The next action for a store that holds what `model` does.
    pub fn next_action(&mut self, model: &Model) -> Action {
        match self.below(20) {
            0 => Action::Fold,
            1 => Action::Commit(Batch::new()),
            2 | 3 => self.delete(model),
            _ => Action::Commit(self.batch(model)),
        }
    }

    fn delete(&mut self, model: &Model) -> Action {
        let mut runs = Vec::from([RunKey(self.below(model.next_run().0 + 2))]);
        for row in model.rows().values() {
            if self.below(3) == 0 {
                runs.push(row.key);
            }
        }
        let is_running =
            |run: &RunKey| model.rows().get(run).is_some_and(|row| row.state == RunState::Running);
        // Once in a while the running ones stay among them, and all are to be refused.
        if runs.iter().any(is_running) && self.below(4) == 0 {
            return Action::DeleteUnfinished(runs);
        }
        runs.retain(|run| !is_running(run));
        Action::Delete(runs)
    }

    fn batch(&mut self, model: &Model) -> Batch {
        let mut batch = Batch::new();
        batch.set_time(model.time() + self.below(1_000));
        let mut touched: Vec<RunRow> = Vec::new();
        for key in model.next_run().0..model.next_run().0 + self.below(4) {
            touched.push(self.new_run(RunKey(key), batch.time()));
        }
        for row in model.rows().values().filter(|row| !row.state.has_ended()) {
            if self.below(2) == 0 {
                touched.push(row.clone());
            }
        }
        let mut next_seq: Vec<_> = touched.iter().map(|row| model.next_place(row.key)).collect();
        // The records of the runs are mixed, as those of concurrent runs are.
        for _ in 0..self.below(3 * touched.len() as u64 + 1) {
            let at = self.below(touched.len() as u64) as usize;
            let record = self.bytes(300);
            batch.push(touched[at].key, next_seq[at], |bytes| bytes.extend_from_slice(&record));
            next_seq[at] += 1;
        }
        for mut row in touched {
            let is_new = !model.rows().contains_key(&row.key);
            if !is_new && self.below(3) == 0 {
                row.state = RunState::ALL[self.below(5) as usize];
                row.changed_at = batch.time();
                row.note = self.bytes(20);
            }
            if is_new || self.below(2) == 0 {
                batch.put_row(row);
            }
        }
        batch
    }

    fn new_run(&mut self, key: RunKey, time: u64) -> RunRow {
        let names = ["order", "a workflow with a longer name", ""];
        RunRow {
            key,
            id: format!("{}-{}-{}", ["a", "b", "ü"][self.below(3) as usize], self.below(99), key),
            workflow: names[self.below(3) as usize].into(),
            state: RunState::Running,
            started_at: time,
            changed_at: time,
            note: self.bytes(4),
        }
    }

    fn bytes(&mut self, limit: u64) -> Vec<u8> {
        let length = self.below(limit);
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    /// A number below a limit, or 0 (splitmix64).
    fn below(&mut self, limit: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }
}
