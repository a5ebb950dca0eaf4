//! Runs that have ended are deleted when they are old enough, or too many: piece by piece, whatever else
//! there is to do.
//!
//! A sweep looks at all that have ended, the last started first, so that it can count them; where it stands
//! is a key. Rows are all that is read. A piece is drafted for the next commit, which it shares with
//! whatever else that has, and the next piece waits: so runs that go on are hardly held up, and a process
//! that is never idle deletes all the same.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use dacapo_store::{Filter, RunKey};

use super::Engine;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::retention::{Fate, Rules};
use crate::watch::Watch;

/// What a builder asked for.
pub(super) struct Retaining {
    rules: Rules,
    sweep: RefCell<Option<Sweep>>,
    /// When the next piece is, or the next sweep.
    next_at: Cell<Timestamp>,
    began_at: Cell<Timestamp>,
    /// How many runs have ended since the last sweep began.
    ended: Cell<usize>,
}

/// How far it was looked for what is to be deleted.
pub(crate) struct Sweep {
    rules: Rules,
    seen: Vec<usize>,
    /// What was started from this one on is looked through.
    before: Option<RunKey>,
    /// Ages are counted up to here.
    now: Timestamp,
    /// When the first of those that are kept is due.
    due: Timestamp,
    /// How many rows are read next.
    rows: usize,
}

/// What a piece of a sweep brought.
pub(crate) struct Piece {
    pub(crate) deleted: usize,
    /// Where to wait for the commit, if something is deleted.
    pub(crate) watch: Option<Rc<Watch>>,
    pub(crate) is_last: bool,
}

impl Sweep {
    /// So many runs are deleted at once, at most.
    pub(crate) const DELETED: usize = 100;
    /// So many rows are read at once, if the last piece found nothing to delete; else not more than can be
    /// deleted.
    const ROWS: usize = 1_000;

    pub(crate) fn new(rules: Rules, now: Timestamp) -> Self {
        let seen = alloc::vec![0; rules.len()];
        let (before, due) = (None, Timestamp::NEVER);
        Self { rules, seen, before, now, due, rows: Self::DELETED }
    }
}

impl Retaining {
    /// From one piece to the next.
    const PAUSE: Duration = Duration::from_millis(10);
    /// From the beginning of one sweep to that of the next, at least.
    const REST: Duration = Duration::from_secs(1);

    /// `None`: there are no rules.
    pub(super) fn new(rules: Rules) -> Option<Self> {
        let (sweep, next_at) = (RefCell::default(), Cell::new(Timestamp::default()));
        let (began_at, ended) = (Cell::default(), Cell::default());
        (!rules.are_none()).then_some(Self { rules, sweep, next_at, began_at, ended })
    }

    /// A run has ended.
    fn note_ended(&self, now: Timestamp) {
        self.ended.set(self.ended.get() + 1);
        if self.sweep.borrow().is_none() {
            let due = self.rules.shortest_age().map_or(Timestamp::NEVER, |age| now + age);
            self.next_at.set(self.next_at.get().min(self.next_sweep(due)));
        }
    }

    /// A sweep is over; of what it has kept the first is due then.
    fn rest(&self, due: Timestamp) {
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

impl Engine {
    /// Has the next commit delete a piece of what is kept no longer, if its time has come.
    pub(crate) fn retain(&self) {
        let Some(retaining) = &self.retaining else { return };
        let now = self.world.timers.now();
        if now < retaining.next_at.get() || self.world.ending.is_closing() || self.check().is_err()
        {
            return;
        }
        let sweep = retaining.sweep.take();
        let mut sweep = sweep.unwrap_or_else(|| {
            retaining.began_at.set(now);
            retaining.ended.set(0);
            Sweep::new(retaining.rules.clone(), now)
        });
        match self.sweep(&mut sweep) {
            Ok(piece) if !piece.is_last => {
                retaining.next_at.set(now + Retaining::PAUSE);
                retaining.sweep.replace(Some(sweep));
            }
            // A damaged row: the next sweep finds what is behind it, if it is mended by then. Or the disk
            // does not answer, and the next commit learns that.
            Ok(_) | Err(_) => retaining.rest(sweep.due),
        }
    }

    /// When there is a piece to delete, seen from now.
    pub(super) fn next_retention(&self) -> Option<Duration> {
        let retaining = self.retaining.as_ref().filter(|_| !self.world.ending.is_closing())?;
        let at = retaining.next_at.get();
        (at != Timestamp::NEVER && self.check().is_ok())
            .then(|| at.since(self.world.timers.present()))
    }

    pub(super) fn note_kept(&self) {
        if let Some(retaining) = &self.retaining {
            retaining.note_ended(self.world.timers.now());
        }
    }

    /// Has the next commit delete a piece of what the rules of a sweep do not keep.
    ///
    /// # Errors
    ///
    /// If the rows cannot be read.
    pub(crate) fn sweep(&self, sweep: &mut Sweep) -> Result<Piece> {
        let mut filter = Filter::new().ended().newest_first().limit(sweep.rows);
        if let Some(before) = sweep.before {
            filter = filter.before(before);
        }
        let rows = self.list(&filter)?;
        let mut piece = Piece { deleted: 0, watch: None, is_last: rows.len() < sweep.rows };
        for row in rows {
            if piece.deleted == Sweep::DELETED {
                piece.is_last = false;
                break;
            }
            sweep.before = Some(row.key);
            match sweep.rules.fate(&row, &mut sweep.seen, sweep.now) {
                Fate::Kept(due) => sweep.due = sweep.due.min(due),
                Fate::Deleted if self.is_being_deleted(row.key) => {}
                Fate::Deleted => {
                    piece.watch = Some(self.delete(&row)?);
                    piece.deleted += 1;
                }
            }
        }
        sweep.rows = if piece.deleted == 0 { Sweep::ROWS } else { Sweep::DELETED };
        Ok(piece)
    }
}
