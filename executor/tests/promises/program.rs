//! A small language of tasks, and its programs on the real executor.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;

use dacapo_executor::raw::{self, TaskId};
use dacapo_executor::{FifoExecutor, Task, yield_now};

use super::trace::{Event, Trace, on_drop, waker};

/// What a task does, one after the other. Places are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Yield,
    /// Wakes all who wait for an event.
    Set(usize),
    Wait(usize),
    /// Spawns a body and keeps the handle.
    Spawn(usize),
    SpawnDetached(usize),
    /// Awaits, drops or shares one of the handles kept.
    Await(usize),
    Drop(usize),
    Share(usize),
    /// The same for the handles that all tasks share, own and ancestors' among them.
    AwaitShared(usize),
    DropShared(usize),
    /// Aborts the so-and-so-many-th task by id.
    Abort(usize),
    /// Leaves a clone of the own waker, and wakes one that was left.
    LeaveWaker,
    Wake(usize),
}

/// One task's code: what it does, and what its drop does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) ops: Vec<Op>,
    pub(crate) drop_ops: Vec<Op>,
}

/// Bodies spawn later ones only, so every program ends. The first ones are spawned from outside.
pub(crate) type Program = Vec<Body>;

pub(crate) const ROOTS: usize = 3;
pub(crate) const EVENTS: usize = 3;
/// A program that has so many tasks spawns no more.
pub(crate) const MAX_TASKS: usize = 60;

/// What the tasks of one program share.
#[derive(Clone)]
struct World(Rc<Shared>);

struct Shared {
    executor: FifoExecutor,
    program: Program,
    trace: Trace,
    events: Vec<Event>,
    handles: RefCell<Vec<Task<()>>>,
    wakers: RefCell<Vec<Waker>>,
    ids: RefCell<Vec<TaskId>>,
}

/// The trace of a program on the executor.
pub(crate) fn run(program: &Program) -> String {
    let executor = FifoExecutor::new();
    let world = World(Rc::new(Shared {
        executor: executor.clone(),
        program: program.clone(),
        trace: Trace::default(),
        events: (0..EVENTS).map(|_| Event::default()).collect(),
        handles: RefCell::default(),
        wakers: RefCell::default(),
        ids: RefCell::default(),
    }));
    for body in 0..ROOTS {
        let task = world.spawn(body).expect("there is room for the roots");
        world.0.handles.borrow_mut().push(task);
    }
    executor.run_until_stalled();
    world.0.trace.log("|");
    executor.raw().close();
    let trace = world.0.trace.take();
    // The handles hold each other through the world.
    drop(world.0.handles.take());
    trace
}

impl World {
    fn spawn(&self, body: usize) -> Option<Task<()>> {
        let number = self.0.ids.borrow().len();
        if number == MAX_TASKS {
            return None;
        }
        let world = self.clone();
        let (gone, code) = (self.clone(), self.0.program[body].clone());
        let drop_ops = code.drop_ops;
        let guard = on_drop(move || {
            drop_ops.into_iter().for_each(|op| gone.act(op));
            gone.0.trace.log(format_args!("~{number}"));
        });
        let task = self.0.executor.spawn(async move {
            // Declared first, dropped last, also if the task was never polled.
            let _guard = guard;
            world.run(number, code.ops).await;
        });
        // In teardown there is no task to number.
        if !task.is_finished() {
            self.0.ids.borrow_mut().push(raw::task_id(&task));
        }
        Some(task)
    }

    async fn run(&self, number: usize, ops: Vec<Op>) {
        let log = |pc: usize| self.0.trace.log(format_args!("{number}.{pc}"));
        let mut mine: Vec<Task<()>> = Vec::new();
        for (pc, op) in ops.into_iter().enumerate() {
            log(pc);
            match op {
                Op::Yield => yield_now().await,
                Op::Wait(event) => self.0.events[event].wait().await,
                Op::Spawn(body) => mine.extend(self.spawn(body)),
                Op::Await(place) if !mine.is_empty() => mine.remove(place % mine.len()).await,
                Op::Drop(place) if !mine.is_empty() => drop(mine.remove(place % mine.len())),
                Op::Share(place) if !mine.is_empty() => {
                    let task = mine.remove(place % mine.len());
                    self.0.handles.borrow_mut().push(task);
                }
                Op::AwaitShared(place) => {
                    if let Some(task) = self.take_shared(place) {
                        task.await;
                    }
                }
                Op::LeaveWaker => {
                    let waker = waker().await;
                    self.0.wakers.borrow_mut().push(waker);
                }
                other => self.act(other),
            }
        }
        self.0.trace.log(format_args!("{number}."));
    }

    fn take_shared(&self, place: usize) -> Option<Task<()>> {
        let mut handles = self.0.handles.borrow_mut();
        let len = handles.len();
        (len > 0).then(|| handles.remove(place % len))
    }

    /// What needs no waiting, so that drops may do it, too.
    fn act(&self, op: Op) {
        match op {
            Op::Set(event) => self.0.events[event].set(),
            Op::SpawnDetached(body) => {
                if let Some(task) = self.spawn(body) {
                    task.detach();
                }
            }
            Op::DropShared(place) => drop(self.take_shared(place)),
            Op::Abort(number) => {
                let id = self.0.ids.borrow().get(number).copied();
                id.into_iter().for_each(|id| self.0.executor.raw().abort(id));
            }
            Op::Wake(place) => {
                let wakers = self.0.wakers.borrow().clone();
                if !wakers.is_empty() {
                    wakers[place % wakers.len()].wake_by_ref();
                }
            }
            _ => {}
        }
    }
}
