//! The tasks of an executor and the queue they wait in.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell, RefMut};
use core::mem;
use core::pin::Pin;
use core::task::Waker;

use crate::abort::Drops;
use crate::alarm::Alarm;
use crate::gate::Gate;
use crate::id::TaskId;
use crate::inbox::Inbox;

/// A task's future as the executor keeps it.
pub(crate) type BoxedFuture = Pin<Box<dyn Future<Output = ()>>>;

/// One task, or the place of one.
pub(crate) struct Slot {
    /// The present task's number: an id with another one names an earlier task. That of
    /// [`TaskId::DEAD`] if there is none.
    pub(crate) number: u64,
    /// `None` during the task's poll, when the turn has it, and for a guest.
    pub(crate) future: Option<BoxedFuture>,
    /// While somebody holds a clone of the task's waker, that is where wakes are noted. `None`
    /// during the task's poll: the turn has it.
    pub(crate) alarm: Option<Box<Alarm>>,
    /// The next free place, of one that is free.
    next_free: u32,
    /// Without an alarm: woken, by id, and so in the queue or about to be.
    pub(crate) is_woken: bool,
    pub(crate) is_polled: bool,
    /// Its future is on its owner's stack.
    pub(crate) is_guest: bool,
    /// The turn of a guest came while somebody else ticked: it is taken when its owner ticks next.
    pub(crate) is_overdue: bool,
}

/// The tasks by place. Each field is written and read by itself: a slot that is moved as a whole
/// is read in other pieces than it was written in, and the processor has to wait for that.
pub(crate) struct Slots {
    slots: Vec<Slot>,
    /// The first free place, or [`FULL`].
    free: u32,
    pub(crate) len: usize,
}

const FULL: u32 = u32::MAX;

impl Default for Slots {
    fn default() -> Slots {
        Slots { slots: Vec::new(), free: FULL, len: 0 }
    }
}

impl Slots {
    #[inline]
    pub(crate) fn find(&mut self, id: TaskId) -> Option<&mut Slot> {
        self.slots.get_mut(id.index as usize).filter(|slot| slot.number == id.number)
    }

    /// A place for a task, which is woken.
    fn add(&mut self, number: u64, future: Option<BoxedFuture>) -> TaskId {
        self.len += 1;
        let is_guest = future.is_none();
        let index = self.free;
        if index != FULL {
            let slot = &mut self.slots[index as usize];
            self.free = slot.next_free;
            slot.number = number;
            slot.future = future;
            (slot.is_woken, slot.is_polled) = (true, false);
            (slot.is_guest, slot.is_overdue) = (is_guest, false);
            return TaskId { number, index };
        }
        let index = self.slots.len();
        let index = u32::try_from(index).expect("fewer than 2^32 tasks fit into memory");
        self.slots.push(Slot {
            number,
            future,
            alarm: None,
            next_free: FULL,
            is_woken: true,
            is_polled: false,
            is_guest,
            is_overdue: false,
        });
        TaskId { number, index }
    }

    /// Takes a task out, if it has not ended, with its future and its alarm, as far as they are
    /// here.
    #[inline]
    pub(crate) fn remove(
        &mut self,
        id: TaskId,
    ) -> Option<(Option<BoxedFuture>, Option<Box<Alarm>>)> {
        let free = self.free;
        let slot = self.find(id)?;
        slot.number = TaskId::DEAD.number;
        slot.next_free = free;
        let held = (slot.future.take(), slot.alarm.take());
        self.free = id.index;
        self.len -= 1;
        Some(held)
    }

    /// All tasks in spawn order.
    fn into_sorted(mut self) -> Vec<Slot> {
        self.slots.retain(|slot| slot.number != TaskId::DEAD.number);
        self.slots.sort_unstable_by_key(|slot| slot.number);
        self.slots
    }
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) slots: Slots,
    /// Everything in here was queued before everything in the inbox: whoever adds to it empties
    /// the inbox into it first.
    pub(crate) ready: VecDeque<TaskId>,
    /// The alarm that is lent to tasks that have none.
    pub(crate) spare_alarm: Option<Box<Alarm>>,
}

/// What all handles of one executor share.
///
/// User code (a future, its drop, a foreign waker) may come back here at any time, so no borrow
/// is held while any runs.
pub(crate) struct Core {
    /// What a turn takes at its beginning and gives back at its end, under one borrow each.
    pub(crate) state: RefCell<State>,
    pub(crate) inbox: Arc<Inbox>,
    /// Whom the inbox rouses.
    sleepers: Cell<Vec<Waker>>,
    next_number: Cell<u64>,
    /// The task that is being polled, or [`TaskId::DEAD`].
    pub(crate) current: Cell<TaskId>,
    pub(crate) drops: Drops,
    closed: Cell<bool>,
}

impl Core {
    pub(crate) fn new(gate: Option<Arc<dyn Gate>>) -> Core {
        Core {
            state: RefCell::default(),
            inbox: Arc::new(Inbox::new(gate)),
            sleepers: Cell::default(),
            next_number: Cell::new(0),
            current: Cell::new(TaskId::DEAD),
            drops: Drops::default(),
            closed: Cell::new(false),
        }
    }

    /// Puts a new task at the tail; in teardown the task is dropped, and the id names none.
    pub(crate) fn spawn(&self, future: Option<BoxedFuture>) -> TaskId {
        if self.closed.get() {
            return TaskId::DEAD;
        }
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        let mut state = self.state.borrow_mut();
        let State { slots, ready, .. } = &mut *state;
        let id = slots.add(number, future);
        let quiet = self.inbox.is_quiet();
        if quiet {
            ready.push_back(id);
        }
        drop(state);
        if !quiet {
            self.push_noisily(id);
        }
        id
    }

    /// Puts a task at the tail of the queue, behind all that was woken before, and rouses the sleeper.
    #[cold]
    pub(crate) fn push_noisily(&self, id: TaskId) {
        self.gather().ready.push_back(id);
        self.inbox.rouse();
    }

    /// The whole queue: what lies in the inbox goes to its tail.
    fn gather(&self) -> RefMut<'_, State> {
        let mut state = self.state.borrow_mut();
        self.inbox.empty_into(&mut state.ready);
        state
    }

    /// Wakes a task without its waker.
    pub(crate) fn wake(&self, id: TaskId) {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.find(id) else { return };
        let is_first = match &slot.alarm {
            Some(alarm) => alarm.ring(),
            None => !mem::replace(&mut slot.is_woken, true),
        };
        // One that is being polled is queued when its poll returns.
        let is_idle = is_first && !slot.is_polled;
        let quiet = self.inbox.is_quiet();
        if is_idle && quiet {
            return state.ready.push_back(id);
        }
        drop(state);
        if is_idle {
            self.push_noisily(id);
        }
    }

    /// Wakes the sleeper, if there is one.
    pub(crate) fn rouse(&self) {
        self.inbox.rouse();
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.state.borrow().ready.is_empty() || self.inbox.has_mail()
    }

    /// How many tasks are in the queue, those not counted that ended there.
    pub(crate) fn queued(&self) -> usize {
        let mut state = self.gather();
        let State { slots, ready, .. } = &mut *state;
        ready.iter().filter(|id| slots.find(**id).is_some()).count()
    }

    /// How long the queue is, with tasks that ended there.
    pub(crate) fn queue_len(&self) -> usize {
        self.gather().ready.len()
    }

    pub(crate) fn is_alive(&self, id: TaskId) -> bool {
        self.state.borrow_mut().slots.find(id).is_some()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Drops all tasks in spawn order, for good.
    pub(crate) fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        let slots = {
            let mut state = self.gather();
            state.ready = VecDeque::new();
            mem::take(&mut state.slots)
        };
        let slots = slots.into_sorted();
        slots.iter().filter_map(|slot| slot.alarm.as_ref()).for_each(|alarm| alarm.end());
        // A vector drops from the front, and goes on when one of the drops panics.
        drop(slots);
        // A loop that sleeps is to see that its main future will never be ready.
        self.inbox.rouse();
    }

    /// Has `waker` woken when a task becomes ready.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut sleepers = self.sleepers.take();
        if !self.inbox.is_sleeping() {
            sleepers.clear();
        }
        if !sleepers.iter().any(|sleeper| sleeper.will_wake(waker)) {
            sleepers.push(waker.clone());
        }
        self.sleep(&sleepers);
        self.sleepers.set(sleepers);
    }

    /// Forgets `waker`: its owner is about to look at the queue itself.
    pub(crate) fn deregister(&self, waker: &Waker) {
        let mut sleepers = self.sleepers.take();
        sleepers.retain(|sleeper| !sleeper.will_wake(waker));
        if sleepers.is_empty() {
            self.inbox.stay_awake();
        } else if self.inbox.is_sleeping() {
            self.sleep(&sleepers);
        }
        self.sleepers.set(sleepers);
    }

    fn sleep(&self, sleepers: &[Waker]) {
        match sleepers {
            [only] => self.inbox.sleep(only),
            several => self.inbox.sleep(&Waker::from(Arc::new(Sleepers(several.into())))),
        }
    }
}

/// Several loops that wait for one executor, each in its own place.
struct Sleepers(Box<[Waker]>);

impl alloc::task::Wake for Sleepers {
    fn wake(self: Arc<Self>) {
        self.0.iter().for_each(Waker::wake_by_ref);
    }
}
