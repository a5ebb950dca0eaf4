use alloc::format;
use alloc::string::{String, ToString};
use core::ops::{Deref, DerefMut};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::Database;

use crate::Error;
use crate::error::Kind;

/// What can go wrong below, before it is known which file it is about.
#[derive(Debug)]
pub(super) enum DiskError {
    Redb(redb::Error),
    /// What is damaged, and how.
    Damaged(String),
    NewerFormat(u32),
    NewerSemantics(u32),
    NotAStore(&'static str),
    /// It was opened by the process with this number, which has forked this one.
    Forked(u32),
    /// What became of the file while it was open.
    Gone(&'static str),
    ReadOnly,
}

macro_rules! from_redb {
    ($($error:ident)*) => {$(
        impl From<redb::$error> for DiskError {
            fn from(error: redb::$error) -> DiskError {
                DiskError::Redb(error.into())
            }
        }
    )*};
}

from_redb!(CommitError CompactionError DatabaseError StorageError TableError TransactionError);

impl From<redb::Error> for DiskError {
    fn from(error: redb::Error) -> DiskError {
        DiskError::Redb(error)
    }
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> DiskError {
        DiskError::Redb(redb::Error::Io(error))
    }
}

impl DiskError {
    /// The error for the caller, about the file `name`.
    pub(super) fn about(self, name: &str) -> Error {
        let (kind, message) = match self {
            DiskError::Redb(error) => return of_redb(error, name),
            DiskError::Damaged(what) => return damaged(name, &what),
            DiskError::NotAStore(why) => (
                Kind::NotAStore,
                format!(
                    "{name} is not a dacapo store: {why}; it was left as it is, choose another path"
                ),
            ),
            DiskError::Forked(process) => (
                Kind::Refused,
                format!(
                    "{name} was opened by process {process}, which has forked this one: a child process must not write to it; have the parent write, or open the store after the fork"
                ),
            ),
            DiskError::Gone(how) => (
                Kind::Refused,
                format!(
                    "{name} was {how} while it was open: what is written now would be lost; put the file back, or restore it from a backup, and open the store again"
                ),
            ),
            DiskError::ReadOnly => (
                Kind::Refused,
                format!(
                    "{name} was opened to be looked at only: open it without Options::read_only to write"
                ),
            ),
            DiskError::NewerFormat(format) => (
                Kind::NewerFormat,
                format!(
                    "{name} has format {format}, written by a later version of dacapo: open it with that version"
                ),
            ),
            DiskError::NewerSemantics(semantics) => (
                Kind::NewerFormat,
                format!(
                    "{name} holds runs of semantics version {semantics}, started by a later version of dacapo: open it with that version"
                ),
            ),
        };
        Error::new(kind, message)
    }
}

fn damaged(name: &str, what: &str) -> Error {
    let advice = "keep a copy of the file and restore it from a backup";
    Error::new(Kind::Damaged, format!("{name} is damaged: {what}; {advice}"))
}

fn of_redb(error: redb::Error, name: &str) -> Error {
    let refused = |cause: &dyn ToString| {
        let cause = cause.to_string();
        Error::new(
            Kind::Refused,
            format!("I/O error on {name}: {cause}; resolve it and open the store again"),
        )
    };
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Error::new(
            Kind::InUse,
            format!("{name} is open already, here or in another process: close it there first"),
        ),
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            DiskError::NotAStore("it is not a redb database").about(name)
        }
        redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            damaged(name, "it ends too early")
        }
        redb::Error::UpgradeRequired(_) => {
            DiskError::NotAStore("it is a redb database of an old format").about(name)
        }
        redb::Error::Io(error) => refused(&error),
        redb::Error::Backend(error) => refused(&error),
        error @ (redb::Error::PreviousIo | redb::Error::ValueTooLarge(_)) => refused(&error),
        error => damaged(name, &error.to_string()),
    }
}

/// Does something with a file that may be damaged. redb trusts what it reads after a clean
/// shutdown: a bit flipped in the state of its allocator was seen to make it index out of bounds
/// while opening, committing and closing, where this makes an error of it.
pub(super) fn guarded<T>(f: impl FnOnce() -> Result<T, DiskError>) -> Result<T, DiskError> {
    // Whatever the panic left half done is not used again: the handle is dropped, or refuses.
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(DiskError::Damaged(format!("a page contradicts itself ({text})")))
    })
}

/// An open database, which is closed when it is dropped, and then does not panic either.
pub(super) struct Handle(Option<Database>);

impl Handle {
    pub(super) fn new(db: Database) -> Handle {
        Handle(Some(db))
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Leaves it open as long as the process lasts.
    pub(super) fn forget(&mut self) {
        core::mem::forget(self.0.take());
    }

    pub(super) fn close(&mut self) -> Result<(), DiskError> {
        self.0.take().map_or(Ok(()), |db| guarded(|| Ok(db.close()?)))
    }
}

impl Deref for Handle {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.0.as_ref().expect("only closing takes it away")
    }
}

impl DerefMut for Handle {
    fn deref_mut(&mut self) -> &mut Database {
        self.0.as_mut().expect("only closing takes it away")
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let db = self.0.take();
        // Nobody is left who could be told. What was committed is safe without this.
        let _ = guarded(|| {
            drop(db);
            Ok(())
        });
    }
}
