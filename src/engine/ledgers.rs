//! The ledgers of all runs that have not ended, and the runs that are in memory.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use dacapo_store::RunKey;
use slab::Slab;

use super::by_id::ById;
use crate::clock::Timestamp;
use crate::instance::Instance;
use crate::ledger::Ledger;
use crate::message::Spot;
use crate::random;

/// Parked and ended runs are here until that is committed.
#[derive(Default)]
pub(crate) struct Ledgers {
    by_key: RefCell<BTreeMap<RunKey, Rc<Ledger>>>,
    /// The runs in memory; their ledgers say where.
    residents: RefCell<Slab<Rc<Instance>>>,
    /// Where the runs in memory are; another one is found by its row.
    by_id: RefCell<ById>,
    /// Of the numbers of ids, so that nobody can make up ids that all have the same.
    seed: u64,
    /// How often a run came into memory or left it.
    moves: Cell<u32>,
    /// When there are so many ledgers, it is looked which may be forgotten.
    sweep_at: Cell<usize>,
    pub(super) idle: RefCell<BTreeSet<Idle>>,
}

/// A run in memory that may leave it, behind the time when it goes on by itself.
pub(super) type Idle = (Timestamp, RunKey);

/// See [`Ledgers::sweep`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweep {
    IfMany,
    All,
}

impl Ledgers {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// A run is in memory from now on.
    pub(super) fn enter(&self, run: &Rc<Instance>) {
        self.note_move();
        run.world.pulse.enter(run.key(), &run.id);
        let slot = self.residents.borrow_mut().insert(run.clone());
        let slot = u32::try_from(slot).ok().filter(|slot| *slot != Ledger::AWAY);
        let slot = slot.expect("fewer than 2^32 runs fit into memory");
        run.ledger.slot.set(slot);
        // Of two passes the later one has the id.
        let before = self.slot(&run.id);
        let mut by_id = self.by_id.borrow_mut();
        if let Some(before) = before {
            by_id.remove(self.number(&run.id), before);
        }
        by_id.insert(self.number(&run.id), slot);
        drop(by_id);
        self.add(&run.ledger);
    }

    /// A run is known from now on, in memory or not.
    pub(super) fn add(&self, ledger: &Rc<Ledger>) {
        self.by_key.borrow_mut().insert(ledger.key, ledger.clone());
    }

    /// A run is no longer in memory.
    pub(super) fn leave(&self, run: &Instance) {
        self.note_move();
        run.world.pulse.leave(run.key());
        let slot = run.ledger.slot.replace(Ledger::AWAY);
        self.by_id.borrow_mut().remove(self.number(&run.id), slot);
        let _run = self.residents.borrow_mut().try_remove(slot as usize);
    }

    /// A run has ended, or is parked: nothing is kept of it.
    pub(super) fn remove(&self, run: &Instance) {
        self.leave(run);
        self.by_key.borrow_mut().remove(&run.key());
    }

    /// A run waits to be admitted, and is no longer in memory: it is kept where somebody waits for it.
    pub(super) fn rest(&self, run: &Instance) {
        self.leave(run);
        run.ledger.is_waiting.set(true);
        run.ledger.forget_deserted_watch();
        let mut by_key = self.by_key.borrow_mut();
        let is_alone = |ledger: &Rc<Ledger>| !ledger.has_watch();
        if by_key.get(&run.key()).is_some_and(is_alone) {
            by_key.remove(&run.key());
        }
    }

    /// A run that is not in memory has ended: nothing is kept of it.
    pub(super) fn remove_away(&self, run: RunKey) -> Option<Rc<Ledger>> {
        self.by_key.borrow_mut().remove(&run)
    }

    /// Forgets the ledgers that say no more than the rows of their runs: all of them, or when there
    /// are twice as many as the last time left.
    #[inline(always)]
    pub(super) fn sweep(&self, how: Sweep) {
        if how == Sweep::All || self.by_key.borrow().len() > self.sweep_at.get() {
            self.sweep_all();
        }
    }

    #[cold]
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

    /// Reads a little of both, so that their memory is in the processor's cache soon.
    #[inline(always)]
    pub(super) fn prefetch(&self, ledger: &Ledger) {
        if let Some(run) = self.residents.borrow().get(ledger.slot.get() as usize) {
            run.prefetch();
        }
    }

    /// The run with this key, if it is in memory.
    pub(crate) fn resident(&self, run: RunKey) -> Option<Rc<Instance>> {
        self.instance(&*self.get(run)?)
    }

    /// The run with this id, if it is in memory.
    pub(crate) fn with_id(&self, id: &str) -> Option<Rc<Instance>> {
        let slot = self.slot(id)?;
        self.residents.borrow().get(slot as usize).cloned()
    }

    /// Where the run with this id is, if it is in memory, for [`at`](Self::at) to find it soon.
    pub(super) fn spot(&self, id: &str) -> Option<Spot> {
        Some(Spot { slot: self.slot(id)?, moves: self.moves.get() })
    }

    /// The run that was found there, unless it may be another one by now.
    pub(super) fn at(&self, spot: Spot) -> Option<Rc<Instance>> {
        if spot.moves != self.moves.get() {
            return None;
        }
        self.residents.borrow().get(spot.slot as usize).cloned()
    }

    fn note_move(&self) {
        self.moves.set(self.moves.get().wrapping_add(1));
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
        self.slot(id).is_some()
    }

    /// Where the run with this id is in memory.
    fn slot(&self, id: &str) -> Option<u32> {
        let (number, residents) = (self.number(id), self.residents.borrow());
        let is_it = |slot| residents.get(slot as usize).is_some_and(|run| *run.id == *id);
        self.by_id.borrow().find(number, is_it)
    }

    fn number(&self, id: &str) -> u32 {
        random::words(id).fold(random::mix(self.seed, id.len() as u64), random::mix) as u32
    }

    /// How many runs are in memory.
    pub(crate) fn residents(&self) -> usize {
        self.residents.borrow().len()
    }

    /// Takes all, in the order of their keys.
    pub(super) fn take(&self) -> impl Iterator<Item = (Rc<Ledger>, Option<Rc<Instance>>)> + use<> {
        self.note_move();
        let mut residents = self.residents.take();
        self.by_id.take();
        self.idle.take();
        self.by_key.take().into_values().map(move |ledger| {
            let slot = ledger.slot.replace(Ledger::AWAY);
            (ledger, residents.try_remove(slot as usize))
        })
    }
}
