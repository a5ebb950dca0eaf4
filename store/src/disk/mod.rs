mod blocks;
mod create;
mod fold;
mod buffered;
mod ids;
mod index;
mod scan;
mod options;
mod read;
mod runs;
mod tables;
mod tail;
mod error;
mod pending;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use std::io;
use std::path::Path;

use redb::{Durability, StorageBackend};

use error::{DiskError, Handle, guarded};
pub use options::Options;
use tables::JOURNAL;
use tail::Tail;

use crate::format::header::Header;
use crate::format::journal::MAX_BYTES;
use crate::{Batch, Entry, Error, Filter, Result, RunKey, RunRow, RunState, Store};

/// A store in one file, through redb.
///
/// A commit is one row of a journal, and one sync of the disk. When the journal has become long,
/// the next commit first folds it into the rows and histories of the runs, which takes a second
/// sync and as long as writing that many bytes takes; [`fold`](Store::fold) does it at a time of
/// your choosing.
///
/// The file belongs to one store at a time. Dropping the store closes it. Until the first commit
/// nothing is written, not even what redb repairs after a crash: a file that turns out to be
/// damaged, or that is only looked at, stays as it was.
///
/// # After a crash
/// The next open finds every commit that had returned. redb then reads the whole file once, to
/// find out which of its pages are in use: a file of 520 MiB took 0.36 s, and 0.71 s when it was
/// not in the system's memory, where one that had been closed took 2 ms. redb can avoid that by
/// writing the state of its allocator with each commit (quick-repair), which took the reopening
/// down to 11 ms and every commit up by a factor of 2.0. A crash is rare and a commit is not, so
/// this is not used.
///
/// ```
/// use dacapo_store::{Batch, RedbStore, RunKey, Store};
///
/// # let directory = std::env::temp_dir().join(format!("dacapo-redb-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).unwrap();
/// let path = directory.join("runs.dacapo");
/// let mut store = RedbStore::open(&path)?;
/// let mut batch = Batch::new();
/// batch.push(RunKey(0), 0, |bytes| bytes.extend_from_slice(b"started"));
/// store.commit(&batch)?;
///
/// assert!(RedbStore::open(&path).unwrap_err().is_in_use());
/// drop(store);
/// assert_eq!(RedbStore::open(&path)?.history(RunKey(0))?[0].record, b"started");
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), dacapo_store::Error>(())
/// ```
pub struct RedbStore {
    db: Handle,
    /// Lets what is buffered of the writes so far go to the disk, before the first of our own.
    flush: Option<Flush>,
    /// What the journal holds, in memory.
    tail: Tail,
    /// What messages call the file.
    name: String,
    fold_bytes: usize,
    /// The header: as it was when the journal was folded last.
    header: Header,
    /// The time of the last commit.
    time: u64,
    next_run: u64,
    /// The error of the write that was refused. What is on the disk is not known then, so nothing
    /// is read or written any more.
    refused: Option<Error>,
}

type Flush = Box<dyn FnOnce() -> io::Result<()> + Send>;

impl RedbStore {
    /// Opens the store at `path`, or makes one if there is nothing.
    ///
    /// # Errors
    /// If the file is open already, is not a store, is damaged, or was written by a later version:
    /// the predicates of [`Error`] tell these apart, and the file is left as it was. If it or its
    /// directory cannot be read or written.
    pub fn open(path: impl AsRef<Path>) -> Result<RedbStore> {
        Options::new().open(path)
    }

    /// Opens the store in a backend of your own: see [`Options::open_backend`].
    ///
    /// # Errors
    /// As with [`open`](RedbStore::open).
    pub fn from_backend(backend: impl StorageBackend) -> Result<RedbStore> {
        Options::new().open_backend(backend)
    }

    /// The version of the engine's rules under which the file was made: see
    /// [`Options::semantics_version`].
    pub fn semantics_version(&self) -> u32 {
        self.header.semantics
    }

    /// Closes the file. Dropping the store does so too, and does not say if it fails; no commit is
    /// lost either way.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn close(mut self) -> Result<()> {
        let sealed = self.seal();
        self.db.close().map_err(|error| error.about(&self.name)).and(sealed)
    }

    /// PendingWrites down how far the journal goes. After a crash redb holds every page of it against its
    /// checksum; when it opens a closed file it does not, and an end that is missing would not be
    /// missed.
    fn seal(&mut self) -> Result<()> {
        let last_commit = self.tail.last_commit();
        // A file of which nothing was changed stays as it was.
        let is_changed = self.flush.is_none() && self.header.last_commit != last_commit;
        if self.refused.is_some() || !is_changed {
            return Ok(());
        }
        self.write(|store| {
            store.header.last_commit = last_commit;
            tables::write_header(&store.db, &store.header)
        })
    }

    /// Reads, unless a write was refused before.
    fn read<T>(&self, f: impl FnOnce() -> Result<T, DiskError>) -> Result<T> {
        match &self.refused {
            Some(error) => Err(error.clone()),
            None => guarded(f).map_err(|error| error.about(&self.name)),
        }
    }

    /// PendingWrites, unless a write was refused before; if this one is, it is the last.
    fn write(&mut self, f: impl FnOnce(&mut RedbStore) -> Result<(), DiskError>) -> Result<()> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        let result = guarded(|| {
            if let Some(flush) = self.flush.take() {
                flush()?;
            }
            f(self)
        });
        let result = result.map_err(|error| error.about(&self.name));
        self.refused = result.clone().err();
        result
    }

    fn append(&mut self, batch: &Batch) -> Result<(), DiskError> {
        let mut txn = self.db.begin_write()?;
        txn.set_durability(Durability::Immediate).expect("there are no savepoints");
        let (commit, row) = self.tail.push(batch);
        txn.open_table(JOURNAL)?.insert(commit, row)?;
        txn.commit()?;
        self.time = batch.time();
        self.next_run = self.next_run.max(batch.next_run().0);
        Ok(())
    }

    /// The error for a batch that no commit can hold. It names the largest part of it: the engine
    /// commits large records alone.
    fn too_large(&self, batch: &Batch) -> Error {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        let (run, bytes) = batch.largest().unwrap_or((RunKey(0), 0));
        // The id may be in the batch, or in the store; the key has to do if neither can be read.
        let row = batch.rows().iter().rfind(|row| row.key == run).cloned();
        let row = row.or_else(|| self.row(run).ok().flatten());
        let id = row.map(|row| format!(" ({:?})", row.id)).unwrap_or_default();
        Error::other(format!(
            "{}: a commit of {} MiB is larger than the {} MiB it may have; run {run}{id} has the largest record in it, of {} MiB: give the step a smaller outcome",
            self.name,
            mib(batch.size()),
            MAX_BYTES >> 20,
            mib(bytes),
        ))
    }

    /// Folds the journal and forgets some runs on the way.
    fn fold_without(&mut self, forgotten: &[RunRow]) -> Result<(), DiskError> {
        if self.tail.is_empty() && forgotten.is_empty() {
            return Ok(());
        }
        let last_commit = self.tail.last_commit();
        let (time, next_run) = (self.time, self.next_run);
        let header = Header { commit: last_commit, last_commit, time, next_run, ..self.header };
        self.header = fold::fold(&self.db, &self.tail, header, forgotten)?;
        self.tail.clear(self.fold_bytes.saturating_mul(2));
        Ok(())
    }
}

impl Store for RedbStore {
    fn commit(&mut self, batch: &Batch) -> Result<()> {
        if batch.is_empty() {
            return self.read(|| Ok(()));
        }
        if batch.size() > MAX_BYTES {
            return Err(self.too_large(batch));
        }
        self.write(|store| {
            // Before the commit, so that an error leaves nothing of the batch.
            if store.tail.len() >= store.fold_bytes {
                store.fold_without(&[])?;
            }
            store.append(batch)
        })
    }

    fn find(&self, id: &str) -> Result<Option<RunRow>> {
        self.read(|| read::find(&self.db, &self.tail, &self.header, id))
    }

    fn row(&self, run: RunKey) -> Result<Option<RunRow>> {
        self.read(|| read::row(&self.db, &self.tail, run))
    }

    fn list(&self, filter: &Filter) -> Result<Vec<RunRow>> {
        self.read(|| scan::list(&self.db, &self.tail, &self.header, filter))
    }

    fn history(&self, run: RunKey) -> Result<Vec<Entry>> {
        self.read(|| read::history(&self.db, &self.tail, run))
    }

    fn last(&self, run: RunKey) -> Result<Option<Entry>> {
        self.read(|| read::last(&self.db, &self.tail, run))
    }

    fn delete(&mut self, runs: &[RunKey]) -> Result<()> {
        let mut rows = Vec::new();
        for run in runs {
            rows.extend(self.row(*run)?);
        }
        if let Some(row) = rows.iter().find(|row| !may_be_deleted(row)) {
            return Err(Error::unfinished(row.key, &row.id));
        }
        rows.sort_unstable_by_key(|row| row.key);
        if rows.is_empty() {
            return self.read(|| Ok(()));
        }
        self.write(|store| {
            if rows.iter().any(|row| store.tail.knows(row.key)) {
                return store.fold_without(&rows);
            }
            store.header = fold::forget(&store.db, store.header, &rows)?;
            Ok(())
        })
    }

    fn next_run(&self) -> RunKey {
        RunKey(self.next_run)
    }

    fn time(&self) -> u64 {
        self.time
    }

    fn fold(&mut self) -> Result<()> {
        self.write(|store| store.fold_without(&[]))
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        // After a panic redb closes nothing either, and the next open checks every page.
        if self.db.is_open() && !std::thread::panicking() {
            // Nobody is left who could be told.
            let _ = self.seal();
        }
    }
}

fn may_be_deleted(row: &RunRow) -> bool {
    row.state.has_ended() || row.state == RunState::Parked
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore")
            .field("name", &self.name)
            .field("commits", &self.tail.last_commit())
            .finish_non_exhaustive()
    }
}
