//! What stands before each replay, and before each run that leaves memory: a run that ended the process again
//! and again in one of these is not replayed once more, or no other run of the file would ever move again.
//!
//! A mark outside of the store's commits ([`Store::marker`]) says which runs are being replayed, or dropped. A
//! process that finds one knows that the process before it ended in the midst of them. What runs do live needs
//! no mark: the next replay does it again.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use dacapo_store::{RunKey, RunRow, Store};

use crate::codec;
use crate::fault::{Fault, ParkReason};
use crate::instance::Instance;
#[cfg(feature = "std")]
use crate::watchdog::Watchdog;

/// See the module.
#[derive(Default)]
pub(crate) struct Guard {
    /// The ids of runs that are not to be replayed, until somebody resumes them, and why.
    pub(crate) held: RefCell<BTreeMap<String, &'static str>>,
    #[cfg(feature = "std")]
    pub(crate) watchdog: Option<Watchdog>,
    /// In how many processes in a row, up to the last one that came to it, it was this that was under way at
    /// the end.
    suspects: RefCell<BTreeMap<Deed, u32>>,
    /// Several that share a mark, until all of them are done; empty if there are none.
    group: RefCell<Vec<Deed>>,
}

/// What the code of a run may end the process in, without a record of what came before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Deed(Kind, RunKey);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The run is replayed.
    Replay,
    /// Its code is dropped, since it leaves memory.
    Leave,
}

/// The store of an engine, which is not held while user code runs.
pub(crate) type Stored = RefCell<Box<dyn Store>>;

/// A run and the number of processes in a row, as the mark holds them.
type Marked = (u64, u32);

impl Guard {
    /// After so many such ends, a run is parked.
    pub(super) const ENDS: u32 = 3;

    /// So many runs share one mark: to write one for each could be noticed when there are many.
    pub(super) const GROUP: usize = 64;

    /// Reads the mark of the process before.
    pub(crate) fn look_back(&self, store: &Stored) {
        self.read(&store.borrow().marker(), store);
    }

    /// What those know who write to the store, for one who only looks at it; `None` of one who writes.
    pub(super) fn of_writers(store: &Stored) -> Option<Self> {
        let (guard, mark) = (Self::default(), store.borrow().writers_marker()?);
        guard.read(&mark, store);
        Some(guard)
    }

    fn read(&self, mark: &[u8], store: &Stored) {
        let last_commit = store.borrow().last_commit();
        let marked: (u64, Vec<Marked>, Vec<Marked>) = codec::decode(mark).unwrap_or_default();
        let (commit, replayed, left) = marked;
        let of = |kind: Kind, marked: Vec<Marked>| {
            marked.into_iter().map(move |(run, ends)| (Deed(kind, RunKey(run)), ends))
        };
        let suspects = of(Kind::Replay, replayed).chain(of(Kind::Leave, left));
        *self.suspects.borrow_mut() = suspects.filter(|_| commit == last_commit).collect();
    }

    /// Of the runs that are not parked yet, those that ended the process most often, and how often. None if one is
    /// to be parked and all others were in a mark with it, and in no other.
    pub(super) fn foremost(&self, kind: Kind) -> (Vec<RunKey>, u32) {
        let suspects = self.suspects.borrow();
        let all = suspects.iter().filter(|(deed, _)| deed.0 == kind);
        let is_explained = all.clone().any(|(_, ends)| *ends >= Self::ENDS);
        let of_kind = all.filter(|(_, ends)| **ends < Self::ENDS);
        let most = of_kind.clone().map(|(_, ends)| *ends).max().unwrap_or_default();
        if most == 1 && is_explained {
            return (Vec::new(), 0);
        }
        (of_kind.filter(|(_, ends)| **ends == most).map(|(deed, _)| deed.1).collect(), most)
    }

    /// Why a run is not replayed, if it is not.
    pub(super) fn refuses(&self, row: &RunRow) -> Option<Fault> {
        if let Some(detail) = self.held.borrow().get(&row.id) {
            return Some(Fault::new(ParkReason::OnRequest, detail));
        }
        let ended = |detail| Fault::new(ParkReason::EndedProcess, detail);
        let suspects = self.suspects.borrow();
        let ends = |kind| suspects.get(&Deed(kind, row.key)).filter(|ends| **ends >= Self::ENDS);
        if let Some(ends) = ends(Kind::Replay) {
            let detail = format_args!("the process ended in each of its last {ends} replays");
            return Some(ended(detail));
        }
        let ends = ends(Kind::Leave)?;
        let detail = format_args!(
            "the process ended each of the last {ends} times that what its code owns was dropped"
        );
        Some(ended(detail))
    }

    /// Whether nothing is said against any run.
    pub(super) fn is_clear(&self) -> bool {
        self.suspects.borrow().is_empty()
    }

    /// Whether anything is said against a run.
    pub(super) fn suspects(&self, run: RunKey) -> bool {
        self.suspects.borrow().keys().any(|deed| deed.1 == run)
    }

    /// A run is parked before it has ended the process too often: of whoever only shared its first mark nothing is
    /// said any more.
    pub(super) fn settle_held(&self, store: &Stored, run: RunKey) {
        let ends = |(deed, ends): (&Deed, &u32)| (deed.1 == run).then_some(*ends);
        let most = self.suspects.borrow().iter().filter_map(ends).max().unwrap_or_default();
        if most > 1 {
            self.suspects.borrow_mut().retain(|_, ends| *ends > 1);
        }
        self.settle(store, run);
    }

    pub(super) fn is_held(&self, id: &str) -> bool {
        self.held.borrow().contains_key(id)
    }

    /// Somebody wants the run to be tried again.
    pub(super) fn forgive(&self, row: &RunRow) {
        self.held.borrow_mut().remove(&row.id);
        self.forget(row.key);
    }

    /// All has come to its end in order. What nobody tried to replay is as it was, whatever was committed since, and so
    /// is whom to park, as far as that is not committed.
    pub(crate) fn close(&self, store: &Stored) {
        let stays = |deed: &Deed, ends: &mut u32| deed.0 == Kind::Replay || *ends >= Self::ENDS;
        self.suspects.borrow_mut().retain(stays);
        self.set_mark(store, None);
    }

    /// The next process need not know of anything.
    pub(crate) fn forget_all(&self, store: &Stored) {
        self.suspects.take();
        self.set_mark(store, None);
    }

    /// That a run is parked or has ended is committed: the mark need not tell the next process any more.
    #[inline]
    pub(super) fn settle(&self, store: &Stored, run: RunKey) {
        if !self.suspects.borrow().is_empty() && self.forget(run) {
            self.set_mark(store, None);
        }
    }

    /// Whether there was anything against it.
    fn forget(&self, run: RunKey) -> bool {
        let mut suspects = self.suspects.borrow_mut();
        let before = suspects.len();
        suspects.retain(|deed, _| deed.1 != run);
        suspects.len() < before
    }

    /// Has all of these that nothing is said against share one mark while `carry_out` comes to them.
    pub(super) fn share_mark<T>(
        &self,
        store: &Stored,
        kind: Kind,
        runs: impl Iterator<Item = RunKey>,
        carry_out: impl FnOnce() -> T,
    ) -> T {
        let suspects = self.suspects.borrow();
        let deeds = runs.map(|run| Deed(kind, run)).filter(|deed| !suspects.contains_key(deed));
        let before = self.group.borrow().len();
        self.group.borrow_mut().extend(deeds);
        drop(suspects);
        self.set_mark(store, None);
        let done = carry_out();
        self.group.borrow_mut().truncate(before);
        self.set_mark(store, None);
        done
    }

    /// Leaves the mark: the number of the last commit, and in how many processes in a row what was under way
    /// at the end, if this one ends now. All suspects are among them: of several that end the process, each is
    /// counted until it is parked, and that is committed.
    ///
    /// A replay commits nothing, and to drop something does neither, so the mark of a process that ended in
    /// the midst of one has the last number of the file; any other is of another file, or was overtaken.
    fn set_mark(&self, store: &Stored, done: Option<(Deed, u32)>) {
        let mut marked = self.suspects.borrow().clone();
        match done {
            Some((deed, ends)) => drop(marked.insert(deed, ends)),
            None => marked.extend(self.group.borrow().iter().map(|deed| (*deed, 1))),
        }
        if marked.is_empty() {
            return store.borrow().set_marker(&[]);
        }
        let of = |kind| -> Vec<Marked> {
            let of_kind = marked.iter().filter(|(deed, _)| deed.0 == kind);
            of_kind.map(|(deed, ends)| (deed.1.0, *ends)).collect()
        };
        let last_commit = store.borrow().last_commit();
        let mark = codec::encode(&(last_commit, of(Kind::Replay), of(Kind::Leave)));
        store.borrow().set_marker(&mark);
    }

    /// Calls `replay` of a run.
    pub(super) fn watch<T>(&self, store: &Stored, row: &RunRow, replay: impl FnOnce() -> T) -> T {
        self.mark(store, Deed(Kind::Replay, row.key), || {
            #[cfg(feature = "std")]
            let _watched = self.watchdog.as_ref().map(|watchdog| watchdog.watch(&row.id));
            replay()
        })
    }

    /// Has a run leave memory.
    pub(super) fn leave(&self, store: &Stored, run: &Instance) {
        self.mark(store, Deed(Kind::Leave, run.key()), || run.close());
    }

    fn mark<T>(&self, store: &Stored, deed: Deed, carry_out: impl FnOnce() -> T) -> T {
        let ends = self.suspects.borrow().get(&deed).copied();
        // A suspect stands alone, and so does what happens in between.
        let is_marked = ends.is_some() || !self.group.borrow().contains(&deed);
        if is_marked {
            self.set_mark(store, Some((deed, ends.unwrap_or_default() + 1)));
        }
        let done = carry_out();
        if is_marked {
            self.suspects.borrow_mut().remove(&deed);
            self.set_mark(store, None);
        }
        done
    }
}
