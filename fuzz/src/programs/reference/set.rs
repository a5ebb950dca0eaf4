//! `FuturesUnordered`: members are polled in the order in which they were woken.

use std::collections::VecDeque;

use super::super::language::Value;
use super::poll::Part;
use super::{Model, Wake};

#[derive(Default)]
pub(super) struct Set {
    members: Vec<Member>,
    /// Those that have not ended, the one that was put in or polled last at the front.
    alive: VecDeque<usize>,
    ready: VecDeque<usize>,
    waker: Option<Wake>,
}

struct Member {
    part: Option<Part>,
    queued: bool,
    woken: bool,
    ended: bool,
}

impl Set {
    pub(super) fn len(&self) -> usize {
        self.alive.len()
    }
}

impl Model {
    pub(super) fn open_set(&mut self) -> usize {
        self.sets.push(Set::default());
        self.sets.len() - 1
    }

    pub(super) fn put(&mut self, set: usize, part: Part) {
        let set = &mut self.sets[set];
        let index = set.members.len();
        set.members.push(Member { part: Some(part), queued: true, woken: false, ended: false });
        set.alive.push_front(index);
        set.ready.push_back(index);
    }

    pub(super) fn wake_member(&mut self, set: usize, index: usize) {
        let set = &mut self.sets[set];
        let member = &mut set.members[index];
        if member.ended {
            return;
        }
        member.woken = true;
        if !std::mem::replace(&mut member.queued, true) {
            set.ready.push_back(index);
            let waker = set.waker.take();
            waker.into_iter().for_each(|waker| self.wake(waker));
        }
    }

    /// The next result with its member; `Some(None)` if the set is empty.
    ///
    /// It gives way to others, and wakes itself, when two members woke themselves, or when it has
    /// polled as many as there were.
    pub(super) fn poll_set(&mut self, set: usize, wake: Wake) -> Option<Option<(usize, Value)>> {
        let len = self.sets[set].len();
        let (mut polled, mut yielded) = (0, 0);
        self.sets[set].waker = Some(wake);
        loop {
            let Some(index) = self.sets[set].ready.pop_front() else {
                return (self.sets[set].len() == 0).then_some(None);
            };
            let member = &mut self.sets[set].members[index];
            if member.ended {
                continue;
            }
            (member.queued, member.woken) = (false, false);
            let mut part = member.part.take().expect("a member that lives has a part");
            self.sets[set].alive.retain(|alive| *alive != index);
            let value = self.poll(&mut part, Wake::Member(set, index));
            polled += 1;
            let member = &mut self.sets[set].members[index];
            if let Some(value) = value {
                member.ended = true;
                return Some(Some((index, value)));
            }
            member.part = Some(part);
            yielded += usize::from(member.woken);
            self.sets[set].alive.push_front(index);
            if yielded >= 2 || polled == len {
                self.wake(wake);
                return None;
            }
        }
    }

    pub(super) fn drop_set(&mut self, set: usize) {
        while let Some(index) = self.sets[set].alive.pop_front() {
            let member = &mut self.sets[set].members[index];
            member.ended = true;
            let part = member.part.take();
            part.into_iter().for_each(|part| self.drop_part(part));
        }
    }
}
