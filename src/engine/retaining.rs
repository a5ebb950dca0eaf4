//! Rules for runs that have ended, and how far they are carried out.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use dacapo_store::RunKey;

use crate::clock::Timestamp;
use crate::retention::Rules;
use crate::watch::Watch;

/// What a builder asked for.
pub(super) struct Retaining {
    pub(super) rules: Rules,
    pub(super) sweep: RefCell<Option<Sweep>>,
    /// When the next piece is, or the next sweep.
    pub(super) next_at: Cell<Timestamp>,
    pub(super) began_at: Cell<Timestamp>,
    /// How many runs have ended since the last sweep began.
    pub(super) ended: Cell<usize>,
}

/// How far it was looked for what is to be deleted.
pub(crate) struct Sweep {
    pub(super) rules: Rules,
    pub(super) seen: Vec<usize>,
    /// What was started from this one on is looked through.
    pub(super) before: Option<RunKey>,
    /// Ages are counted up to here.
    pub(super) now: Timestamp,
    /// When the first of those that are kept is due.
    pub(super) due: Timestamp,
    /// Whether the last piece found nothing to delete.
    pub(super) is_idle: bool,
}

/// What a piece of a sweep brought.
pub(crate) struct Piece {
    pub(crate) deleted: usize,
    /// Where to wait for the commit, if something is deleted.
    pub(crate) watch: Option<Rc<Watch>>,
    pub(crate) is_last: bool,
}

impl Sweep {
    pub(crate) fn new(rules: Rules, now: Timestamp) -> Self {
        let seen = alloc::vec![0; rules.len()];
        let (before, due) = (None, Timestamp::NEVER);
        Self { rules, seen, before, now, due, is_idle: false }
    }

    /// How many rows are read next, if so many may be deleted.
    pub(super) fn rows(&self, deleted_at_once: usize) -> usize {
        if self.is_idle { deleted_at_once * 5 / 2 } else { deleted_at_once }
    }
}

impl Retaining {
    /// From one piece to the next, for each run that the first may have deleted.
    pub(super) const PAUSE: Duration = Duration::from_micros(100);
    /// From the beginning of one sweep to that of the next, at least.
    const REST: Duration = Duration::from_secs(1);

    /// `None`: there are no rules.
    pub(super) fn new(rules: Rules) -> Option<Self> {
        let (sweep, next_at) = (RefCell::default(), Cell::new(Timestamp::default()));
        let (began_at, ended) = (Cell::default(), Cell::default());
        (!rules.are_none()).then_some(Self { rules, sweep, next_at, began_at, ended })
    }

    /// A run has ended.
    pub(super) fn note_ended(&self, now: Timestamp) {
        self.ended.set(self.ended.get() + 1);
        if self.sweep.borrow().is_none() {
            let due = self.rules.shortest_age().map_or(Timestamp::NEVER, |age| now + age);
            self.next_at.set(self.next_at.get().min(self.next_sweep(due)));
        }
    }

    /// A sweep is over; of what it has kept the first is due then.
    pub(super) fn rest(&self, due: Timestamp) {
        // What ended meanwhile is due later than this.
        let has_ended = self.ended.get() > 0;
        let later = self.rules.shortest_age().filter(|_| has_ended);
        let due = later.map_or(due, |age| due.min(self.began_at.get() + age));
        self.next_at.set(self.next_sweep(due));
    }

    /// When the next sweep begins, if something is due by its age then. Each looks at all that is kept, so
    /// it is not made much more often than the rules tell apart.
    fn next_sweep(&self, due: Timestamp) -> Timestamp {
        let began_at = self.began_at.get();
        let rest = self.rules.shortest_age().map_or(Self::REST, |age| (age / 16).max(Self::REST));
        let of_age = if due == Timestamp::NEVER { due } else { due.max(began_at + rest) };
        let is_surplus = |count: &usize| self.ended.get() > count / 16;
        let of_count = self.rules.smallest_count().filter(is_surplus);
        of_count.map_or(of_age, |_| of_age.min(began_at + Self::REST))
    }
}
