//! The end of a process in order: what begins no more before it, and what the next process makes
//! of it.
//!
//! What is under way when a process ends counts as an attempt, for a body may be what ended it. A
//! process that ends in order says so in a note of the store, with its last commit: then the next
//! one begins what was under way without counting. The note decides nothing else. It is gone before a
//! body begins, so whatever happens then counts again.

use core::cell::Cell;

use dacapo_store::Batch;

/// How the process before ended, and whether this one is about to.
#[derive(Default)]
pub(crate) struct Ending {
    /// Whether no body, attempt or timer begins any more.
    is_closing: Cell<bool>,
    /// How many attempts are under way.
    attempts: Cell<usize>,
    /// Whether runs are being recovered whose bodies nothing interrupted.
    is_after_order: Cell<bool>,
    note: Cell<NoteChange>,
}

/// What the next commit does with the note.
///
/// | change       | a body is recovered | a commit | the end in order |
/// |--------------|---------------------|----------|------------------|
/// | none         | -                   | none     | put              |
/// | remove       | remove first        | none     | none             |
/// | remove first | remove first        | none     | none             |
/// | put          | -                   | none     | -                |
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum NoteChange {
    #[default]
    None,
    /// It is there, of the process before.
    Remove,
    /// The same, and bodies wait for that commit.
    RemoveFirst,
    Put,
}

/// An attempt that is under way, until this is dropped.
pub(crate) struct UnderWay<'a>(&'a Ending);

impl Ending {
    /// In the store if the last process ended in order, and nothing was committed since by one that knows a
    /// workflow.
    pub(crate) const NOTE: &'static [u8] = b"orderly end";

    /// Calls `recover` for the runs of a store, which has the note or not.
    pub(crate) fn recover<T>(&self, has_note: bool, recover: impl FnOnce() -> T) -> T {
        if has_note {
            self.note.set(NoteChange::Remove);
        }
        self.is_after_order.set(has_note);
        let recovered = recover();
        self.is_after_order.set(false);
        recovered
    }

    /// Whether the body of a step that is recovered begins without having been interrupted.
    pub(crate) fn spares_body(&self) -> bool {
        let spares = self.is_after_order.get();
        if spares {
            self.note.set(NoteChange::RemoveFirst);
        }
        spares
    }

    /// Whether bodies wait for the next commit.
    pub(crate) fn holds_bodies(&self) -> bool {
        self.note.get() == NoteChange::RemoveFirst
    }

    /// Whether the next commit is made, if for the note alone.
    pub(crate) fn must_commit(&self) -> bool {
        matches!(self.note.get(), NoteChange::RemoveFirst | NoteChange::Put)
    }

    /// Writes what becomes of the note.
    pub(crate) fn write(&self, batch: &mut Batch) {
        match self.note.take() {
            NoteChange::None => {}
            NoteChange::Remove | NoteChange::RemoveFirst => batch.remove_note(Self::NOTE),
            NoteChange::Put => batch.put_note(Self::NOTE, b""),
        }
    }

    /// The executor has stopped: there is no next commit that anything could wait for.
    pub(crate) fn expect_no_commit(&self) {
        self.note.set(NoteChange::None);
    }

    /// Nothing begins any more.
    pub(crate) fn begin_closing(&self) {
        self.is_closing.set(true);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.get()
    }

    /// The next commit is the last, and the end is in order.
    pub(crate) fn note_order(&self) {
        self.note.set(match self.note.get() {
            NoteChange::None | NoteChange::Put => NoteChange::Put,
            // Nothing was committed since it was written.
            NoteChange::Remove | NoteChange::RemoveFirst => NoteChange::None,
        });
    }

    /// An attempt begins.
    pub(crate) fn begin_attempt(&self) -> UnderWay<'_> {
        self.attempts.set(self.attempts.get() + 1);
        UnderWay(self)
    }

    pub(crate) fn has_attempts(&self) -> bool {
        self.attempts.get() > 0
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.attempts.set(self.0.attempts.get() - 1);
    }
}
