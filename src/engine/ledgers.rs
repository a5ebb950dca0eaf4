//! The ledgers of all runs that have not ended, and the runs that are in memory.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use dacapo_store::RunKey;
use slab::Slab;

use super::named::Named;
use crate::clock::Timestamp;
use crate::instance::Instance;
use crate::ledger::Ledger;

/// Parked and ended runs are here until that is committed.
#[derive(Default)]
pub(crate) struct Ledgers {
    by_key: RefCell<BTreeMap<RunKey, Rc<Ledger>>>,
    /// The runs in memory; their ledgers say where.
    residents: RefCell<Slab<Rc<Instance>>>,
    /// Of the runs in memory. Another is found by its row.
    by_id: RefCell<Named>,
    /// When there are so many ledgers, it is looked which may be forgotten.
    sweep_at: Cell<usize>,
    /// The runs in memory that may leave it, by when they go on by themselves.
    pub(super) idle: RefCell<BTreeSet<(Timestamp, RunKey)>>,
}

/// See [`Ledgers::sweep`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweep {
    IfMany,
    All,
}

impl Ledgers {
    /// A run is in memory from now on.
    pub(super) fn enter(&self, run: &Rc<Instance>) {
        let slot = self.residents.borrow_mut().insert(run.clone());
        let slot = u32::try_from(slot).ok().filter(|slot| *slot != Ledger::AWAY);
        run.ledger.slot.set(slot.expect("fewer than 2^32 runs fit into memory"));
        // Of two passes the later one has the id.
        self.by_id.borrow_mut().insert(run.clone());
        self.add(&run.ledger);
    }

    /// A run is known from now on, in memory or not.
    pub(super) fn add(&self, ledger: &Rc<Ledger>) {
        self.by_key.borrow_mut().insert(ledger.key, ledger.clone());
    }

    /// A run is no longer in memory.
    pub(super) fn leave(&self, run: &Instance) {
        let slot = run.ledger.slot.replace(Ledger::AWAY);
        if self.with_id(&run.id).is_some_and(|with_id| with_id.key() == run.key()) {
            self.by_id.borrow_mut().remove(&run.id);
        }
        let _run = self.residents.borrow_mut().try_remove(slot as usize);
    }

    /// A run has ended, or is parked: nothing is kept of it.
    pub(super) fn remove(&self, run: &Instance) {
        self.leave(run);
        self.by_key.borrow_mut().remove(&run.key());
    }

    /// Forgets the ledgers that say no more than the rows of their runs: all of them, or when there
    /// are twice as many as the last time left.
    #[inline]
    pub(super) fn sweep(&self, how: Sweep) {
        if how == Sweep::All || self.by_key.borrow().len() > self.sweep_at.get() {
            self.sweep_all();
        }
    }

    fn sweep_all(&self) {
        let mut by_key = self.by_key.borrow_mut();
        by_key.retain(|_, ledger| !ledger.may_be_forgotten());
        self.sweep_at.set(2 * by_key.len() + 1_000);
    }

    pub(crate) fn get(&self, run: RunKey) -> Option<Rc<Ledger>> {
        self.by_key.borrow().get(&run).cloned()
    }

    /// The run of a ledger, if it is in memory.
    pub(crate) fn instance(&self, ledger: &Ledger) -> Option<Rc<Instance>> {
        self.residents.borrow().get(ledger.slot.get() as usize).cloned()
    }

    /// The run with this key, if it is in memory.
    pub(crate) fn resident(&self, run: RunKey) -> Option<Rc<Instance>> {
        self.instance(&*self.get(run)?)
    }

    /// The run with this id, if it is in memory.
    pub(crate) fn with_id(&self, id: &str) -> Option<Rc<Instance>> {
        self.by_id.borrow().get(id).cloned()
    }

    /// The runs in memory, in the order of their ids.
    pub(crate) fn all_residents(&self) -> Vec<Rc<Instance>> {
        let residents = self.residents.borrow();
        let mut runs: Vec<_> = residents.iter().map(|(_, run)| run.clone()).collect();
        runs.sort_by(|one, other| one.id.cmp(&other.id));
        runs
    }

    /// Whether the run with this id is in memory.
    pub(super) fn has_id(&self, id: &str) -> bool {
        self.by_id.borrow().get(id).is_some()
    }

    /// How many runs are in memory.
    pub(crate) fn residents(&self) -> usize {
        self.residents.borrow().len()
    }

    /// Takes all, in the order of their keys.
    pub(super) fn take(&self) -> impl Iterator<Item = (Rc<Ledger>, Option<Rc<Instance>>)> + use<> {
        let mut residents = self.residents.take();
        self.by_id.take();
        self.idle.take();
        self.by_key.take().into_values().map(move |ledger| {
            let slot = ledger.slot.replace(Ledger::AWAY);
            (ledger, residents.try_remove(slot as usize))
        })
    }
}
