//! One queue: which of its runs wait, in which order, and whether there is room for the next.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::rc::Rc;
use alloc::vec::Vec;

use dacapo_store::RunKey;
use slab::Slab;

use crate::clock::Timestamp;
use crate::queue::{Limits, Room};

/// Where a run stands in the order of its partition: by priority, then as it was submitted.
pub(super) type Turn = (i32, RunKey);

/// A run that waits, behind the number of its partition.
pub(super) type Waits = (u32, Turn);

/// Of one name. What it knows follows from the rows of its runs.
#[derive(Default)]
pub(super) struct Line {
    /// `None`: this build does not define the queue, and nothing is admitted.
    limits: Option<Limits>,
    /// Nothing is admitted until somebody says so.
    pub(super) is_paused: bool,
    all: Usage,
    waiting: BTreeSet<Waits>,
    /// The runs that go on, with their partitions; none if that is not limited.
    running: BTreeMap<RunKey, u32>,
    /// Those of which something waits or is counted.
    parts: Slab<Part>,
    by_name: BTreeMap<Rc<str>, u32>,
    /// The first of each partition that may have room.
    heads: BTreeSet<(Turn, u32)>,
    /// The partitions that have room again at a time, or are nothing any more.
    until: BTreeSet<(Timestamp, u32)>,
    /// The unended runs with keys that no other may have.
    unique: BTreeMap<Box<str>, RunKey>,
}

/// A part of a queue that has limits of its own; there is one, without a name, where there are none.
struct Part {
    name: Rc<str>,
    usage: Usage,
    /// As it stands in the heads of its queue.
    head: Option<Turn>,
    /// As it stands among those that are looked at again at a time.
    until: Option<Timestamp>,
    /// How many runs wait in it, also those that may not be admitted yet.
    waiting: usize,
}

/// What is counted against the room there is.
#[derive(Default)]
struct Usage {
    running: usize,
    /// When the last runs were admitted, as far as a rate looks back.
    admitted: VecDeque<Timestamp>,
}

/// Whether one more may be admitted.
enum Free {
    Now,
    /// At that time, if none is admitted before.
    At(Timestamp),
    /// When one has ended.
    AtAnEnd,
}

impl Usage {
    fn free(&self, room: Room, now: Timestamp) -> Free {
        if room.concurrency.is_some_and(|runs| self.running >= runs) {
            return Free::AtAnEnd;
        }
        if let Some(rate) = room.rate
            && let Some(last) = self.admitted.len().checked_sub(rate.count)
        {
            let at = self.admitted[last] + rate.per;
            return if at > now { Free::At(at) } else { Free::Now };
        }
        Free::Now
    }

    fn count(&mut self, room: Room, at: Timestamp) {
        let Some(rate) = room.rate else { return };
        // When a store is opened they come in the order of the runs.
        let place = self.admitted.partition_point(|before| *before <= at);
        self.admitted.insert(place, at);
        if self.admitted.len() > rate.count {
            self.admitted.pop_front();
        }
    }
}

impl Line {
    /// A queue of this build.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits: Some(limits), ..Self::default() }
    }

    pub(super) fn limits(&self) -> Option<Limits> {
        self.limits
    }

    /// How many runs wait, also for a time.
    pub(super) fn waiting(&self) -> usize {
        self.parts.iter().map(|(_, part)| part.waiting).sum()
    }

    /// The number of a partition. All are one where they have no limits of their own.
    pub(super) fn part(&mut self, name: Option<&str>) -> u32 {
        let has_parts = self.limits.is_none_or(|limits| limits.each.is_some());
        let name = name.filter(|_| has_parts).unwrap_or_default();
        if let Some(part) = self.by_name.get(name) {
            return *part;
        }
        let name = Rc::<str>::from(name);
        let usage = Usage::default();
        let part = Part { name: name.clone(), usage, head: None, until: None, waiting: 0 };
        let number = self.parts.insert(part);
        let number = u32::try_from(number).expect("fewer than 2^32 partitions fit into memory");
        self.by_name.insert(name, number);
        number
    }

    /// The same, if it is known.
    pub(super) fn find_part(&self, name: Option<&str>) -> Option<u32> {
        let has_parts = self.limits.is_none_or(|limits| limits.each.is_some());
        self.by_name.get(name.filter(|_| has_parts).unwrap_or_default()).copied()
    }

    /// The run that has a key.
    pub(super) fn holder(&self, key: &str) -> Option<RunKey> {
        self.unique.get(key).copied()
    }

    /// A run has a key from now on, unless another one has it.
    pub(super) fn hold(&mut self, key: &str, run: RunKey) {
        self.unique.entry(key.into()).or_insert(run);
    }

    /// A run has a key no more, if it had it.
    pub(super) fn release(&mut self, key: &str, run: RunKey) {
        if self.holder(key) == Some(run) {
            self.unique.remove(key);
        }
    }

    /// A run of a partition will wait, from a later time on.
    pub(super) fn expect(&mut self, part: u32) {
        self.parts[part as usize].waiting += 1;
    }

    /// It does, or never will.
    pub(super) fn expect_no_more(&mut self, part: u32, now: Timestamp) {
        self.parts[part as usize].waiting -= 1;
        self.forget_part(part, now);
    }

    /// A run waits.
    pub(super) fn wait(&mut self, part: u32, turn: Turn) {
        if self.waiting.insert((part, turn)) {
            self.parts[part as usize].waiting += 1;
            self.look_again(part);
        }
    }

    /// These wait, and no others.
    pub(super) fn settle(&mut self, waiting: Vec<Waits>) {
        for (part, _) in &waiting {
            self.parts[*part as usize].waiting += 1;
        }
        self.waiting = waiting.into_iter().collect();
        let parts: Vec<_> = self.parts.iter().map(|(part, _)| part).collect();
        for part in parts {
            self.renew_head(u32::try_from(part).expect("it was given out as one"));
        }
    }

    /// A run does not wait any more. Whether it did.
    pub(super) fn leave(&mut self, part: u32, turn: Turn, now: Timestamp) -> bool {
        let has_left = self.waiting.remove(&(part, turn));
        if has_left {
            self.parts[part as usize].waiting -= 1;
            self.renew_head(part);
            self.forget_part(part, now);
        }
        has_left
    }

    /// A run goes on, and was admitted before.
    pub(super) fn run(&mut self, part: u32, run: RunKey) {
        let is_counted = self.limits.is_some_and(|limits| limits.has_concurrency());
        if is_counted && self.running.insert(run, part).is_none() {
            self.all.running += 1;
            self.parts[part as usize].usage.running += 1;
        }
    }

    /// A run goes on no more, or does not count.
    pub(super) fn stop(&mut self, run: RunKey, now: Timestamp) {
        if let Some(part) = self.running.remove(&run) {
            self.all.running -= 1;
            self.parts[part as usize].usage.running -= 1;
            self.look_again(part);
            self.forget_part(part, now);
        }
    }

    /// A run was admitted then.
    pub(super) fn count(&mut self, part: u32, at: Timestamp) {
        if let Some(limits) = self.limits {
            self.all.count(limits.all, at);
            let each = limits.each.unwrap_or_default();
            self.parts[part as usize].usage.count(each, at);
        }
    }

    /// Which run is admitted next, if there is one and room for it.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<RunKey> {
        let limits = self.limits.filter(|_| !self.is_paused)?;
        while let Some(&(at, part)) = self.until.first()
            && at <= now
        {
            self.look_again(part);
            self.forget_part(part, now);
        }
        if !matches!(self.all.free(limits.all, now), Free::Now) {
            return None;
        }
        while let Some(&((_, run), part)) = self.heads.first() {
            let until = match self.free_in(part, now) {
                Free::Now => return Some(run),
                Free::At(at) => Some(at),
                Free::AtAnEnd => None,
            };
            let head = &mut self.parts[part as usize];
            (head.head, head.until) = (None, until);
            self.until.extend(until.map(|at| (at, part)));
            self.heads.pop_first();
        }
        None
    }

    /// When a run may be admitted by the time alone.
    pub(super) fn next_at(&self, now: Timestamp) -> Option<Timestamp> {
        let limits = self.limits.filter(|_| !self.is_paused && !self.waiting.is_empty())?;
        let all = match self.all.free(limits.all, now) {
            Free::Now => now,
            Free::At(at) => at,
            Free::AtAnEnd => return None,
        };
        let of_parts = self.until.first().map(|&(at, _)| at.max(all));
        let of_heads = (!self.heads.is_empty()).then_some(all);
        of_parts.into_iter().chain(of_heads).min()
    }

    fn free_in(&self, part: u32, now: Timestamp) -> Free {
        let each = self.limits.and_then(|limits| limits.each).unwrap_or_default();
        self.parts[part as usize].usage.free(each, now)
    }

    /// A partition may have room.
    fn look_again(&mut self, part: u32) {
        if let Some(at) = self.parts[part as usize].until.take() {
            self.until.remove(&(at, part));
        }
        self.renew_head(part);
    }

    /// Has the heads hold the first of a partition, unless that waits for a time.
    fn renew_head(&mut self, number: u32) {
        let first = self.waiting.range((number, (i32::MIN, RunKey(0)))..).next();
        let first = first.filter(|(part, _)| *part == number).map(|(_, turn)| *turn);
        let part = &mut self.parts[number as usize];
        let first = first.filter(|_| part.until.is_none());
        if part.head != first {
            if let Some(before) = part.head {
                self.heads.remove(&(before, number));
            }
            self.heads.extend(first.map(|first| (first, number)));
            part.head = first;
        }
    }

    /// Forgets a partition of which nothing is left to know, now or when its last admission counts no longer.
    fn forget_part(&mut self, number: u32, now: Timestamp) {
        let each = self.limits.and_then(|limits| limits.each).unwrap_or_default();
        let part = &mut self.parts[number as usize];
        if part.waiting > 0 || part.usage.running > 0 || part.until.is_some() {
            return;
        }
        let last = part.usage.admitted.back().zip(each.rate).map(|(at, rate)| *at + rate.per);
        match last.filter(|at| *at > now) {
            Some(at) => {
                part.until = Some(at);
                self.until.insert((at, number));
            }
            None => {
                let part = self.parts.remove(number as usize);
                self.by_name.remove(&part.name);
            }
        }
    }
}
