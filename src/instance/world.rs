//! What the runs of one executor share: the two queues, the timers, the gate, and what bodies
//! have brought forth.

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::{RawWakerVTable, Waker};

use dacapo_executor::{FifoExecutor, TaskId};
use futures::future::LocalBoxFuture;

use crate::choices::{Choices, hesitant};
use crate::gate::Gate;
use crate::instance::Instance;
use crate::operation::{Ended, Waiter};
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
    /// Outcomes that wait for a commit, in the order in which their bodies ended.
    pub(crate) produced: RefCell<Vec<Produced>>,
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

/// A step whose body has ended, and whose outcome is not committed yet.
pub(crate) struct Produced {
    pub(crate) instance: Rc<Instance>,
    pub(crate) ended: Ended,
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
            tasks: FifoExecutor::gated(gate.clone()),
            bodies: FifoExecutor::new(),
            timers,
            gate,
            produced: RefCell::default(),
            poll_budget,
            observer,
            choices,
            polled_task: Cell::default(),
            own_waker: Cell::new(same(Waker::noop())),
        })
    }

    /// Has a body begin, at the tail of the queue.
    pub(crate) fn spawn_body(&self, body: LocalBoxFuture<'static, ()>) -> TaskId {
        self.bodies.spawn_boxed(match &self.choices {
            None => body,
            Some(choices) => hesitant(body, choices.clone()),
        })
    }

    /// How many polls of bodies come before the next commit: a round.
    pub(crate) fn polls_per_turn(&self) -> usize {
        let queued = self.bodies.queue_len();
        self.choices.as_ref().map_or(queued, |choices| choices.polls(queued))
    }

    /// The task of this number is about to be polled with `waker`.
    pub(crate) fn set_polled(&self, task: u32, waker: &Waker) {
        self.polled_task.set(task);
        self.own_waker.set(same(waker));
    }

    /// Whom to wake: the task that is being polled itself, if the waker is its own.
    pub(crate) fn waiter(&self, waker: &Waker) -> Waiter {
        let task = self.tasks.current().filter(|_| self.own_waker.get() == same(waker));
        task.map_or_else(|| Waiter::Waker(waker.clone()), Waiter::Task)
    }
}
