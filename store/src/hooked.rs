use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::{Batch, Counts, Filter, History, ReadTables, Result, RunKey, RunRow, Store, Work};

/// What is about to be done to a [`Hooked`] store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// [`Store::commit`].
    Commit(&'a Batch),
    /// [`Store::commit_with`]: what it writes is not known yet.
    CommitWith,
    /// [`Store::read_tables`].
    ReadTables,
    /// [`Store::find`].
    Find(&'a str),
    /// [`Store::row`].
    Row(RunKey),
    /// [`Store::scan`] or [`Store::list`].
    Scan(&'a Filter),
    /// [`Store::count`].
    Count,
    /// [`Store::history`].
    History(RunKey),
    /// [`Store::entries`].
    Entries(RunKey, Range<u64>),
    /// [`Store::last`].
    Last(RunKey),
    /// [`Store::note`].
    Note(&'a [u8]),
    /// [`Store::notes`].
    Notes(&'a [u8]),
    /// [`Store::shapes`].
    Shapes,
    /// [`Store::fold`].
    Fold,
    /// [`Store::compact`].
    Compact,
}

impl Operation<'_> {
    /// Whether it is a commit of either kind.
    pub fn is_commit(&self) -> bool {
        matches!(self, Operation::Commit(_) | Operation::CommitWith)
    }
}

/// What happens beside the operations of a [`Hooked`] store. A function from [`Operation`] to
/// [`Result`] is one that is called before each.
pub trait Hooks<S> {
    /// Called before each operation.
    ///
    /// # Errors
    /// Those it makes: the operation is refused with it, and not done.
    fn before(&self, _store: &S, _operation: &Operation<'_>) -> Result<()> {
        Ok(())
    }

    /// Called when a commit is there, with its number.
    ///
    /// # Errors
    /// Those it makes: the commit stays, and its caller is told this.
    fn committed(&self, _store: &S, _commit: u64) -> Result<()> {
        Ok(())
    }

    /// Called with a history that was read, or a part of one; gives what its reader gets.
    ///
    /// # Errors
    /// Those it makes: the read is refused with it.
    fn read(&self, _run: RunKey, history: History) -> Result<History> {
        Ok(history)
    }

    /// Called with the shapes that were read; their reader gets what it makes of them.
    ///
    /// # Errors
    /// Those it makes: the read is refused with it.
    fn read_shapes(&self, _shapes: &mut Vec<Option<Vec<u8>>>) -> Result<()> {
        Ok(())
    }
}

impl<S, F: Fn(&Operation<'_>) -> Result<()>> Hooks<S> for F {
    fn before(&self, _store: &S, operation: &Operation<'_>) -> Result<()> {
        self(operation)
    }
}

/// Hooks that are looked at from elsewhere.
impl<S, H: Hooks<S> + ?Sized> Hooks<S> for Rc<H> {
    fn before(&self, store: &S, operation: &Operation<'_>) -> Result<()> {
        (**self).before(store, operation)
    }

    fn committed(&self, store: &S, commit: u64) -> Result<()> {
        (**self).committed(store, commit)
    }

    fn read(&self, run: RunKey, history: History) -> Result<History> {
        (**self).read(run, history)
    }

    fn read_shapes(&self, shapes: &mut Vec<Option<Vec<u8>>>) -> Result<()> {
        (**self).read_shapes(shapes)
    }
}

/// A store with [hooks](Hooks), which see and may refuse what is done to it. It is made for tests,
/// of a disk that fails in the middle or a history that was tampered with.
///
/// ```
/// use dacapo_store::{Error, Hooked, MemoryStore, Operation, RunKey, Store};
///
/// let store = Hooked::new(MemoryStore::new(), |operation: &Operation<'_>| match operation {
///     Operation::History(RunKey(3)) => Err(Error::refused("the disk does not answer")),
///     _ => Ok(()),
/// });
/// assert!(store.history(RunKey(2))?.is_empty());
/// assert!(store.history(RunKey(3)).unwrap_err().is_refused());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct Hooked<S, H> {
    store: S,
    hooks: H,
}

impl<S: Store, H: Hooks<S>> Hooked<S, H> {
    /// The store with the hooks.
    pub fn new(store: S, hooks: H) -> Hooked<S, H> {
        Hooked { store, hooks }
    }

    /// The store without its hooks.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The hooks.
    pub fn hooks(&self) -> &H {
        &self.hooks
    }

    fn before(&self, operation: Operation<'_>) -> Result<&S> {
        self.hooks.before(&self.store, &operation)?;
        Ok(&self.store)
    }

    fn committed(&self, commit: u64) -> Result<u64> {
        self.hooks.committed(&self.store, commit)?;
        Ok(commit)
    }
}

impl<S: Store, H: Hooks<S>> Store for Hooked<S, H> {
    fn commit(&mut self, batch: &Batch) -> Result<u64> {
        self.before(Operation::Commit(batch))?;
        let commit = self.store.commit(batch)?;
        self.committed(commit)
    }

    fn commit_with(&mut self, batch: &mut Batch, work: &mut Work<'_>) -> Result<u64> {
        self.before(Operation::CommitWith)?;
        let commit = self.store.commit_with(batch, work)?;
        self.committed(commit)
    }

    fn read_tables(&self, read: &mut dyn FnMut(&dyn ReadTables) -> Result<()>) -> Result<()> {
        self.before(Operation::ReadTables)?.read_tables(read)
    }

    fn find(&self, id: &str) -> Result<Option<RunRow>> {
        self.before(Operation::Find(id))?.find(id)
    }

    fn row(&self, run: RunKey) -> Result<Option<RunRow>> {
        self.before(Operation::Row(run))?.row(run)
    }

    fn scan(&self, filter: &Filter, visit: &mut dyn FnMut(RunRow)) -> Result<()> {
        self.before(Operation::Scan(filter))?.scan(filter, visit)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<RunRow>> {
        self.before(Operation::Scan(filter))?.list(filter)
    }

    fn count(&self) -> Result<Counts> {
        self.before(Operation::Count)?.count()
    }

    fn history(&self, run: RunKey) -> Result<History> {
        let history = self.before(Operation::History(run))?.history(run)?;
        self.hooks.read(run, history)
    }

    fn entries(&self, run: RunKey, seqs: Range<u64>) -> Result<History> {
        let store = self.before(Operation::Entries(run, seqs.clone()))?;
        self.hooks.read(run, store.entries(run, seqs)?)
    }

    fn last(&self, run: RunKey) -> Result<History> {
        let history = self.before(Operation::Last(run))?.last(run)?;
        self.hooks.read(run, history)
    }

    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.before(Operation::Note(key))?.note(key)
    }

    fn notes(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        self.before(Operation::Notes(prefix))?.notes(prefix, visit)
    }

    fn shapes(&self) -> Result<Vec<Option<Vec<u8>>>> {
        let mut shapes = self.before(Operation::Shapes)?.shapes()?;
        self.hooks.read_shapes(&mut shapes)?;
        Ok(shapes)
    }

    fn fold(&mut self) -> Result<bool> {
        self.before(Operation::Fold)?;
        self.store.fold()
    }

    fn compact(&mut self) -> Result<bool> {
        self.before(Operation::Compact)?;
        self.store.compact()
    }

    fn next_run(&self) -> RunKey {
        self.store.next_run()
    }

    fn backup(&self, to: &str) -> Result<()> {
        self.store.backup(to)
    }

    fn path(&self) -> Option<String> {
        self.store.path()
    }

    fn bytes(&self) -> Option<u64> {
        self.store.bytes()
    }

    fn marker(&self) -> Vec<u8> {
        self.store.marker()
    }

    fn set_marker(&self, marker: &[u8]) {
        self.store.set_marker(marker);
    }

    fn writers_marker(&self) -> Option<Vec<u8>> {
        self.store.writers_marker()
    }

    fn time(&self) -> u64 {
        self.store.time()
    }

    fn last_commit(&self) -> u64 {
        self.store.last_commit()
    }
}
