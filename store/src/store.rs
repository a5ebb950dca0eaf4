use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::{Batch, Counts, Filter, History, ReadTables, Result, RunKey, RunRow, Tables};

/// What [`Store::commit_with`] does within a commit.
pub type Work<'a> = dyn FnMut(&mut dyn Tables, &mut Batch) -> Result<()> + 'a;

/// Where runs are remembered.
///
/// A store is written by one owner, through [`commit`](Store::commit), and everything that has been
/// committed can be read at once. It does not block for longer than its storage does and knows
/// nothing of futures: one that has to wait for a network is driven by a thread of its own. What
/// visits rows, notes or tables may read the store meanwhile.
///
/// ```
/// use dacapo_store::{Batch, Filter, MemoryStore, RunRow, Store};
///
/// fn start(store: &mut dyn Store, id: &str) -> dacapo_store::Result<u64> {
///     let key = store.next_run();
///     let mut batch = Batch::new();
///     batch.push(key, 0, |bytes| bytes.extend_from_slice(b"started"));
///     batch.put_row(RunRow::new(key, id, "order"));
///     store.commit(&batch)
/// }
///
/// let mut store = MemoryStore::new();
/// assert_eq!(start(&mut store, "order-7")?, 1, "it is the first commit");
/// let row = store.find("order-7")?.expect("it was committed");
/// assert_eq!(store.history(row.key)?.get(0).unwrap().record, b"started");
/// assert_eq!(store.list(&Filter::new().unfinished())?, [row]);
/// # Ok::<(), dacapo_store::Error>(())
/// ```
///
/// To hold a store and change some of what it does, see [`Hooked`](crate::Hooked); to be one that
/// passes everything on, [`forward_store!`](crate::forward_store).
pub trait Store {
    /// Writes a batch: all of it or nothing, and for good when this returns. Gives the number of
    /// the commit, which the entries of its records have; an empty batch writes nothing, and gives
    /// the number of the last commit.
    ///
    /// The store does not check that the seqs of each run follow one another or that an id is new
    /// (it may do so, and panic): the caller has asked [`find`](Store::find) before it puts a row
    /// under a new key.
    ///
    /// # Errors
    /// If the batch [deletes](Batch::delete) a run that may not be deleted, or is too large, with
    /// nothing changed. If the storage refuses: whether the batch is there is then not known, and
    /// every later call returns the same error until the store is opened again.
    fn commit(&mut self, batch: &Batch) -> Result<u64>;

    /// Writes a batch that `work` fills, and what it writes to [`Tables`]: all in one commit, or
    /// nothing if `work` fails or panics. It sees what it has written itself. The batch is emptied
    /// first, its time too; when it stays empty and no table was written, this is no commit.
    ///
    /// ```
    /// use dacapo_store::{Batch, MemoryStore, ReadTables, RunKey, Store};
    ///
    /// let (mut store, mut batch) = (MemoryStore::new(), Batch::new());
    /// store.commit_with(&mut batch, &mut |tables, batch| {
    ///     tables.put("stock", b"tea", b"41")?;
    ///     batch.push(RunKey(0), 0, |bytes| bytes.extend_from_slice(b"one tea sold"));
    ///     Ok(())
    /// })?;
    /// store.read_tables(&mut |tables| {
    ///     assert_eq!(tables.get("stock", b"tea")?, Some(b"41".to_vec()));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), dacapo_store::Error>(())
    /// ```
    ///
    /// # Errors
    /// That of `work`, with nothing changed; else as with [`commit`](Store::commit).
    fn commit_with(&mut self, batch: &mut Batch, work: &mut Work<'_>) -> Result<u64>;

    /// Reads [tables](Tables), all as they were after one commit.
    ///
    /// # Errors
    /// That of `read`, or if the storage refuses.
    fn read_tables(&self, read: &mut dyn FnMut(&dyn ReadTables) -> Result<()>) -> Result<()>;

    /// The row of the run with this id: the one that is not
    /// [continued](crate::RunState::Continued).
    ///
    /// # Errors
    /// If the storage refuses or the row is damaged.
    fn find(&self, id: &str) -> Result<Option<RunRow>>;

    /// The row of a run.
    ///
    /// # Errors
    /// If the storage refuses or the row is damaged.
    fn row(&self, run: RunKey) -> Result<Option<RunRow>>;

    /// Visits the rows that pass a filter, one after the other, in the order of their keys.
    ///
    /// A scan of the unfinished does not cost more for the runs that have ended.
    ///
    /// # Errors
    /// If the storage refuses, one of the rows is damaged, or some are missing: the last may be
    /// known only when the others have been visited.
    fn scan(&self, filter: &Filter, visit: &mut dyn FnMut(RunRow)) -> Result<()>;

    /// The rows that pass a filter, in the order of their keys.
    ///
    /// # Errors
    /// As with [`scan`](Store::scan).
    fn list(&self, filter: &Filter) -> Result<Vec<RunRow>> {
        let mut rows = Vec::new();
        self.scan(filter, &mut |row| rows.push(row))?;
        Ok(rows)
    }

    /// How many runs there are in each state, without reading them all.
    ///
    /// # Errors
    /// If the storage refuses or a row is damaged.
    fn count(&self) -> Result<Counts>;

    /// The history of a run, in order. It is empty for a run that has none.
    ///
    /// # Errors
    /// If the storage refuses, or an entry of this run is damaged or missing. Other runs are not
    /// affected by that.
    fn history(&self, run: RunKey) -> Result<History>;

    /// A part of a run's history: the entries with these seqs, as far as there are any. Little more
    /// is read than that.
    ///
    /// # Errors
    /// As with [`history`](Store::history), about the part that is read.
    fn entries(&self, run: RunKey, seqs: Range<u64>) -> Result<History>;

    /// The last entry of a run's history, without reading all of it: a history of one entry, or
    /// none.
    ///
    /// # Errors
    /// If the storage refuses or this entry is damaged.
    fn last(&self, run: RunKey) -> Result<History>;

    /// The [note](Batch::put_note) with this key.
    ///
    /// # Errors
    /// If the storage refuses or the notes are damaged.
    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Visits the notes whose keys begin with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// If the storage refuses or the notes are damaged.
    fn notes(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;

    /// All [shapes](Batch::put_shape), in the order of their numbers, which begin at 0 and leave no
    /// gap: `None` stands for one that is damaged or missing. The others are as good as ever, and no
    /// new one gets its number.
    ///
    /// # Errors
    /// If the storage refuses.
    fn shapes(&self) -> Result<Vec<Option<Vec<u8>>>>;

    /// Does now what a later commit would have to do, such as putting what was written lately
    /// where it stays, and says whether there was something to do. An engine calls it when it is
    /// idle.
    ///
    /// # Errors
    /// If the storage refuses, after which it is as with [`commit`](Store::commit).
    fn fold(&mut self) -> Result<bool>;

    /// Gives room that is free in it back to the system, and says whether there was any. It takes as long as to
    /// write what is there, and nothing else is done meanwhile. A store need not be able to.
    ///
    /// # Errors
    /// If the storage refuses, after which it is as with [`commit`](Store::commit).
    fn compact(&mut self) -> Result<bool> {
        Ok(false)
    }

    /// Makes a copy that holds what is committed: a file with the path `to`, where there must be none. A
    /// store need not be able to.
    ///
    /// # Errors
    /// If there is a file, if it cannot be written, or if this store is no file. The store goes on.
    fn backup(&self, to: &str) -> Result<()> {
        let _ = to;
        Err(crate::Error::other("this store is no file, and cannot be copied"))
    }

    /// How many bytes it takes on the disk, if it is a file.
    fn bytes(&self) -> Option<u64> {
        None
    }

    /// Where it lies, if it is a file whose path is UTF-8.
    fn path(&self) -> Option<String> {
        None
    }

    /// What the last [`set_marker`](Store::set_marker) left, of this process or the one before; empty if
    /// there is none. A store need not have one.
    fn marker(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Leaves a few bytes that are to be found after the end of the process, however it ends. They are in no
    /// commit, need not outlive the end of the machine, and a write that fails is as good as none: an
    /// engine leaves here what it is about to do and may not survive.
    fn set_marker(&self, marker: &[u8]) {
        let _ = marker;
    }

    /// Of a store that is only looked at: the marker of those who write to it, which its own does not touch.
    /// `None`: it is written to itself.
    fn writers_marker(&self) -> Option<Vec<u8>> {
        None
    }

    /// The key for the next run: larger than all that were ever used, deleted ones included.
    fn next_run(&self) -> RunKey;

    /// The time of the last commit, or 0 if there was none.
    fn time(&self) -> u64;

    /// The number of the last commit, or 0 if there was none.
    fn last_commit(&self) -> u64;
}

/// Writes the methods of [`Store`] so that all of them pass on to another store.
///
/// ```
/// use dacapo_store::{MemoryStore, Store, forward_store};
///
/// struct Named {
///     name: &'static str,
///     store: MemoryStore,
/// }
///
/// impl Store for Named {
///     forward_store!(|this| this.store);
/// }
///
/// let named = Named { name: "orders", store: MemoryStore::new() };
/// assert_eq!((named.name, named.last_commit()), ("orders", 0));
/// ```
#[macro_export]
macro_rules! forward_store {
    (|$this:ident| $store:expr) => {
        $crate::forward_store! { @mut |$this| $store;
            commit(batch: &$crate::Batch) -> u64;
            commit_with(batch: &mut $crate::Batch, work: &mut $crate::Work<'_>) -> u64;
            fold() -> bool;
            compact() -> bool;
        }
        $crate::forward_store! { @ref |$this| $store;
            read_tables(
                read: &mut dyn FnMut(&dyn $crate::ReadTables) -> $crate::Result<()>
            ) -> $crate::Result<()>;
            find(id: &str) -> $crate::Result<Option<$crate::RunRow>>;
            row(run: $crate::RunKey) -> $crate::Result<Option<$crate::RunRow>>;
            scan(
                filter: &$crate::Filter, visit: &mut dyn FnMut($crate::RunRow)
            ) -> $crate::Result<()>;
            list(filter: &$crate::Filter) -> $crate::Result<$crate::macros::Vec<$crate::RunRow>>;
            count() -> $crate::Result<$crate::Counts>;
            history(run: $crate::RunKey) -> $crate::Result<$crate::History>;
            entries(
                run: $crate::RunKey, seqs: core::ops::Range<u64>
            ) -> $crate::Result<$crate::History>;
            last(run: $crate::RunKey) -> $crate::Result<$crate::History>;
            note(key: &[u8]) -> $crate::Result<Option<$crate::macros::Vec<u8>>>;
            notes(prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> $crate::Result<()>;
            shapes() -> $crate::Result<$crate::macros::Vec<Option<$crate::macros::Vec<u8>>>>;
            backup(to: &str) -> $crate::Result<()>;
            bytes() -> Option<u64>;
            path() -> Option<$crate::macros::String>;
            marker() -> $crate::macros::Vec<u8>;
            set_marker(marker: &[u8]) -> ();
            writers_marker() -> Option<$crate::macros::Vec<u8>>;
            next_run() -> $crate::RunKey;
            time() -> u64;
            last_commit() -> u64;
        }
    };
    (@mut |$this:ident| $store:expr;
        $($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*
    ) => {$(
        fn $name(&mut self, $($arg: $type),*) -> $crate::Result<$result> {
            let $this = self;
            $crate::Store::$name(&mut $store, $($arg),*)
        }
    )*};
    (@ref |$this:ident| $store:expr;
        $($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*
    ) => {$(
        fn $name(&self, $($arg: $type),*) -> $result {
            let $this = self;
            $crate::Store::$name(&$store, $($arg),*)
        }
    )*};
}

impl<S: Store + ?Sized> Store for Box<S> {
    forward_store!(|this| **this);
}

impl<S: Store + ?Sized> Store for &mut S {
    forward_store!(|this| **this);
}
