//! What one pass of a run leaves to the next.

use alloc::vec::Vec;

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::inbox::{Address, Keyed};
use crate::instance::{Instance, RootEnd};
use crate::message::{Arrived, Message};
use crate::record::{Carried, Outcome, borrowed};

impl Instance {
    /// Whether the root ended for the run to go on in another pass.
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self.root_end.get().map(|end| &**end), Some(RootEnd::Again { .. }))
    }

    /// The code ends this pass: the run goes on in another one, unless its input cannot be recorded.
    pub(crate) fn end_pass(&self, input: Outcome<'static>) {
        if !self.has_ended() {
            let delivered = self.delivered.get();
            self.set_root_end(match input {
                Ok(input) => RootEnd::Again { input, delivered },
                refused => RootEnd::Outcome(refused),
            });
        }
    }

    /// How many passes in a row end with nothing delivered to them but their start, with this one; 0 if
    /// this is none.
    pub(crate) fn idle_passes(&self) -> u32 {
        let (before, start) = match self.submitted() {
            // The admission is delivered, too.
            Some(submitted) => (submitted.idle_passes, 2),
            None => (0, 1),
        };
        match self.root_end.get().map(|end| &**end) {
            Some(RootEnd::Again { delivered, .. }) if *delivered <= start => before + 1,
            Some(RootEnd::Again { .. } | RootEnd::Outcome(_)) | None => 0,
        }
    }

    /// A message arrives at a run whose root has ended, for the pass that follows.
    pub(crate) fn keep_message(&self, to: Address<'_>, arrived: Arrived) {
        if self.goes_on() {
            self.note_message_key(to, &arrived);
            self.extra().inbox.borrow_mut().put(to, arrived);
        }
    }

    pub(crate) fn note_message_key(&self, to: Address<'_>, arrived: &Arrived) {
        if let Some(key) = &arrived.key {
            let keyed = Keyed { at: self.now.get(), seq: arrived.seq, answer: None };
            self.extra().inbox.borrow_mut().note_key(to, key, keyed);
        }
    }

    /// What the next pass takes over: the messages that nobody has taken, in their order, and the keys of
    /// the others that arrived at `keys_since` or later; and the rest.
    pub(crate) fn leave(
        &self,
        idle_passes: u32,
        keys_since: Timestamp,
    ) -> (Carried<'static>, Vec<(u64, Message)>) {
        let (messages, keys) = self.extra().inbox.borrow_mut().leave(keys_since);
        let topics = self.extra().topics.borrow().all();
        let before = Some(self.key().0);
        (Carried { before, idle_passes, keys, topics }, messages)
    }

    /// The same, from the pass before.
    pub(super) fn take_over(&self, carried: &Carried<'_>) {
        if !carried.topics.is_empty() {
            self.extra().topics.borrow_mut().take_over(&carried.topics);
        }
        let inbox = &self.extra().inbox;
        for key in &carried.keys {
            // A question that was taken has its answer, if only that there is none.
            let to = Address { channel: &key.channel, is_question: key.answer.is_some() };
            let answer = key.answer.as_ref().map(|answer| borrowed(answer).map(Bytes::into_owned));
            let keyed = Keyed { at: key.at, seq: 0, answer };
            inbox.borrow_mut().note_key(to, &key.key, keyed);
        }
    }
}
