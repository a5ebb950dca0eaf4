//! Programs from bytes. Every string of bytes is a program, and every program ends.

use std::rc::Rc;

use super::language::{
    BOOK, Body, Buffered, Code, Kind, LOCKS, Lib, NAMES, Node, Pipe, Step, Unordered,
};
use super::reference::split_mix;
use super::talk::Talk;

/// How deep a program nests.
const DEPTH: u32 = 6;
/// How many parts a program may carry out, the turns of its loops counted.
const COST: u32 = 120;

pub(crate) struct Decoder<'a> {
    bytes: &'a [u8],
    sites: u16,
    /// Whether parts are allowed that the reference does not know.
    foreign: bool,
    /// Whether parts talk to other runs: which of the programs it is.
    pub(super) talks: Option<usize>,
    /// Whether they publish and are asked, too, and the world is as bad as it can be. The corpus has
    /// worlds from before there was any of that.
    pub(super) is_full: bool,
    /// Whether runs may have to wait before they begin.
    pub(super) has_queues: bool,
}

/// What surrounds a part.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) depth: u32,
    pub(super) cost: u32,
    /// The locks below this one may be held here, or by one who waits for this part. Who takes
    /// them in ascending order never waits in a circle.
    lock: usize,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, sites: 0, foreign: false, talks: None, is_full: false, has_queues: false }
    }

    /// The seed of what is not in the program.
    pub(crate) fn seed(&mut self) -> u64 {
        split_mix(u64::from(self.byte()), u64::from(self.byte()))
    }

    /// The next byte, or 0 after the last.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        first
    }

    pub(super) fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    /// A program from what is left.
    pub(crate) fn program(&mut self) -> Code {
        self.foreign = self.below(4) == 3;
        self.parts(Place { depth: DEPTH, cost: COST, lock: 0 })
    }

    /// One of the programs of a world, from what is left of its bytes.
    pub(super) fn talking(&mut self, own: usize) -> Code {
        self.sites = 0;
        self.talks = Some(own);
        let place = Place { depth: DEPTH - 1, cost: COST / 2, lock: 0 };
        let mut parts: Vec<_> = (0..1 + self.below(3)).map(|_| self.code(place)).collect();
        if self.below(3) == 2 {
            parts.push(self.node(Kind::Talk(Talk::Again)));
        }
        self.node(Kind::Seq(parts))
    }

    fn parts(&mut self, place: Place) -> Code {
        let parts = 1 + u32::from(self.below(4));
        let part = Place { cost: place.cost / parts, ..place };
        let parts = (0..parts).map(|_| self.code(part)).collect();
        self.node(Kind::Seq(parts))
    }

    pub(super) fn node(&mut self, kind: Kind) -> Code {
        self.sites += 1;
        Rc::new(Node { site: self.sites, kind })
    }

    pub(super) fn code(&mut self, place: Place) -> Code {
        let below = Place { depth: place.depth.saturating_sub(1), cost: place.cost / 2, ..place };
        if let Some(kind) = self.talk(below) {
            return self.node(kind);
        }
        let opcode = self.byte();
        let kind = match place {
            Place { depth: 0, .. } | Place { cost: 0..=1, .. } => self.leaf(opcode),
            place => self.branch(opcode, Place { depth: place.depth - 1, ..place }),
        };
        self.node(kind)
    }

    fn leaf(&mut self, opcode: u8) -> Kind {
        match opcode % 16 {
            8 => Kind::Sleep([0, 1, 5, 20, 50, 1_000][usize::from(self.below(6))]),
            9 => Kind::Yield,
            10 => Kind::Now,
            11 => Kind::Random,
            12 => Kind::Unused(self.step()),
            13 => Kind::Glimpsed(self.step()),
            14 => Kind::Moved(self.step()),
            15 if self.foreign => Kind::Shared(self.step()),
            _ => Kind::Step(self.step()),
        }
    }

    pub(super) fn step(&mut self) -> Step {
        let byte = self.byte();
        if self.has_queues && self.below(5) == 0 {
            let body = if byte.is_multiple_of(4) { Body::Overdrawn } else { Body::Booked };
            return Step { name: BOOK, labelled: false, body, reports: None };
        }
        let name = NAMES[usize::from(byte % 3)];
        let labelled = byte / 3 % 4 == 3;
        let body = match byte / 12 {
            0..=3 => Body::Instant,
            10 => Body::Patient(1),
            11 => Body::Patient(2),
            12 => Body::Flaky(1),
            13 => Body::Flaky(3),
            14 => Body::Fails,
            15 => Body::Doomed,
            16 => Body::Permanent,
            17 => Body::Endless,
            18 | 19 => Body::Once,
            _ => Body::Slow,
        };
        Step { name, labelled, body, reports: None }
    }

    fn branch(&mut self, opcode: u8, place: Place) -> Kind {
        let half = Place { cost: place.cost / 2, ..place };
        match opcode % 32 {
            1 => Kind::Seq(self.codes(place, 4)),
            2 => Kind::Choose(self.code(place), self.code(place)),
            3 => Kind::Timeout([1, 10, 30, 100][usize::from(self.below(4))], self.code(place)),
            4 => Kind::Join(Lib::Dacapo, vec![self.code(half), self.code(half)]),
            5 => Kind::Join(Lib::DacapoAll, self.codes(place, 5)),
            6 => Kind::Join(Lib::Futures, vec![self.code(half), self.code(half)]),
            7 => Kind::Join(Lib::FuturesAll, self.codes(place, 5)),
            8 => Kind::Join(Lib::Tokio, vec![self.code(half), self.code(half)]),
            9 => Kind::TryJoin(Lib::Dacapo, vec![self.code(half), self.code(half)]),
            10 => Kind::TryJoin(Lib::DacapoAll, self.codes(place, 5)),
            11 => Kind::TryJoin(Lib::Futures, vec![self.code(half), self.code(half)]),
            12 => Kind::Race(Lib::Dacapo, self.code(half), self.code(half)),
            13 => Kind::Race(Lib::Futures, self.code(half), self.code(half)),
            14 => Kind::Race(Lib::Tokio, self.code(half), self.code(half)),
            15 => Kind::SpawnAwait(self.code(half), self.code(half)),
            16 => Kind::SpawnDetach(self.code(place)),
            17 => Kind::SpawnAbort(self.code(half), self.code(half)),
            18 | 19 => self.unordered(place),
            20 => self.buffered(place),
            21 | 22 => self.pipe(place),
            23 => Kind::Oneshot(self.code(half), self.code(half)),
            24 | 25 => self.lock(place, opcode),
            _ => self.leaf(opcode / 16),
        }
    }

    fn codes(&mut self, place: Place, most: u8) -> Vec<Code> {
        let count = 1 + self.below(most);
        let part = Place { cost: place.cost / u32::from(count), ..place };
        (0..count).map(|_| self.code(part)).collect()
    }

    /// What runs while nobody polls its siblings: it takes no lock, since one of them may hold it.
    fn then(&mut self, place: Place) -> Option<Code> {
        let place = Place { lock: LOCKS, ..place };
        (self.below(2) == 1).then(|| self.code(place))
    }

    fn unordered(&mut self, place: Place) -> Kind {
        let count = 2 + self.below(3);
        let more = self.below(3);
        let part = Place { cost: place.cost / u32::from(count + more) / 2, ..place };
        let members = (0..count).map(|_| self.code(part)).collect();
        let again = (more > 0).then(|| (u64::from(more), self.code(part)));
        Kind::Unordered(Unordered { members, again, then: self.then(part) })
    }

    fn buffered(&mut self, place: Place) -> Kind {
        let ordered = self.foreign && self.below(2) == 1;
        let (limit, count) = (1 + usize::from(self.below(3)), 2 + self.below(4));
        let part = Place { cost: place.cost / u32::from(count) / 2, ..place };
        let (member, then) = (self.code(part), self.then(part));
        Kind::Buffered(Buffered { ordered, limit, count: u64::from(count), member, then })
    }

    fn pipe(&mut self, place: Place) -> Kind {
        let lib = if self.foreign && self.below(2) == 1 { Lib::Tokio } else { Lib::Futures };
        let how = self.below(6);
        let items = 1 + how / 2;
        let part = Place { cost: place.cost / u32::from(items) / 2, ..place };
        let (produce, consume) = (self.code(part), self.code(part));
        let (spawned, items) = (how % 2 == 1, u64::from(items));
        Kind::Pipe(Pipe { lib, spawned, items, produce, consume })
    }

    fn lock(&mut self, place: Place, opcode: u8) -> Kind {
        if place.lock >= LOCKS {
            return self.leaf(opcode / 16);
        }
        let lock = place.lock + usize::from(self.byte()) % (LOCKS - place.lock);
        let lib = match self.foreign.then(|| self.below(3)) {
            Some(1) => Lib::Tokio,
            Some(2) => Lib::AsyncLock,
            _ => Lib::Futures,
        };
        Kind::Lock(lib, lock, self.code(Place { lock: lock + 1, ..place }))
    }
}
