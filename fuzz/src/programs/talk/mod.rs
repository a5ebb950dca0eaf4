//! What programs do with other runs, and with their own end.

mod decode;
mod live;

use super::language::Code;
use dacapo::{Channel, Question, Topic, Workflow};
pub(super) use live::{Outside, part};

use super::live::Output;

/// Each takes a number and gives a [`Value`](super::language::Value), as all parts do.
#[derive(Debug)]
pub(crate) enum Talk {
    Send(Letter),
    /// A send that is polled once and dropped.
    Glimpsed(Letter),
    Receive(usize),
    Hold(Hold),
    /// It waits to be asked to end.
    Cancelled,
    /// No cancel drops the part.
    Shield(Code),
    Child(Child),
    /// The run goes on in another pass, if there were not too many.
    Again,
    /// It panics until somebody mends it.
    Panic,
    /// It leaves a waker with somebody outside.
    Exposed,
    /// It publishes on the topic with this number.
    Publish(usize),
    Asked(Asked),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter {
    pub(crate) to: Peer,
    pub(crate) channel: usize,
    /// Messages on the last channel have keys, those on others do not.
    pub(crate) key: u8,
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// One that somebody starts, or a child with a name of its own.
    Named(usize),
    Own,
    Parent,
    /// The child with this number.
    Child(u8),
}

/// A receive that is held while something else is done.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) channel: usize,
    /// Whether it is polled before.
    pub(crate) polled: bool,
    pub(crate) code: Code,
    /// Whether it is awaited then, or dropped.
    pub(crate) awaited: bool,
}

/// A question that is received.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What is done with it in hand.
    pub(crate) code: Option<Code>,
    /// Whether it is answered then, or dropped.
    pub(crate) answered: bool,
}

#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) workflow: usize,
    /// One of the [`NAMES`], if not the default.
    pub(crate) name: Option<usize>,
    pub(crate) timeout_ms: Option<u64>,
    /// What is done first.
    pub(crate) first: First,
    /// What is done meanwhile.
    pub(crate) code: Code,
    pub(crate) then: Then,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum First {
    Nothing,
    /// It is polled once.
    Polled,
    /// Its start is awaited.
    Started,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    Awaited,
    Dropped,
    Detached,
}

/// The one that fails if its value is a failure.
pub(crate) const FAILING: usize = 1;

pub(crate) const WORKFLOWS: [Workflow<u64, Output>; 4] = [
    Workflow::new("program-0"),
    Workflow::new("program-1"),
    Workflow::new("program-2"),
    Workflow::new("program-3"),
];

/// The ids of runs that somebody outside starts, or that are children with a name of their own.
pub(crate) const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

pub(crate) const CHANNELS: [Channel<u64>; 3] =
    [Channel::new("one"), Channel::new("two"), Channel::new("keyed")];
pub(crate) const KEYED: usize = 2;

pub(crate) const QUESTION: Question<u64, u64> = Question::new("question");

/// Where messages come to: the channels, and behind them the question.
pub(crate) const INBOXES: [&str; 4] = ["one", "two", "keyed", "question"];
pub(crate) const QUESTIONS: usize = CHANNELS.len();

/// The same with messages that runs cannot read.
pub(crate) const GARBLED: [Channel<String>; 3] =
    [Channel::new("one"), Channel::new("two"), Channel::new("keyed")];
pub(crate) const GARBLED_QUESTION: Question<String, u64> = Question::new("question");
pub(crate) const GARBAGE: &str = "not a number";

pub(crate) const TOPICS: [Topic<u64>; 2] = [Topic::new("status"), Topic::new("done")];

pub(crate) const PASSES: u32 = 3;

/// Numbers that runs send: those of clients do not have it.
pub(crate) const OF_A_RUN: u64 = 1 << 63;

impl Talk {
    pub(crate) fn children(&self) -> Vec<&Code> {
        match self {
            Talk::Shield(code) => vec![code],
            Talk::Hold(hold) => vec![&hold.code],
            Talk::Child(child) => vec![&child.code],
            Talk::Asked(asked) => asked.code.iter().collect(),
            Talk::Send(_)
            | Talk::Glimpsed(_)
            | Talk::Receive(_)
            | Talk::Cancelled
            | Talk::Again
            | Talk::Panic
            | Talk::Exposed
            | Talk::Publish(_) => Vec::new(),
        }
    }
}

impl Peer {
    /// The id, for the run with this one.
    pub(crate) fn id(self, own: &str) -> String {
        match self {
            Peer::Named(index) => IDS[index].into(),
            Peer::Own => own.into(),
            Peer::Parent => own.rsplit_once('/').map_or(IDS[0], |(parent, _)| parent).into(),
            Peer::Child(number) => format!("{own}/{number}"),
        }
    }
}
