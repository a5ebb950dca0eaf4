//! The executor as plain data: no futures, no wakers, no slots; the six promises and no more.

use std::collections::VecDeque;
use std::mem;

use super::program::{Body, EVENTS, MAX_TASKS, Op, Program, ROOTS};

/// Number of a task, in spawn order.
type Number = usize;

#[derive(Default)]
struct TaskState {
    body: usize,
    pc: usize,
    /// The operation at `pc` has begun, and what it waits for.
    waits: Option<Wait>,
    handles: Vec<Number>,
    awaiter: Option<Number>,
    queued: bool,
    polled: bool,
    /// Woken, or cancelled, during its own poll.
    woken: bool,
    doomed: bool,
    dead: bool,
    done: bool,
}

#[derive(Clone, Copy)]
enum Wait {
    /// Over at the next poll.
    Turn,
    /// For an event that was not set since, or was.
    Event {
        set: bool,
    },
    Task(Number),
}

/// A whole program at one moment.
pub(crate) struct Model<'a> {
    program: &'a [Body],
    tasks: Vec<TaskState>,
    queue: VecDeque<Number>,
    waiters: [Vec<Number>; EVENTS],
    shared: Vec<Number>,
    wakers: Vec<Number>,
    closed: bool,
    trace: Vec<String>,
}

impl Model<'_> {
    pub(crate) fn run(program: &Program) -> String {
        let mut model = Model {
            program,
            tasks: Vec::new(),
            queue: VecDeque::new(),
            waiters: Default::default(),
            shared: Vec::new(),
            wakers: Vec::new(),
            closed: false,
            trace: Vec::new(),
        };
        for body in 0..ROOTS {
            let task = model.spawn(body).expect("there is room for the roots");
            model.shared.push(task);
        }
        while let Some(task) = model.queue.pop_front() {
            if !model.tasks[task].dead {
                model.poll(task);
            }
        }
        model.trace.push("|".into());
        model.close();
        model.trace.join(" ")
    }

    fn spawn(&mut self, body: usize) -> Option<Number> {
        let number = self.tasks.len();
        if number == MAX_TASKS {
            return None;
        }
        self.tasks.push(TaskState { body, queued: true, ..TaskState::default() });
        self.queue.push_back(number);
        Some(number)
    }

    fn wake(&mut self, task: Number) {
        let state = &mut self.tasks[task];
        if state.dead || self.closed {
            return;
        }
        if state.polled {
            state.woken = true;
        } else if !mem::replace(&mut state.queued, true) {
            self.queue.push_back(task);
        }
    }

    fn poll(&mut self, task: Number) {
        let state = &mut self.tasks[task];
        (state.queued, state.polled, state.woken) = (false, true, false);
        let ended = self.step(task);
        if ended {
            self.drop_contents(task);
            self.tasks[task].done = true;
            if let Some(awaiter) = self.tasks[task].awaiter {
                self.wake(awaiter);
            }
        }
        let state = &mut self.tasks[task];
        state.polled = false;
        if ended {
            state.dead = true;
        } else if state.doomed {
            state.dead = true;
            self.drop_contents(task);
        } else if state.woken {
            self.wake(task);
        }
    }

    /// Runs a task to its next wait; whether it came to its end.
    fn step(&mut self, task: Number) -> bool {
        let ops = &self.program[self.tasks[task].body].ops;
        loop {
            let pc = self.tasks[task].pc;
            if self.tasks[task].waits.is_none() {
                if pc == ops.len() {
                    self.trace.push(format!("{task}."));
                    return true;
                }
                self.trace.push(format!("{task}.{pc}"));
                if self.begin(task, ops[pc]) {
                    return false;
                }
            }
            match self.tasks[task].waits {
                Some(Wait::Event { set: false }) => return false,
                Some(Wait::Task(other)) if !self.tasks[other].done => {
                    self.tasks[other].awaiter = Some(task);
                    return false;
                }
                _ => {}
            }
            self.tasks[task].waits = None;
            self.tasks[task].pc += 1;
        }
    }

    /// Begins an operation; whether the poll ends with it, whatever happens.
    fn begin(&mut self, task: Number, op: Op) -> bool {
        let state = &mut self.tasks[task];
        let kept = state.handles.len();
        match op {
            Op::Yield => {
                (state.waits, state.woken) = (Some(Wait::Turn), true);
                return true;
            }
            Op::Wait(event) => {
                state.waits = Some(Wait::Event { set: false });
                self.waiters[event].push(task);
            }
            Op::Spawn(body) => {
                let spawned = self.spawn(body);
                self.tasks[task].handles.extend(spawned);
            }
            Op::Await(place) if kept > 0 => {
                state.waits = Some(Wait::Task(state.handles.remove(place % kept)));
            }
            Op::Drop(place) if kept > 0 => {
                let dropped = state.handles.remove(place % kept);
                self.cancel(dropped);
            }
            Op::Share(place) if kept > 0 => self.shared.push(state.handles.remove(place % kept)),
            Op::AwaitShared(place) => {
                state.waits = take(&mut self.shared, place).map(Wait::Task);
            }
            Op::LeaveWaker => self.wakers.push(task),
            other => self.act(other),
        }
        false
    }

    fn act(&mut self, op: Op) {
        match op {
            Op::Set(event) => {
                for waiter in mem::take(&mut self.waiters[event]) {
                    if let Some(Wait::Event { set }) = &mut self.tasks[waiter].waits {
                        *set = true;
                    }
                    self.wake(waiter);
                }
            }
            Op::SpawnDetached(body) => drop(self.spawn(body)),
            Op::DropShared(place) => {
                if let Some(task) = take(&mut self.shared, place) {
                    self.cancel(task);
                }
            }
            Op::Abort(task) if task < self.tasks.len() => self.cancel(task),
            Op::Wake(place) if !self.wakers.is_empty() => {
                self.wake(self.wakers[place % self.wakers.len()]);
            }
            _ => {}
        }
    }

    fn cancel(&mut self, task: Number) {
        let state = &mut self.tasks[task];
        if state.dead {
            return;
        }
        if state.polled {
            state.doomed = true;
            return;
        }
        state.dead = true;
        self.drop_contents(task);
    }

    /// Drops what a task's future holds: the handle that it awaits, its other handles, its guard.
    fn drop_contents(&mut self, task: Number) {
        let awaited = match self.tasks[task].waits.take() {
            Some(Wait::Task(other)) => Some(other),
            _ => None,
        };
        let handles = mem::take(&mut self.tasks[task].handles);
        awaited.into_iter().chain(handles).for_each(|handle| self.cancel(handle));
        for &op in &self.program[self.tasks[task].body].drop_ops {
            self.act(op);
        }
        self.trace.push(format!("~{task}"));
    }

    /// The teardown: spawn order, and nothing that a drop does has an effect, but that the drop
    /// of a task which is spawned meanwhile is seen at once.
    fn close(&mut self) {
        self.closed = true;
        for task in 0..self.tasks.len() {
            if !self.tasks[task].dead {
                self.drop_in_teardown(self.tasks[task].body);
                self.trace.push(format!("~{task}"));
            }
        }
    }

    fn drop_in_teardown(&mut self, body: usize) {
        for &op in &self.program[body].drop_ops {
            if let Op::SpawnDetached(body) = op
                && self.tasks.len() < MAX_TASKS
            {
                self.drop_in_teardown(body);
                self.trace.push(format!("~{}", self.tasks.len()));
            }
        }
    }
}

fn take(handles: &mut Vec<Number>, place: usize) -> Option<Number> {
    let len = handles.len();
    (len > 0).then(|| handles.remove(place % len))
}
