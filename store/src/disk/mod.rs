mod blocks;
mod compact;
mod create;
mod fold;
mod buffered;
mod ids;
mod index;
mod intact;
mod leaving;
mod marker;
mod notes;
mod scan;
mod options;
mod origin;
mod read;
mod reading;
mod read_only;
mod runs;
mod shapes;
mod tables;
mod tail;
mod user;
mod write;
mod error;
mod pending;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use std::io;
use std::path::Path;

use redb::{ReadableDatabase, StorageBackend};

use error::{DiskError, Handle, guarded};
use leaving::Leaving;
use marker::Marker;
use notes::Notes;
pub use options::Options;
use origin::Origin;
use reading::Reading;
use shapes::Shapes;
use tables::USER;
use tail::Tail;
use user::UserTables;

use crate::format::header::Header;
use crate::{
    Batch, Counts, Error, Filter, History, ReadTables, Result, RunKey, RunRow, Store, Work,
};

/// A store in one file, through redb.
///
/// A commit is one row of a journal, and one sync of the disk. When the journal has become long,
/// the next commit first folds it into the rows and histories of the runs, which takes a second
/// sync and as long as writing that many bytes takes; [`fold`](Store::fold) does it at a time of
/// your choosing, and closing the store does it if the journal has an eighth of that length. Runs
/// that are deleted wait for no fold: what there is of them goes with the commit.
///
/// What is free in the file is used again. If more was deleted since it was opened than is left, and that is a
/// quarter of its length and 64 MiB at most, [`fold`](Store::fold) and closing the store make it shorter, too. What
/// would take longer waits until somebody asks for it ([`compact`](Store::compact)).
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
/// assert_eq!(RedbStore::open(&path)?.history(RunKey(0))?.get(0).unwrap().record, b"started");
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), dacapo_store::Error>(())
/// ```
pub struct RedbStore {
    /// Before the file, which is closed behind its readers.
    reading: Reading,
    db: Handle,
    /// Lets what is buffered of the writes so far go to the disk, before the first of our own.
    flush: Option<Flush>,
    /// What the journal holds, in memory.
    tail: Tail,
    /// What messages call the file.
    name: String,
    fold_bytes: usize,
    /// The header: as it was when the journal was folded last, or a run was deleted.
    header: Header,
    leaving: Leaving,
    notes: Notes,
    shapes: Shapes,
    marker: Marker,
    origin: Origin,
    is_read_only: bool,
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
    /// If the disk refuses, or the file was removed or replaced meanwhile.
    pub fn close(mut self) -> Result<()> {
        let sealed = self.seal();
        self.reading.end();
        self.clear_marker();
        self.db.close().map_err(|error| error.about(&self.name)).and(sealed)
    }

    /// Nothing is to outlive the process but what was left of earlier ends.
    fn clear_marker(&self) {
        match self.is_read_only {
            true => self.marker.remove_own(),
            false => self.marker.remove_empty(),
        }
    }

    /// Writes down how far the journal goes. After a crash redb holds every page of it against its
    /// checksum; when it opens a closed file it does not, and an end that is missing would not be
    /// missed. A journal of some length is folded: whoever opens the file next need not read it.
    fn seal(&mut self) -> Result<()> {
        // A file of which nothing was changed stays as it was.
        if self.refused.is_some() || self.flush.is_some() {
            return Ok(());
        }
        let last_commit = self.tail.last_commit();
        if self.read(|| self.is_mostly_free())? {
            return self.compact().map(drop);
        }
        if self.header.last_commit == last_commit {
            return Ok(());
        }
        self.write(|store| {
            if store.tail.load_bytes() > store.fold_bytes / 8 {
                store.fold_tail(0)?;
            } else {
                store.header.last_commit = last_commit;
                tables::write_header(&store.db, &store.header)?;
            }
            store.origin.find_file()
        })
    }

    /// Reads, unless a write was refused before.
    fn read<T>(&self, f: impl FnOnce() -> Result<T, DiskError>) -> Result<T> {
        match &self.refused {
            Some(error) => Err(error.clone()),
            None => guarded(f).map_err(|error| error.about(&self.name)),
        }
    }
}

impl Store for RedbStore {
    fn commit(&mut self, batch: &Batch) -> Result<u64> {
        if batch.is_empty() {
            return self.read(|| Ok(self.tail.last_commit()));
        }
        let deleted = self.check(batch)?;
        self.write(|store| {
            store.make_room()?;
            let txn = store.begin()?;
            store.append(txn, batch, &deleted)
        })
    }

    fn commit_with(&mut self, batch: &mut Batch, work: &mut Work<'_>) -> Result<u64> {
        self.write_with(batch, work)
    }

    fn read_tables(&self, read: &mut dyn FnMut(&dyn ReadTables) -> Result<()>) -> Result<()> {
        let table = self.read(|| Ok(self.db.begin_read()?.open_table(USER)?))?;
        read(&UserTables::new(table, &self.name))
    }

    fn find(&self, id: &str) -> Result<Option<RunRow>> {
        self.read(|| read::find(&self.db, &self.reading, &self.tail, &self.header, id))
    }

    fn row(&self, run: RunKey) -> Result<Option<RunRow>> {
        self.read(|| read::row(&self.db, &self.reading, &self.tail, run))
    }

    fn scan(&self, filter: &Filter, visit: &mut dyn FnMut(RunRow)) -> Result<()> {
        // Row by row, so that a panic of `visit` is not taken for one of redb.
        self.read(|| Ok(()))?;
        let index = self.tail.index();
        let mut scan =
            self.read(|| scan::Scan::begin(&self.db, &self.tail, &index, &self.header, filter))?;
        while let Some(row) = self.read(|| scan.next())? {
            visit(row);
        }
        Ok(())
    }

    fn count(&self) -> Result<Counts> {
        self.read(|| read::count(&self.db, &self.tail, &self.header))
    }

    fn history(&self, run: RunKey) -> Result<History> {
        self.entries(run, 0..u64::MAX)
    }

    fn entries(&self, run: RunKey, seqs: Range<u64>) -> Result<History> {
        self.read(|| read::entries(&self.db, &self.reading, &self.tail, run, seqs))
    }

    fn last(&self, run: RunKey) -> Result<History> {
        self.read(|| read::last(&self.db, &self.reading, &self.tail, run))
    }

    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read(|| Ok(self.notes.all()?.get(key).cloned()))
    }

    fn notes(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let notes = self.read(|| Ok(self.notes.all()?.range(prefix.to_vec()..)))?;
        notes
            .take_while(|(key, _)| key.starts_with(prefix))
            .for_each(|(key, note)| visit(key, note));
        Ok(())
    }

    fn shapes(&self) -> Result<Vec<Option<Vec<u8>>>> {
        self.read(|| Ok(self.shapes.all().to_vec()))
    }

    fn fold(&mut self) -> Result<bool> {
        if self.read(|| self.is_mostly_free())? {
            return self.compact().map(|_| true);
        }
        if self.tail.is_empty() {
            return self.read(|| Ok(false));
        }
        // There is time: what was kept for the next rows is given back.
        self.write(|store| {
            store.fold_tail(0)?;
            store.origin.find_file()
        })?;
        Ok(true)
    }

    fn compact(&mut self) -> Result<bool> {
        self.write(RedbStore::compact_file)
    }

    fn backup(&self, to: &str) -> Result<()> {
        let copied = self.read(|| match self.origin.file() {
            Some(file) => Ok(Some(create::copy(file, Path::new(to)))),
            None => Ok(None),
        })?;
        let why = match copied {
            Some(Ok(true)) => return Ok(()),
            Some(Ok(false)) => String::from("there is a file already; name another"),
            Some(Err(error)) => create::explain_copy(&error),
            None => String::from("it is no file"),
        };
        Err(Error::other(format!("cannot copy {} to {to}: {why}", self.name)))
    }

    fn bytes(&self) -> Option<u64> {
        self.origin.file()?.metadata().ok().map(|data| data.len())
    }

    fn path(&self) -> Option<String> {
        self.origin.path()?.to_str().map(String::from)
    }

    fn marker(&self) -> Vec<u8> {
        self.marker.read()
    }

    fn set_marker(&self, marker: &[u8]) {
        // A forked child would write over what the parent writes.
        if self.origin.is_own() {
            self.marker.write(marker);
        }
    }

    fn writers_marker(&self) -> Option<Vec<u8>> {
        let path = self.origin.path().filter(|_| self.is_read_only)?;
        Some(Marker::beside(path).read())
    }

    fn next_run(&self) -> RunKey {
        RunKey(self.next_run)
    }

    fn time(&self) -> u64 {
        self.time
    }

    fn last_commit(&self) -> u64 {
        self.tail.last_commit()
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        if !self.origin.is_own() {
            // To close it would write to it, and let go of the locks, which are the parent's too.
            self.db.forget();
            return;
        }
        // After a panic redb closes nothing either, and the next open checks every page.
        if self.db.is_open() && !std::thread::panicking() {
            // Nobody is left who could be told.
            let _ = self.seal();
            self.clear_marker();
        }
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore")
            .field("name", &self.name)
            .field("commits", &self.tail.last_commit())
            .finish_non_exhaustive()
    }
}
