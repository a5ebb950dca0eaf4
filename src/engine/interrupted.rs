//! What the end of a process interrupted begins again, a piece with each commit: see [`Interrupted`].
//!
//! [`Interrupted`]: crate::instance::Interrupted

use super::Engine;
use crate::record::Note;

impl Engine {
    /// Has the next commit say which of the interrupted steps begin now, and which ones wait.
    #[inline]
    pub(super) fn begin_interrupted(&self) {
        if !self.world.interrupted.borrow().is_empty() {
            self.begin_piece();
        }
    }

    #[cold]
    fn begin_piece(&self) {
        let interrupted = &mut *self.world.interrupted.borrow_mut();
        // After a shutdown the next process begins them.
        if !self.world.ending.is_closing() {
            for step in interrupted.take_piece() {
                step.instance.draft_note(step.operation.number, Note::Interrupted);
            }
        }
        for step in interrupted.note_waiting() {
            step.instance.draft_note(step.operation.number, Note::Deferred);
        }
    }
}
