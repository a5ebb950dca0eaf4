use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, StorageBackend};

use super::buffered::Buffered;
use super::error::{DiskError, Handle, guarded};
use super::intact::Intact;
use super::leaving::Leaving;
use super::marker::Marker;
use super::notes::Notes;
use super::origin::Origin;
use super::read_only::ReadOnly;
use super::reading::Reading;
use super::shapes::Shapes;
use super::tables::{self, JOURNAL};
use super::tail::Tail;
use super::{RedbStore, create};
use crate::format::Flaw;
use crate::format::header::Header;
use crate::{Error, Result, error::Kind};

/// How a [`RedbStore`] is opened.
///
/// ```
/// use dacapo_store::{Options, Store};
///
/// # let directory = std::env::temp_dir().join(format!("dacapo-options-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).unwrap();
/// let path = directory.join("runs.dacapo");
/// let store = Options::new().cache_bytes(8 << 20).fold_bytes(1 << 20).open(&path)?;
/// assert_eq!(store.time(), 0);
/// # drop(store);
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), dacapo_store::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    cache_bytes: usize,
    fold_bytes: usize,
    semantics_version: u32,
    checks_pages: bool,
    is_read_only: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            cache_bytes: 64 << 20,
            fold_bytes: 32 << 20,
            semantics_version: 1,
            checks_pages: false,
            is_read_only: false,
        }
    }
}

impl Options {
    /// What [`RedbStore::open`] uses.
    pub fn new() -> Options {
        Options::default()
    }

    /// The memory that redb may use for pages of the file: 64 MiB by default.
    pub fn cache_bytes(mut self, bytes: usize) -> Options {
        self.cache_bytes = bytes;
        self
    }

    /// How long the journal may become before the next commit folds it: 32 MiB by default. About
    /// twice as much memory is used for it. A larger one folds less often, and into fewer and
    /// larger chunks. A journal of an eighth of that is folded when the store is closed.
    pub fn fold_bytes(mut self, bytes: usize) -> Options {
        self.fold_bytes = bytes;
        self
    }

    /// The version of the rules by which the engine runs histories: 1 by default. It is written
    /// into a new file, where [`RedbStore::semantics_version`] finds it; a file that holds a
    /// larger one is refused.
    pub fn semantics_version(mut self, version: u32) -> Options {
        self.semantics_version = version;
        self
    }

    /// Reads the whole file when it is opened, and refuses it if a page of it is damaged.
    ///
    /// redb does that by itself after a crash. A file that was closed is trusted otherwise, and
    /// damage is told when it is met: then one run is stopped by it and the others go on, but redb
    /// may panic over it, and one damaged file in 3,000 was seen to end the process. The check took
    /// 1.5 s for a file of 1 GiB.
    pub fn check_all_pages(mut self) -> Options {
        self.checks_pages = true;
        self
    }

    /// Opens a store that is there to be looked at, also where nothing can be written: every commit is
    /// an error. Several may look at a file at once, and nobody has it open to write meanwhile.
    ///
    /// ```
    /// use dacapo_store::{Batch, Options, RunKey, Store};
    ///
    /// # let directory = std::env::temp_dir().join(format!("dacapo-looked-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).unwrap();
    /// let path = directory.join("runs.dacapo");
    /// drop(Options::new().open(&path)?);
    /// let mut store = Options::new().read_only().open(&path)?;
    /// let mut batch = Batch::new();
    /// batch.push(RunKey(0), 0, |bytes| bytes.push(7));
    /// assert!(store.commit(&batch).unwrap_err().is_refused());
    /// # drop(store);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), dacapo_store::Error>(())
    /// ```
    pub fn read_only(mut self) -> Options {
        self.is_read_only = true;
        self
    }

    /// Opens the store at `path`, or makes one if there is nothing, or an empty file.
    ///
    /// # Errors
    /// See [`RedbStore::open`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<RedbStore> {
        let path = path.as_ref();
        let name = path.display().to_string();
        if self.is_read_only {
            return self.look(path, &name).map_err(|error| error.about(&name));
        }
        self.prepare(path, &name)?;
        let mut store = guarded(|| {
            let file = File::options().read(true).write(true).open(path)?;
            let ours = file.try_clone()?;
            let (intact, known) = Intact::new(FileBackend::new(file)?)?;
            let origin = Origin::of(path, &ours, Some(known))?;
            let buffered = Buffered::new(intact);
            let db = self.builder().create_with_backend(buffered.clone())?;
            let mut store = self.load(db, buffered, &name)?;
            store.origin = origin;
            Ok(store)
        })
        .map_err(|error| error.about(&name))?;
        create::clear(path, self.semantics_version);
        store.marker = Marker::beside(path);
        Ok(store)
    }

    /// Opens what is there. Whatever redb writes to it stays in memory.
    fn look(&self, path: &Path, name: &str) -> Result<RedbStore, DiskError> {
        guarded(|| {
            let file = File::open(path)?;
            if file.metadata()?.len() == 0 {
                return Err(DiskError::NotAStore("it is empty, made and never written"));
            }
            let origin = Origin::of(path, &file, None)?;
            let buffered = Buffered::new(ReadOnly(FileBackend::new(file)?));
            let db = self.builder().create_with_backend(buffered.clone())?;
            let mut store = self.load(db, buffered, name)?;
            (store.origin, store.is_read_only) = (origin, true);
            store.marker = Marker::beside_read_only(path);
            Ok(store)
        })
    }

    /// Opens the store in a backend of your own, or makes one if it is empty. A crash while it is
    /// being made can leave a backend that is refused afterwards; a file is safe from that.
    ///
    /// # Errors
    /// As with [`open`](Options::open).
    pub fn open_backend(&self, backend: impl StorageBackend) -> Result<RedbStore> {
        let name = "the store's backend";
        guarded(|| {
            let buffered = Buffered::new(backend);
            let db = self.builder().create_with_backend(buffered.clone())?;
            if db.begin_read()?.list_tables()?.next().is_none() {
                tables::initialise(&db, self.semantics_version)?;
                buffered.flush()?;
            }
            self.load(db, buffered, name)
        })
        .map_err(|error| error.about(name))
    }

    /// Sees to it that there is a file, and says so if there cannot be one.
    fn prepare(&self, path: &Path, name: &str) -> Result<()> {
        let complain =
            |why: &str| Err(Error::new(Kind::Other, format!("cannot open {name}: {why}")));
        if name.is_empty() {
            return Err(Error::other("cannot open a store: its path is empty; name a file"));
        }
        let error = match fs::metadata(path) {
            Ok(data) if data.is_dir() => {
                return complain("it is a directory; name a file in it");
            }
            Ok(data) if !data.is_file() => {
                return Err(DiskError::NotAStore("it is not a regular file").about(name));
            }
            Ok(data) => {
                let filled = create::fill(path, &data, self.semantics_version);
                return filled.map_err(|error| error.about(name));
            }
            Err(error) => error,
        };
        if let Ok(target) = fs::read_link(path) {
            let target = target.display();
            return complain(&format!(
                "it is a link to {target}, which cannot be reached ({error}); fix the link or name the file itself"
            ));
        }
        if name.ends_with(std::path::is_separator) {
            return complain("its last character makes it a directory; name a file");
        }
        if error.kind() != io::ErrorKind::NotFound {
            return Err(explain(path, error, name));
        }
        match create::create(path, self.semantics_version) {
            Ok(()) => Ok(()),
            Err(DiskError::Redb(redb::Error::Io(error))) => Err(explain(path, error, name)),
            Err(error) => Err(error.about(name)),
        }
    }

    fn builder(&self) -> Builder {
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes);
        builder.set_check_integrity_on_open(self.checks_pages);
        builder
    }

    fn header(&self, db: &impl ReadableDatabase) -> Result<Header, DiskError> {
        match tables::read_header(db)? {
            None => Err(DiskError::NotAStore("it is another program's redb database")),
            Some(header) if header.semantics > self.semantics_version => {
                Err(DiskError::NewerSemantics(header.semantics))
            }
            Some(header) => Ok(header),
        }
    }

    /// Reads what stays in memory of the file: its header, its notes, and the journal that has not
    /// been folded yet, with the time and the next run as they are behind it.
    fn load(
        &self,
        db: Database,
        buffered: Buffered<impl StorageBackend>,
        name: &str,
    ) -> Result<RedbStore, DiskError> {
        let header = self.header(&db)?;
        tables::expect_all(&db)?;
        let txn = db.begin_read()?;
        let mut store = RedbStore {
            reading: Reading::default(),
            db: Handle::new(db),
            flush: Some(Box::new(move || buffered.flush())),
            tail: Tail::new(header.commit),
            name: String::from(name),
            fold_bytes: self.fold_bytes,
            header,
            leaving: Leaving::default(),
            notes: Notes::read(&txn, header.notes)?,
            shapes: Shapes::read(&txn, header.shapes)?,
            time: header.time,
            next_run: header.next_run,
            marker: Marker::default(),
            origin: Origin::nowhere(),
            is_read_only: false,
            refused: None,
        };
        for item in txn.open_table(JOURNAL)?.range::<u64>(..)? {
            let (number, bytes) = item?;
            store.load_commit(number.value(), bytes.value())?;
        }
        if store.tail.last_commit() < header.last_commit {
            return Err(flaw_of(store.tail.last_commit() + 1, "it is missing"));
        }
        for (key, note) in store.tail.index().notes() {
            store.notes.change(key, note.as_deref());
        }
        for (number, shape) in store.tail.index().shapes() {
            store.shapes.add(*number, shape)?;
        }
        Ok(store)
    }
}

impl RedbStore {
    fn load_commit(&mut self, number: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let expected = self.tail.last_commit() + 1;
        let loaded = match number == expected {
            true => self.tail.load(bytes),
            false => Err("it is missing"),
        };
        let (time, largest) = loaded.map_err(|flaw| flaw_of(expected, flaw))?;
        self.time = time;
        let next = largest.map_or(0, |largest| largest.0.saturating_add(1));
        self.next_run = self.next_run.max(next);
        Ok(())
    }
}

fn flaw_of(commit: u64, flaw: Flaw) -> DiskError {
    DiskError::Damaged(format!("commit {commit} in its journal: {flaw}"))
}

/// The error for a path that could not be looked at, or made: the path's fault, or the disk's.
fn explain(path: &Path, error: io::Error, name: &str) -> Error {
    let why = match error.kind() {
        io::ErrorKind::NotFound if !create::directory(path).exists() => {
            String::from("its directory does not exist; create that first")
        }
        io::ErrorKind::NotADirectory => {
            match path.ancestors().skip(1).find(|part| part.is_file()) {
                Some(file) => {
                    format!("{} is a file, not a directory; name another", file.display())
                }
                None => String::from("a part of it is not a directory; name another"),
            }
        }
        io::ErrorKind::InvalidFilename => {
            String::from("its name is too long or not allowed here; choose a shorter one")
        }
        io::ErrorKind::InvalidInput => format!("no file can have this path ({error})"),
        _ => return DiskError::from(error).about(name),
    };
    Error::new(Kind::Other, format!("cannot open {name}: {why}"))
}
