//! Runs a program on the executor.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use dacapo_executor::{FifoExecutor, Task, yield_now};

use crate::primitives::{Event, Lock, Queue, Waiter};
use crate::program::{Body, Op};

const ROOTS: usize = 3;
const MAX_TASKS: usize = 30;

/// How often what happened, over all programs.
pub(crate) type Counts = BTreeMap<String, usize>;

/// Runs a program until nothing is ready, and gives its trace.
pub(crate) fn run(bodies: &[Body], counts: &mut Counts) -> String {
    let executor = FifoExecutor::new();
    let world = World(Rc::new(Shared {
        executor: executor.clone(),
        bodies: bodies.to_vec(),
        trace: RefCell::default(),
        handles: RefCell::default(),
        doing: RefCell::default(),
        events: Default::default(),
        queues: [Queue::new(0), Queue::new(1)],
        locks: Default::default(),
        items: Cell::new(0),
        counts: RefCell::new(std::mem::take(counts)),
    }));
    for body in 0..ROOTS {
        let (number, task) = world.spawn(body).expect("there is room for the roots");
        world.0.handles.borrow_mut().insert(number, task);
    }
    if bodies.iter().flatten().any(Op::cancels) {
        executor.run_until_stalled();
    } else {
        world.run_rounds();
    }
    let trace = world.0.trace.take().join(" ");
    *counts = world.0.counts.take();
    executor.raw().close();
    // The handles hold each other through the world.
    drop(world.0.handles.take());
    trace
}

/// What the tasks of one program share.
#[derive(Clone)]
struct World(Rc<Shared>);

struct Shared {
    executor: FifoExecutor,
    bodies: Vec<Body>,
    trace: RefCell<Vec<String>>,
    /// By number, until somebody awaits or cancels the task.
    handles: RefCell<BTreeMap<usize, Task<usize>>>,
    /// Every task's present operation.
    doing: RefCell<Vec<&'static str>>,
    events: [Event; 2],
    queues: [Queue; 2],
    locks: [Lock; 2],
    items: Cell<usize>,
    counts: RefCell<Counts>,
}

/// What a task knows of itself.
struct Me {
    number: usize,
    total: usize,
    children: Vec<usize>,
    held: [bool; 2],
}

impl World {
    fn log(&self, entry: String) {
        self.0.trace.borrow_mut().push(entry);
    }

    fn count(&self, what: &str) {
        *self.0.counts.borrow_mut().entry(what.to_owned()).or_default() += 1;
    }

    /// Marks where the rounds begin, as asyncio's loop does its iterations.
    fn run_rounds(&self) {
        loop {
            let round = self.0.executor.raw().queued();
            if round == 0 {
                return;
            }
            self.log("/".into());
            self.count("rounds");
            for _ in 0..round {
                assert!(self.0.executor.try_tick(), "what is queued has a turn");
            }
        }
    }

    fn spawn(&self, body: usize) -> Option<(usize, Task<usize>)> {
        let number = self.0.doing.borrow().len();
        if number == MAX_TASKS {
            return None;
        }
        self.0.doing.borrow_mut().push("begin");
        let world = self.clone();
        Some((number, self.0.executor.spawn(async move { world.body(number, body).await })))
    }

    async fn body(&self, number: usize, body: usize) -> usize {
        let mut me = Me { number, total: number, children: Vec::new(), held: [false; 2] };
        for (place, op) in self.0.bodies[body].iter().enumerate() {
            self.log(format!("{number}.{place}"));
            self.0.doing.borrow_mut()[number] = op.name();
            self.count(op.name());
            let mut waits = pin!(self.op(&mut me, op));
            let mut suspended = false;
            poll_fn(|cx| {
                let poll = waits.as_mut().poll(cx);
                if poll.is_pending() && !std::mem::replace(&mut suspended, true) {
                    self.count(&format!("{} suspends", op.name()));
                }
                poll
            })
            .await;
        }
        self.log(format!("{number}."));
        self.0.doing.borrow_mut()[number] = "end";
        me.total
    }

    async fn op(&self, me: &mut Me, op: &Op) {
        let shared = &*self.0;
        match *op {
            Op::Yield => yield_now().await,
            Op::Spawn(body) => {
                if let Some((number, task)) = self.spawn(body) {
                    shared.handles.borrow_mut().insert(number, task);
                    me.children.push(number);
                }
            }
            Op::Detach(body) => {
                if let Some((_, task)) = self.spawn(body) {
                    task.detach();
                }
            }
            Op::Await(place) => {
                if let Some(child) = me.child(place) {
                    self.take(me, child).await;
                }
            }
            Op::Take(number) => self.take(me, number).await,
            Op::All => {
                for child in me.children.clone() {
                    self.take(me, child).await;
                }
            }
            Op::Gather(ref bodies) => {
                let values = self.gather(bodies).await;
                self.got(me, &values);
            }
            Op::Cancel(place) => {
                if let Some(child) = me.child(place) {
                    self.kill(child);
                }
            }
            Op::Kill(number) => self.kill(number),
            Op::Wait(event) => shared.events[event].wait().await,
            Op::Set(event) => shared.events[event].set(),
            Op::Clear(event) => shared.events[event].clear(),
            Op::Put(queue) => shared.queues[queue].put(self.item()).await,
            Op::Get(queue) => {
                let item = shared.queues[queue].get().await;
                self.got(me, &[item]);
            }
            Op::Offer(queue) => {
                if !shared.queues[queue].is_full() {
                    shared.queues[queue].put_nowait(self.item());
                }
            }
            Op::Poll(queue) => {
                if !shared.queues[queue].is_empty() {
                    self.got(me, &[shared.queues[queue].get_nowait()]);
                }
            }
            Op::Lock(lock) => {
                if !me.held[lock] {
                    shared.locks[lock].acquire().await;
                    me.held[lock] = true;
                }
            }
            Op::Unlock(lock) => {
                if std::mem::take(&mut me.held[lock]) {
                    shared.locks[lock].release();
                }
            }
        }
    }

    fn item(&self) -> usize {
        self.0.items.update(|items| items + 1);
        self.0.items.get()
    }

    fn got(&self, me: &mut Me, values: &[usize]) {
        let list: Vec<String> = values.iter().map(usize::to_string).collect();
        self.log(format!("{}={}", me.number, list.join(",")));
        me.total = (me.total + values.iter().sum::<usize>()) % 100;
    }

    /// Awaits a task, if its handle is there and it is another one.
    async fn take(&self, me: &mut Me, number: usize) {
        if number == me.number {
            return;
        }
        let task = self.0.handles.borrow_mut().remove(&number);
        if let Some(task) = task {
            let value = task.await;
            self.got(me, &[value]);
        }
    }

    fn kill(&self, number: usize) {
        let task = self.0.handles.borrow_mut().remove(&number);
        if let Some(task) = task {
            let doing = self.0.doing.borrow()[number];
            self.count(&format!("cancelled in {doing}"));
            drop(task);
        }
    }

    /// `asyncio.gather`, with its extra turn: a watcher has the turn that asyncio gives to the
    /// callback of a child's end, and the last one completes what the caller awaits. It is spawned
    /// before its child, so that it waits when the child has its first turn; that turn of its own
    /// does nothing that could be seen.
    async fn gather(&self, bodies: &[usize]) -> Vec<usize> {
        let values: Rc<RefCell<Vec<Option<usize>>>> = Rc::default();
        let outer = Waiter::default();
        let mut watchers = Vec::new();
        for &body in bodies {
            let place: Rc<Cell<Option<Task<usize>>>> = Rc::default();
            let (child, values, outer) = (place.clone(), values.clone(), outer.clone());
            let index = watchers.len();
            let watcher = self.0.executor.spawn(async move {
                let child = child.take().expect("the child was spawned in the same turn");
                let value = child.await;
                let mut values = values.borrow_mut();
                values[index] = Some(value);
                if values.iter().all(Option::is_some) {
                    outer.complete();
                }
            });
            if let Some((_, child)) = self.spawn(body) {
                place.set(Some(child));
                watchers.push(watcher);
            }
        }
        *values.borrow_mut() = vec![None; watchers.len()];
        if !watchers.is_empty() {
            outer.await;
        }
        values.take().into_iter().map(|value| value.expect("all children have ended")).collect()
    }
}

impl Me {
    fn child(&self, place: usize) -> Option<usize> {
        let children = self.children.len();
        (children > 0).then(|| self.children[place % children])
    }
}
