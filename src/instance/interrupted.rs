//! Steps that the end of a process interrupted, or may have: how they begin again.
//!
//! A history says which steps were asked for, and not which of their bodies had begun: to know that of
//! each would cost a sync per step. So after a crash one attempt counts for all that a process had asked
//! for, whether it came to them or not. From then on it is known: they begin in pieces, and which piece
//! is next is committed before it begins (`Note::Interrupted`). The others are committed to wait
//! (`Note::Deferred`), so if the process ends again, nothing counts for them. As all of this is in commits,
//! it holds for a machine that ends as for a process.
//!
//! ```text
//!                         crash                          begins
//!   asked for ---------------+--> Deferred ----+--> Interrupted --+
//!   (may have begun)         |        ^        |  (may have begun)|
//!                            |        |        |                  |
//!                            +--------|--------+      crash       |
//!                                     +---------------------------+
//! ```
//!
//! The next piece follows when the one before was polled once. Whoever ends the process in its body ends it
//! together with its piece, and not with the rest. Those that were interrupted more often come later and in
//! smaller pieces of their own, down to one that stands alone: so all others have their turn before, and go on
//! from there.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::mem;

use dacapo_store::RunKey;

use super::{Instance, Phase};
use crate::operation::Operation;
use crate::record::Number;

/// See the module.
#[derive(Default)]
pub(crate) struct Interrupted {
    /// In the order in which they begin.
    waiting: BTreeMap<Place, Suspect>,
    /// Of these, the ones of which nothing is recorded yet.
    new: Vec<Place>,
}

/// How often a step was interrupted, as far as that matters, and which one it is.
type Place = (u32, RunKey, Number);

/// A step that may have been interrupted.
pub(crate) struct Suspect {
    pub(crate) instance: Rc<Instance>,
    pub(crate) operation: Rc<Operation>,
}

/// What has been interrupted so often stands alone.
const ALONE: u32 = 4;

/// How many such steps are in one piece.
const fn piece_of(suspicion: u32) -> usize {
    1 << (2 * (ALONE - suspicion))
}

impl Interrupted {
    pub(crate) fn add(&mut self, instance: Rc<Instance>, operation: Rc<Operation>) {
        let (attempts, max) = (operation.attempts(), operation.policy().retry.max_interrupted());
        // If it is interrupted once more, that is its end: it must not be by another's fault.
        let is_last = attempts + 2 >= max;
        let suspicion = if is_last { ALONE } else { attempts.min(ALONE) };
        let place = (suspicion, instance.key(), operation.number);
        if !operation.is_deferred() {
            self.new.push(place);
        }
        self.waiting.insert(place, Suspect { instance, operation });
    }

    /// Takes the next ones that are to begin.
    pub(crate) fn take_piece(&mut self) -> Vec<Suspect> {
        let mut piece = Vec::new();
        let mut suspicion = None;
        while let Some(first) = self.waiting.first_entry() {
            let its = first.key().0;
            if *suspicion.get_or_insert(its) != its || piece.len() == piece_of(its) {
                break;
            }
            let suspect = first.remove();
            if suspect.is_awaited() {
                piece.push(suspect);
            } else if piece.is_empty() {
                suspicion = None;
            }
        }
        piece
    }

    /// Takes note of those that wait, and gives those of which the history does not know.
    pub(crate) fn note_waiting(&mut self) -> impl Iterator<Item = &Suspect> {
        let new = mem::take(&mut self.new).into_iter();
        new.filter_map(|place| self.waiting.get(&place)).filter(|suspect| suspect.is_awaited())
    }

    /// Whether some of those that wait are not recorded to do so.
    pub(crate) fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Suspect {
    /// Whether its run still waits for it.
    fn is_awaited(&self) -> bool {
        self.instance.phase.get() == Phase::Live && self.instance.awaits(&self.operation)
    }
}
