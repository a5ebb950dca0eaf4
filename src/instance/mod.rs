//! A run in memory: all that its workflow code can reach, and all that the engine keeps of it.

mod world;

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use dacapo_executor::Task;
use dacapo_executor::raw::{self, TaskId};
use dacapo_store::RunKey;
use futures::future::LocalBoxFuture;

use crate::clock::Timestamp;
use crate::fault::{Fault, ParkReason};
use crate::list::List;
use crate::operation::{Effort, Operation, Operations, Waiter};
use crate::panics;
use crate::record::Outcome;
use crate::timer::RunTimer;
use crate::trace::Event;
pub(crate) use world::{Draft, Entry, World};

/// One run, from its start or replay until it ends or is parked.
///
/// Workflow code reaches it through its `Ctx`s and operations only. What was delivered, and the
/// run's time, are written by `run`, the module that delivers and works, and by nothing else.
// What each step touches comes first and together: of ten thousand runs, each line of memory has to
// be fetched anew.
#[repr(C)]
pub(crate) struct Instance {
    pub(crate) world: Rc<World>,
    pub(crate) key: RunKey,
    /// How many records have a place: the place of the next to be committed.
    pub(crate) next_seq: Cell<u64>,
    /// How many records have been delivered: the seq of the next.
    pub(crate) delivered: Cell<u64>,
    /// The commit time of the last delivered record.
    pub(crate) now: Cell<Timestamp>,
    /// The commit whose record was delivered last.
    pub(crate) commit: Cell<u64>,
    /// Where the engine keeps it.
    pub(crate) slot: Cell<u32>,
    /// How many records of the present commit are still to be delivered.
    pub(crate) undelivered: Cell<u32>,
    /// How much that is not the outcome of a body waits for a commit, or to be delivered.
    pub(crate) pending: Cell<u32>,
    pub(crate) phase: Cell<Phase>,
    /// What came of the root, once it has ended.
    pub(crate) outcome: OnceCell<Box<Outcome<'static>>>,
    /// Why the run cannot go on. The first reason counts.
    fault: OnceCell<Box<Fault>>,
    pub(crate) operations: RefCell<Operations>,
    /// Tasks in spawn order; those that ended are weeded out now and then.
    tasks: RefCell<List<(u32, TaskId)>>,
    /// The number of the next task.
    next_task: Cell<u32>,
    pub(crate) id: Rc<str>,
    pub(crate) workflow: &'static str,
    pub(crate) started_at: Cell<Timestamp>,
    pub(crate) seed: Cell<u64>,
}

/// ```text
/// Replaying --history at its end--> Live --root ended--> Ended
///   any of them --teardown--> Closed
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Committed records are left to be delivered.
    Replaying,
    Live,
    /// The root has ended. Nothing is delivered any more.
    Ended,
    /// Out of memory, or about to be: nothing that its code does has an effect.
    Closed,
}

/// The first task of a run, before it is spawned.
pub(crate) struct Root {
    number: u32,
    task: LocalBoxFuture<'static, ()>,
}

impl Instance {
    pub(crate) fn new(
        world: Rc<World>,
        key: RunKey,
        id: Rc<str>,
        workflow: &'static str,
        phase: Phase,
    ) -> Rc<Self> {
        let operations = match phase {
            Phase::Replaying => Operations::in_replay(),
            _ => Operations::default(),
        };
        Rc::new(Self {
            world,
            key,
            id,
            workflow,
            slot: Cell::default(),
            pending: Cell::default(),
            undelivered: Cell::default(),
            phase: Cell::new(phase),
            started_at: Cell::default(),
            seed: Cell::default(),
            now: Cell::default(),
            delivered: Cell::default(),
            next_seq: Cell::default(),
            commit: Cell::default(),
            operations: RefCell::new(operations),
            outcome: OnceCell::new(),
            fault: OnceCell::new(),
            tasks: RefCell::default(),
            next_task: Cell::default(),
        })
    }

    /// Reads a little of it.
    #[inline(always)]
    pub(crate) fn touch(&self) {
        core::hint::black_box((
            self.key,
            self.undelivered.get(),
            self.fault.get().is_some(),
            self.operations.try_borrow().is_ok(),
        ));
    }

    /// Whether its tasks are being polled right now, by the executor and on its thread.
    pub(crate) fn is_open(&self) -> bool {
        self.world.gate.is_open_for(self.key)
    }

    /// Calls `poll` with the gate open for the tasks of this run.
    pub(crate) fn open<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.world.gate.open(self.key, poll)
    }

    /// Notes why the run cannot go on; `run` parks it when the poll that found out has returned.
    pub(crate) fn fail(&self, reason: ParkReason, detail: impl fmt::Display) {
        let _ = self.fault.set(Fault::new(reason, detail).into());
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.get().map(|fault| &**fault)
    }

    pub(crate) fn observe(&self, event: Event<'_>) {
        if let Some(observer) = &self.world.observer {
            observer.observe(&self.id, event);
        }
    }

    /// The number of the task that is spawned next.
    pub(crate) fn take_task_number(&self) -> u32 {
        let number = self.next_task.get();
        self.next_task.set(number.checked_add(1).expect("a run spawns fewer than 2^32 tasks"));
        number
    }

    /// Spawns a workflow task.
    pub(crate) fn spawn<T: 'static>(
        self: &Rc<Self>,
        number: u32,
        task: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        if !self.is_running() {
            return raw::dead_task();
        }
        let task = self.world.tasks.spawn(self.task(number, task));
        self.keep(number, raw::task_id(&task));
        task
    }

    fn task<F>(self: &Rc<Self>, number: u32, task: F) -> WorkflowTask<F> {
        WorkflowTask { task, number, instance: self.clone() }
    }

    /// The task whose end is that of the run.
    pub(crate) fn root(
        self: &Rc<Self>,
        number: u32,
        root: impl Future<Output = ()> + 'static,
    ) -> Root {
        Root { number, task: Box::pin(self.task(number, root)) }
    }

    /// The root has ended with this.
    pub(crate) fn set_outcome(&self, outcome: Outcome<'static>) {
        self.outcome.set(outcome.into()).expect("a root ends once");
    }

    pub(crate) fn spawn_root(&self, root: Root) {
        if self.is_running() {
            self.keep(root.number, self.world.tasks.raw().spawn_boxed(root.task));
        }
    }

    fn keep(&self, number: u32, task: TaskId) {
        let mut tasks = self.tasks.borrow_mut();
        if let List::Many(tasks) = &mut *tasks
            && tasks.len() == tasks.capacity()
        {
            tasks.retain(|&(_, task)| self.world.tasks.raw().is_alive(task));
        }
        tasks.push((number, task));
    }

    /// In a simulation, wakes some tasks of a quiescent run although nothing happened, and says
    /// whether it did.
    pub(crate) fn wake_spuriously(&self) -> bool {
        let Some(choices) = &self.world.choices else { return false };
        if self.outcome.get().is_some() || self.fault.get().is_some() {
            return false;
        }
        let tasks = self.tasks.borrow();
        let tasks = tasks.as_slice();
        let chosen = choices.wakes(self.key, self.delivered.get(), self.next_task.get());
        for number in &chosen {
            if let Ok(index) = tasks.binary_search_by_key(number, |&(number, _)| number) {
                self.world.tasks.raw().wake(tasks[index].1);
            }
        }
        !chosen.is_empty()
    }

    /// Whether an operation may be built, polled or dropped with an effect.
    fn is_running(&self) -> bool {
        matches!(self.phase.get(), Phase::Replaying | Phase::Live)
    }

    /// Polls the future of an operation: the first time asks for it with `effort`, and later
    /// times take what was delivered.
    pub(crate) fn poll_operation(
        &self,
        operation: &Rc<Operation>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !self.is_running() || self.fault.get().is_some() {
            return Poll::Pending;
        }
        if !self.is_open() {
            self.world.gate.note_foreign_wake(self.key);
            return Poll::Pending;
        }
        operation.poll_delivered(
            || self.world.waiter(cx.waker()),
            || {
                self.observe(Event::Asked(operation));
                self.operations.borrow_mut().ask(operation.clone());
            },
        )
    }

    /// Hands an outcome to the future of an operation, and wakes whoever awaits it.
    pub(crate) fn hand_over(&self, operation: &Operation) {
        match operation.hand_over() {
            None => {}
            Some(Waiter::Task(task)) => self.world.tasks.raw().wake(task),
            Some(Waiter::Waker(waker)) => self.open(|| waker.wake()),
        }
    }

    /// Ends an operation whose future was dropped, and its body with it. `effort` is what it would
    /// have asked for, had it been polled.
    pub(crate) fn drop_operation(&self, operation: &Operation) {
        if operation.set_dropped() {
            return;
        }
        let asked = self.operations.borrow_mut().forget(operation.number);
        if asked && self.is_running() && !self.is_open() {
            // Something outside dropped it, as no replay will.
            self.world.gate.note_foreign_wake(self.key);
        }
        self.end_effort(operation);
    }

    /// Ends what was done for an operation. A body that is dropped here lives in a live run and in
    /// no replay: so it finds the gate shut, and a panic of it is its own affair.
    pub(crate) fn end_effort(&self, operation: &Operation) {
        let apart = |end: &mut dyn FnMut()| {
            let _ = panics::catch(|| self.world.gate.shut(end));
        };
        match operation.take_effort() {
            Effort::Nothing => {}
            Effort::Unstarted(body) => {
                let mut body = Some(body);
                apart(&mut || drop(body.take()));
            }
            Effort::Body(body) => apart(&mut || self.world.bodies.raw().abort(body)),
            Effort::Timer(deadline) => {
                let (run, number) = (self.key, operation.number);
                self.world.timers.remove(&RunTimer { deadline, run, number });
            }
        }
    }

    /// The root has ended: all other tasks are dropped.
    pub(crate) fn end(&self) {
        self.phase.set(Phase::Ended);
        if let Err(message) = self.drop_tasks() {
            self.fail(ParkReason::Panicked, format_args!("a task that was dropped: {message}"));
        }
    }

    /// The run leaves memory. What its code says about that no longer matters.
    pub(crate) fn close(&self) {
        self.phase.set(Phase::Closed);
        let _ = self.drop_tasks();
    }

    /// Drops the tasks in spawn order, and with them their operations and bodies. If some panic,
    /// the rest are dropped as well, and the last message is the answer.
    fn drop_tasks(&self) -> Result<(), String> {
        let drop_task = |(_, task)| {
            panics::catch(|| self.world.gate.shut(|| self.world.tasks.raw().abort(task)))
        };
        let dropped = self.tasks.take().into_iter().map(drop_task).fold(Ok(()), Result::and);
        self.end_leaked();
        dropped
    }

    /// Ends the operations that outlive their tasks, forgotten or held by a cycle of `Rc`s: what
    /// came of them now would be recorded after the end of the run.
    fn end_leaked(&self) {
        let leaked = self.operations.borrow_mut().take_all();
        for operation in leaked {
            operation.set_dropped();
            self.end_effort(&operation);
        }
    }

    /// The first of the timers that it awaits, if it awaits nothing else.
    pub(crate) fn sleeps_until(&self) -> Option<RunTimer> {
        let is_quiet =
            self.is_running() && self.fault.get().is_none() && self.outcome.get().is_none();
        let (deadline, number) = self.operations.borrow().sleeps_until().filter(|_| is_quiet)?;
        Some(RunTimer { deadline, run: self.key, number })
    }

    /// Which tasks there are, for a message.
    pub(crate) fn show_tasks(&self) -> String {
        let tasks = self.tasks.borrow();
        let alive =
            tasks.as_slice().iter().filter(|&&(_, task)| self.world.tasks.raw().is_alive(task));
        let numbers: Vec<_> = alive.map(|(number, _)| number.to_string()).collect();
        match &numbers[..] {
            [number] => format!("task {number} (0 is the root) awaits"),
            _ => format!("the tasks {} (0 is the root) await", numbers.join(", ")),
        }
    }
}

pin_project_lite::pin_project! {
    /// A task of a run: it is seen by the observer, and what it awaits by the gate.
    struct WorkflowTask<F> {
        #[pin]
        task: F,
        number: u32,
        instance: Rc<Instance>,
    }

    // A task ends while its run is polled, or in a teardown. If something outside dropped its
    // handle (a body that owns it, another run), that is as foreign as a wake.
    impl<F> PinnedDrop for WorkflowTask<F> {
        fn drop(this: Pin<&mut Self>) {
            let run = &this.instance;
            if run.is_running() && !run.is_open() {
                run.world.gate.note_foreign_wake(run.key);
            }
        }
    }
}

impl<F: Future> Future for WorkflowTask<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.instance.observe(Event::Polled(*this.number));
        this.instance.world.set_polled(*this.number, cx.waker());
        this.task.poll(cx)
    }
}
