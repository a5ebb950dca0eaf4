//! Everything that changes the file.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use redb::{Durability, WriteTransaction};

use super::RedbStore;
use super::error::{DiskError, guarded};
use super::fold;
use super::tables::{JOURNAL, USER};
use super::user::UserTables;
use crate::format::header::Header;
use crate::format::journal::{Deleted, MAX_BYTES};
use crate::format::node;
use crate::{Batch, Error, Result, RunKey, Store, Work};

/// Why a commit was given up, with nothing changed.
enum Stop {
    Error(Error),
    /// The storage's, whatever was made of it.
    Refused(Error),
    Panic(Box<dyn Any + Send>),
    /// There was nothing to write.
    Nothing,
}

impl RedbStore {
    /// Writes, unless a write was refused before; if this one is, it is the last.
    pub(super) fn write<T>(
        &mut self,
        f: impl FnOnce(&mut RedbStore) -> Result<T, DiskError>,
    ) -> Result<T> {
        self.reading.end();
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        let result = guarded(|| {
            self.origin.check()?;
            if self.is_read_only {
                return Err(DiskError::ReadOnly);
            }
            if let Some(flush) = self.flush.take() {
                flush()?;
            }
            f(self)
        });
        result.map_err(|error| {
            let error = error.about(&self.name);
            self.refused = Some(error.clone());
            error
        })
    }

    pub(super) fn begin(&self) -> Result<WriteTransaction, DiskError> {
        let mut txn = self.db.begin_write()?;
        txn.set_durability(Durability::Immediate).expect("there are no savepoints");
        Ok(txn)
    }

    /// Folds if the journal is long: before a commit, so that an error leaves nothing of it.
    pub(super) fn make_room(&mut self) -> Result<(), DiskError> {
        if self.tail.load_bytes() >= self.fold_bytes {
            self.fold_tail(self.fold_bytes.saturating_mul(2))?;
        }
        Ok(())
    }

    pub(super) fn append(
        &mut self,
        txn: WriteTransaction,
        batch: &Batch,
        deleted: &[Deleted],
    ) -> Result<u64, DiskError> {
        if !deleted.is_empty() {
            self.take_out(&txn, deleted)?;
        }
        let (commit, row) = self.tail.push(batch, deleted);
        txn.open_table(JOURNAL)?.insert(commit, row)?;
        txn.commit()?;
        self.origin.check_file()?;
        self.time = batch.time();
        self.next_run = self.next_run.max(batch.next_run().0);
        self.notes.apply(batch);
        self.shapes.apply(batch);
        Ok(commit)
    }

    /// Takes runs that are deleted out of the tables. If the transaction comes to nothing, nothing more is read.
    fn take_out(&mut self, txn: &WriteTransaction, deleted: &[Deleted]) -> Result<(), DiskError> {
        let (index, header) = (self.tail.index(), self.header);
        let room = self.fold_bytes.saturating_sub(self.tail.load_bytes());
        let (header, out) = self.leaving.take(txn, &index, header, deleted, room)?;
        drop(index);
        self.header = header;
        self.tail.forget_deleted(&out);
        Ok(())
    }

    /// A commit in whose transaction somebody else writes.
    pub(super) fn write_with(&mut self, batch: &mut Batch, work: &mut Work<'_>) -> Result<u64> {
        let written = self.write(|store| {
            store.make_room()?;
            let txn = store.begin()?;
            batch.clear();
            match store.work(&txn, batch, work)? {
                Ok(deleted) => store.append(txn, batch, &deleted).map(Ok),
                Err(stop) => {
                    txn.abort()?;
                    Ok(Err(stop))
                }
            }
        })?;
        match written {
            Ok(commit) => Ok(commit),
            Err(Stop::Nothing) => Ok(self.tail.last_commit()),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Refused(error)) => {
                self.refused = Some(error.clone());
                Err(error)
            }
            Err(Stop::Panic(panic)) => resume_unwind(panic),
        }
    }

    /// Lets somebody write in a transaction, and says what the batch that comes of it deletes.
    fn work(
        &self,
        txn: &WriteTransaction,
        batch: &mut Batch,
        work: &mut Work<'_>,
    ) -> Result<Result<Vec<Deleted>, Stop>, DiskError> {
        let mut tables = UserTables::new(txn.open_table(USER)?, &self.name);
        // A panic of theirs is not one of redb.
        let worked = catch_unwind(AssertUnwindSafe(|| work(&mut tables, batch)));
        if let Some(error) = tables.failed() {
            return Ok(Err(Stop::Refused(error)));
        }
        Ok(match worked {
            Err(panic) => Err(Stop::Panic(panic)),
            Ok(Err(error)) => Err(Stop::Error(error)),
            Ok(Ok(())) if batch.is_empty() && !tables.is_changed() => Err(Stop::Nothing),
            Ok(Ok(())) => self.check(batch).map_err(Stop::Error),
        })
    }

    /// Whether a batch may be committed, and what it deletes.
    pub(super) fn check(&self, batch: &Batch) -> Result<Vec<Deleted>> {
        if batch.size() > MAX_BYTES {
            return Err(self.too_large(batch));
        }
        if batch.notes().next().is_some() {
            // What is damaged is not made to look sound.
            self.read(|| self.notes.all().map(drop))?;
        }
        for (next, (number, _)) in (self.shapes.next()..).zip(batch.shapes()) {
            assert_eq!(number, next, "the next number of the shapes was expected");
        }
        let mut deleted = Vec::with_capacity(batch.deleted().len());
        for &run in batch.deleted() {
            let stored = self.row(run)?;
            let row = batch.row(run).or(stored.as_ref());
            if let Some(row) = row.filter(|row| !row.state.may_be_deleted()) {
                return Err(Error::unfinished(row.key, &row.id));
            }
            let hash = row.map_or(0, |row| node::hash(&row.id));
            deleted.push(Deleted { run, hash });
        }
        Ok(deleted)
    }

    /// The error for a batch that no commit can hold. It names the largest part of it: the engine
    /// commits large records alone.
    fn too_large(&self, batch: &Batch) -> Error {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        let (run, bytes) = batch.largest().unwrap_or((RunKey(0), 0));
        // The id may be in the batch, or in the store; the key has to do if neither can be read.
        let row = batch.row(run).cloned().or_else(|| self.row(run).ok().flatten());
        let id = row.map(|row| format!(" ({:?})", row.id)).unwrap_or_default();
        Error::other(format!(
            "{}: a commit of {} MiB is larger than the {} MiB it may have; run {run}{id} has the largest record in it, of {} MiB: give the step a smaller outcome",
            self.name,
            mib(batch.size()),
            MAX_BYTES >> 20,
            mib(bytes),
        ))
    }

    /// Folds, and keeps up to so much memory for the rows that come next.
    pub(super) fn fold_tail(&mut self, keep: usize) -> Result<(), DiskError> {
        if self.tail.is_empty() {
            return Ok(());
        }
        let last_commit = self.tail.last_commit();
        let (time, next_run) = (self.time, self.next_run);
        let header = Header { commit: last_commit, last_commit, time, next_run, ..self.header };
        self.header = fold::fold(&self.db, &self.tail, header)?;
        self.tail.clear(keep);
        self.leaving.clear();
        Ok(())
    }
}
