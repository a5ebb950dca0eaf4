//! All runs of one executor, and the commit that they share.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};

use dacapo_store::{Batch, Store};

use super::evict::Evictions;
use super::residents::{Resident, Residents};
use crate::error::{Error, Kind, Result};
use crate::fault::Fault;
use crate::instance::{Draft, Entry, Instance, World};
use crate::registry::Registry;

/// A round of bodies stops early for a commit of so many outcomes: more of them make it no cheaper,
/// but all that have an effect and no record yet are done again after a crash.
pub(super) const OUTCOMES_PER_COMMIT: usize = 10_000;

/// Everything behind an `Executor`.
pub(super) struct Engine {
    pub(super) world: Rc<World>,
    pub(super) registry: Registry,
    pub(super) seed: u64,
    pub(super) store: RefCell<Box<dyn Store>>,
    pub(super) residents: Residents,
    /// `None` where runs never leave memory before they end.
    pub(super) evictions: Option<Evictions>,
    pub(super) next_run: Cell<u64>,
    /// Whether some of what is pending may no longer be: a run was parked, or a delivery came
    /// between.
    pub(super) has_stale: Cell<bool>,
    /// Memory of former commits, to be used again.
    pub(super) spare: RefCell<Spare>,
    pub(super) batch: RefCell<Batch>,
    pub(super) commits: Cell<u64>,
    /// Whether a loop drives the executor.
    pub(super) driven: Cell<bool>,
    /// Whether time has passed since the last turn.
    pub(super) has_waited: Cell<bool>,
    /// Whether a run is leaving memory right now.
    pub(super) evicting: Cell<bool>,
    /// Why nothing goes on any more.
    pub(super) failure: OnceCell<Error>,
}

/// Lists that are empty between two commits.
#[derive(Default)]
pub(super) struct Spare {
    pub(super) entries: Vec<(Rc<Instance>, Entry)>,
    pub(super) drafts: Vec<Draft>,
}

impl Spare {
    /// Gives back what only a burst needed.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to(OUTCOMES_PER_COMMIT);
        self.drafts.shrink_to(OUTCOMES_PER_COMMIT);
    }
}

impl Entry {
    /// It is delivered, or will never be.
    pub(crate) fn settle(&self, instance: &Instance) {
        if !matches!(self, Self::Record(Draft::Outcome(_))) {
            instance.pending.set(instance.pending.get() - 1);
        }
    }
}

impl Engine {
    pub(super) fn new(
        world: Rc<World>,
        registry: Registry,
        seed: u64,
        store: Box<dyn Store>,
        resident_max: Option<usize>,
    ) -> Self {
        Self {
            world,
            registry,
            seed,
            next_run: Cell::new(store.next_run().0),
            store: RefCell::new(store),
            residents: Residents::default(),
            evictions: resident_max.map(Evictions::new),
            has_stale: Cell::default(),
            spare: RefCell::default(),
            batch: RefCell::default(),
            commits: Cell::default(),
            driven: Cell::default(),
            has_waited: Cell::new(true),
            evicting: Cell::default(),
            failure: OnceCell::new(),
        }
    }

    /// Has the next commit write a record of this run.
    pub(super) fn record(&self, resident: &Resident, record: Draft) {
        self.push(resident, Entry::Record(record));
    }

    /// Whatever is to happen to a run wakes it, and keeps it in memory until it has happened.
    fn push(&self, resident: &Resident, entry: Entry) {
        self.awake(resident);
        let instance = resident.run.instance.clone();
        instance.pending.set(instance.pending.get() + 1);
        self.world.pending.borrow_mut().push((instance, entry));
    }

    /// Stops a run without ending it. Its history stays as it is.
    pub(super) fn park(&self, resident: &Rc<Resident>, fault: Fault) {
        self.push(resident, Entry::Parked(fault.into()));
        resident.run.instance.close();
        self.has_stale.set(true);
    }

    /// Has the next commit write that a run is no longer parked.
    pub(super) fn mark_resumed(&self, resident: &Rc<Resident>) {
        self.push(resident, Entry::Resumed);
    }

    /// The runs whose parking is not committed yet.
    pub(super) fn pending_parks<T>(&self, show: impl Fn(&Instance, &Fault) -> T) -> Vec<T> {
        let pending = self.world.pending.borrow();
        let parks = pending.iter().filter_map(|(instance, entry)| match entry {
            Entry::Parked(fault) => Some(show(instance, fault)),
            Entry::Record(_) | Entry::Resumed => None,
        });
        parks.collect()
    }

    /// Parks the runs that something outside touched: nothing that came of it may be committed.
    pub(super) fn park_foreign_wakes(&self) {
        while let Some(stray) = self.world.gate.next_foreign_wake() {
            let Some(resident) = self.residents.with_key(stray) else { continue };
            if let Some(fault) = resident.run.foreign_wake() {
                self.park(&resident, fault);
            }
        }
    }

    /// # Errors
    ///
    /// If the executor has stopped.
    pub(super) fn check(&self) -> Result<()> {
        self.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Stops everything: nothing of what was not committed may go on.
    pub(super) fn fail(&self, error: &dacapo_store::Error) -> Error {
        self.stop(Error::store(error))
    }

    /// The same with an error of ours.
    pub(super) fn stop(&self, why: Error) -> Error {
        let failure = self.failure.get_or_init(|| why).clone();
        self.close(&failure);
        failure
    }

    /// Drops all runs, in the order of their keys, and ends the wait for them with `why`.
    pub(super) fn close(&self, why: &Error) {
        self.world.pending.take();
        for resident in self.residents.take() {
            resident.run.instance.close();
            resident.end(Err(why.clone()));
        }
        if let Some(evictions) = &self.evictions {
            evictions.close(why);
        }
        // Those of runs that are not in memory are left.
        self.world.timers.forget_runs();
    }
}

/// What those who wait for a parked run are told.
pub(super) fn parked_error(id: &str, fault: &Fault) -> Error {
    Error::of(Kind::Parked, format_args!("run {id:?} is parked: {fault}"))
}
