//! Runs that somebody outside has made others of: they were deleted, or taken up again after they had ended. What
//! was known of them says nothing any more.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use dacapo_store::{Batch, Filter, Hooks, Operation, Result, RunKey, Store};

use crate::record::Record;

/// The ids of such runs, found in what is committed.
#[derive(Clone, Default)]
pub(super) struct Changed(Rc<Inner>);

#[derive(Default)]
struct Inner {
    ids: RefCell<BTreeSet<String>>,
    /// What there was before a commit of which nobody knows beforehand what it writes.
    before: RefCell<Vec<Before>>,
}

/// A run, and how long its history was.
struct Before {
    run: RunKey,
    id: String,
    records: usize,
}

impl Changed {
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.ids.borrow().contains(id)
    }

    /// Whether the step with this idempotency key is one of such a run.
    pub(super) fn has_key(&self, key: &str) -> bool {
        self.0.ids.borrow().iter().any(|id| key.starts_with(&key_prefix(id)))
    }

    /// Looks what became of a commit, whether its process was told of it or not.
    pub(super) fn settle(&self, store: &dyn Store) -> Result<()> {
        for Before { run, id, records } in self.0.before.take() {
            let is_new = |history: &dacapo_store::History| {
                history.iter().skip(records).any(|entry| is_retried(entry.record))
            };
            if store.row(run)?.is_none() || is_new(&store.history(run)?) {
                self.0.ids.borrow_mut().insert(id);
            }
        }
        Ok(())
    }

    fn look_at(&self, store: &dyn Store, batch: &Batch) -> Result<()> {
        let retried = batch.entries(u64::MAX).filter(|(_, entry)| is_retried(entry.record));
        let runs: BTreeSet<_> =
            retried.map(|(run, _)| run).chain(batch.deleted().iter().copied()).collect();
        for run in runs {
            let stored = store.row(run)?;
            let id = batch.row(run).or(stored.as_ref()).map(|row| row.id.clone());
            self.0.ids.borrow_mut().extend(id);
        }
        Ok(())
    }
}

/// What the idempotency keys of a run begin with.
pub(super) fn key_prefix(id: &str) -> String {
    id.replace('%', "%25").replace('/', "%2F") + "/"
}

fn is_retried(record: &[u8]) -> bool {
    Record::read_retried(record).is_some()
}

impl Hooks<Box<dyn Store>> for Changed {
    fn before(&self, store: &Box<dyn Store>, operation: &Operation<'_>) -> Result<()> {
        match operation {
            Operation::Commit(batch) => self.look_at(&**store, batch),
            Operation::CommitWith => {
                for row in store.list(&Filter::new())? {
                    let records = store.history(row.key)?.len();
                    let before = Before { run: row.key, id: row.id, records };
                    self.0.before.borrow_mut().push(before);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn committed(&self, store: &Box<dyn Store>, _: u64) -> Result<()> {
        self.settle(&**store)
    }
}
