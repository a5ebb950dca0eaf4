use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::ops::Bound::{Excluded, Included, Unbounded};
use core::ops::ControlFlow;

use super::Action;
use super::program::Change;
use crate::{Batch, Counts, Filter, History, Result, RunKey, RunRow, RunState, Store};

/// What a store should hold: the plainest thing that can be right.
#[derive(Clone, Default, Debug)]
pub struct Model {
    rows: BTreeMap<RunKey, RunRow>,
    histories: BTreeMap<RunKey, History>,
    notes: BTreeMap<Vec<u8>, Vec<u8>>,
    shapes: Vec<Vec<u8>>,
    tables: BTreeMap<(String, Vec<u8>), Vec<u8>>,
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
    pub fn next_seq(&self, run: RunKey) -> u64 {
        self.histories.get(&run).map_or(0, |history| history.len() as u64)
    }

    /// The key of the next run.
    pub fn next_run(&self) -> RunKey {
        RunKey(self.next_run)
    }

    /// The time of the last commit.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// The number of the last commit.
    pub fn last_commit(&self) -> u64 {
        self.commits
    }

    /// The number of the next shape.
    pub fn next_shape(&self) -> u32 {
        self.shapes.len() as u32
    }

    /// Does what a store should do.
    pub fn apply(&mut self, action: &Action) {
        match action {
            Action::Commit(batch) if !batch.is_empty() => self.commit(batch),
            Action::CommitWith(batch, changes) if !batch.is_empty() || !changes.is_empty() => {
                self.commit(batch);
                for Change { table, key, value } in changes {
                    let at = (String::from(*table), key.clone());
                    match value {
                        Some(value) => self.tables.insert(at, value.clone()),
                        None => self.tables.remove(&at),
                    };
                }
            }
            Action::Commit(_)
            | Action::CommitWith(..)
            | Action::GiveUp(..)
            | Action::DeleteUnfinished(_)
            | Action::Fold
            | Action::Compact => {}
        }
    }

    fn commit(&mut self, batch: &Batch) {
        self.commits += 1;
        self.time = batch.time();
        self.next_run = self.next_run.max(batch.next_run().0);
        for (run, entry) in batch.entries(self.commits) {
            self.histories.entry(run).or_default().push(entry);
        }
        for row in batch.rows() {
            self.ids.insert(row.id.clone());
            self.rows.insert(row.key, row.clone());
        }
        for run in batch.deleted() {
            self.rows.remove(run);
            self.histories.remove(run);
        }
        for (key, note) in batch.notes() {
            match note {
                Some(note) => self.notes.insert(key.to_vec(), note.to_vec()),
                None => self.notes.remove(key),
            };
        }
        self.shapes.extend(batch.shapes().map(|(_, shape)| shape.to_vec()));
    }

    /// Reads everything, and tells the first difference.
    ///
    /// # Errors
    /// If there is one, or if a read fails.
    pub fn compare(&self, store: &impl Store) -> Result<(), String> {
        same("next_run()", &store.next_run(), &self.next_run())?;
        same("time()", &store.time(), &self.time)?;
        same("last_commit()", &store.last_commit(), &self.commits)?;
        for key in (0..=self.next_run).map(RunKey) {
            self.compare_run(store, key)?;
        }
        for id in self.ids.iter().map(String::as_str).chain([""]) {
            let mut rows = self.rows.values();
            let expected = rows.find(|row| row.id == id && row.state != RunState::Continued);
            let found = read(&format!("find({id:?})"), store.find(id))?;
            same(&format!("find({id:?})"), &found.as_ref(), &expected)?;
        }
        let mut counts = Counts::default();
        self.rows.values().for_each(|row| counts[row.state] += 1);
        same("count()", &read("count()", store.count())?, &counts)?;
        self.filters().iter().try_for_each(|filter| self.compare_list(store, filter))?;
        self.compare_notes(store)?;
        let shapes: Vec<_> = self.shapes.iter().cloned().map(Some).collect();
        same("shapes()", &read("shapes()", store.shapes())?, &shapes)?;
        self.compare_tables(store)
    }

    fn compare_run(&self, store: &impl Store, key: RunKey) -> Result<(), String> {
        let (none, length) = (History::default(), self.next_seq(key));
        let history = self.histories.get(&key).unwrap_or(&none);
        let found = read(&format!("row({key})"), store.row(key))?;
        same(&format!("row({key})"), &found.as_ref(), &self.rows.get(&key))?;
        let found = read(&format!("last({key})"), store.last(key))?;
        same(&format!("last({key})"), &found, &history.last().into_iter().collect())?;
        let found = read(&format!("history({key})"), store.history(key))?;
        same(&format!("history({key})"), &found, history)?;
        let (middle, last) = (length / 2, length.saturating_sub(1));
        let ends =
            [(0, middle), (middle, u64::MAX), (1, last), (last, length), (length, length + 3)];
        for (from, to) in ends.into_iter().chain([(middle, middle + 1), (3, 1)]) {
            let seqs = from..to;
            let what = format!("entries({key}, {seqs:?})");
            let found = read(&what, store.entries(key, seqs.clone()))?;
            let expected = history.iter().filter(|entry| seqs.contains(&entry.seq));
            same(&what, &found, &expected.collect())?;
        }
        Ok(())
    }

    fn compare_list(&self, store: &impl Store, filter: &Filter) -> Result<(), String> {
        let found = read(&format!("list({filter:?})"), store.list(filter))?;
        let mut rows: Vec<_> = self.rows.values().filter(|row| filter.admits(row)).collect();
        if filter.is_newest_first() {
            rows.reverse();
        }
        let expected: Vec<_> = rows.into_iter().take(filter.max_runs()).cloned().collect();
        same(&format!("list({filter:?})"), &found, &expected)?;
        let mut scanned = Vec::new();
        let mut visit = |row: RunRow| {
            // The store may be read meanwhile.
            let again = store.row(row.key);
            scanned.extend(again.ok().flatten().filter(|again| *again == row));
        };
        read(&format!("scan({filter:?})"), store.scan(filter, &mut visit))?;
        same(&format!("scan({filter:?})"), &scanned, &expected)
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
            Filter::new().before(RunKey(0)),
            Filter::new().before(middle).after(RunKey(1)),
            Filter::new().limit(0),
            Filter::new().newest_first(),
            Filter::new().newest_first().unfinished().limit(2),
            Filter::new().newest_first().before(middle).limit(3),
            Filter::new().started(self.time / 2..self.time),
            Filter::new().changed(self.time..).newest_first(),
        ]);
        // Those of a run in the middle: with the second one, too, if it has two.
        let attributes = self.rows.range(middle..).map(|(_, row)| &row.attributes);
        if let Some([first, rest @ ..]) = attributes.map(Vec::as_slice).find(|all| !all.is_empty())
        {
            let with_first = Filter::new().attribute(&first.0, &first.1);
            filters.extend(rest.first().map(|(name, value)| {
                with_first.clone().attribute(name, value).newest_first().limit(2)
            }));
            filters
                .extend([with_first.clone().limit(2), with_first.attribute(&first.0, "unknown")]);
        }
        filters.push(Filter::new().attribute("unknown", ""));
        filters.extend(RunState::ALL.map(|state| Filter::new().states(&[state]).limit(4)));
        filters
    }

    fn compare_notes(&self, store: &impl Store) -> Result<(), String> {
        let known = self.notes.keys().map(Vec::as_slice).chain([&b"unknown"[..], b""]);
        for key in known {
            let found = read(&format!("note({key:?})"), store.note(key))?;
            same(&format!("note({key:?})"), &found.as_ref(), &self.notes.get(key))?;
        }
        for prefix in [&b""[..], b"a", b"unknown"] {
            let mut found = Vec::new();
            let mut visit = |key: &[u8], note: &[u8]| found.push((key.to_vec(), note.to_vec()));
            read(&format!("notes({prefix:?})"), store.notes(prefix, &mut visit))?;
            let notes = self.notes.clone().into_iter();
            let expected: Vec<_> = notes.filter(|(key, _)| key.starts_with(prefix)).collect();
            same(&format!("notes({prefix:?})"), &found, &expected)?;
        }
        Ok(())
    }

    fn compare_tables(&self, store: &impl Store) -> Result<(), String> {
        let bound = &[3][..];
        let ranges = [
            (Unbounded, Unbounded),
            (Included(bound), Unbounded),
            (Excluded(bound), Unbounded),
            (Unbounded, Included(bound)),
            (Unbounded, Excluded(bound)),
            (Included(bound), Included(bound)),
            (Excluded(bound), Excluded(bound)),
            (Included(&[9][..]), Included(bound)),
        ];
        for table in ["stock", "stocks", "", "unknown"] {
            for keys in ranges {
                let mut found = Vec::new();
                let ranged = store.read_tables(&mut |tables| {
                    tables.range(table, keys, &mut |key, value| {
                        found.push((key.to_vec(), value.to_vec()));
                        ControlFlow::Continue(())
                    })
                });
                read(&format!("range({table:?})"), ranged)?;
                let own = self.tables.iter().filter(|((name, _), _)| name == table);
                let own = own.map(|((_, key), value)| (key.clone(), value.clone()));
                let expected: Vec<_> = own.filter(|(key, _)| contains(keys, key)).collect();
                same(&format!("range({table:?}, {keys:?})"), &found, &expected)?;
            }
            for key in [&[3][..], &[200], &[]] {
                let mut found = None;
                let got = store.read_tables(&mut |tables| {
                    found = tables.get(table, key)?;
                    Ok(())
                });
                read(&format!("get({table:?})"), got)?;
                let expected = self.tables.get(&(String::from(table), key.to_vec()));
                same(&format!("get({table:?}, {key:?})"), &found.as_ref(), &expected)?;
            }
        }
        Ok(())
    }
}

fn contains((from, to): crate::KeyRange<'_>, key: &[u8]) -> bool {
    let is_behind = match from {
        Included(from) => key >= from,
        Excluded(from) => key > from,
        Unbounded => true,
    };
    let is_before = match to {
        Included(to) => key <= to,
        Excluded(to) => key < to,
        Unbounded => true,
    };
    is_behind && is_before
}

fn read<T>(what: &str, result: Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error}"))
}

fn same<T: PartialEq + Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} gave {found:?} where {expected:?} was expected"))
}
