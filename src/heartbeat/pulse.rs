//! The half that is on the executor's thread.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dacapo_store::{Counts, RunKey};

use super::Place;
use crate::gate::Gate;
use crate::record::Number;

/// See the module. Empty until somebody asks.
#[derive(Default)]
pub(crate) struct Pulse {
    shared: OnceCell<Arc<Shared>>,
    /// The names of steps by where they stand in memory, as indices of [`Names::steps`].
    names: RefCell<BTreeMap<(usize, usize), u32>>,
    /// The one that was asked for last, most likely again.
    last_name: Cell<((usize, usize), u32)>,
    /// When runs are counted again, and whether that was done since the last commit.
    count_from: Cell<Option<Instant>>,
    is_counted: Cell<bool>,
}

/// What both halves see.
pub(super) struct Shared {
    began: Instant,
    pub(super) place: AtomicU8,
    /// When the turn began, or the wait, in nanoseconds after `began`.
    pub(super) since: AtomicU64,
    /// The body that was begun to be polled last: the lower half of its run's key and its task, its number in
    /// that and its name.
    pub(super) polled: [AtomicU64; 2],
    /// It says which run's tasks are polled.
    pub(super) gate: Arc<Gate>,
    pub(super) commits: AtomicU64,
    pub(super) last_commit_at: AtomicU64,
    names: Mutex<Names>,
}

/// What numbers mean, and what is counted now and then.
#[derive(Default)]
pub(super) struct Names {
    /// The runs in memory, by the lower halves of their keys: two that are the same are 2^32 runs apart.
    pub(super) runs: BTreeMap<u32, Arc<str>>,
    /// The run that is replayed: it comes into memory behind that.
    pub(super) replayed: Option<(u32, String)>,
    pub(super) steps: Vec<&'static str>,
    pub(super) counts: Counts,
}

/// In place of a body: none, since no number in a task is 0,
pub(super) const NOBODY: u64 = 0;

/// or the main future.
pub(super) const MAIN: u64 = u64::MAX;

/// To count runs takes a look into the file: so many times as long they are not counted again.
const COUNTED_FOR: u32 = 100;

/// The lower half of a key.
pub(super) fn low(run: RunKey) -> u32 {
    run.0 as u32
}

impl Shared {
    pub(super) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long it has been where it is.
    pub(super) fn lasts(&self) -> Duration {
        let since = Duration::from_nanos(self.since.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(since)
    }
}

impl Pulse {
    /// From now on it leaves word.
    pub(super) fn begin(&self, gate: &Arc<Gate>) -> &Arc<Shared> {
        self.shared.get_or_init(|| {
            Arc::new(Shared {
                began: Instant::now(),
                place: AtomicU8::new(Place::NotDriven as u8),
                since: AtomicU64::default(),
                polled: [const { AtomicU64::new(NOBODY) }; 2],
                gate: gate.clone(),
                commits: AtomicU64::default(),
                last_commit_at: AtomicU64::default(),
                names: Mutex::default(),
            })
        })
    }

    /// Whether somebody asked.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.shared.get().is_some()
    }

    /// The loop has come to a place.
    #[inline]
    pub(crate) fn at(&self, place: Place) {
        let Some(shared) = self.shared.get() else { return };
        shared.place.store(place as u8, Ordering::Relaxed);
        shared.polled[1].store(NOBODY, Ordering::Relaxed);
        if place != Place::Commit {
            let since = u64::try_from(shared.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            shared.since.store(since, Ordering::Relaxed);
        }
    }

    /// The store is compacted, which takes its time, wherever the loop stands.
    pub(crate) fn compacts<T>(&self, compact: impl FnOnce() -> T) -> T {
        let Some(shared) = self.shared.get() else { return compact() };
        let before = shared.place.swap(Place::Compaction as u8, Ordering::Relaxed);
        let result = compact();
        shared.place.store(before, Ordering::Relaxed);
        result
    }

    /// The main future is polled.
    #[inline]
    pub(crate) fn polls_main(&self) {
        if let Some(shared) = self.shared.get() {
            shared.polled[1].store(MAIN, Ordering::Relaxed);
        }
    }

    /// A body is polled.
    pub(crate) fn polls(&self, run: RunKey, number: Number, step: &'static str) {
        let Some(shared) = self.shared.get() else { return };
        let run = u64::from(low(run)) << 32 | u64::from(number.task);
        let what = u64::from(number.local) << 32 | u64::from(self.name(shared, step));
        shared.polled[0].store(run, Ordering::Relaxed);
        shared.polled[1].store(what, Ordering::Relaxed);
    }

    /// A body was polled in the midst of something else, which goes on.
    pub(crate) fn has_polled(&self) {
        if let Some(shared) = self.shared.get() {
            shared.polled[1].store(NOBODY, Ordering::Relaxed);
        }
    }

    fn name(&self, shared: &Shared, step: &'static str) -> u32 {
        let place = (step.as_ptr().addr(), step.len());
        let (last, name) = self.last_name.get();
        if last == place {
            return name;
        }
        let name = *self.names.borrow_mut().entry(place).or_insert_with(|| {
            let mut names = shared.names();
            names.steps.push(step);
            // There are as many as a program has names, and one that is not found is left out.
            u32::try_from(names.steps.len() - 1).unwrap_or(u32::MAX)
        });
        self.last_name.set((place, name));
        name
    }

    /// A run has come into memory.
    #[inline]
    pub(crate) fn enter(&self, run: RunKey, id: &Arc<str>) {
        if let Some(shared) = self.shared.get() {
            shared.names().runs.insert(low(run), id.clone());
        }
    }

    /// A run is no longer in memory.
    #[inline]
    pub(crate) fn leave(&self, run: RunKey) {
        if let Some(shared) = self.shared.get() {
            shared.names().runs.remove(&low(run));
        }
    }

    /// Calls `replay` of a run that is not in memory yet.
    pub(crate) fn replays<T>(&self, run: RunKey, id: &str, replay: impl FnOnce() -> T) -> T {
        let Some(shared) = self.shared.get() else { return replay() };
        shared.names().replayed = Some((low(run), id.into()));
        let replayed = replay();
        shared.names().replayed = None;
        replayed
    }

    /// Runs are counted at the next word of a commit, however soon that is.
    pub(crate) fn count_soon(&self) {
        self.count_from.set(None);
    }

    /// The store was written last in a commit of this number and time; `count` counts its runs.
    #[inline]
    pub(crate) fn committed(&self, number: u64, at: u64, count: impl FnOnce() -> Option<Counts>) {
        let Some(shared) = self.shared.get() else { return };
        let before = shared.commits.swap(number, Ordering::Relaxed);
        shared.last_commit_at.store(at, Ordering::Relaxed);
        if self.is_counted.get() && before == number {
            return;
        }
        let now = Instant::now();
        if self.count_from.get().is_some_and(|from| now < from) {
            return self.is_counted.set(false);
        }
        if let Some(counts) = count() {
            self.count_from.set(Some(now + now.elapsed() * COUNTED_FOR));
            self.is_counted.set(true);
            shared.names().counts = counts;
        }
    }
}
