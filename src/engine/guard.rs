//! What stands before each replay: a run that ended the process again and again is not replayed once
//! more, or no other run of the file would ever move again.
//!
//! A mark outside of the store's commits ([`Store::marker`]) says which runs are being replayed. A process
//! that finds one knows that the process before it ended in the midst of them. What runs do live needs no
//! mark: the next replay does it again.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use dacapo_store::{RunKey, RunRow, Store};

use crate::codec;
use crate::fault::{Fault, ParkReason};
#[cfg(feature = "std")]
use crate::watchdog::Watchdog;

/// See the module.
#[derive(Default)]
pub(crate) struct Guard {
    /// The ids of runs that are not to be replayed.
    pub(crate) held: BTreeSet<String>,
    #[cfg(feature = "std")]
    pub(crate) watchdog: Option<Watchdog>,
    /// In how many processes in a row, up to the last one, these were being replayed at the end.
    suspects: RefCell<BTreeMap<RunKey, u32>>,
    /// Several runs that share a mark, until all of them were replayed; empty if there are none.
    group: RefCell<Vec<RunKey>>,
}

/// The store of an engine, which is not held while user code runs.
type Stored = RefCell<Box<dyn Store>>;

/// A run and the number of processes in a row, as the mark holds them.
type Marked = (u64, u32);

impl Guard {
    /// After so many such ends, a run is parked.
    const ENDS: u32 = 3;

    /// So many runs share one mark: to write one for each could be noticed when there are many.
    pub(super) const GROUP: usize = 64;

    /// Reads the mark of the process before.
    pub(super) fn look_back(&self, store: &Stored) {
        let (mark, last_commit) = (store.borrow().marker(), store.borrow().last_commit());
        let (commit, marked): (u64, Vec<Marked>) = codec::decode(&mark).unwrap_or_default();
        let suspects = marked.into_iter().filter(|_| commit == last_commit);
        let suspects = suspects.map(|(run, ends)| (RunKey(run), ends));
        *self.suspects.borrow_mut() = suspects.collect();
    }

    /// Why a run is not replayed, if it is not.
    pub(super) fn refuses(&self, row: &RunRow) -> Option<Fault> {
        if self.held.contains(&row.id) {
            let detail = "it was held when the file was opened";
            return Some(Fault::new(ParkReason::OnRequest, detail));
        }
        let ends = self.suspects.borrow().get(&row.key).copied().unwrap_or_default();
        (ends >= Self::ENDS).then(|| {
            let detail = format_args!("the process ended in each of its last {ends} replays");
            Fault::new(ParkReason::EndedProcess, detail)
        })
    }

    /// Somebody wants the run to be tried again.
    pub(super) fn forgive(&self, run: RunKey) {
        self.suspects.borrow_mut().remove(&run);
    }

    /// That a run is parked is committed: the mark need not tell the next process any more.
    pub(super) fn settle(&self, store: &Stored, run: RunKey) {
        if self.suspects.borrow_mut().remove(&run).is_some() {
            self.set_mark(store, None);
        }
    }

    /// The runs among these that nothing is said against are about to be replayed.
    pub(super) fn begin_group(&self, store: &Stored, runs: &[RunRow]) {
        let suspects = self.suspects.borrow();
        let runs = runs.iter().map(|row| row.key).filter(|run| !suspects.contains_key(run));
        *self.group.borrow_mut() = runs.collect();
        drop(suspects);
        self.set_mark(store, None);
    }

    pub(super) fn end_group(&self, store: &Stored) {
        self.group.take();
        self.set_mark(store, None);
    }

    /// Leaves the mark: the number of the last commit, and in how many processes in a row runs were being
    /// replayed at the end, if this one ends now. All suspects are among them: of several that end the process,
    /// each is counted until it is parked, and that is committed.
    ///
    /// A replay commits nothing, so the mark of a process that ended in the midst of one has the last number
    /// of the file; any other is of another file, or was overtaken.
    fn set_mark(&self, store: &Stored, replayed: Option<Marked>) {
        let mut marked: BTreeMap<u64, u32> =
            self.suspects.borrow().iter().map(|(run, ends)| (run.0, *ends)).collect();
        match replayed {
            Some((run, ends)) => drop(marked.insert(run, ends)),
            None => marked.extend(self.group.borrow().iter().map(|run| (run.0, 1))),
        }
        if marked.is_empty() {
            return store.borrow().set_marker(&[]);
        }
        let marked: Vec<Marked> = marked.into_iter().collect();
        let mark = codec::encode(&(store.borrow().last_commit(), marked));
        store.borrow().set_marker(&mark);
    }

    /// Calls `replay` of a run.
    pub(super) fn watch<T>(&self, store: &Stored, row: &RunRow, replay: impl FnOnce() -> T) -> T {
        let ends = self.suspects.borrow().get(&row.key).copied();
        // A suspect stands alone.
        let is_marked = ends.is_some() || self.group.borrow().is_empty();
        if is_marked {
            self.set_mark(store, Some((row.key.0, ends.unwrap_or_default() + 1)));
        }
        #[cfg(feature = "std")]
        let watched = self.watchdog.as_ref().map(|watchdog| watchdog.watch(&row.id));
        let replayed = replay();
        #[cfg(feature = "std")]
        drop(watched);
        if is_marked {
            self.suspects.borrow_mut().remove(&row.key);
            self.set_mark(store, None);
        }
        replayed
    }
}
