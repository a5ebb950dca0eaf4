//! A run in memory: all that its workflow code can reach, and all that the engine keeps of it.

mod again;
mod children;
mod forked;
mod interrupted;
mod marks;
mod pending;
mod submitted;
mod task;
mod topics;
mod wait;
mod world;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use core::fmt;
use core::future::Future;

use dacapo_executor::Task;
use dacapo_executor::raw::TaskId;
use dacapo_store::{RunKey, RunRow};

use crate::bytes::Bytes;
use crate::cancelling::Cancelling;
use crate::clock::Timestamp;
use crate::fault::{Fault, ParkReason};
use crate::inbox::Channels;
use crate::ledger::Ledger;
use crate::list::List;
use crate::notice::Notice;
use crate::operation::Operation;
use crate::operations::Operations;
use crate::panics::{self, Panicked};
use crate::places::Places;
use crate::record::{Number, Outcome};
use crate::source::SourceLine;
use crate::telemetry::{Entered, Who};
use crate::timer::RunTimer;
use crate::topics::Topics;
use crate::trace::Event;
use crate::values::Anew;
#[cfg(feature = "export")]
use crate::values::OfJson;
use children::Children;
use forked::Forks;
pub(crate) use interrupted::Interrupted;
use marks::Asks;
pub(crate) use pending::{
    Arrival, BodyEnd, Change, NoteDraft, Others, Pending, Post, PostWhat, Receiver, Replaced,
    Reported, Sleeper, Transacted, Transaction, Written,
};
use submitted::Submitted;
pub(crate) use task::Root;
use task::WorkflowTask;
pub(crate) use world::{Setup, World};

/// One run, from its start or replay until it ends or is parked.
///
/// Workflow code reaches it through its `Ctx`s and operations only. What was delivered, and the
/// run's time, are written by `run`, the module that delivers and works, and by nothing else.
// What each step touches comes first and together: of ten thousand runs, each line of memory has to
// be fetched anew.
#[repr(C)]
pub(crate) struct Instance {
    pub(crate) world: Rc<World>,
    /// What the engine keeps of it.
    pub(crate) ledger: Rc<Ledger>,
    /// How many records have been delivered: the seq of the next.
    pub(crate) delivered: Cell<u64>,
    /// The commit time of the last delivered record.
    pub(crate) now: Cell<Timestamp>,
    /// The commit whose record was delivered last.
    pub(crate) commit: Cell<u64>,
    pub(crate) phase: Cell<Phase>,
    /// Whether it is known where its operations stand in the source. A live step pays for no more than this look.
    pub(crate) is_rehearsed: bool,
    /// How the root ended, once it has.
    pub(crate) root_end: OnceCell<Box<RootEnd>>,
    /// Whether the end is drafted. What was drafted before it may be delivered after that, if a commit
    /// was full between the two.
    pub(crate) is_end_drafted: Cell<bool>,
    /// Whether the end is in a batch: its row says so by then.
    pub(crate) is_end_written: Cell<bool>,
    pub(crate) operations: RefCell<Operations>,
    /// Tasks in spawn order; those that ended are weeded out now and then.
    tasks: RefCell<List<(u32, TaskId)>>,
    /// The number of the next task.
    next_task: Cell<u32>,
    pub(crate) id: Arc<str>,
    workflow: Rc<Registered>,
    pub(crate) seed: Cell<u64>,
    /// What few runs have.
    extra: OnceCell<Box<Extra>>,
}

/// What few runs have: those that others talk to, that ask for something outside of them, or that
/// cannot go on.
#[derive(Default)]
pub(crate) struct Extra {
    /// Why the run cannot go on. The first reason counts.
    fault: OnceCell<Fault>,
    asks: Asks,
    pub(crate) children: Children,
    /// Nothing for a run that was started with its workflow and input alone.
    submitted: OnceCell<Submitted>,
    /// Of a run that is parked in its replay, or without one: it does not know all that its row says.
    unread: RefCell<Option<Box<RunRow>>>,
    pub(crate) inbox: RefCell<Channels>,
    pub(crate) cancelling: Cancelling,
    pub(crate) topics: RefCell<Topics>,
    /// From which record on changes of its code hold, by their names.
    pub(crate) patches: RefCell<BTreeMap<Box<str>, u64>>,
    /// Whether its code was dropped before it ended.
    pub(crate) was_dropped: Cell<bool>,
    pub(crate) taken_up: Cell<TakenUp>,
    forks: Forks,
}

/// Why a run that was replayed goes on.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TakenUp {
    /// Nothing was wrong with it.
    #[default]
    ByItself,
    /// It was parked.
    Resumed,
    /// It had failed, or is a copy: nothing of what waits was interrupted.
    Anew,
}

/// How a root ends.
pub(crate) enum RootEnd {
    Outcome(Outcome<'static>),
    /// The run goes on in another pass, with this input.
    Again {
        input: Bytes<'static>,
        /// How many records were delivered by then.
        delivered: u64,
    },
}

/// A workflow of this build: its durable name, and its function without its types.
pub(crate) struct Registered {
    pub(crate) name: &'static str,
    /// The root of a run, from its encoded input; or why that is not what the function takes.
    pub(crate) root: Box<MakeRoot>,
    pub(crate) input: Anew,
    pub(crate) output: Anew,
    #[cfg(feature = "export")]
    pub(crate) input_of_json: OfJson,
}

type MakeRoot = dyn Fn(&Rc<Instance>, &[u8]) -> Result<Root, Fault>;

/// How far a run has come.
///
/// | phase     | all is delivered (`work`) | root ends (`end`) | teardown (`close`) |
/// |-----------|---------------------------|-------------------|--------------------|
/// | replaying | live                      | ended             | closed             |
/// | live      | -                         | ended             | closed             |
/// | ended     | -                         | -                 | closed             |
/// | closed    | -                         | -                 | -                  |
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

impl Instance {
    pub(crate) fn new(
        world: Rc<World>,
        ledger: Rc<Ledger>,
        id: Arc<str>,
        workflow: Rc<Registered>,
        phase: Phase,
    ) -> Rc<Self> {
        let operations = match phase {
            Phase::Replaying => Operations::in_replay(),
            Phase::Live | Phase::Ended | Phase::Closed => Operations::default(),
        };
        let is_rehearsed = world.setup.places.is_some();
        Rc::new(Self {
            world,
            ledger,
            id,
            workflow,
            phase: Cell::new(phase),
            is_rehearsed,
            seed: Cell::default(),
            now: Cell::default(),
            delivered: Cell::default(),
            commit: Cell::default(),
            operations: RefCell::new(operations),
            root_end: OnceCell::new(),
            is_end_drafted: Cell::default(),
            is_end_written: Cell::default(),
            tasks: RefCell::default(),
            next_task: Cell::default(),
            extra: OnceCell::new(),
        })
    }

    pub(crate) fn key(&self) -> RunKey {
        self.ledger.key
    }

    /// Whose span it is.
    pub(crate) fn who(&self) -> Who<'_> {
        Who { id: &self.id, workflow: self.workflow(), pass: self.pass() }
    }

    /// Has what its code tells on this thread be told within its span.
    pub(crate) fn enter_span(&self) -> Entered {
        let spans = &self.world.telemetry.spans;
        match self.phase.get() {
            Phase::Replaying => spans.enter_replay(self.who()),
            Phase::Live | Phase::Ended | Phase::Closed => spans.enter_run(self.who()),
        }
    }

    /// The name of its workflow.
    pub(crate) fn workflow(&self) -> &'static str {
        self.workflow.name
    }

    /// How its output is written by this build.
    pub(crate) fn output_anew(&self) -> Anew {
        self.workflow.output
    }

    /// Reads a little of it, so that its memory is in the processor's cache soon.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        let is_faulty = self.fault().is_some();
        core::hint::black_box((is_faulty, self.operations.try_borrow().is_ok()));
        self.ledger.prefetch();
    }

    /// Whether its tasks are being polled right now, by the executor and on its thread.
    pub(crate) fn is_open(&self) -> bool {
        self.world.gate.is_open_for(self.key())
    }

    /// Calls `poll` with the gate open for the tasks of this run.
    pub(crate) fn open<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.world.gate.open(self.key(), poll)
    }

    /// Notes why the run cannot go on; `run` parks it when the poll that found out has returned.
    #[cold]
    pub(crate) fn fail(&self, reason: ParkReason, detail: impl fmt::Display) {
        let _ = self.extra().fault.set(Fault::new(reason, detail));
    }

    /// The same of what came of an operation.
    #[cold]
    pub(crate) fn fail_at(&self, number: Number, reason: ParkReason, detail: impl fmt::Display) {
        let fault = Fault::new(reason, detail).at(self.place_of(number));
        let _ = self.extra().fault.set(fault);
    }

    /// The same of the message at `seq`, which does not decode.
    #[cold]
    pub(crate) fn fail_message(
        &self,
        seq: u64,
        number: Number,
        reason: ParkReason,
        detail: impl fmt::Display,
    ) {
        let fault = Fault::message(seq, reason, detail).at(self.place_of(number));
        let _ = self.extra().fault.set(fault);
    }

    /// A step gave up: the run is parked before the next commit.
    pub(crate) fn give_up(self: &Rc<Self>, fault: Fault) {
        self.world.given_up.borrow_mut().push((self.clone(), fault));
    }

    /// Why it goes on, if it was replayed.
    pub(crate) fn taken_up(&self) -> TakenUp {
        self.has_extra().map_or(TakenUp::ByItself, |extra| extra.taken_up.get())
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.has_extra()?.fault.get()
    }

    #[inline]
    pub(crate) fn observe(&self, event: Event<'_>) {
        if let Some(observer) = &self.world.setup.observer {
            // It is a fault of whoever looks on, and none of the run.
            self.world.setup.caught.or((), || observer.observe(&self.id, event));
        }
    }

    pub(crate) fn is_observed(&self) -> bool {
        self.world.setup.observer.is_some()
    }

    /// Where its operations stand in the source, if it is rehearsed.
    #[inline]
    pub(crate) fn places(&self) -> Option<&Places> {
        self.world.setup.places.as_deref()
    }

    #[cold]
    pub(crate) fn place_of(&self, number: Number) -> Option<SourceLine> {
        self.places()?.of(number)
    }

    #[cold]
    pub(crate) fn place_of_mark(&self, number: Number) -> Option<SourceLine> {
        self.places()?.of_mark(number)
    }

    /// That of the end of the pass, if it ended so that another begins.
    #[cold]
    pub(crate) fn place_of_end(&self) -> Option<SourceLine> {
        match self.root_end.get().map(|end| &**end) {
            Some(RootEnd::Again { .. }) => self.places()?.of_again(),
            Some(RootEnd::Outcome(_)) | None => None,
        }
    }

    /// That of the first operation that it awaits.
    #[cold]
    pub(crate) fn place_of_awaited(&self) -> Option<SourceLine> {
        let places = self.places()?;
        places.of(self.operations.borrow().first(1).first()?.number)
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
            return dacapo_executor::raw::dead_task();
        }
        let task = self.world.tasks.spawn(WorkflowTask::new(self, number, task));
        self.keep(number, dacapo_executor::raw::task_id(&task));
        task
    }

    /// The root has ended with this.
    pub(crate) fn set_outcome(&self, outcome: Outcome<'static>) {
        self.set_root_end(RootEnd::Outcome(outcome));
    }

    pub(crate) fn set_root_end(&self, end: RootEnd) {
        self.root_end.set(end.into()).ok().expect("a root ends once");
    }

    /// Whether the root has ended, also if nothing was made of it yet.
    pub(crate) fn has_ended(&self) -> bool {
        self.root_end.get().is_some()
    }

    /// Spawns the root, from the run's input.
    pub(crate) fn spawn_root(self: &Rc<Self>, input: &[u8]) -> Result<(), Fault> {
        let root = (self.workflow.root)(self, input)?;
        if self.is_running() {
            self.keep(root.number, self.world.tasks.raw().spawn_boxed(root.task));
        }
        Ok(())
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
        let Some(choices) = &self.world.setup.choices else { return false };
        if self.has_ended() || self.fault().is_some() {
            return false;
        }
        let tasks = self.tasks.borrow();
        let tasks = tasks.as_slice();
        let chosen = choices.wakes(self.key(), self.delivered.get(), self.next_task.get());
        for number in &chosen {
            if let Ok(index) = tasks.binary_search_by_key(number, |&(number, _)| number) {
                self.world.tasks.raw().wake(tasks[index].1);
            }
        }
        !chosen.is_empty()
    }

    /// Whether an operation may be built, polled or dropped with an effect.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.phase.get(), Phase::Replaying | Phase::Live)
    }

    /// The timer of an operation that waits for a time.
    pub(crate) fn timer(&self, operation: &Operation) -> Option<RunTimer> {
        let (deadline, number) = (operation.deadline()?, operation.number);
        Some(RunTimer { deadline, run: self.key(), number })
    }

    /// The root has ended: all other tasks are dropped.
    pub(crate) fn end(&self) {
        self.forget_deadline();
        self.phase.set(Phase::Ended);
        if let Err(message) = self.drop_tasks() {
            self.fail(ParkReason::Panicked, format_args!("a task that was dropped: {message}"));
        }
    }

    /// The run leaves memory. That its code panics then is told, and changes nothing: all that matters of it is
    /// in its history.
    pub(crate) fn close(&self) {
        self.forget_deadline();
        self.phase.set(Phase::Closed);
        if let Err(panicked) = self.drop_tasks() {
            let message = panicked.message();
            self.world.notify(&Notice::DropPanicked { run: &self.id, message });
        }
    }

    /// Drops the tasks in spawn order, and with them their operations and bodies. If some panic,
    /// the rest are dropped as well, and the last message is the answer.
    fn drop_tasks(&self) -> Result<(), Panicked> {
        self.world.setup.caught.calling(panics::Caller::Workflow, || self.drop_all())
    }

    fn drop_all(&self) -> Result<(), Panicked> {
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

    pub(crate) fn extra(&self) -> &Extra {
        self.extra.get_or_init(Box::default)
    }

    /// The same, if it has any.
    pub(crate) fn has_extra(&self) -> Option<&Extra> {
        self.extra.get().map(|extra| &**extra)
    }

    /// Its row, as of now: running, and nothing that not every run has.
    pub(crate) fn row(&self) -> RunRow {
        if let Some(row) = self.unread_row() {
            return row;
        }
        let mut row = RunRow::new(self.key(), &*self.id, self.workflow());
        row.started_at = self.ledger.started_at.get().as_nanos();
        if let Some(submitted) = self.submitted() {
            submitted.complete(&mut row);
        }
        row
    }

    /// Whether it may leave memory when nothing of it is pending: nothing happens to it before a
    /// timer is due, or something comes from outside.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_running()
            && self.fault().is_none()
            && !self.has_ended()
            && self.operations.borrow().rest()
            && self.awaits_anything()
    }

    /// When it goes on by itself, if steps of it wait for their next attempts and it does nothing else.
    pub(crate) fn retries_at(&self) -> Option<Timestamp> {
        let first = self.operations.borrow().first_retry().filter(|_| self.is_running())?;
        Some(self.deadline().map_or(first, |deadline| first.min(deadline)))
    }

    /// Whether there is anything that could make it go on.
    pub(crate) fn awaits_anything(&self) -> bool {
        !self.operations.borrow().is_empty()
            || self.has_extra().is_some_and(|extra| extra.cancelling.is_awaited())
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
