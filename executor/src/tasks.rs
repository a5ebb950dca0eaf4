//! What all handles of one executor share: the tasks, and the queue they wait in.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::cell::{Cell, RefCell, RefMut};
use core::mem;

use crate::abort::Drops;
use crate::gate::Gate;
use crate::id::TaskId;
use crate::inbox::Inbox;
use crate::register::Registered;
use crate::slots::{BoxedFuture, Slots};
use crate::sync::Arc;
use crate::task_waker::TaskWaker;

/// What a turn takes at its beginning and gives back at its end, under one borrow each.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) slots: Slots,
    /// Everything in here was queued before everything in the inbox: whoever adds to it drains the
    /// inbox into it first.
    pub(crate) ready: VecDeque<TaskId>,
    /// For tasks that have no waker of their own.
    pub(crate) spare_waker: Option<Box<TaskWaker>>,
}

/// The executor without its handles.
///
/// User code (a future, its drop, a foreign waker) may come back here at any time, so no borrow
/// is held while any runs.
pub(crate) struct Core {
    pub(crate) state: RefCell<State>,
    pub(crate) inbox: Arc<Inbox>,
    /// Whom the inbox notifies.
    pub(crate) registered: Cell<Option<Arc<Registered>>>,
    next_number: Cell<u64>,
    /// The task that is being polled, or [`TaskId::DEAD`].
    pub(crate) current: Cell<TaskId>,
    pub(crate) drops: Drops,
    is_closed: Cell<bool>,
}

impl Core {
    pub(crate) fn new(gate: Option<alloc::sync::Arc<dyn Gate>>) -> Core {
        Core {
            state: RefCell::default(),
            inbox: Inbox::new(gate),
            registered: Cell::default(),
            next_number: Cell::new(0),
            current: Cell::new(TaskId::DEAD),
            drops: Drops::default(),
            is_closed: Cell::new(false),
        }
    }

    /// Puts a new task at the tail; in teardown the task is dropped, and the id names none.
    pub(crate) fn spawn(&self, future: Option<BoxedFuture>) -> TaskId {
        if self.is_closed.get() {
            return TaskId::DEAD;
        }
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        let mut state = self.state.borrow_mut();
        let State { slots, ready, .. } = &mut *state;
        let id = slots.add(number, future);
        if self.inbox.is_clear() {
            ready.push_back(id);
        } else {
            drop(state);
            self.push_and_notify(id);
        }
        id
    }

    /// Wakes a task without its waker.
    pub(crate) fn wake(&self, id: TaskId) {
        let mut state = self.state.borrow_mut();
        let State { slots, ready, .. } = &mut *state;
        let Some(slot) = slots.find(id) else { return };
        let is_first = match &slot.waker {
            Some(waker) => waker.state.wake_by_id(),
            None => !mem::replace(&mut slot.is_woken, true),
        };
        // One that is being polled is queued when its poll returns.
        if !is_first || slot.is_polled {
            return;
        }
        if self.inbox.is_clear() {
            ready.push_back(id);
        } else {
            drop(state);
            self.push_and_notify(id);
        }
    }

    /// Puts a task at the tail of the queue, behind all that was woken before, when the inbox is
    /// not clear.
    #[cold]
    pub(crate) fn push_and_notify(&self, id: TaskId) {
        self.drain_inbox().ready.push_back(id);
        self.inbox.notify();
    }

    /// Completes the queue: what came through wakers goes to its tail.
    fn drain_inbox(&self) -> RefMut<'_, State> {
        let mut state = self.state.borrow_mut();
        self.inbox.drain_into(&mut state.ready);
        state
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.state.borrow().ready.is_empty() || !self.inbox.is_empty()
    }

    /// How many tasks are in the queue, those not counted that ended there.
    pub(crate) fn queued(&self) -> usize {
        let mut state = self.drain_inbox();
        let State { slots, ready, .. } = &mut *state;
        ready.iter().filter(|id| slots.find(**id).is_some()).count()
    }

    /// How long the queue is, with tasks that ended there.
    pub(crate) fn queue_len(&self) -> usize {
        self.drain_inbox().ready.len()
    }

    pub(crate) fn is_alive(&self, id: TaskId) -> bool {
        self.state.borrow_mut().slots.find(id).is_some()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Drops all tasks in spawn order, for good.
    pub(crate) fn close(&self) {
        if self.is_closed.replace(true) {
            return;
        }
        let slots = {
            let mut state = self.drain_inbox();
            state.ready = VecDeque::new();
            mem::take(&mut state.slots)
        };
        let slots = slots.into_sorted();
        slots.iter().filter_map(|slot| slot.waker.as_ref()).for_each(|waker| waker.state.end());
        // A vector drops from the front, and goes on when one of the drops panics.
        drop(slots);
        // A parked loop is to see that its main future will never be ready.
        self.inbox.notify();
    }
}
