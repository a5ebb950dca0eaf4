//! The messages that are with a run, and the receives that wait for one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::clock::Timestamp;
use crate::message::{Arrived, Message};
use crate::operation::Operation;
use crate::record::CarriedKey;

/// The channels of one run: messages that nobody has taken, and receives that wait.
#[derive(Default)]
pub(crate) struct Inbox {
    channels: BTreeMap<Rc<str>, Line>,
    /// Channel and key of each message that had one, and when it arrived.
    keys: BTreeMap<(Rc<str>, Rc<str>), Timestamp>,
    /// The receives that have a message in hand, by its seq.
    in_hand: BTreeMap<u64, (Rc<str>, Rc<Operation>)>,
    /// How many receives were built.
    built: u64,
}

/// One channel. Of the two, one is empty.
#[derive(Default)]
struct Line {
    /// By seq: messages are taken in the order of the history, also those that were put back.
    arrived: BTreeMap<u64, Arrived>,
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
        Some(self.channels.get_mut(channel)?.arrived.pop_first()?.1)
    }

    /// A receive is ready with the message that it had in hand, or was dropped with it.
    pub(crate) fn take_from_hand(&mut self, seq: u64) {
        self.in_hand.remove(&seq);
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
        self.put(channel, arrived);
        let line = self.line(channel);
        let (_, receive) = line.waiting.pop_first()?;
        let (seq, arrived) = line.arrived.pop_first().expect("one has just come");
        self.in_hand.insert(seq, (channel.into(), receive.clone()));
        Some((receive, arrived))
    }

    /// A message is there, for whoever asks for it.
    pub(crate) fn put(&mut self, channel: &str, arrived: Arrived) {
        self.line(channel).arrived.insert(arrived.seq, arrived);
    }

    pub(crate) fn note_key(&mut self, channel: &str, key: &str, at: Timestamp) {
        self.keys.insert((channel.into(), key.into()), at);
    }

    pub(crate) fn has_key(&self, channel: &str, key: &str) -> bool {
        self.keys.contains_key(&(channel.into(), key.into()))
    }

    /// Gives the messages that nobody has taken, in the order of the history, and the keys of the others
    /// that arrived at `since` or later.
    pub(crate) fn leave(&mut self, since: Timestamp) -> (Vec<Message>, Vec<CarriedKey<'static>>) {
        let mut messages = BTreeMap::new();
        for (channel, line) in &mut self.channels {
            let arrived = core::mem::take(&mut line.arrived).into_values();
            messages.extend(arrived.map(|arrived| (arrived.seq, (channel.clone(), arrived))));
        }
        for (seq, (channel, receive)) in core::mem::take(&mut self.in_hand) {
            // A receive that was leaked has it still.
            messages.extend(receive.take_arrived().map(|arrived| (seq, (channel, arrived))));
        }
        let messages = messages.into_values().map(|(channel, Arrived { payload, key, .. })| {
            Message { channel: String::from(&*channel).into(), payload, key, is_question: false }
        });
        let messages: Vec<_> = messages.collect();
        let named = messages
            .iter()
            .filter_map(|message| Some((&*message.channel, message.key.as_deref()?)));
        let named: BTreeSet<_> = named.collect();
        let keys = self
            .keys
            .iter()
            .filter(|((channel, key), at)| **at >= since && !named.contains(&(&**channel, &**key)));
        let keys = keys.map(|((channel, key), &at)| CarriedKey {
            channel: channel.to_string(),
            key: key.to_string(),
            at,
            answer: None,
        });
        let keys = keys.collect();
        (messages, keys)
    }

    fn line(&mut self, channel: &str) -> &mut Line {
        if !self.channels.contains_key(channel) {
            self.channels.insert(channel.into(), Line::default());
        }
        self.channels.get_mut(channel).expect("it is there by now")
    }
}
