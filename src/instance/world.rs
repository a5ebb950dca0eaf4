//! What the runs of one executor share: the two queues, the timers, the gate, and what bodies
//! have brought forth.

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::{RawWakerVTable, Waker};
use core::time::Duration;

use dacapo_executor::FifoExecutor;
use dacapo_executor::raw::TaskId;
use futures::future::LocalBoxFuture;

use crate::choices::{Choices, hesitant};
use crate::ending::Ending;
use crate::fault::Fault;
use crate::gate::Gate;
use crate::heartbeat::Pulse;
use crate::instance::{Instance, Interrupted, Pending, Reported};
use crate::mailbox::Mailbox;
use crate::notice::Notice;
use crate::operation::{Spare, Waiter};
use crate::panics::{self, Caught};
use crate::places::Places;
use crate::rooms::Rooms;
use crate::store_id::StoreId;
use crate::telemetry::Telemetry;
#[cfg(feature = "std")]
use crate::threads::Threads;
use crate::timer::Timers;
use crate::topics::Report;
use crate::trace::Observer;
use crate::values::Values;

/// The surroundings of all runs of an executor.
pub(crate) struct World {
    /// Workflow tasks of all runs. Outside of a delivery its queue is empty: the gate sees to it.
    pub(crate) tasks: FifoExecutor,
    /// Bodies of all runs, and the main future.
    pub(crate) bodies: FifoExecutor,
    pub(crate) timers: Rc<Timers>,
    pub(crate) gate: Arc<Gate>,
    /// What steps of all runs share.
    pub(crate) rooms: Rc<Rooms>,
    /// How values are written and read.
    pub(crate) values: Rc<Values>,
    /// What bodies that block are carried out on.
    #[cfg(feature = "std")]
    pub(crate) threads: Threads,
    /// How the process before ended, and whether this one is about to.
    pub(crate) ending: Ending,
    /// Whether no body is polled before the next commit, which says that a run takes a new way.
    pub(crate) holds_bodies: Cell<bool>,
    /// The place of the next transaction among all.
    next_ticket: Cell<u64>,
    /// What the next commit writes.
    pub(crate) pending: RefCell<Pending>,
    pub(crate) spare: Spare,
    /// The steps that the end of a process interrupted, or may have, until they begin again.
    pub(crate) interrupted: RefCell<Interrupted>,
    /// Runs that are to be parked, since a step gave up.
    pub(crate) given_up: RefCell<Vec<(Rc<Instance>, Fault)>>,
    /// What bodies published, on whatever thread.
    pub(crate) reports: Arc<Mailbox<Report>>,
    pub(crate) setup: Setup,
    /// What is told to those who watch the process.
    pub(crate) telemetry: Telemetry,
    /// What is told to threads that the executor does not answer.
    pub(crate) pulse: Pulse,
    /// Whether anybody is told of polls of bodies: how long they take, or what is polled.
    pub(crate) tells_polls: Cell<bool>,
    /// The number of the task that was polled last, for messages: it is one of the run whose poll
    /// has just returned.
    pub(crate) polled_task: Cell<u32>,
    /// The waker of the task that is being polled.
    own_waker: Cell<WakerIdentity>,
}

/// What an executor was built with, as far as it concerns each of its runs.
#[derive(Clone)]
pub(crate) struct Setup {
    /// How many polls one delivery may take.
    pub(crate) poll_budget: u64,
    /// An attempt that failed is recorded if the next one waits for so long.
    pub(crate) retries_from: Duration,
    pub(crate) observer: Option<Rc<dyn Observer>>,
    /// What the keys of its steps have, and those of no other store.
    pub(crate) store_id: Rc<StoreId>,
    /// What tells this build from others, if somebody said so.
    pub(crate) build_id: Option<Rc<str>>,
    /// The panics of what is called beside the runs.
    pub(crate) caught: Rc<Caught>,
    /// `None` outside of simulations.
    pub(crate) choices: Option<Rc<dyn Choices>>,
    /// `None` outside of rehearsals.
    pub(crate) places: Option<Rc<Places>>,
}

/// What tells wakers apart: two with the same are one, as `Waker::will_wake` has it.
type WakerIdentity = (*const (), *const RawWakerVTable);

fn same(waker: &Waker) -> WakerIdentity {
    (waker.data(), waker.vtable())
}

impl World {
    pub(crate) fn new(
        timers: Rc<Timers>,
        values: Rc<Values>,
        setup: Setup,
        telemetry: Telemetry,
    ) -> Rc<Self> {
        let gate = Gate::new();
        let tells_polls = Cell::new(Telemetry::IS_ON || setup.observer.is_some());
        Rc::new(Self {
            tasks: dacapo_executor::raw::gated(gate.clone()),
            bodies: FifoExecutor::new(),
            timers,
            gate,
            rooms: Rc::default(),
            values,
            #[cfg(feature = "std")]
            threads: Threads::default(),
            ending: Ending::default(),
            holds_bodies: Cell::default(),
            next_ticket: Cell::default(),
            pending: RefCell::default(),
            spare: Spare::default(),
            interrupted: RefCell::default(),
            given_up: RefCell::default(),
            reports: Arc::new(Mailbox::new()),
            setup,
            telemetry,
            pulse: Pulse::default(),
            tells_polls,
            polled_task: Cell::default(),
            own_waker: Cell::new(same(Waker::noop())),
        })
    }

    /// A fault that this build parks a run for.
    pub(crate) fn stamped(&self, fault: Fault) -> Fault {
        fault.by(self.setup.build_id.clone())
    }

    /// Moves the time forward.
    pub(crate) fn advance(&self) {
        if let Some(by) = self.timers.advance() {
            self.notify(&Notice::ClockBehind { by });
        }
    }

    /// The place of one more transaction among all.
    pub(crate) fn take_ticket(&self) -> u64 {
        self.next_ticket.replace(self.next_ticket.get() + 1)
    }

    /// Whether anybody is told of what happens beside the traces of runs.
    pub(crate) fn is_watched(&self) -> bool {
        Telemetry::IS_ON || self.setup.observer.is_some()
    }

    /// Tells the observer, and those who watch the process.
    pub(crate) fn notify(&self, notice: &Notice<'_>) {
        self.telemetry.notice(notice);
        if let Some(observer) = &self.setup.observer {
            self.setup.caught.or((), || observer.notify(notice));
        }
    }

    /// Whether the clock skips ahead, by `wait` at the most.
    pub(crate) fn skips(&self, wait: Option<Duration>) -> bool {
        // What a thread is doing takes no virtual time: a limit of it would have passed at once.
        #[cfg(feature = "std")]
        if self.threads.are_awaited() {
            return false;
        }
        self.timers.skip(wait)
    }

    /// Takes what bodies published by now behind the outcomes that there are.
    #[inline(always)]
    pub(crate) fn take_reports(&self) {
        if !self.reports.is_empty() {
            self.take_all_reports();
        }
    }

    #[cold]
    fn take_all_reports(&self) {
        let behind = self.pending.borrow().outcomes.len();
        while let Some(report) = self.reports.take() {
            // It could be encoded where it was published. A type that is not read back twice is
            // the body's fault, and what it published was no more than news.
            let encoded = panics::catch(|| report.value.encode(&self.values));
            if let Ok(Ok(value)) = encoded {
                let reported = Reported { behind, report, value, run: None };
                self.pending.borrow_mut().others_mut().reports.push(reported);
            }
        }
    }

    /// Has a body begin, at the tail of the queue.
    pub(crate) fn spawn_body(&self, body: LocalBoxFuture<'static, ()>) -> TaskId {
        self.bodies.raw().spawn_boxed(match &self.setup.choices {
            None => self.telemetry.meters.timed(body),
            Some(choices) => hesitant(body, choices.clone()),
        })
    }

    /// How many polls of bodies come before the next commit: a round.
    pub(crate) fn polls_per_turn(&self) -> usize {
        if self.ending.holds_bodies() || self.holds_bodies.get() {
            return 0;
        }
        let queued = self.bodies.raw().queue_len();
        self.setup.choices.as_ref().map_or(queued, |choices| choices.polls(queued))
    }

    /// A commit takes no further run when its records have so many bytes.
    pub(crate) fn commit_bytes(&self) -> usize {
        let chosen = self.setup.choices.as_ref().and_then(|choices| choices.commit_bytes());
        chosen.unwrap_or(1 << 24)
    }

    /// The task of this number is about to be polled with `waker`.
    pub(crate) fn set_polled(&self, task: u32, waker: &Waker) {
        self.polled_task.set(task);
        self.own_waker.set(same(waker));
    }

    /// Whom to wake: the task that is being polled itself, if the waker is its own.
    pub(crate) fn waiter(&self, waker: &Waker) -> Waiter {
        let task = self.tasks.raw().current().filter(|_| self.own_waker.get() == same(waker));
        task.map_or_else(|| Waiter::Waker(waker.clone()), Waiter::Task)
    }
}
