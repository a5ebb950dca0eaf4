//! The messages that are with a run, and the receives that wait for one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::error::{Error, Kind};
use crate::message::{Arrived, Message};
use crate::operation::Operation;
use crate::record::{Asked, CarriedKey, Outcome, borrowed};
use crate::table::Table;

/// Where a message goes: questions are apart from all others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address<'a> {
    pub(crate) channel: &'a str,
    pub(crate) is_question: bool,
}

/// The channels and questions of one run: messages that nobody has taken, and receives that wait.
#[derive(Default)]
pub(crate) struct Channels {
    /// By whether they are questions, and in the order of their names: a run has few.
    lines: [Vec<(Rc<str>, Line)>; 2],
    /// Likewise: channel and key of each message that had one.
    keys: [BTreeMap<Named, Keyed>; 2],
    /// Of the questions among these: which is at which seq.
    asked: BTreeMap<u64, Named>,
    /// The receives that have a message in hand, by its seq.
    in_hand: Table<u64, Rc<Operation>>,
    /// The seqs of messages that nobody receives.
    skipped: BTreeSet<u64>,
    /// How many receives were built.
    built: u64,
}

/// The channel of a message, and its key.
type Named = (Rc<str>, Rc<str>);

/// A message that had a key.
pub(crate) struct Keyed {
    /// When it arrived.
    pub(crate) at: Timestamp,
    /// Where it stands in the history, if it came to this pass.
    pub(crate) seq: u64,
    /// Of a question that has it.
    pub(crate) answer: Option<Outcome<'static>>,
}

/// One channel. Of the two, one is empty.
#[derive(Default)]
struct Line {
    /// By seq: messages are taken in the order of the history, also those that were put back.
    arrived: Table<u64, Arrived>,
    /// By the order in which they were built.
    waiting: Table<u64, Rc<Operation>>,
}

/// What one pass of a run leaves to the next: messages by their seqs in the one that ends.
type Left = (Vec<(u64, Message)>, Vec<CarriedKey<'static>>);

impl Channels {
    /// The order of the receive that is being built.
    pub(crate) fn next_order(&mut self) -> u64 {
        self.built += 1;
        self.built
    }

    /// Takes the first message that nobody has taken.
    pub(crate) fn take(&mut self, from: Address<'_>) -> Option<Arrived> {
        let at = self.place(from).ok()?;
        let (_, line) = &mut self.lines[usize::from(from.is_question)][at];
        loop {
            let (seq, message) = line.arrived.pop_first()?;
            if !self.skipped.contains(&seq) {
                return Some(message);
            }
        }
    }

    /// The message at `seq` is never received.
    pub(crate) fn skip(&mut self, seq: u64) {
        self.skipped.insert(seq);
    }

    pub(crate) fn is_skipped(&self, seq: u64) -> bool {
        self.skipped.contains(&seq)
    }

    /// A receive is ready with the message that it had in hand, or was dropped with it.
    pub(crate) fn take_from_hand(&mut self, seq: u64) {
        self.in_hand.remove(seq);
    }

    pub(crate) fn wait(&mut self, from: Address<'_>, order: u64, receive: Rc<Operation>) {
        self.line(from).waiting.replace(order, receive);
    }

    pub(crate) fn forget(&mut self, from: Address<'_>, order: u64) {
        if let Ok(at) = self.place(from) {
            let (_, line) = &mut self.lines[usize::from(from.is_question)][at];
            line.waiting.remove(order);
        }
    }

    /// A message arrives, or is put back to its place by a receive that had it in hand. Gives the
    /// oldest receive that waits, which gets the first message.
    pub(crate) fn arrive(
        &mut self,
        to: Address<'_>,
        arrived: Arrived,
    ) -> Option<(Rc<Operation>, Arrived)> {
        let line = self.line(to);
        let Some((_, receive)) = line.waiting.pop_first() else {
            line.arrived.insert(arrived.seq, arrived);
            return None;
        };
        // While one waits there is no other message: this is the first.
        self.in_hand.insert(arrived.seq, receive.clone());
        Some((receive, arrived))
    }

    /// A message is there, for whoever asks for it.
    pub(crate) fn put(&mut self, to: Address<'_>, arrived: Arrived) {
        self.line(to).arrived.insert(arrived.seq, arrived);
    }

    pub(crate) fn note_key(&mut self, to: Address<'_>, key: &str, keyed: Keyed) {
        let named = (Rc::from(to.channel), Rc::from(key));
        if to.is_question {
            self.asked.insert(keyed.seq, named.clone());
        }
        self.keys[usize::from(to.is_question)].insert(named, keyed);
    }

    /// The message that came with this key before.
    pub(crate) fn keyed(&self, to: Address<'_>, key: &str) -> Option<&Keyed> {
        self.keys[usize::from(to.is_question)].get(&(to.channel.into(), key.into()))
    }

    /// The question at this seq has its answer: it is kept for whoever asks it again.
    pub(crate) fn answer(&mut self, seq: u64, outcome: &Outcome<'_>) {
        if let Some(named) = self.asked.get(&seq)
            && let Some(keyed) = self.keys[1].get_mut(named)
        {
            keyed.answer = Some(borrowed(outcome).map(Bytes::into_owned));
        }
    }

    /// The answer to the question at this seq, if it had a key.
    pub(crate) fn answer_at(&self, seq: u64) -> Option<Outcome<'static>> {
        self.keys[1].get(self.asked.get(&seq)?)?.answer.clone()
    }

    /// Gives the messages that nobody has taken, in the order of the history, and the keys of the others
    /// that arrived at `since` or later.
    pub(crate) fn leave(&mut self, since: Timestamp) -> Left {
        let messages: Vec<_> = self.take_untaken().into_iter().collect();
        let named = messages.iter().filter_map(|(_, message)| {
            Some((message.is_question, &*message.channel, message.key.as_deref()?))
        });
        let named: BTreeSet<_> = named.collect();
        let mut keys = Vec::new();
        for (is_question, of_kind) in [false, true].into_iter().zip(&self.keys) {
            let taken = of_kind.iter().filter(|((channel, key), keyed)| {
                keyed.at >= since && !named.contains(&(is_question, channel, key))
            });
            keys.extend(taken.map(|((channel, key), keyed)| CarriedKey {
                channel: channel.to_string(),
                key: key.to_string(),
                at: keyed.at,
                answer: keyed.answer.clone().or_else(|| is_question.then(unanswered)),
            }));
        }
        (messages, keys)
    }

    fn take_untaken(&mut self) -> BTreeMap<u64, Message> {
        let mut messages = BTreeMap::new();
        let message = |channel: &str, is_question, Arrived { payload, key, .. }| Message {
            channel: String::from(channel).into(),
            payload,
            key,
            is_question,
        };
        for (is_question, lines) in [false, true].into_iter().zip(&mut self.lines) {
            for (channel, line) in lines {
                let arrived = core::mem::take(&mut line.arrived).into_entries();
                messages.extend(arrived.map(|(seq, it)| (seq, message(channel, is_question, it))));
            }
        }
        for (seq, receive) in core::mem::take(&mut self.in_hand).into_entries() {
            // A receive that was leaked has it still.
            if let Asked::Receive { channel, is_question } = receive.asked()
                && let Some(arrived) = receive.take_arrived()
            {
                messages.insert(seq, message(channel, is_question, arrived));
            }
        }
        messages.retain(|seq, _| !self.skipped.contains(seq));
        messages
    }

    fn line(&mut self, of: Address<'_>) -> &mut Line {
        let place = self.place(of);
        let lines = &mut self.lines[usize::from(of.is_question)];
        let at = place.unwrap_or_else(|at| {
            lines.insert(at, (of.channel.into(), Line::default()));
            at
        });
        &mut lines[at].1
    }

    /// Where its line is, or belongs.
    fn place(&self, of: Address<'_>) -> Result<usize, usize> {
        let lines = &self.lines[usize::from(of.is_question)];
        lines.binary_search_by(|(channel, _)| (**channel).cmp(of.channel))
    }
}

/// The answer to a question that was taken, and never answered.
fn unanswered() -> Outcome<'static> {
    Err(Error::of(Kind::Ended, UNANSWERED).into_failure())
}

/// What those are told whose question has no answer.
pub(crate) const UNANSWERED: &str =
    "the run has ended, or went on in another pass, without an answer";
