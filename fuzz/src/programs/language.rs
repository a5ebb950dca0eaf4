//! The language: what a program can be made of, and what each part of it computes.

use std::rc::Rc;
use std::time::Duration;

use dacapo::Retry;

use super::talk::Talk;

/// A part of a program. Its site is its number in the order of decoding.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) site: u16,
    pub(crate) kind: Kind,
}

pub(crate) type Code = Rc<Node>;

/// What a part gives: a number, or the number of a failure.
pub(crate) type Value = Result<u64, u64>;

/// Whose combinator, channel or lock it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lib {
    Dacapo,
    /// For any number of futures, where the other is for two.
    DacapoAll,
    Futures,
    FuturesAll,
    Tokio,
    AsyncLock,
}

/// Each takes a number and gives a [`Value`].
#[derive(Debug)]
pub(crate) enum Kind {
    Step(Step),
    Sleep(u64),
    /// A limit in milliseconds around a part.
    Timeout(u64, Code),
    Yield,
    Now,
    Random,
    /// A step that is built and dropped.
    Unused(Step),
    /// A step that is polled once and dropped.
    Glimpsed(Step),
    /// A step that another task polls than the one that built it.
    Moved(Step),
    /// One after the other, each with what came of the one before, until one fails.
    Seq(Vec<Code>),
    /// One or the other, by the number that is given.
    Choose(Code, Code),
    Join(Lib, Vec<Code>),
    TryJoin(Lib, Vec<Code>),
    Race(Lib, Code, Code),
    /// A task that is awaited, and what is done meanwhile.
    SpawnAwait(Code, Code),
    SpawnDetach(Code),
    /// A task whose handle is dropped when something else is done.
    SpawnAbort(Code, Code),
    /// A `FuturesUnordered`: results are handled as they come.
    Unordered(Unordered),
    Buffered(Buffered),
    Pipe(Pipe),
    /// The first sends to the second, which waits for it.
    Oneshot(Code, Code),
    /// A part that holds one of the locks that all tasks share.
    Lock(Lib, usize, Code),
    /// A step whose `Shared` future two branches await.
    Shared(Step),
    /// Something between runs.
    Talk(Talk),
}

#[derive(Debug)]
pub(crate) struct Unordered {
    pub(crate) members: Vec<Code>,
    /// The first results put so many more members into the set.
    pub(crate) again: Option<(u64, Code)>,
    /// What is awaited after each result, while nobody polls the members.
    pub(crate) then: Option<Code>,
}

#[derive(Debug)]
pub(crate) struct Buffered {
    pub(crate) ordered: bool,
    pub(crate) limit: usize,
    pub(crate) count: u64,
    pub(crate) member: Code,
    pub(crate) then: Option<Code>,
}

/// A producer that sends numbers, and a consumer that receives them until the end.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) lib: Lib,
    /// Whether the producer is a task of its own.
    pub(crate) spawned: bool,
    pub(crate) items: u64,
    pub(crate) produce: Code,
    pub(crate) consume: Code,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) labelled: bool,
    pub(crate) body: Body,
    /// The topic on which each attempt publishes.
    pub(crate) reports: Option<usize>,
}

/// What becomes of a step's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Body {
    /// It ends at its first poll.
    Instant,
    Slow,
    /// The first so many attempts fail.
    Flaky(u32),
    /// The same, and each next one is so far away that the failure is recorded.
    Patient(u32),
    Fails,
    /// Every attempt fails, until the policy gives up.
    Doomed,
    /// It fails, and says that a retry cannot help.
    Permanent,
    /// Every attempt takes longer than it may.
    Endless,
    /// At most once.
    Once,
    /// A transaction, which books in a table.
    Booked,
    /// The same, and it fails when it has.
    Overdrawn,
}

impl Body {
    /// The attempts of its policy, if it has one.
    pub(crate) fn attempts(self) -> Option<u32> {
        match self {
            Body::Flaky(_) | Body::Patient(_) | Body::Permanent => Some(6),
            Body::Doomed => Some(3),
            Body::Endless => Some(2),
            Body::Instant
            | Body::Slow
            | Body::Fails
            | Body::Once
            | Body::Booked
            | Body::Overdrawn => None,
        }
    }

    pub(crate) fn retry(self) -> Option<Retry> {
        let attempts = self.attempts()?;
        let wait = if self.is_patient() { PATIENCE } else { Duration::from_millis(10) };
        Some(Retry::exponential(wait).max_attempts(attempts).jitter(0.5))
    }

    pub(crate) fn is_transaction(self) -> bool {
        matches!(self, Body::Booked | Body::Overdrawn)
    }

    pub(crate) fn is_patient(self) -> bool {
        matches!(self, Body::Patient(_))
    }

    /// Whether this attempt fails.
    pub(crate) fn fails(self, attempt: u32) -> bool {
        match self {
            Body::Instant | Body::Slow | Body::Once | Body::Booked => false,
            Body::Flaky(failures) | Body::Patient(failures) => attempt <= failures,
            Body::Fails | Body::Doomed | Body::Permanent | Body::Endless | Body::Overdrawn => true,
        }
    }
}

/// Even with all of the jitter, a wait of this is recorded.
const PATIENCE: Duration = Duration::from_secs(4);
pub(crate) const LIMIT: Duration = Duration::from_millis(5);
pub(crate) const LOCKS: usize = 3;
/// Few, so that many steps have the same one.
pub(crate) const BOOK: &str = "book";
pub(crate) const NAMES: [&str; 3] = ["fetch", "enrich", "charge"];

/// The number that stands for what was seen: where, and what.
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let bits = (a ^ b.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b;
    (bits ^ (bits >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// What a step's body gives for a number.
pub(crate) fn body_value(step: &Step, x: u64) -> u64 {
    mix(x, step.name.len() as u64)
}

/// What an attempt of its body publishes.
pub(crate) fn report_value(x: u64, attempt: u32) -> u64 {
    mix(x, u64::from(attempt))
}

pub(crate) fn label(x: u64) -> u64 {
    x % 10
}

/// Why a step fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    Failed,
    Permanent,
    Elapsed,
    Interrupted,
}

/// The number of a step's failure: which step it was, as messages show it, and why.
pub(crate) fn failure_value(step: &str, why: Why) -> u64 {
    step.bytes().fold(why as u64, |value, byte| mix(value, u64::from(byte)))
}

/// Failures that are looked at become numbers.
pub(crate) fn flat(value: Value) -> u64 {
    value.unwrap_or_else(|failure| mix(failure, 7))
}

pub(crate) fn fold(values: impl IntoIterator<Item = Value>) -> u64 {
    values.into_iter().fold(0, |sum, value| mix(sum, flat(value)))
}

impl Kind {
    pub(crate) fn children(&self) -> Vec<&Code> {
        match self {
            Kind::Step(_)
            | Kind::Sleep(_)
            | Kind::Yield
            | Kind::Now
            | Kind::Random
            | Kind::Unused(_)
            | Kind::Glimpsed(_)
            | Kind::Moved(_)
            | Kind::Shared(_) => Vec::new(),
            Kind::Timeout(_, code) | Kind::SpawnDetach(code) | Kind::Lock(_, _, code) => vec![code],
            Kind::Seq(all) | Kind::Join(_, all) | Kind::TryJoin(_, all) => all.iter().collect(),
            Kind::Choose(a, b)
            | Kind::Race(_, a, b)
            | Kind::SpawnAwait(a, b)
            | Kind::SpawnAbort(a, b)
            | Kind::Oneshot(a, b) => vec![a, b],
            Kind::Unordered(set) => {
                let again = set.again.as_ref().map(|(_, code)| code);
                set.members.iter().chain(again).chain(&set.then).collect()
            }
            Kind::Buffered(set) => [&set.member].into_iter().chain(&set.then).collect(),
            Kind::Pipe(pipe) => vec![&pipe.produce, &pipe.consume],
            Kind::Talk(talk) => talk.children(),
        }
    }

    pub(crate) fn talk(&self) -> Option<&Talk> {
        match self {
            Kind::Talk(talk) => Some(talk),
            _ => None,
        }
    }

    /// Whether the reference knows how it is polled. The rest is checked by replays only.
    pub(crate) fn has_reference(&self) -> bool {
        let own = match self {
            Kind::Lock(lib, ..) => *lib == Lib::Futures,
            Kind::Pipe(pipe) => pipe.lib == Lib::Futures,
            Kind::Buffered(set) => !set.ordered,
            Kind::Shared(_) => false,
            _ => true,
        };
        own && self.children().into_iter().all(|code| code.kind.has_reference())
    }
}
