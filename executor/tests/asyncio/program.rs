//! The programs of `../data/asyncio.txt`, whose language `generate.py` explains.

use std::num::ParseIntError;

/// What a task does, one after the other.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Yield,
    Spawn(usize),
    Detach(usize),
    Await(usize),
    Take(usize),
    All,
    Gather(Vec<usize>),
    Cancel(usize),
    Kill(usize),
    Wait(usize),
    Set(usize),
    Clear(usize),
    Put(usize),
    Get(usize),
    Offer(usize),
    Poll(usize),
    Lock(usize),
    Unlock(usize),
}

pub(crate) type Body = Vec<Op>;

/// A program, and what CPython made of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// The seed in `generate.py`.
    pub(crate) seed: usize,
    pub(crate) text: &'static str,
    pub(crate) bodies: Vec<Body>,
    pub(crate) trace: &'static str,
}

const DATA: &str = include_str!("../data/asyncio.txt");

/// What the first line says: the Python that gave the traces.
pub(crate) fn python() -> &'static str {
    DATA.lines().next().and_then(|line| line.strip_prefix("# ")).expect("the file has a header")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut lines = DATA.lines().filter(|line| !line.starts_with('#'));
    let mut cases = Vec::new();
    while let Some(seed) = lines.next() {
        let field = |line: Option<&'static str>, name: &str| {
            let rest = line.and_then(|line| line.strip_prefix(name));
            rest.unwrap_or_else(|| panic!("`{name}` after {} programs", cases.len())).trim()
        };
        let seed = field(Some(seed), "seed").parse().expect("a seed is a number");
        let text = field(lines.next(), "program");
        let trace = field(lines.next(), "trace");
        cases.push(Case { seed, text, bodies: bodies(text), trace });
    }
    cases
}

pub(crate) fn bodies(text: &str) -> Vec<Body> {
    text.split('|').map(|body| body.split_whitespace().map(op).collect()).collect()
}

fn op(text: &str) -> Op {
    let (name, numbers) = text.split_once(':').unwrap_or((text, ""));
    let numbers: Result<Vec<usize>, ParseIntError> =
        numbers.split(',').filter(|number| !number.is_empty()).map(str::parse).collect();
    let numbers = numbers.unwrap_or_else(|error| panic!("`{text}`: {error}"));
    match (name, numbers.as_slice()) {
        ("yield", []) => Op::Yield,
        ("spawn", [body]) => Op::Spawn(*body),
        ("detach", [body]) => Op::Detach(*body),
        ("await", [place]) => Op::Await(*place),
        ("take", [number]) => Op::Take(*number),
        ("all", []) => Op::All,
        ("gather", [_, ..]) => Op::Gather(numbers),
        ("cancel", [place]) => Op::Cancel(*place),
        ("kill", [number]) => Op::Kill(*number),
        ("wait", [event]) => Op::Wait(*event),
        ("set", [event]) => Op::Set(*event),
        ("clear", [event]) => Op::Clear(*event),
        ("put", [queue]) => Op::Put(*queue),
        ("get", [queue]) => Op::Get(*queue),
        ("offer", [queue]) => Op::Offer(*queue),
        ("poll", [queue]) => Op::Poll(*queue),
        ("lock", [lock]) => Op::Lock(*lock),
        ("unlock", [lock]) => Op::Unlock(*lock),
        _ => panic!("`{text}` is no operation"),
    }
}

impl Op {
    /// The name in the file.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Op::Yield => "yield",
            Op::Spawn(_) => "spawn",
            Op::Detach(_) => "detach",
            Op::Await(_) => "await",
            Op::Take(_) => "take",
            Op::All => "all",
            Op::Gather(_) => "gather",
            Op::Cancel(_) => "cancel",
            Op::Kill(_) => "kill",
            Op::Wait(_) => "wait",
            Op::Set(_) => "set",
            Op::Clear(_) => "clear",
            Op::Put(_) => "put",
            Op::Get(_) => "get",
            Op::Offer(_) => "offer",
            Op::Poll(_) => "poll",
            Op::Lock(_) => "lock",
            Op::Unlock(_) => "unlock",
        }
    }

    pub(crate) fn cancels(&self) -> bool {
        matches!(self, Op::Cancel(_) | Op::Kill(_))
    }
}
