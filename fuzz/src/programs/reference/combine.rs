//! Several parts in one task: joins and races.

use std::collections::BTreeSet;

use super::super::language::{Lib, Value, fold};
use super::poll::Part;
use super::{Model, Wake};

/// The branches of a combinator that were woken, and whom that wakes.
pub(super) struct Woken {
    pub(super) branches: BTreeSet<usize>,
    pub(super) waker: Option<Wake>,
}

pub(super) struct Group {
    pub(super) branches: Vec<Branch>,
    polls: Polls,
    until: Until,
}

pub(super) enum Branch {
    Running(Part),
    Ready(Value),
}

/// Which branches are polled, and in which order.
enum Polls {
    /// Those that were woken, each with a waker of its own. The end is seen at once.
    Woken(usize),
    /// The same; that all are ready is seen after the pass.
    WokenPass(usize),
    /// All that are not ready.
    All,
    /// The same from another one each time.
    Rotating(usize),
    /// The same; dropped from the back.
    AllReversed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    AllReady,
    FirstFailure,
    FirstReady,
}

impl Group {
    /// What is left, in the order in which it is dropped.
    pub(super) fn into_parts(self) -> Vec<Part> {
        let running = self.branches.into_iter().filter_map(|branch| match branch {
            Branch::Running(part) => Some(part),
            Branch::Ready(_) => None,
        });
        let mut parts: Vec<Part> = running.collect();
        if matches!(self.polls, Polls::AllReversed) {
            parts.reverse();
        }
        parts
    }

    fn failure(&self) -> Option<Value> {
        self.branches.iter().find_map(|branch| match branch {
            Branch::Ready(value @ Err(_)) => Some(*value),
            _ => None,
        })
    }

    fn all(&self) -> Option<Value> {
        let values: Option<Vec<Value>> = self
            .branches
            .iter()
            .map(|branch| match branch {
                Branch::Ready(value) => Some(*value),
                Branch::Running(_) => None,
            })
            .collect();
        values.map(|values| Ok(fold(values)))
    }

    fn failure_that_ends(&self) -> Option<Value> {
        (self.until == Until::FirstFailure).then(|| self.failure()).flatten()
    }

    /// What the group gives, now that another branch is ready.
    fn end(&self) -> Option<Value> {
        match self.until {
            Until::AllReady => self.all(),
            Until::FirstFailure => self.failure().or_else(|| self.all()),
            Until::FirstReady => self.branches.iter().find_map(|branch| match branch {
                Branch::Ready(value) => Some(*value),
                _ => None,
            }),
        }
    }
}

impl Model {
    pub(super) fn group(&mut self, lib: Lib, until: Until, parts: Vec<Part>) -> Group {
        let polls = match (lib, until) {
            (Lib::Dacapo, _) => Polls::Woken(self.woken_set(parts.len())),
            (Lib::DacapoAll, _) => Polls::WokenPass(self.woken_set(parts.len())),
            (Lib::Tokio, Until::AllReady) => Polls::Rotating(0),
            (Lib::Futures, Until::FirstReady) => Polls::AllReversed,
            _ => Polls::All,
        };
        Group { branches: parts.into_iter().map(Branch::Running).collect(), polls, until }
    }

    fn woken_set(&mut self, len: usize) -> usize {
        self.groups.push(Woken { branches: (0..len).collect(), waker: None });
        self.groups.len() - 1
    }

    pub(super) fn poll_group(&mut self, group: &mut Group, wake: Wake) -> Option<Value> {
        let value = match group.polls {
            Polls::Woken(set) | Polls::WokenPass(set) => self.poll_woken(group, set, wake),
            Polls::All | Polls::AllReversed => self.poll_all(group, 0, wake),
            Polls::Rotating(from) => {
                group.polls = Polls::Rotating((from + 1) % group.branches.len());
                self.poll_all(group, from, wake)
            }
        };
        if value.is_some() {
            let spent = Group { branches: Vec::new(), polls: Polls::All, until: group.until };
            let left = std::mem::replace(group, spent).into_parts();
            left.into_iter().for_each(|part| self.drop_part(part));
        }
        value
    }

    /// Whether the branch is ready since now.
    fn poll_branch(&mut self, branch: &mut Branch, wake: Wake) -> bool {
        let Branch::Running(part) = branch else { return false };
        let Some(value) = self.poll(part, wake) else { return false };
        *branch = Branch::Ready(value);
        true
    }

    fn poll_all(&mut self, group: &mut Group, from: usize, wake: Wake) -> Option<Value> {
        let len = group.branches.len();
        for index in (from..len).chain(0..from) {
            let ready = self.poll_branch(&mut group.branches[index], wake);
            if ready
                && group.until != Until::AllReady
                && let Some(value) = group.end()
            {
                return Some(value);
            }
        }
        group.end()
    }

    fn poll_woken(&mut self, group: &mut Group, set: usize, wake: Wake) -> Option<Value> {
        let at_once = matches!(group.polls, Polls::Woken(_));
        self.groups[set].waker = None;
        let mut from = 0;
        while let Some(&index) = self.groups[set].branches.range(from..).next() {
            self.groups[set].branches.remove(&index);
            let ready = self.poll_branch(&mut group.branches[index], Wake::Branch(set, index));
            let end = if at_once { group.end() } else { group.failure_that_ends() };
            if ready && end.is_some() {
                return end;
            }
            from = index + 1;
        }
        self.groups[set].waker = Some(wake);
        if !self.groups[set].branches.is_empty() {
            self.wake(wake);
        }
        group.end()
    }
}
