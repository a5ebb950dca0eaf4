//! What code does to others, in the order of the code: the history must hold it in that order.

use std::collections::{BTreeMap, BTreeSet};

use super::super::language::report_value;
use super::Number;

/// What a run does to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Did {
    /// It asked for something: to send, to start a child.
    Request,
    Published {
        topic: usize,
        value: u64,
    },
    /// `None`: it dropped the question.
    Answered {
        seq: u64,
        answer: Option<u64>,
    },
    /// It let a child go that was started: it is asked to end.
    ChildDropped,
    /// The same, and it goes on.
    ChildDetached,
    /// It let a child go that was not started.
    ChildStarted {
        workflow: usize,
    },
}

/// Of one run.
#[derive(Default)]
pub(super) struct Order {
    done: Vec<(Number, Did)>,
    /// So much of it is in the history, or void.
    taken_up: usize,
}

impl Order {
    pub(super) fn add(&mut self, number: Number, did: Did) {
        self.done.push((number, did));
    }

    /// A child was started of whose future the code had let go by then: so it is let go once more.
    pub(super) fn let_go_again(&mut self, number: Number) {
        let is_start =
            |(of, did): &(Number, Did)| *of == number && matches!(did, Did::ChildStarted { .. });
        let at = self.done[self.taken_up..].iter().position(is_start);
        let at = at.map(|at| self.done.remove(self.taken_up + at));
        self.add(number, if at.is_some() { Did::ChildDetached } else { Did::ChildDropped });
    }

    /// The history holds what was done, by a run that may have ended since.
    pub(super) fn take_up(
        &mut self,
        did: &Option<(Number, Did)>,
        has_ended: bool,
    ) -> Result<(), String> {
        let Some(did) = did else { return Ok(()) };
        while let Some(next) = self.done.get(self.taken_up) {
            self.taken_up += 1;
            if next == did {
                return Ok(());
            }
            if !next.1.may_be_void(has_ended) {
                return Err(format!("{next:?} comes before {did:?}"));
            }
        }
        Err(format!("{did:?} was not done, or comes too late"))
    }

    /// The marks that the history does not hold.
    pub(super) fn unrecorded(&self, has_ended: bool) -> Vec<String> {
        let left = self.done[self.taken_up..].iter();
        left.filter(|(_, did)| !did.may_be_void(has_ended)).map(|did| format!("{did:?}")).collect()
    }
}

impl Did {
    /// Requests that were dropped in time are void, and marks never: but all children that a run waited
    /// for come to an end with it.
    fn may_be_void(self, has_ended: bool) -> bool {
        match self {
            Did::Request => true,
            Did::ChildDropped => has_ended,
            Did::Published { .. }
            | Did::Answered { .. }
            | Did::ChildDetached
            | Did::ChildStarted { .. } => false,
        }
    }
}

/// What the bodies of one run publish.
#[derive(Default)]
pub(super) struct Reports {
    /// The topics of steps whose bodies do, and what they are given.
    steps: BTreeMap<Number, (usize, u64)>,
    /// The attempts that did.
    reported: BTreeSet<(Number, u32)>,
    ended: BTreeSet<Number>,
}

impl Reports {
    pub(super) fn build(&mut self, step: Number, topic: usize, x: u64) {
        self.steps.insert(step, (topic, x));
    }

    pub(super) fn report(
        &mut self,
        step: Number,
        attempt: u32,
        published: (usize, u64),
    ) -> Result<(), String> {
        let expected = self.steps.get(&step).map(|(topic, x)| (*topic, report_value(*x, attempt)));
        if expected != Some(published) || self.ended.contains(&step) {
            return Err(format!("its body does not publish {published:?} then"));
        }
        self.reported.insert((step, attempt));
        Ok(())
    }

    /// The outcome of a step is there, after so many attempts, if nothing cut off the last of them.
    pub(super) fn end(&mut self, step: Number, attempts: Option<u32>) -> Result<(), String> {
        self.ended.insert(step);
        match attempts {
            Some(last) if self.steps.contains_key(&step) => {
                let is_there = self.reported.contains(&(step, last));
                is_there.then_some(()).ok_or(format!("attempt {last} has not published"))
            }
            _ => Ok(()),
        }
    }
}
