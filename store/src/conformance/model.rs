use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

use super::Action;
use crate::{Batch, Entry, Filter, RunKey, RunRow, RunState, Store};

/// What a store should hold: the plainest thing that can be right.
#[derive(Clone, Default, Debug)]
pub struct Model {
    rows: BTreeMap<RunKey, RunRow>,
    histories: BTreeMap<RunKey, Vec<Entry>>,
    /// All that there ever were: those of deleted runs have to stay unknown.
    ids: BTreeSet<String>,
    commits: u64,
    time: u64,
    next_run: u64,
}

impl Model {
    /// Holds nothing.
    pub fn new() -> Model {
        Model::default()
    }

    /// The rows of all runs, by key.
    pub fn rows(&self) -> &BTreeMap<RunKey, RunRow> {
        &self.rows
    }

    /// The seq of a run's next record.
    pub fn next_place(&self, run: RunKey) -> u64 {
        self.histories.get(&run).map_or(0, |entries| entries.len() as u64)
    }

    /// The key of the next run.
    pub fn next_run(&self) -> RunKey {
        RunKey(self.next_run)
    }

    /// The time of the last commit.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Does what a store should do.
    pub fn apply(&mut self, action: &Action) {
        match action {
            Action::Commit(batch) if !batch.is_empty() => self.commit(batch),
            Action::Delete(runs) => {
                for run in runs {
                    self.rows.remove(run);
                    self.histories.remove(run);
                }
            }
            Action::Commit(_) | Action::Fold | Action::DeleteUnfinished(_) => {}
        }
    }

    fn commit(&mut self, batch: &Batch) {
        self.commits += 1;
        self.time = batch.time();
        let (commit, time) = (self.commits, self.time);
        for (run, seq, record) in batch.records() {
            let entry = Entry { seq, commit, time, record: record.to_vec() };
            self.histories.entry(run).or_default().push(entry);
            self.next_run = self.next_run.max(run.0 + 1);
        }
        for row in batch.rows() {
            self.next_run = self.next_run.max(row.key.0 + 1);
            self.ids.insert(row.id.clone());
            self.rows.insert(row.key, row.clone());
        }
    }

    /// Reads everything, and tells the first difference.
    ///
    /// # Errors
    /// If there is one, or if a read fails.
    pub fn compare(&self, store: &impl Store) -> Result<(), String> {
        same("next_run()", &store.next_run(), &self.next_run())?;
        same("time()", &store.time(), &self.time)?;
        for key in (0..=self.next_run).map(RunKey) {
            self.compare_run(store, key)?;
        }
        for id in self.ids.iter().map(String::as_str).chain([""]) {
            let expected = self.rows.values().find(|row| row.id == id);
            let found = store.find(id).map_err(|error| format!("find({id:?}): {error}"))?;
            same(&format!("find({id:?})"), &found.as_ref(), &expected)?;
        }
        self.filters().iter().try_for_each(|filter| self.compare_list(store, filter))
    }

    fn compare_run(&self, store: &impl Store, key: RunKey) -> Result<(), String> {
        let history = self.histories.get(&key).map_or(&[][..], Vec::as_slice);
        let found = store.row(key).map_err(|error| format!("row({key}): {error}"))?;
        same(&format!("row({key})"), &found.as_ref(), &self.rows.get(&key))?;
        let found = store.last(key).map_err(|error| format!("last({key}): {error}"))?;
        same(&format!("last({key})"), &found.as_ref(), &history.last())?;
        let found = store.history(key).map_err(|error| format!("history({key}): {error}"))?;
        same(&format!("history({key})"), &&found[..], &history)
    }

    fn compare_list(&self, store: &impl Store, filter: &Filter) -> Result<(), String> {
        let found = store.list(filter).map_err(|error| format!("list({filter:?}): {error}"))?;
        let rows = self.rows.values().filter(|row| filter.admits(row));
        let expected: Vec<_> = rows.take(filter.max_runs()).cloned().collect();
        same(&format!("list({filter:?})"), &found, &expected)
    }

    fn filters(&self) -> Vec<Filter> {
        let middle = RunKey(self.next_run / 2);
        let mut filters = Vec::from([
            Filter::new(),
            Filter::new().unfinished(),
            Filter::new().ended(),
            Filter::new().states(&[]),
            Filter::new().workflow("order"),
            Filter::new().id_prefix("b").unfinished(),
            Filter::new().after(middle).limit(3),
            Filter::new().after(RunKey(u64::MAX)),
            Filter::new().limit(0),
            Filter::new().started(self.time / 2..self.time),
        ]);
        filters.extend(RunState::ALL.map(|state| Filter::new().states(&[state]).limit(4)));
        filters
    }
}

fn same<T: PartialEq + Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} gave {found:?} where {expected:?} was expected"))
}
