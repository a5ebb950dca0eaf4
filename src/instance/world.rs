//! What the runs of one executor share: the two queues, the timers, the gate, and what bodies
//! have brought forth.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::{RawWakerVTable, Waker};

use dacapo_executor::FifoExecutor;
use dacapo_executor::raw::{self, TaskId};
use futures::future::LocalBoxFuture;

use crate::choices::{Choices, hesitant};
use crate::fault::Fault;
use crate::gate::Gate;
use crate::instance::Instance;
use crate::operation::{Ended, Waiter};
use crate::record::Record;
use crate::timer::Timers;
use crate::trace::Observer;

/// The surroundings of all runs of an executor.
pub(crate) struct World {
    /// Workflow tasks of all runs. Outside of a delivery its queue is empty: the gate sees to it.
    pub(crate) tasks: FifoExecutor,
    /// Bodies of all runs, and the main future.
    pub(crate) bodies: FifoExecutor,
    pub(crate) timers: Rc<Timers>,
    pub(crate) gate: Arc<Gate>,
    /// What the next commit writes, in this order. Bodies leave their outcomes here.
    pub(crate) pending: RefCell<Vec<(Rc<Instance>, Entry)>>,
    /// How many polls one delivery may take.
    pub(crate) poll_budget: u64,
    pub(crate) observer: Option<Rc<dyn Observer>>,
    /// `None` outside of simulations.
    pub(crate) choices: Option<Rc<dyn Choices>>,
    /// The number of the task that was polled last, for messages: it is one of the run whose poll
    /// has just returned.
    pub(crate) polled_task: Cell<u32>,
    /// The waker of the task that is being polled.
    own_waker: Cell<WakerIdentity>,
}

/// What tells wakers apart: two with the same are one, as `Waker::will_wake` has it.
type WakerIdentity = (*const (), *const RawWakerVTable);

fn same(waker: &Waker) -> WakerIdentity {
    (waker.data(), waker.vtable())
}

/// A record on its way into a commit.
pub(crate) enum Draft {
    Outcome(Ended),
    Record(Box<Record<'static>>),
}

/// One thing that a commit writes of a run.
pub(crate) enum Entry {
    Record(Draft),
    /// The run is parked: its row changes, its history does not.
    Parked(Box<Fault>),
    /// The run is taken up again: likewise.
    Resumed,
}

impl World {
    pub(crate) fn new(
        timers: Rc<Timers>,
        poll_budget: u64,
        observer: Option<Rc<dyn Observer>>,
        choices: Option<Rc<dyn Choices>>,
    ) -> Rc<Self> {
        let gate = Gate::new();
        Rc::new(Self {
            tasks: raw::gated(gate.clone()),
            bodies: FifoExecutor::new(),
            timers,
            gate,
            pending: RefCell::default(),
            poll_budget,
            observer,
            choices,
            polled_task: Cell::default(),
            own_waker: Cell::new(same(Waker::noop())),
        })
    }

    /// Has a body begin, at the tail of the queue.
    pub(crate) fn spawn_body(&self, body: LocalBoxFuture<'static, ()>) -> TaskId {
        self.bodies.raw().spawn_boxed(match &self.choices {
            None => body,
            Some(choices) => hesitant(body, choices.clone()),
        })
    }

    /// How many polls of bodies come before the next commit: a round.
    pub(crate) fn polls_per_turn(&self) -> usize {
        let queued = self.bodies.raw().queue_len();
        self.choices.as_ref().map_or(queued, |choices| choices.polls(queued))
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
