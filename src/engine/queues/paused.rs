//! Queues that admit nothing for a while, over restarts too.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use dacapo_store::Batch;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::watch::Watch;

/// A queue is paused or goes on, and its note is to say so.
pub(super) struct Paused {
    queue: Rc<str>,
    is_paused: bool,
    receipt: Rc<Watch>,
}

const NOTE: &[u8] = b"paused queue ";

fn note(queue: &str) -> Vec<u8> {
    [NOTE, queue.as_bytes()].concat()
}

impl Engine {
    /// Has a queue admit nothing, or go on; where to wait for the commit.
    ///
    /// # Errors
    ///
    /// If this build does not define it.
    pub(crate) fn set_paused(&self, queue: &str, is_paused: bool) -> Result<Rc<Watch>> {
        self.queues.set_paused(queue, is_paused)?;
        let receipt = Rc::<Watch>::default();
        let change = Paused { queue: queue.into(), is_paused, receipt: receipt.clone() };
        self.queues.unsaved.borrow_mut().push(change);
        self.world.bodies.raw().notify();
        Ok(receipt)
    }

    /// Whether a queue was paused or goes on, and that is not committed.
    pub(in crate::engine) fn has_unsaved_pauses(&self) -> bool {
        !self.queues.unsaved.borrow().is_empty()
    }

    pub(in crate::engine) fn write_pauses(&self, batch: &mut Batch) {
        for change in &*self.queues.unsaved.borrow() {
            match change.is_paused {
                true => batch.put_note(&note(&change.queue), &[]),
                false => batch.remove_note(&note(&change.queue)),
            }
        }
    }

    /// Tells who waits for that.
    pub(in crate::engine) fn tell_pauses(&self, told: &Result<()>) {
        for change in self.queues.unsaved.take() {
            change.receipt.tell(told.clone());
        }
    }

    /// Learns which queues a process before has paused.
    pub(super) fn recall_pauses(&self) -> Result<()> {
        for queue in self.paused_queues()? {
            // It may be one that this build does not define.
            let _ = self.queues.set_paused(&queue, true);
        }
        Ok(())
    }

    /// The queues that are paused, as the store has it.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn paused_queues(&self) -> Result<BTreeSet<String>> {
        let mut paused = BTreeSet::new();
        let read = self.store.borrow().notes(NOTE, &mut |key, _| {
            paused.extend(core::str::from_utf8(&key[NOTE.len()..]).map(String::from));
        });
        read.map_err(|error| Error::store(&error))?;
        Ok(paused)
    }
}
