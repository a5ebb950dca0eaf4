//! Runs that have ended are deleted when they are old enough, or too many: piece by piece, whatever else
//! there is to do.
//!
//! A sweep looks at all that have ended, the last started first, so that it can count them; where it stands
//! is a key. Rows are all that is read. A piece is drafted for the next commit, which it shares with
//! whatever else that has, and the next piece waits: so runs that go on are hardly held up, and a process
//! that is never idle deletes all the same.

use core::time::Duration;

use dacapo_store::Filter;

use super::Engine;
use super::retaining::{Piece, Retaining, Sweep};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::retention::Fate;

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
                let pause = Retaining::PAUSE * self.deleted_at_once() as u32;
                retaining.next_at.set(now + pause);
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

    /// So many runs are deleted with one commit. Each of them takes some 20 µs of the processor: fewer while there are
    /// runs that wait for it.
    pub(crate) fn deleted_at_once(&self) -> usize {
        if self.ledgers.residents() == 0 { 100 } else { 15 }
    }

    /// Has the next commit delete a piece of what the rules of a sweep do not keep.
    ///
    /// # Errors
    ///
    /// If the rows cannot be read.
    pub(crate) fn sweep(&self, sweep: &mut Sweep) -> Result<Piece> {
        let deleted_at_once = self.deleted_at_once();
        let limit = sweep.rows(deleted_at_once);
        let mut filter = Filter::new().ended().newest_first().limit(limit);
        if let Some(before) = sweep.before {
            filter = filter.before(before);
        }
        let rows = self.list(&filter)?;
        let mut piece = Piece { deleted: 0, watch: None, is_last: rows.len() < limit };
        for row in rows {
            if piece.deleted == deleted_at_once {
                piece.is_last = false;
                break;
            }
            sweep.before = Some(row.key);
            match sweep.rules.fate(&row, &mut sweep.seen, sweep.now) {
                Fate::Kept(due) => sweep.due = sweep.due.min(due),
                Fate::Deleted if self.is_being_deleted(row.key) => {}
                // A rate counts it, in the next process too.
                Fate::Deleted if self.counted_until(&row) > sweep.now => {
                    sweep.due = sweep.due.min(self.counted_until(&row));
                }
                Fate::Deleted => {
                    piece.watch = Some(self.delete(&row)?);
                    piece.deleted += 1;
                }
            }
        }
        sweep.is_idle = piece.deleted == 0;
        Ok(piece)
    }
}
