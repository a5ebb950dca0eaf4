//! The messages that are with a run, and the receives that wait for one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;

use crate::bytes::Bytes;
use crate::message::Arrived;
use crate::operation::Operation;

/// The channels of one run: messages that nobody has taken, and receives that wait.
#[derive(Default)]
pub(crate) struct Inbox {
    channels: BTreeMap<Rc<str>, Line>,
    /// Channel and key of each message that had one.
    keys: BTreeSet<(Rc<str>, Rc<str>)>,
    /// How many receives were built.
    built: u64,
}

/// One channel. Of the two, one is empty.
#[derive(Default)]
struct Line {
    /// By seq: messages are taken in the order of the history, also those that were put back.
    arrived: BTreeMap<u64, Bytes<'static>>,
    /// By the order in which they were built.
    waiting: BTreeMap<u64, Rc<Operation>>,
}

impl Inbox {
    /// The order of the receive that is being built.
    pub(crate) fn next_order(&mut self) -> u64 {
        self.built += 1;
        self.built
    }

    /// Takes the first message that nobody has taken.
    pub(crate) fn take(&mut self, channel: &str) -> Option<Arrived> {
        let (seq, payload) = self.channels.get_mut(channel)?.arrived.pop_first()?;
        Some(Arrived { seq, payload })
    }

    pub(crate) fn wait(&mut self, channel: &str, order: u64, receive: Rc<Operation>) {
        self.line(channel).waiting.insert(order, receive);
    }

    pub(crate) fn forget(&mut self, channel: &str, order: u64) {
        if let Some(line) = self.channels.get_mut(channel) {
            line.waiting.remove(&order);
        }
    }

    /// A message arrives, or is put back to its place by a receive that had it in hand. Gives the
    /// oldest receive that waits, which gets the first message.
    pub(crate) fn arrive(
        &mut self,
        channel: &str,
        arrived: Arrived,
    ) -> Option<(Rc<Operation>, Arrived)> {
        let line = self.line(channel);
        line.arrived.insert(arrived.seq, arrived.payload);
        let (_, receive) = line.waiting.pop_first()?;
        let (seq, payload) = line.arrived.pop_first().expect("one has just come");
        Some((receive, Arrived { seq, payload }))
    }

    pub(crate) fn note_key(&mut self, channel: &str, key: &str) {
        self.keys.insert((channel.into(), key.into()));
    }

    pub(crate) fn has_key(&self, channel: &str, key: &str) -> bool {
        self.keys.contains(&(channel.into(), key.into()))
    }

    fn line(&mut self, channel: &str) -> &mut Line {
        if !self.channels.contains_key(channel) {
            self.channels.insert(channel.into(), Line::default());
        }
        self.channels.get_mut(channel).expect("it is there by now")
    }
}
