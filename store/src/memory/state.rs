use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::tables::Changes;
use crate::{Batch, Counts, Error, Filter, History, Result, RunKey, RunRow, RunState};

/// What the handles of a store in memory share.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) rows: BTreeMap<RunKey, RunRow>,
    pub(super) ids: BTreeMap<String, RunKey>,
    pub(super) histories: BTreeMap<RunKey, History>,
    pub(super) counts: Counts,
    pub(super) notes: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) shapes: Vec<Vec<u8>>,
    pub(super) marker: Vec<u8>,
    /// Those of all user tables, under their [full keys](crate::tables::full_key).
    pub(super) tables: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) commits: u64,
    pub(super) time: u64,
    pub(super) next_run: u64,
    pub(super) fail_after: Option<u64>,
}

impl State {
    pub(super) fn commit(&mut self, batch: &Batch) -> Result<u64> {
        self.check(batch);
        self.check_deleted(batch)?;
        match &mut self.fail_after {
            Some(0) => {
                self.fail_after = None;
                let message = "the store was told to refuse this commit: open it again";
                return Err(Error::refused(message));
            }
            Some(commits) => *commits -= 1,
            None => {}
        }
        self.commits += 1;
        self.time = batch.time();
        self.next_run = self.next_run.max(batch.next_run().0);
        for (run, entry) in batch.entries(self.commits) {
            self.histories.entry(run).or_default().push(entry);
        }
        batch.rows().iter().for_each(|row| self.put_row(row));
        batch.deleted().iter().for_each(|run| self.delete(*run));
        for (key, note) in batch.notes() {
            match note {
                Some(note) => self.notes.insert(key.to_vec(), note.to_vec()),
                None => self.notes.remove(key),
            };
        }
        self.shapes.extend(batch.shapes().map(|(_, shape)| shape.to_vec()));
        Ok(self.commits)
    }

    fn put_row(&mut self, row: &RunRow) {
        // Of two runs in one commit, the later one gets the id that the other gives up.
        if row.state != RunState::Continued {
            let owner = self.ids.entry(row.id.clone()).or_insert(row.key);
            *owner = row.key.max(*owner);
        } else if self.ids.get(&row.id) == Some(&row.key) {
            self.ids.remove(&row.id);
        }
        let before = self.rows.insert(row.key, row.clone());
        self.counts.replace(before.map(|row| row.state), Some(row.state));
    }

    fn delete(&mut self, run: RunKey) {
        self.histories.remove(&run);
        if let Some(row) = self.rows.remove(&run) {
            self.counts.replace(Some(row.state), None);
            if self.ids.get(&row.id) == Some(&run) {
                self.ids.remove(&row.id);
            }
        }
    }

    pub(super) fn change_tables(&mut self, changes: Changes) {
        for (key, value) in changes {
            match value {
                Some(value) => self.tables.insert(key, value),
                None => self.tables.remove(&key),
            };
        }
    }

    /// Panics if a seq is not the next one of its run, or a shape's number not the next one, or an id
    /// belongs to another run.
    fn check(&self, batch: &Batch) {
        let mut next = BTreeMap::new();
        for (run, entry) in batch.entries(0) {
            let known = || self.histories.get(&run).map_or(0, History::len) as u64;
            let expected = next.entry(run).or_insert_with(known);
            assert_eq!(entry.seq, *expected, "run {run}: the next seq of its history was expected");
            *expected += 1;
        }
        for (place, (number, _)) in (self.shapes.len()..).zip(batch.shapes()) {
            assert_eq!(number as usize, place, "the next number of the shapes was expected");
        }
        for row in batch.rows().iter().filter(|row| row.state != RunState::Continued) {
            let owner = *self.ids.get(&row.id).unwrap_or(&row.key);
            let gives_it_up = || {
                let continued = batch.row(owner).map(|row| row.state == RunState::Continued);
                continued == Some(true) || batch.deleted().contains(&owner)
            };
            let is_free = owner == row.key || gives_it_up();
            assert!(is_free, "the id {:?} belongs to run {owner}, and not to {}", row.id, row.key);
        }
    }

    fn check_deleted(&self, batch: &Batch) -> Result<()> {
        let rows = batch.deleted().iter();
        let mut rows = rows.filter_map(|run| batch.row(*run).or_else(|| self.rows.get(run)));
        match rows.find(|row| !row.state.may_be_deleted()) {
            Some(row) => Err(Error::unfinished(row.key, &row.id)),
            None => Ok(()),
        }
    }

    /// The first row that a filter keeps, its limit aside.
    pub(super) fn first(&self, filter: &Filter) -> Option<RunRow> {
        let (first, last) = filter.keys()?;
        let mut rows = self.rows.range(first..=last).map(|(_, row)| row);
        let row = match filter.is_newest_first() {
            true => rows.rfind(|row| filter.admits(row)),
            false => rows.find(|row| filter.admits(row)),
        };
        row.cloned()
    }
}
