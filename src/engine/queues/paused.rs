//! Queues that admit nothing for a while, over restarts too.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::instance::NoteDraft;
use crate::watch::Watch;

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
        let (key, value) = (note(queue), is_paused.then(Vec::new));
        let draft = NoteDraft { key, value, starts: Vec::new(), receipt: Rc::default() };
        let receipt = draft.receipt.clone();
        self.world.pending.borrow_mut().others_mut().notes.push(draft);
        self.world.bodies.raw().notify();
        Ok(receipt)
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
