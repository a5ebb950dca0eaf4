//! The tasks of an executor and the queue they wait in.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell, RefMut};
use core::mem;
use core::pin::Pin;
use core::task::Waker;

use slab::Slab;

use crate::abort::Drops;
use crate::alarm::Alarm;
use crate::gate::Gate;
use crate::id::TaskId;
use crate::inbox::Inbox;

/// A task's future as the executor keeps it.
pub(crate) type BoxedFuture = Pin<Box<dyn Future<Output = ()>>>;

/// One task.
pub(crate) struct Slot {
    /// The present task's number: an id with another one names an earlier task.
    pub(crate) number: u64,
    /// While somebody holds a clone of the task's waker, that is where wakes are noted. `None`
    /// during the task's poll: the turn has it.
    pub(crate) alarm: Option<Box<Alarm>>,
    /// Without an alarm: woken, by id, and so in the queue or about to be.
    pub(crate) is_woken: bool,
    pub(crate) is_polled: bool,
    pub(crate) body: Body,
}

/// What is polled when a task's turn comes.
pub(crate) enum Body {
    /// `None` during the task's poll: the turn has it.
    Task(Option<BoxedFuture>),
    /// A future on its owner's stack.
    Guest {
        /// Its turn came while somebody else ticked: it is taken when its owner ticks next.
        overdue: bool,
    },
}

impl Slot {
    /// The slot of a task that has not ended.
    pub(crate) fn find(slots: &mut Slab<Slot>, id: TaskId) -> Option<&mut Slot> {
        slots.get_mut(id.index as usize).filter(|slot| slot.number == id.number)
    }
}

/// What all handles of one executor share.
///
/// User code (a future, its drop, a foreign waker) may come back here at any time, so no borrow
/// is held while any runs.
pub(crate) struct Core {
    pub(crate) slots: RefCell<Slab<Slot>>,
    /// Everything in here was queued before everything in the inbox: whoever adds to it empties
    /// the inbox into it first.
    ready: RefCell<VecDeque<TaskId>>,
    inbox: Arc<Inbox>,
    /// The alarm that is lent to tasks that have none.
    spare_alarm: Cell<Option<Box<Alarm>>>,
    /// Whom the inbox rouses.
    sleepers: Cell<Vec<Waker>>,
    next_number: Cell<u64>,
    /// The task that is being polled.
    pub(crate) current: Cell<Option<TaskId>>,
    pub(crate) drops: Drops,
    closed: Cell<bool>,
}

impl Core {
    pub(crate) fn new(gate: Option<Arc<dyn Gate>>) -> Core {
        Core {
            slots: RefCell::default(),
            ready: RefCell::default(),
            inbox: Arc::new(Inbox::new(gate)),
            spare_alarm: Cell::default(),
            sleepers: Cell::default(),
            next_number: Cell::new(0),
            current: Cell::new(None),
            drops: Drops::default(),
            closed: Cell::new(false),
        }
    }

    /// Puts a new task at the tail; in teardown the task is dropped, and the id names none.
    pub(crate) fn spawn(&self, body: Body) -> TaskId {
        if self.closed.get() {
            return TaskId::DEAD;
        }
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        let mut slots = self.slots.borrow_mut();
        let entry = slots.vacant_entry();
        let index = u32::try_from(entry.key()).expect("fewer than 2^32 tasks fit into memory");
        let id = TaskId { number, index };
        entry.insert(Slot { number, alarm: None, is_woken: true, is_polled: false, body });
        drop(slots);
        self.push(id);
        id
    }

    /// An alarm for a turn that begins.
    pub(crate) fn lend_alarm(&self, id: TaskId) -> Box<Alarm> {
        let alarm = self.spare_alarm.take();
        let alarm = alarm.unwrap_or_else(|| Box::new(Alarm::new(self.inbox.clone())));
        alarm.lend(id);
        alarm
    }

    /// Takes back an alarm that nobody holds any more.
    pub(crate) fn give_back(&self, alarm: Box<Alarm>) {
        self.spare_alarm.set(Some(alarm));
    }

    /// Puts a task at the tail of the queue, behind all that was woken before.
    pub(crate) fn push(&self, id: TaskId) {
        self.gather().push_back(id);
        self.inbox.rouse();
    }

    /// The whole queue: what lies in the inbox goes to its tail.
    fn gather(&self) -> RefMut<'_, VecDeque<TaskId>> {
        let mut ready = self.ready.borrow_mut();
        while let Some(woken) = self.inbox.take() {
            ready.push_back(woken);
        }
        ready
    }

    /// Takes the head of the queue, which may name an ended task.
    pub(crate) fn pop(&self) -> Option<TaskId> {
        self.ready.borrow_mut().pop_front().or_else(|| self.inbox.take())
    }

    /// Wakes a task without its waker.
    pub(crate) fn wake(&self, id: TaskId) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = Slot::find(&mut slots, id) else { return };
        let is_first = match &slot.alarm {
            Some(alarm) => alarm.ring(),
            None => !mem::replace(&mut slot.is_woken, true),
        };
        // One that is being polled is queued when its poll returns.
        let is_idle = is_first && !slot.is_polled;
        drop(slots);
        if is_idle {
            self.push(id);
        }
    }

    /// Wakes the sleeper, if there is one.
    pub(crate) fn rouse(&self) {
        self.inbox.rouse();
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.borrow().is_empty() || !self.inbox.is_empty()
    }

    /// How many tasks are in the queue, those not counted that ended there.
    pub(crate) fn queued(&self) -> usize {
        let mut slots = self.slots.borrow_mut();
        self.gather().iter().filter(|id| Slot::find(&mut slots, **id).is_some()).count()
    }

    /// How long the queue is, with tasks that ended there.
    pub(crate) fn queue_len(&self) -> usize {
        self.gather().len()
    }

    pub(crate) fn is_alive(&self, id: TaskId) -> bool {
        Slot::find(&mut self.slots.borrow_mut(), id).is_some()
    }

    /// Takes a task out, if it has not ended.
    pub(crate) fn remove(&self, id: TaskId) -> Option<Slot> {
        let mut slots = self.slots.borrow_mut();
        Slot::find(&mut slots, id)?;
        Some(slots.remove(id.index as usize))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Drops all tasks in spawn order, for good.
    pub(crate) fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        let mut slots: Vec<Slot> = self.slots.take().into_iter().map(|(_, slot)| slot).collect();
        slots.sort_unstable_by_key(|slot| slot.number);
        slots.iter().filter_map(|slot| slot.alarm.as_ref()).for_each(|alarm| alarm.end());
        self.ready.take();
        while self.inbox.take().is_some() {}
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
