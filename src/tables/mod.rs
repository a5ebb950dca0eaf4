//! Tables of users beside the runs: what a transaction reads and writes.

mod changes;
mod key;
mod range;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::ops::{Bound, ControlFlow, Deref, RangeBounds};

use dacapo_store::ReadTables;

use changes::Before;
pub(crate) use changes::Changes;
use key::to_bytes;
pub use key::{AsKey, Key};
pub use range::Range;

use crate::bytes::Bytes;
use crate::clock::{Now, Timestamp};
use crate::error::{BoxError, Error, Failure, Kind};
use crate::name::Table;
use crate::values::{Value, Values};

/// Tables beside the runs, to be read: all as they are after one commit, and after what a transaction wrote
/// since.
///
/// It is given by [`Executor::read`](crate::Executor::read), and a [`Tx`] is one, too: a function that takes
/// `&Tables` serves both.
///
/// What cannot be read reads as nothing, and the transaction or the call fails with why: so no code of yours
/// has to look at that.
///
/// ```
/// use dacapo::{Executor, Table, Tables};
///
/// const STOCK: Table<String, u64> = Table::new("stock");
///
/// fn total(tables: &Tables) -> u64 {
///     tables.range(STOCK, ..).map(|(_, left)| left).sum()
/// }
///
/// let executor = Executor::builder().in_memory();
/// let stocked = executor.write(|tx| {
///     tx.put(STOCK, "tea", &7);
///     tx.put(STOCK, "cup", &3);
///     Ok::<_, dacapo::Error>(total(tx))
/// });
/// assert_eq!(executor.block_on(stocked)?, 10);
/// assert_eq!(executor.read(|tables| tables.get(STOCK, "cup"))?, Some(3));
/// assert_eq!(executor.read(total)?, 10);
/// # Ok::<(), dacapo::Error>(())
/// ```
pub struct Tables<'a> {
    stored: &'a dyn ReadTables,
    values: &'a Values,
    /// What is not in the store yet.
    changes: Changes,
    /// The first thing that went wrong: nothing is read or written after it.
    trouble: RefCell<Option<Trouble>>,
}

/// Why nothing can come of what tables were read or written for.
pub(crate) enum Trouble {
    /// The storage does not answer.
    Refused(dacapo_store::Error),
    Failed(Error),
}

/// A transaction: tables to be read and written, in one commit with what came of it.
///
/// It sees what it has written itself. When it fails nothing of that is left.
///
/// ```
/// use dacapo::{Ctx, Error, Executor, Result, Table, Workflow};
///
/// const PAY: Workflow<(String, u64), u64> = Workflow::new("pay");
/// const BALANCE: Table<String, u64> = Table::new("balance");
///
/// async fn pay(ctx: &Ctx, (name, cents): (String, u64)) -> Result<u64> {
///     let paid = ctx.transaction("pay", move |tx| {
///         let balance = tx.get(BALANCE, &name).unwrap_or(0);
///         let left = balance.checked_sub(cents).ok_or(Error::new("too little").permanent())?;
///         tx.put(BALANCE, &name, &left);
///         Ok::<_, Error>(left)
///     });
///     paid.await
/// }
///
/// let executor = Executor::builder().workflow(PAY, pay).in_memory();
/// executor.block_on(executor.write(|tx| {
///     tx.put(BALANCE, "ada", &300);
///     Ok::<_, Error>(())
/// }))?;
/// let left = executor.block_on(executor.start(PAY, "pay-1", ("ada".into(), 250))?)?;
/// assert_eq!(left, 50);
/// let error = executor.block_on(executor.start(PAY, "pay-2", ("ada".into(), 250))?).unwrap_err();
/// assert_eq!(error.to_string(), r#"step 1 "pay" failed: too little"#);
/// assert_eq!(executor.read(|tables| tables.get(BALANCE, "ada"))?, Some(50));
/// # Ok::<(), Error>(())
/// ```
pub struct Tx<'a> {
    tables: Tables<'a>,
    now: Timestamp,
    /// What undoes what it has changed.
    undo: Vec<Before>,
    /// How many bytes had been written before it.
    bytes_before: usize,
}

/// What is done within a transaction, without its types: its outcome in bytes.
pub(crate) type TxBody = dyn Fn(&mut Tx<'_>) -> Result<Bytes<'static>, Failure>;

/// What somebody outside of the runs does.
pub(crate) type TxOnce = dyn FnOnce(&mut Tx<'_>) -> Result<(), Failure>;

impl<'a> Tables<'a> {
    pub(crate) fn new(stored: &'a dyn ReadTables, values: &'a Values, changes: Changes) -> Self {
        Self { stored, values, changes, trouble: RefCell::default() }
    }

    /// What went wrong, if something did.
    pub(crate) fn into_trouble(self) -> Option<Trouble> {
        self.trouble.into_inner()
    }

    /// The value under a key.
    ///
    /// ```
    /// # use dacapo::{Executor, Table};
    /// # const STOCK: Table<String, u64> = Table::new("stock");
    /// let executor = Executor::builder().in_memory();
    /// assert_eq!(executor.read(|tables| tables.get(STOCK, "tea"))?, None);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn get<K: Key, V: Value>(
        &self,
        table: Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Option<V> {
        let bytes = self.read(table.name(), &to_bytes(key))?;
        self.decode(table.name(), key, &bytes)
    }

    /// The rows with keys in a range, in the order of the keys: `..` for all.
    ///
    /// They are read as they are asked for, so a large table takes no more memory than a small one.
    ///
    /// ```
    /// # use dacapo::{Executor, Table};
    /// const LOG: Table<u64, String> = Table::new("log");
    ///
    /// let executor = Executor::builder().in_memory();
    /// executor.block_on(executor.write(|tx| {
    ///     (0..1_000).for_each(|n| tx.put(LOG, &n, &format!("line {n}")));
    ///     Ok::<_, dacapo::Error>(())
    /// }))?;
    /// let lines = executor.read(|tables| tables.range(LOG, 998..).collect::<Vec<_>>())?;
    /// assert_eq!(lines, [(998, "line 998".to_owned()), (999, "line 999".to_owned())]);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn range<K: Key, V: Value>(
        &self,
        table: Table<K, V>,
        keys: impl RangeBounds<K>,
    ) -> Range<'_, K, V> {
        let from = keys.start_bound().map(to_bytes::<K>);
        let to = keys.end_bound().map(to_bytes::<K>);
        Range::new(self, table.name(), (from, to))
    }

    fn read(&self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        if self.trouble.borrow().is_some() {
            return None;
        }
        if let Some(changed) = self.changes.get(table, key) {
            return changed.clone();
        }
        self.answered(self.stored.get(table, key))?
    }

    /// What the store answers, or `None` if it is an error.
    fn answered<T>(&self, answer: dacapo_store::Result<T>) -> Option<T> {
        answer.map_err(|error| self.note(Trouble::of(error))).ok()
    }

    fn note(&self, trouble: Trouble) {
        self.trouble.borrow_mut().get_or_insert(trouble);
    }

    fn decode<V: Value>(
        &self,
        table: &str,
        key: &(impl fmt::Debug + ?Sized),
        bytes: &[u8],
    ) -> Option<V> {
        let read = self.values.decode(bytes);
        let failed = |why: dacapo_values::Error| {
            let kind = core::any::type_name::<V>();
            let (sort, advice) = match why.is_damaged() {
                true => (Kind::Store, "restore the file from a backup, then open it again"),
                false => (
                    Kind::Usage,
                    "read it as the type that it was, or one that this may have become",
                ),
            };
            let what = format_args!(
                "the value of {key:?} in the table {table:?} does not decode as {kind}: {why}; {advice}"
            );
            self.note(Trouble::Failed(Error::of(sort, what).permanent()));
        };
        read.map_err(failed).ok()
    }

    /// A key of the table is none of this type.
    fn note_other_key<K>(&self, table: &str, key: &[u8]) {
        let kind = core::any::type_name::<K>();
        let what = format_args!(
            "the table {table:?} has the key {key:02x?}, which is no {kind}: one table has keys of one type"
        );
        self.note(Trouble::Failed(Error::of(Kind::Usage, what).permanent()));
    }

    /// The next rows of a range, and what is behind them if there may be more.
    fn page(&self, table: &str, from: &Bound<Vec<u8>>, to: &Bound<Vec<u8>>) -> Option<Page> {
        let (from, to) = (as_slice(from), as_slice(to));
        if self.trouble.borrow().is_some() || !holds_something(from, to) {
            return None;
        }
        let mut rows = BTreeMap::new();
        self.answered(self.stored.range(table, (from, to), &mut |key, value| {
            rows.insert(key.to_vec(), value.to_vec());
            match rows.len() < ROWS_PER_PAGE {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        }))?;
        let last = rows.last_key_value().filter(|_| rows.len() == ROWS_PER_PAGE);
        let last = last.map(|(key, _)| key.clone());
        let end = last.as_deref().map_or(to, Bound::Included);
        for (key, change) in self.changes.range(table, (from, end)) {
            match change {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Some((rows.into_iter().collect(), last.map(Bound::Excluded)))
    }
}

impl fmt::Debug for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").finish_non_exhaustive()
    }
}

/// Rows, and where those behind them begin, if there may be more.
type Page = (VecDeque<(Vec<u8>, Vec<u8>)>, Option<Bound<Vec<u8>>>);

/// So many rows of the store are in memory at once.
const ROWS_PER_PAGE: usize = 64;

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// Whether any key can be in a range; others are refused by maps.
fn holds_something(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Included(from), Bound::Included(to)) => from <= to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from < to,
    }
}

impl Trouble {
    fn of(error: dacapo_store::Error) -> Self {
        match error.is_refused() {
            true => Self::Refused(error),
            // What is damaged is so in the next attempt, too.
            false => Self::Failed(Error::store(&error).permanent()),
        }
    }

    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) => Error::store(&error),
            Self::Failed(error) => error,
        }
    }

    fn failed(message: fmt::Arguments<'_>) -> Self {
        Self::Failed(Error::of(Kind::Usage, message).permanent())
    }
}

impl<'a> Tx<'a> {
    /// So many bytes one transaction may write, keys included: they are in memory until the commit.
    const BYTES_MAX: usize = 64 << 20;

    /// A transaction of a commit at `now`, behind those that `changes` are of.
    pub(crate) fn new(
        stored: &'a dyn ReadTables,
        values: &'a Values,
        changes: Changes,
        now: Timestamp,
    ) -> Self {
        let bytes_before = changes.bytes();
        Self { tables: Tables::new(stored, values, changes), now, undo: Vec::new(), bytes_before }
    }

    /// What came of it, and all changes by now: its own are among them if it did not fail.
    pub(crate) fn end<T>(self, result: Result<T, Failure>) -> (Result<T, Trouble>, Changes) {
        let Self { tables, undo, bytes_before, .. } = self;
        let Tables { mut changes, trouble, .. } = tables;
        let result = match trouble.into_inner() {
            None => result.map_err(|failure| Trouble::Failed(failure.into())),
            Some(trouble) => Err(trouble),
        };
        if result.is_err() {
            changes.undo(undo, bytes_before);
        }
        (result, changes)
    }

    /// Encodes the outcome of a body.
    pub(crate) fn encode<T: Value, E: Into<BoxError>>(
        &self,
        outcome: Result<T, E>,
    ) -> Result<Bytes<'static>, Failure> {
        let value = outcome.map_err(|error| Failure::from_error(&*error.into()))?;
        self.tables.values.encode(&value).map_err(|why| {
            let kind = core::any::type_name::<T>();
            let message = format_args!("the outcome, a {kind}, cannot be recorded: {why}");
            Error::new(message).permanent().into_failure()
        })
    }

    /// The time of the commit. Without `std` it is a [`Timestamp`].
    ///
    /// ```
    /// # use dacapo::{Executor, Table};
    /// # use std::time::SystemTime;
    /// let executor = Executor::builder().in_memory();
    /// let now = executor.block_on(executor.write(|tx| Ok::<_, dacapo::Error>(tx.now())))?;
    /// assert!(now.elapsed().expect("it was before").as_secs() < 60);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[must_use]
    pub fn now(&self) -> Now {
        self.now.to_now()
    }

    /// Puts a value under a key, in the place of the one that is there.
    ///
    /// ```
    /// # use dacapo::{Executor, Table};
    /// # const STOCK: Table<String, u64> = Table::new("stock");
    /// let executor = Executor::builder().in_memory();
    /// executor.block_on(executor.write(|tx| {
    ///     tx.put(STOCK, "tea", &7);
    ///     tx.put(STOCK, "tea", &8);
    ///     assert_eq!(tx.get(STOCK, "tea"), Some(8));
    ///     Ok::<_, dacapo::Error>(())
    /// }))?;
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn put<K: Key, V: Value>(
        &mut self,
        table: Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
        value: &V,
    ) {
        match self.tables.values.encode(value) {
            Ok(value) => self.set(table.name(), to_bytes(key), Some(value.as_slice().to_vec())),
            Err(why) => {
                let (table, kind) = (table.name(), core::any::type_name::<V>());
                self.tables.note(Trouble::failed(format_args!(
                    "the value for {key:?} in the table {table:?}, a {kind}, cannot be recorded: {why}"
                )));
            }
        }
    }

    /// Removes a key, and gives the value that was there.
    ///
    /// ```
    /// # use dacapo::{Executor, Table};
    /// # const STOCK: Table<String, u64> = Table::new("stock");
    /// let executor = Executor::builder().in_memory();
    /// executor.block_on(executor.write(|tx| {
    ///     tx.put(STOCK, "tea", &7);
    ///     assert_eq!(tx.remove(STOCK, "tea"), Some(7));
    ///     assert_eq!(tx.remove(STOCK, "tea"), None);
    ///     Ok::<_, dacapo::Error>(())
    /// }))?;
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn remove<K: Key, V: Value>(
        &mut self,
        table: Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Option<V> {
        let bytes = to_bytes(key);
        let value = self.tables.read(table.name(), &bytes)?;
        self.set(table.name(), bytes, None);
        self.tables.decode(table.name(), key, &value)
    }

    fn set(&mut self, table: &'static str, key: Vec<u8>, value: Option<Vec<u8>>) {
        if self.tables.trouble.borrow().is_some() {
            return;
        }
        self.undo.push(self.tables.changes.set(table, key, value));
        if self.tables.changes.bytes() - self.bytes_before > Self::BYTES_MAX {
            let mib = Self::BYTES_MAX >> 20;
            self.tables.note(Trouble::failed(format_args!(
                "it writes more than the {mib} MiB that one transaction may: make several of it"
            )));
        }
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = Tables<'a>;

    fn deref(&self) -> &Tables<'a> {
        &self.tables
    }
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("now", &self.now).finish_non_exhaustive()
    }
}
