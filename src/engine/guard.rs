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
    /// The mark of several runs, until all of them were replayed; empty if there is none.
    group: RefCell<Vec<u8>>,
}

/// The store of an engine, which is not held while user code runs.
type Stored = RefCell<Box<dyn Store>>;

/// A run and the number of processes in a row, as the mark holds them.
type Marked = (u64, u32);

/// A mark: the number of the last commit, and who is being replayed. A replay commits nothing, so that of a
/// process that ended in the midst of one has the last number of the file; any other is of another file, or
/// was overtaken.
fn mark(store: &Stored, marked: Vec<Marked>) -> Vec<u8> {
    codec::encode(&(store.borrow().last_commit(), marked))
}

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

    /// The runs among these that nothing is said against are about to be replayed.
    pub(super) fn begin_group(&self, store: &Stored, runs: &[RunRow]) {
        let suspects = self.suspects.borrow();
        let runs = runs.iter().map(|row| row.key).filter(|run| !suspects.contains_key(run));
        let group = mark(store, runs.map(|run| (run.0, 1)).collect());
        store.borrow().set_marker(&group);
        *self.group.borrow_mut() = group;
    }

    pub(super) fn end_group(&self, store: &Stored) {
        self.group.take();
        store.borrow().set_marker(&[]);
    }

    /// Calls `replay` of a run.
    pub(super) fn watch<T>(&self, store: &Stored, row: &RunRow, replay: impl FnOnce() -> T) -> T {
        let ends = self.suspects.borrow().get(&row.key).copied();
        // A suspect stands alone.
        let is_marked = ends.is_some() || self.group.borrow().is_empty();
        if is_marked {
            let marked = mark(store, [(row.key.0, ends.unwrap_or_default() + 1)].into());
            store.borrow().set_marker(&marked);
        }
        #[cfg(feature = "std")]
        let watched = self.watchdog.as_ref().map(|watchdog| watchdog.watch(&row.id));
        let replayed = replay();
        #[cfg(feature = "std")]
        drop(watched);
        if is_marked {
            store.borrow().set_marker(&self.group.borrow());
            self.suspects.borrow_mut().remove(&row.key);
        }
        replayed
    }
}
