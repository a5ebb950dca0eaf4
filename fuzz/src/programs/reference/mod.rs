//! The reference: what a program does, computed from the order of the records alone.
//!
//! It is a small-step interpreter over plain data: tasks, a queue, operations, and each part of the
//! program as a state with what it waits for. There are no futures, no wakers and nothing of the
//! engine in it, and it is never replayed: a restart is one more event. It says what every commit
//! may and must hold, and it gives the whole trace (each delivery, each poll, each operation asked
//! for), the output, and how often each body ran.
//!
//! It knows the engine's rules by `docs/determinism.md`, and how the combinators of `dacapo`, `futures`
//! and `tokio` poll by their documentation and their code.

mod combine;
mod drops;
mod history;
mod operations;
mod order;
mod poll;
mod set;
mod shared;
mod talk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::language::{Code, LOCKS, Value};
use super::process::KEY;
pub(crate) use history::{Event, Record, Restart, expect};
use operations::{Operation, shown};
pub(crate) use order::Did;
use poll::Part;
use set::Set;
use shared::{Channel, Lock};
pub(crate) use talk::{Delivered, End, Message, News, Own, Stand, carry_out};

/// Task and place: of the third spawned task's first operation `(3, 1)`.
pub(crate) type Number = (u32, u32);

/// What a run must have done.
pub(crate) struct Expected {
    pub(crate) trace: Vec<String>,
    /// The program's value and what it saw.
    pub(crate) output: Option<(u64, Vec<(u16, u64)>)>,
    /// How often the body of each step, whose outcome is recorded, ran in the last process.
    pub(crate) ran: BTreeMap<Number, u32>,
}

/// A run at one moment.
struct Model {
    /// Its key, which the polls for no reason depend on.
    key: u64,
    seed: u64,
    /// That of the polls for no reason.
    wakes: u64,
    /// The time of the last delivered record.
    now: u64,
    tasks: Vec<Task>,
    queue: VecDeque<usize>,
    polled: Option<usize>,
    groups: Vec<combine::Woken>,
    sets: Vec<Set>,
    channels: Vec<Channel>,
    locks: [Lock; LOCKS],
    operations: BTreeMap<Number, Operation>,
    /// How each operation that was ever built is shown.
    shown: BTreeMap<Number, String>,
    /// Asked for, or asked again, since the last work.
    asked: Vec<Number>,
    /// The steps that a restart interrupted, or may have, and that have not begun again.
    suspects: BTreeSet<(u32, Number)>,
    output: Option<Value>,
    seen: Vec<(u16, u64)>,
    ran: BTreeMap<Number, u32>,
    trace: Vec<String>,
    talks: talk::Talks,
}

#[derive(Default)]
struct Task {
    part: Option<Part>,
    /// Operations built, and random numbers drawn.
    built: u32,
    drawn: u64,
    queued: bool,
    /// Woken while it is polled.
    woken: bool,
    dead: bool,
    output: Option<Value>,
    awaiter: Option<Wake>,
}

/// Who goes on when something has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wake {
    Task(usize),
    Branch(usize, usize),
    Member(usize, usize),
}

impl Model {
    fn new((seed, wakes): (u64, u64)) -> Self {
        Self {
            key: KEY.0,
            seed,
            wakes,
            now: 0,
            tasks: Vec::new(),
            queue: VecDeque::new(),
            polled: None,
            groups: Vec::new(),
            sets: Vec::new(),
            channels: Vec::new(),
            locks: Default::default(),
            operations: BTreeMap::new(),
            shown: BTreeMap::new(),
            asked: Vec::new(),
            suspects: BTreeSet::new(),
            output: None,
            seen: Vec::new(),
            ran: BTreeMap::new(),
            trace: Vec::new(),
            talks: talk::Talks::default(),
        }
    }

    fn spawn(&mut self, part: Part) -> usize {
        self.tasks.push(Task { part: Some(part), queued: true, ..Task::default() });
        self.queue.push_back(self.tasks.len() - 1);
        self.tasks.len() - 1
    }

    fn spawn_root(&mut self, program: &Code, x: u64) {
        self.spawn(Part::code(program, x));
    }

    fn wake(&mut self, wake: Wake) {
        match wake {
            Wake::Task(number) => {
                let task = &mut self.tasks[number];
                if self.polled == Some(number) {
                    task.woken = true;
                } else if !task.dead && !std::mem::replace(&mut task.queued, true) {
                    self.queue.push_back(number);
                }
            }
            Wake::Branch(group, index) => {
                let group = &mut self.groups[group];
                if group.branches.insert(index) {
                    let waker = group.waker.take();
                    waker.into_iter().for_each(|waker| self.wake(waker));
                }
            }
            Wake::Member(set, index) => self.wake_member(set, index),
        }
    }

    /// Polls in the order of the queue until no task is ready, or the root has ended.
    fn poll_tasks(&mut self) {
        while self.output.is_none()
            && let Some(number) = self.queue.pop_front()
        {
            if !self.tasks[number].dead {
                self.poll_task(number);
            }
        }
    }

    /// What the simulation adds: some tasks are polled once more, though nothing happened.
    fn poll_for_no_reason(&mut self, place: usize) {
        if self.output.is_some() || self.tasks.is_empty() {
            return;
        }
        let seed = split_mix(split_mix(self.wakes, self.key), place as u64);
        let wakes = [0, 0, 1, 3][(split_mix(seed, 0) % 4) as usize];
        let tasks = self.tasks.len() as u64;
        for index in 1..=wakes {
            self.wake(Wake::Task((split_mix(seed, index) % tasks) as usize));
        }
        self.poll_tasks();
    }

    fn poll_task(&mut self, number: usize) {
        self.trace.push(format!("poll {number}"));
        let task = &mut self.tasks[number];
        (task.queued, task.woken) = (false, false);
        let mut part = task.part.take().expect("a task that lives has a part");
        self.polled = Some(number);
        let output = self.poll(&mut part, Wake::Task(number));
        self.polled = None;
        let task = &mut self.tasks[number];
        let Some(output) = output else {
            task.part = Some(part);
            if task.woken {
                self.wake(Wake::Task(number));
            }
            return;
        };
        task.dead = true;
        task.output = Some(output);
        if number == 0 && self.talks.end.is_none() {
            self.output = Some(output);
            self.talks.end = Some(End::Returned);
        }
        let awaiter = task.awaiter.take();
        awaiter.into_iter().for_each(|awaiter| self.wake(awaiter));
    }

    fn poll_output(&mut self, task: usize, wake: Wake) -> Option<Value> {
        let task = &mut self.tasks[task];
        if task.output.is_none() {
            task.awaiter = Some(wake);
        }
        task.output.take()
    }

    fn cancel(&mut self, number: usize) {
        if !std::mem::replace(&mut self.tasks[number].dead, true) {
            let part = self.tasks[number].part.take();
            part.into_iter().for_each(|part| self.drop_part(part));
        }
    }

    fn saw(&mut self, site: u16, value: u64) {
        self.seen.push((site, value));
    }

    /// The task whose code is being carried out: its operations are numbered by it.
    fn own(&mut self) -> (&mut Task, u32) {
        let number = self.polled.expect("code runs in a task");
        (&mut self.tasks[number], number as u32)
    }

    /// The next number of SplitMix64 for this task, as the run's seed gives it.
    fn random(&mut self) -> u64 {
        let seed = self.seed;
        let (task, number) = self.own();
        let index = task.drawn;
        task.drawn += 1;
        split_mix(split_mix(seed, u64::from(number)), index)
    }
}

pub(crate) fn split_mix(seed: u64, index: u64) -> u64 {
    let bits = seed.wrapping_add(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(index.wrapping_add(1)));
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
