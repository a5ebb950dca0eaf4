//! Runs that leave memory while nothing happens to them, and stay in their ledgers.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

use dacapo_store::RunKey;

use super::Engine;
use super::guard::{self, Guard};
use super::ledgers::Idle;
use crate::clock::Timestamp;
use crate::instance::{Instance, Sleeper};

impl Engine {
    /// How many runs may be in memory before one that is due has to wait until it may come back:
    /// many may be due at one time.
    pub(super) fn room(&self) -> usize {
        self.limits
            .resident_max
            .saturating_add(Self::BACK_AT_ONCE)
            .max(self.ledgers.residents() + 1)
    }

    /// So many share a mark when they come back, and leave only behind all of them: not many more than
    /// there may be.
    pub(super) fn group(&self) -> usize {
        Guard::GROUP.min(self.limits.resident_max).max(1)
    }

    /// So many may come back with one commit.
    const BACK_AT_ONCE: usize = 1_000;

    /// A run that waits so long has its row say until when: then the next open need not replay it.
    const LONG: Duration = Duration::from_secs(10);

    /// A run has taken up its work: perhaps it only waits for a time now.
    #[inline]
    pub(super) fn note_idle(&self, run: &Instance) {
        if !run.ledger.has_pending() && run.is_idle() {
            self.set_idle(run);
        }
    }

    fn set_idle(&self, run: &Instance) {
        // To look at each of many timers after each delivery would take for ever: those that have
        // many are among the last to leave.
        let are_few = run.operations.borrow().are_few();
        let first = are_few.then(|| wake_at(run));
        if let Some(first) = first {
            self.note_sleeper(run, first);
        }
        let wake_at = first.unwrap_or_default();
        run.ledger.set_wake_at(Some(wake_at));
        if self.limits.resident_max < usize::MAX {
            self.ledgers.idle.borrow_mut().insert((wake_at, run.key()));
        }
    }

    fn note_sleeper(&self, run: &Instance, wake_at: Timestamp) {
        if wake_at.since(self.world.timers.now()) >= Self::LONG {
            let sleeper = Sleeper::Resident(run.ledger.clone());
            self.world.pending.borrow_mut().sleepers.push(sleeper);
        }
    }

    /// There is something for a run: until it is delivered, the run stays.
    pub(super) fn keep_in_memory(&self, run: &Instance) {
        if let Some(wake_at) = run.ledger.take_wake_at() {
            self.ledgers.idle.borrow_mut().remove(&(wake_at, run.key()));
        }
    }

    /// Has the runs leave that go on last, while there are too many.
    #[inline]
    pub(crate) fn evict_surplus(&self) {
        // When it closes, one would have to come back, and all of them leave soon.
        if self.ledgers.residents() > self.limits.resident_max && !self.world.ending.is_closing() {
            self.evict_last();
        }
    }

    fn evict_last(&self) {
        // A foreign wake parks its run before it could leave: to the run that is back it would mean
        // nothing.
        while !self.world.gate.has_foreign_wakes() {
            let surplus = self.ledgers.residents().saturating_sub(self.limits.resident_max);
            let next = self.next_to_leave(surplus.min(Guard::GROUP));
            if next.is_empty() {
                return;
            }
            let runs = next.iter().map(|(_, run)| *run);
            self.guard.share_mark(&self.store, guard::Kind::Leave, runs, || {
                next.iter().for_each(|idle| self.evict_idle(*idle));
            });
        }
    }

    /// Those that go on last, of the ones that are worth it: a run with a long history that wakes often
    /// would be replayed for most of the time.
    fn next_to_leave(&self, at_most: usize) -> Vec<Idle> {
        let idle = self.ledgers.idle.borrow();
        let last = idle.iter().rev().take(Self::LOOKED_AT);
        let may_leave = |(at, run): &&Idle| self.may_leave(*at, &self.idle_run(*run));
        last.filter(may_leave).take(at_most).copied().collect()
    }

    fn idle_run(&self, run: RunKey) -> Rc<Instance> {
        self.ledgers.resident(run).expect("what is idle is in memory")
    }

    /// Has one leave, unless what was dropped before it has woken or parked it.
    fn evict_idle(&self, idle: Idle) {
        let is_still = !self.world.gate.has_foreign_wakes();
        if is_still && self.ledgers.idle.borrow_mut().remove(&idle) {
            let run = self.idle_run(idle.1);
            assert!(run.is_idle() && !run.ledger.has_pending(), "nothing happens to what is idle");
            self.evict(&run);
        }
    }

    /// Whether it is worth it; of one with many timers it is not known when the first is due.
    fn may_leave(&self, at: Timestamp, run: &Instance) -> bool {
        let records = u32::try_from(run.delivered.get()).unwrap_or(u32::MAX);
        let has_many = at == Timestamp::default();
        // A simulation has them come and go as much as it can.
        has_many
            || self.world.setup.choices.is_some()
            || at.since(self.world.timers.now()) >= Self::WORTH_A_RECORD * records
    }

    /// A replay takes some microseconds a record: a run that waits so long for each has at most one
    /// hundredth of the time used for its replays.
    const WORTH_A_RECORD: Duration = Duration::from_micros(500);

    /// So many are looked at for one that may leave.
    const LOOKED_AT: usize = 64;

    fn evict(&self, run: &Instance) {
        let wake_at = wake_at(run);
        let is_long = wake_at.since(self.world.timers.now()) >= Self::LONG;
        if is_long && !run.ledger.row_has_wake_at.get() {
            let sleeper = Sleeper::Away(run.ledger.clone(), run.row().into());
            self.world.pending.borrow_mut().sleepers.push(sleeper);
        }
        self.ledgers.leave(run);
        run.ledger.forget_deserted_watch();
        run.ledger.set_wake_at(Some(wake_at));
        self.guard.leave(&self.store, run);
        // What its teardown woke is taken for a foreign wake, and the run may be back before the
        // next commit: there were no others, and it is not in memory, so they come to nothing.
        self.park_what_cannot_go_on();
        // The first of its timers is enough to bring it back, and the others with it.
        self.world.timers.add_return(wake_at, run.key());
    }
}

/// When a run goes on by itself: at the end of time if only something from outside makes it go on.
fn wake_at(run: &Instance) -> Timestamp {
    let first = run.operations.borrow().first_deadline();
    first.into_iter().chain(run.deadline()).min().unwrap_or(Timestamp::NEVER)
}
