use alloc::vec::Vec;
use core::ops::{Bound, ControlFlow};

use crate::Result;

/// A range of the keys of a table.
pub type KeyRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Gets keys and values, and says when it has seen enough.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Named tables of bytes beside the runs, to be read.
///
/// A table is there when something is in it. No name meets the store's own tables.
///
/// ```
/// use core::ops::{Bound::Unbounded, ControlFlow};
///
/// use dacapo_store::{Batch, MemoryStore, ReadTables, Store};
///
/// let mut store = MemoryStore::new();
/// store.commit_with(&mut Batch::new(), &mut |tables, _| {
///     tables.put("stock", b"tea", b"41")?;
///     tables.put("stock", b"cup", b"7")?;
///     tables.put("prices", b"cup", b"900")
/// })?;
/// let mut keys = Vec::new();
/// store.read_tables(&mut |tables| {
///     tables.range("stock", (Unbounded, Unbounded), &mut |key, _| {
///         keys.push(key.to_vec());
///         ControlFlow::Continue(())
///     })
/// })?;
/// assert_eq!(keys, [&b"cup"[..], b"tea"]);
/// # Ok::<(), dacapo_store::Error>(())
/// ```
pub trait ReadTables {
    /// The value under a key of a table.
    ///
    /// # Errors
    /// If the storage refuses or the value is damaged.
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Visits a range of a table in the order of the keys, until `visit` breaks.
    ///
    /// # Errors
    /// If the storage refuses or a value is damaged.
    fn range(&self, table: &str, keys: KeyRange<'_>, visit: &mut Visit<'_>) -> Result<()>;
}

/// Named tables of bytes, to be read and written within a commit: see
/// [`Store::commit_with`](crate::Store::commit_with).
pub trait Tables: ReadTables {
    /// Puts a value, in the place of the one under the same key if there is one.
    ///
    /// # Errors
    /// If the storage refuses.
    fn put(&mut self, table: &str, key: &[u8], value: &[u8]) -> Result<()>;

    /// Removes a key, if it is there.
    ///
    /// # Errors
    /// If the storage refuses.
    fn remove(&mut self, table: &str, key: &[u8]) -> Result<()>;
}

/// A key among those of all tables: they lie one behind the other, each with its keys in order.
///
/// # Panics
/// If the name has more than 255 bytes.
pub(crate) fn full_key(table: &str, key: &[u8]) -> Vec<u8> {
    let length = u8::try_from(table.len()).expect("the name of a table has at most 255 bytes");
    let mut full = Vec::with_capacity(1 + table.len() + key.len());
    full.push(length);
    full.extend_from_slice(table.as_bytes());
    full.extend_from_slice(key);
    full
}

/// The key that a key among those of all tables has in its own.
pub(crate) fn own_key<'a>(table: &str, full: &'a [u8]) -> &'a [u8] {
    &full[1 + table.len()..]
}

type FullKey = Bound<Vec<u8>>;

/// A range of a table's keys among those of all tables, or `None` if it holds nothing.
pub(crate) fn full_range(table: &str, (from, to): KeyRange<'_>) -> Option<(FullKey, FullKey)> {
    let from = match from {
        Bound::Unbounded => Bound::Included(full_key(table, &[])),
        bound => bound.map(|key| full_key(table, key)),
    };
    let to = match to {
        Bound::Unbounded => {
            // The first key behind this table: no name ends in the largest byte, and no length
            // without a name is the largest.
            let mut end = full_key(table, &[]);
            *end.last_mut().expect("a length at least") += 1;
            Bound::Excluded(end)
        }
        bound => bound.map(|key| full_key(table, key)),
    };
    let holds_something = match (&from, &to) {
        (Bound::Included(from), Bound::Included(to)) => from <= to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Excluded(to) | Bound::Included(to),
        ) => from < to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
    };
    holds_something.then_some((from, to))
}
