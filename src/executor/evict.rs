//! Sleeping runs that leave memory, and come back when their time has come or somebody asks.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use dacapo_store::{RunKey, RunRow, RunState};

use super::engine::Engine;
use super::handle::Watch;
use super::residents::Resident;
use super::unregistered;
use crate::error::{Error, Kind, Result};
use crate::timer::RunTimer;

/// Which runs may leave memory, and who still waits for those that have left.
pub(super) struct Evictions {
    /// So many runs may be in memory before those that only sleep have to leave.
    max: usize,
    /// Runs in memory that await nothing but timers, by the first of these.
    asleep: RefCell<BTreeSet<RunTimer>>,
    /// The runs that have left.
    away: RefCell<BTreeMap<RunKey, Away>>,
}

/// A run that has left memory.
struct Away {
    /// What brings it back.
    timer: RunTimer,
    /// Where somebody waits for it.
    watch: Option<Rc<Watch>>,
}

impl Evictions {
    pub(super) fn new(max: usize) -> Self {
        Self { max, asleep: RefCell::default(), away: RefCell::default() }
    }

    /// Takes the run that will sleep longest.
    fn next(&self) -> Option<RunKey> {
        self.asleep.borrow_mut().pop_last().map(|timer| timer.run)
    }

    /// Ends the wait for the runs that have left.
    pub(super) fn close(&self, why: &Error) {
        self.asleep.take();
        let watches = self.away.take().into_values().filter_map(|away| away.watch);
        watches.for_each(|watch| watch.end(Err(why.clone())));
    }
}

impl Engine {
    /// Notes that a run has taken up its work: perhaps it only sleeps now.
    pub(super) fn fall_asleep(&self, resident: &Resident) {
        let Some(evictions) = &self.evictions else { return };
        let instance = &resident.run.instance;
        let timer = instance.sleeps_until().filter(|_| instance.pending.get() == 0);
        if let Some(timer) = timer {
            evictions.asleep.borrow_mut().insert(timer);
        }
        resident.asleep.set(timer.is_some());
    }

    /// Notes that there is something for a run.
    pub(super) fn awake(&self, resident: &Resident) {
        let Some(evictions) = self.evictions.as_ref().filter(|_| resident.asleep.take()) else {
            return;
        };
        // Nothing was delivered to it since it fell asleep, so this is the timer of then.
        if let Some(timer) = resident.run.instance.sleeps_until() {
            evictions.asleep.borrow_mut().remove(&timer);
        }
    }

    /// How many runs may be in memory before one that has left has to wait until it may come back:
    /// many may be due at one time.
    pub(super) fn room(&self) -> usize {
        let max = self.evictions.as_ref().map_or(usize::MAX, |evictions| evictions.max);
        max.saturating_add(Self::BACK_AT_ONCE).max(self.residents.len() + 1)
    }

    /// So many may come back with one commit.
    const BACK_AT_ONCE: usize = 1_000;

    /// Has the runs leave that sleep longest, while there are too many.
    pub(super) fn evict_surplus(&self) {
        let Some(evictions) = &self.evictions else { return };
        // A foreign wake parks its run before it could leave: to the run that is back it would mean nothing.
        while self.residents.len() > evictions.max && !self.world.gate.has_foreign_wakes() {
            let Some(run) = evictions.next() else { return };
            let Some(resident) = self.residents.with_key(run) else { continue };
            // Only what sleeps may leave: the bodies of another would be dropped.
            if !resident.asleep.take() {
                continue;
            }
            let Some(timer) = resident.run.instance.sleeps_until() else { continue };
            self.residents.remove(&resident);
            let away = Away { timer, watch: resident.take_watch() };
            evictions.away.borrow_mut().insert(run, away);
            self.evicting.set(true);
            resident.run.instance.close();
            self.evicting.set(false);
            // What its teardown woke is taken for a foreign wake, and the run may be back before the next
            // commit: there were no others, and it is not in memory, so they come to nothing.
            self.park_foreign_wakes();
            // One of its timers is enough to bring it back, and the others with it.
            self.world.timers.add(timer);
        }
    }

    /// Brings back the run whose timer is due: what is due of it is pending then.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(super) fn wake_evicted(&self, run: RunKey) -> Result<()> {
        let row = self.store.borrow().row(run).map_err(|error| Error::store(&error))?;
        let row = row.filter(|row| row.state == RunState::Running).ok_or_else(|| {
            let message = format_args!(
                "the store does not hold run {run} as running any more, which has left memory: \
                 restore the file from a backup, and open it again"
            );
            Error::of(Kind::Store, message)
        })?;
        self.bring_back(&row).map(drop)
    }

    /// Replays a run that was running and is not in memory.
    ///
    /// # Errors
    ///
    /// If its workflow is not registered, or the store cannot be read.
    pub(super) fn bring_back(&self, row: &RunRow) -> Result<Rc<Resident>> {
        let found = self.registry.find(&row.workflow);
        let (name, code) = found.ok_or_else(|| unregistered(&row.id, &row.workflow))?;
        let (resident, replayed) = self.replay(row, name, code)?;
        if let Some(evictions) = &self.evictions {
            let away = evictions.away.borrow_mut().remove(&row.key);
            if let Some(Away { timer, watch }) = away {
                self.world.timers.remove(&timer);
                resident.set_watch(watch);
            }
        }
        self.residents.add(&resident);
        match replayed {
            // What parks a run is found in the list of the parked.
            Ok(()) => drop(self.work(&resident, &mut Vec::new())),
            Err(fault) => self.park(&resident, fault),
        }
        Ok(resident)
    }
}
