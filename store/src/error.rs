use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::RunKey;

/// What a store returns when it can: see [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a store refused.
///
/// The message names the file or the run and says what to do next; the predicates are for code
/// that has to decide. It can be cloned, because a store repeats the error of a failed commit
/// until it is opened again.
///
/// ```
/// use dacapo_store::{Batch, MemoryStore, RunKey, Store};
///
/// let mut store = MemoryStore::new();
/// store.fail_after(0);
/// let mut batch = Batch::new();
/// batch.push(RunKey(1), 0, |bytes| bytes.push(7));
///
/// let error = store.commit(&batch).unwrap_err();
/// assert!(error.is_refused());
/// assert_eq!(store.commit(&batch).unwrap_err().to_string(), error.to_string());
/// ```
#[derive(Clone, Debug)]
pub struct Error(Box<Parts>);

// Hardly any call ends with one, so a result is to be one word more than its value.
#[derive(Clone, Debug)]
struct Parts {
    kind: Kind,
    message: String,
}

/// The cases that the predicates of [`Error`] tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    #[cfg_attr(not(feature = "redb"), allow(dead_code))]
    InUse,
    #[cfg_attr(not(feature = "redb"), allow(dead_code))]
    Damaged,
    #[cfg_attr(not(feature = "redb"), allow(dead_code))]
    NewerFormat,
    #[cfg_attr(not(feature = "redb"), allow(dead_code))]
    NotAStore,
    Refused,
    Unfinished,
    Other,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: String) -> Error {
        Error(Box::new(Parts { kind, message }))
    }

    /// Makes an error for a store of your own: none of the predicates holds for it.
    ///
    /// ```
    /// let error = dacapo_store::Error::other("the server hung up: connect again");
    /// assert!(!error.is_refused());
    /// ```
    pub fn other(message: impl Into<String>) -> Error {
        Error::new(Kind::Other, message.into())
    }

    /// Makes the error of a commit that the storage below a store of your own refused.
    ///
    /// ```
    /// assert!(dacapo_store::Error::refused("the disk is full: make room").is_refused());
    /// ```
    pub fn refused(message: impl Into<String>) -> Error {
        Error::new(Kind::Refused, message.into())
    }

    /// Makes the error of a [deletion](crate::Batch::delete) of a run that has not ended and is
    /// not parked.
    ///
    /// ```
    /// use dacapo_store::{Error, RunKey};
    ///
    /// assert!(Error::unfinished(RunKey(3), "order-7").is_unfinished());
    /// ```
    pub fn unfinished(run: RunKey, id: &str) -> Error {
        let message =
            alloc::format!("run {} ({id:?}) has not ended: cancel it before deleting it", run.0);
        Error::new(Kind::Unfinished, message)
    }

    /// The file is open already, in this process or in another one.
    pub fn is_in_use(&self) -> bool {
        self.0.kind == Kind::InUse
    }

    /// What was read is not what was written. If it came from a read of one run, that run alone is
    /// affected; if it came from opening, the file is.
    pub fn is_damaged(&self) -> bool {
        self.0.kind == Kind::Damaged
    }

    /// The file was written by a later version of this crate, which this one cannot read.
    pub fn is_newer_format(&self) -> bool {
        self.0.kind == Kind::NewerFormat
    }

    /// The file is none of ours: another program's, or no database at all.
    pub fn is_not_a_store(&self) -> bool {
        self.0.kind == Kind::NotAStore
    }

    /// The storage refused to read or write. After a refused commit the store repeats this error
    /// until it is opened again, since what is on the disk is not known before.
    pub fn is_refused(&self) -> bool {
        self.0.kind == Kind::Refused
    }

    /// A run was to be deleted that has not ended and is not parked.
    pub fn is_unfinished(&self) -> bool {
        self.0.kind == Kind::Unfinished
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl core::error::Error for Error {}
