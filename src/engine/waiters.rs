//! Those who wait for what runs commit: for what they publish, and for answers.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use dacapo_store::RunKey;
use futures::channel::oneshot;

use crate::error::{Error, Kind};
use crate::inbox::UNANSWERED;
use crate::panics::Theirs;
use crate::record::Outcome;
use crate::watch::{Crowd, Watch};

/// Those who wait for one run.
pub(super) type Followed = Crowd<Theirs<oneshot::Sender<()>>>;

/// Those who wait for more of a run. They are told that there is something, and look for it.
#[derive(Default)]
pub(super) struct Followers(RefCell<BTreeMap<RunKey, Followed>>);

/// Those who wait for one answer.
type Waiting = Crowd<Rc<Watch>>;

/// Those who wait for answers, by the run and the seq of the question in its history.
#[derive(Default)]
pub(super) struct Askers(RefCell<BTreeMap<(RunKey, u64), Waiting>>);

impl Followers {
    pub(super) fn add(&self, run: RunKey) -> oneshot::Receiver<()> {
        let (teller, told) = oneshot::channel();
        let all = &mut *self.0.borrow_mut();
        all.entry(run)
            .or_default()
            .add(Theirs::new(teller), |teller| teller.is(oneshot::Sender::is_canceled));
        told
    }

    pub(super) fn wake_all(&self) {
        drop(self.0.take());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Those who wait for one of these, to be told by a drop: that wakes them, so nothing may be
    /// borrowed then.
    pub(super) fn take(&self, runs: impl Iterator<Item = RunKey>) -> Vec<Followed> {
        let mut all = self.0.borrow_mut();
        runs.filter_map(|run| all.remove(&run)).collect()
    }
}

impl Askers {
    pub(super) fn add(&self, run: RunKey, seq: u64, asker: Rc<Watch>) {
        let is_gone =
            |asker: &Rc<Watch>| Rc::strong_count(asker) == 1 && !asker.is_watched_from_afar();
        self.0.borrow_mut().entry((run, seq)).or_default().add(asker, is_gone);
    }

    pub(super) fn tell(&self, run: RunKey, seq: u64, answer: &Outcome<'static>) {
        let told = self.0.borrow_mut().remove(&(run, seq));
        for asker in told.iter().flat_map(Crowd::take) {
            asker.end(Ok(answer.clone()));
        }
    }

    /// A pass has ended: the questions at these seqs are at those of the next one, and the others get no
    /// answer.
    pub(super) fn pass_on(&self, from: RunKey, to: RunKey, seqs: Vec<(u64, u64)>) {
        for (before, seq) in seqs {
            let mut all = self.0.borrow_mut();
            if let Some(askers) = all.remove(&(from, before)) {
                all.insert((to, seq), askers);
            }
        }
        self.end(from);
    }

    /// No question of this run gets an answer any more.
    pub(super) fn end(&self, run: RunKey) {
        let mut all = self.0.borrow_mut();
        let of_run: Vec<_> = all.range((run, 0)..=(run, u64::MAX)).map(|(at, _)| *at).collect();
        let ended: Vec<_> = of_run.iter().filter_map(|at| all.remove(at)).collect();
        drop(all);
        for asker in ended.iter().flat_map(Crowd::take) {
            asker.end(Err(Error::of(Kind::Ended, UNANSWERED)));
        }
    }

    /// Nothing goes on any more.
    pub(super) fn close(&self, why: &Error) {
        for asker in self.0.take().values().flat_map(Crowd::take) {
            asker.end(Err(why.clone()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}
