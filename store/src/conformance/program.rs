use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Model;
use crate::{Batch, Error, Link, Queued, Result, RunKey, RunRow, RunState, Store};

/// One step of a [`Program`].
#[derive(Clone, Debug)]
pub enum Action {
    /// Commits a batch, which may be empty.
    Commit(Batch),
    /// Commits a batch together with changes of tables.
    CommitWith(Batch, Vec<Change>),
    /// The same, given up in the end: nothing of it may be there.
    GiveUp(Batch, Vec<Change>),
    /// Tries to commit a batch that deletes a run which is neither ended nor parked, and expects to
    /// be refused.
    DeleteUnfinished(Batch),
    /// Folds.
    Fold,
    /// Gives back what is free.
    Compact,
}

/// A value of a table and what it becomes: `None` if it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The table's name.
    pub table: &'static str,
    /// The key in it.
    pub key: Vec<u8>,
    /// The new value.
    pub value: Option<Vec<u8>>,
}

impl Action {
    /// Does it to a store, which has made so many commits.
    ///
    /// # Errors
    /// The store's, and if it does what it may not do.
    pub fn perform(&self, store: &mut impl Store) -> Result<()> {
        let before = store.last_commit();
        let expect = |commit: u64, grows: bool| match commit == before + u64::from(grows) {
            true => Ok(()),
            false => Err(Error::other(format!("commit {commit} follows commit {before}"))),
        };
        match self {
            Action::Commit(batch) => expect(store.commit(batch)?, !batch.is_empty()),
            Action::CommitWith(batch, changes) => {
                let commit = commit_with(store, batch, changes, Ok(()))?;
                expect(commit, !batch.is_empty() || !changes.is_empty())
            }
            Action::GiveUp(batch, changes) => {
                let given_up = Err(Error::other("given up"));
                match commit_with(store, batch, changes, given_up) {
                    Err(error) if error.to_string() == "given up" => Ok(()),
                    Err(error) => Err(error),
                    Ok(_) => Err(Error::other("it was not given up")),
                }
            }
            Action::Fold => {
                store.fold()?;
                match store.fold()? {
                    true => Err(Error::other("a second fold found something to do")),
                    false => Ok(()),
                }
            }
            Action::Compact => store.compact().map(drop),
            Action::DeleteUnfinished(batch) => match store.commit(batch) {
                Err(error) if error.is_unfinished() => Ok(()),
                Err(error) => Err(error),
                Ok(_) => Err(Error::other("a run that had not ended could be deleted")),
            },
        }
    }
}

/// Changes the tables and looks whether that is seen.
fn commit_with(
    store: &mut impl Store,
    batch: &Batch,
    changes: &[Change],
    result: Result<()>,
) -> Result<u64> {
    let mut filled = Batch::new();
    filled.push(RunKey(u64::MAX), 7, |_| {});
    store.commit_with(&mut filled, &mut |tables, filled| {
        for Change { table, key, value } in changes {
            match value {
                Some(value) => tables.put(table, key, value)?,
                None => tables.remove(table, key)?,
            }
            if tables.get(table, key)? != *value {
                return Err(Error::other("what was put is not what is got"));
            }
        }
        if !filled.is_empty() {
            return Err(Error::other("the batch was not emptied"));
        }
        filled.clone_from(batch);
        result.clone()
    })
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
            1 if self.below(2) == 0 => Action::Compact,
            1 => Action::Commit(Batch::new()),
            2 | 3 => self.delete(model),
            4 => Action::CommitWith(Batch::new(), self.changes()),
            5 => Action::GiveUp(self.batch(model), self.changes()),
            6 | 7 => Action::CommitWith(self.batch(model), self.changes()),
            _ => Action::Commit(self.batch(model)),
        }
    }

    fn changes(&mut self) -> Vec<Change> {
        let tables = ["stock", "stocks", ""];
        let change = |program: &mut Program| Change {
            table: tables[program.below(3) as usize],
            key: Vec::from([program.below(8) as u8]),
            value: (program.below(3) > 0).then(|| program.bytes(40)),
        };
        (0..self.below(6)).map(|_| change(self)).collect()
    }

    /// Deletes some of the runs that there are.
    fn delete(&mut self, model: &Model) -> Action {
        let mut batch = Batch::new();
        batch.set_time(model.time());
        let mut runs = Vec::from([RunKey(self.below(model.next_run().0 + 2))]);
        for row in model.rows().values() {
            if self.below(3) == 0 {
                runs.push(row.key);
            }
        }
        let may_be_deleted =
            |run: &RunKey| model.rows().get(run).is_none_or(|row| row.state.may_be_deleted());
        // Once in a while the unfinished ones stay among them, and all are to be refused.
        if !runs.iter().all(may_be_deleted) && self.below(4) == 0 {
            runs.iter().for_each(|run| batch.delete(*run));
            return Action::DeleteUnfinished(batch);
        }
        runs.retain(may_be_deleted);
        runs.iter().for_each(|run| batch.delete(*run));
        Action::Commit(batch)
    }

    fn batch(&mut self, model: &Model) -> Batch {
        let mut batch = Batch::new();
        batch.set_time(model.time() + self.below(1_000));
        let mut touched: Vec<RunRow> = Vec::new();
        for key in model.next_run().0..model.next_run().0 + self.below(4) {
            touched.push(self.new_run(RunKey(key), batch.time()));
        }
        let is_new = touched.len();
        for row in model.rows().values().filter(|row| !row.state.has_ended()) {
            if self.below(2) == 0 {
                touched.push(row.clone());
            }
        }
        self.push_records(model, &touched, &mut batch);
        for (at, row) in touched.into_iter().enumerate() {
            self.put_row(row, at < is_new, model.next_run(), &mut batch);
        }
        for _ in 0..self.below(3) {
            let key = [&b"a"[..], b"ab", b"b", b""][self.below(4) as usize];
            match self.below(3) {
                0 => batch.remove_note(key),
                _ => batch.put_note(key, &self.bytes(30)),
            }
        }
        // Drawn apart, so that the rest is as it would be without.
        let mut apart = Program::new(!self.seed);
        let next = model.next_shape();
        for number in next..next + apart.below(5).saturating_sub(2) as u32 {
            batch.put_shape(number, &apart.bytes(60));
        }
        batch
    }

    /// The records of the runs are mixed, as those of concurrent runs are. Some were copied.
    fn push_records(&mut self, model: &Model, touched: &[RunRow], batch: &mut Batch) {
        let mut next_seq: Vec<_> = touched.iter().map(|row| model.next_seq(row.key)).collect();
        for _ in 0..self.below(3 * touched.len() as u64 + 1) {
            let at = self.below(touched.len() as u64) as usize;
            let (record, run, seq) = (self.bytes(300), touched[at].key, next_seq[at]);
            let write = |bytes: &mut Vec<u8>| bytes.extend_from_slice(&record);
            match self.below(4) {
                0 => batch.push_copied(run, seq, self.below(1 << 40), self.seed, write),
                _ => batch.push(run, seq, write),
            }
            next_seq[at] += 1;
        }
    }

    fn put_row(&mut self, mut row: RunRow, is_new: bool, next_run: RunKey, batch: &mut Batch) {
        if !is_new && self.below(3) == 0 {
            row.state = RunState::ALL[self.below(8) as usize];
            row.changed_at = batch.time();
            self.fill(&mut row);
        }
        if row.state == RunState::Continued {
            self.put_next_pass(&row, next_run, batch);
        }
        // It ends and is deleted at once, and its id may be taken again.
        if !is_new && row.state.may_be_deleted() && self.below(3) == 0 {
            batch.delete(row.key);
            if row.state != RunState::Continued && self.below(2) == 0 {
                self.put_next_pass(&row, next_run, batch);
            }
        }
        if is_new || self.below(2) == 0 || row.changed_at == batch.time() {
            batch.put_row(row);
        }
    }

    /// Another run gets the id, in front of the row of the one that gives it up or behind it.
    fn put_next_pass(&mut self, row: &RunRow, next_run: RunKey, batch: &mut Batch) {
        let key = batch.next_run().max(next_run);
        let mut next = RunRow::new(key, row.id.clone(), row.workflow.clone());
        next.pass = row.pass + 1;
        (next.started_at, next.changed_at) = (batch.time(), batch.time());
        if self.below(2) == 0 {
            batch.put_row(row.clone());
        }
        batch.put_row(next);
    }

    fn new_run(&mut self, key: RunKey, time: u64) -> RunRow {
        let workflow = ["order", "a workflow with a longer name", ""][self.below(3) as usize];
        let id = format!("{}-{}-{}", ["a", "b", "ü"][self.below(3) as usize], self.below(99), key);
        let mut row = RunRow::new(key, id, workflow);
        (row.started_at, row.changed_at) = (time, time);
        self.fill(&mut row);
        row
    }

    /// Gives a row what not every row has.
    fn fill(&mut self, row: &mut RunRow) {
        let time = row.changed_at;
        row.note = self.bytes(6);
        row.wake_at = [None, Some(u64::MAX), Some(0), Some(time + 9)][self.below(4) as usize];
        row.deadline = self.sometimes(|program| program.below(1 << 60));
        row.link = self.sometimes(|program| Link {
            parent: RunKey(program.below(1 << 20)),
            task: program.below(1 << 32) as u32,
            local: program.below(300) as u32,
        });
        row.attributes = (0..self.below(3)).map(|_| (self.text(), self.text())).collect();
        row.queue = self.sometimes(|program| {
            let mut queue = Queued::new(program.text());
            queue.partition = program.sometimes(Program::text);
            queue.priority = program.below(1 << 32) as u32 as i32;
            queue.unique = program.sometimes(Program::text);
            queue.is_debounced = program.below(2) == 0;
            queue.eligible_at = program.below(time + 9);
            queue.admitted_at = program.sometimes(|program| program.below(time + 9));
            Box::new(queue)
        });
    }

    fn sometimes<T>(&mut self, make: impl FnOnce(&mut Program) -> T) -> Option<T> {
        (self.below(3) == 0).then(|| make(self))
    }

    fn text(&mut self) -> String {
        ["", "ada", "größe", "a longer text"][self.below(4) as usize].into()
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
