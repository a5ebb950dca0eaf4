//! Where tasks are kept.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::pin::Pin;

use crate::id::TaskId;
use crate::task_waker::TaskWaker;

/// A task's future as the executor keeps it.
pub(crate) type BoxedFuture = Pin<Box<dyn Future<Output = ()>>>;

/// One task, or the place of one.
pub(crate) struct Slot {
    /// The present task's number: an id with another one names an earlier task. That of
    /// [`TaskId::DEAD`] if there is none.
    number: u64,
    /// `None` during the task's poll, when the turn has it, and for a guest.
    pub(crate) future: Option<BoxedFuture>,
    /// The task's own waker, while somebody holds a clone of it: wakes are noted there. `None`
    /// during the task's poll: the turn has it.
    pub(crate) waker: Option<Box<TaskWaker>>,
    /// The next free place, of one that is free.
    next_free: u32,
    /// Set while the task is in a queue, or is to be put there when its poll returns, as far as its
    /// own waker does not know.
    ///
    /// A new task has it. A wake by id sets it, and a pause whose spare waker was woken; the next
    /// turn clears it. Beside a waker of its own it is never set: when a pause leaves one, the waker
    /// takes the bit over.
    pub(crate) is_woken: bool,
    /// Set from the beginning of a turn until its pause. A task that is polled is in no queue, so no
    /// second turn can begin.
    pub(crate) is_polled: bool,
    /// Its future is on its owner's stack. Never changed during the life of a task.
    pub(crate) is_guest: bool,
    /// Set when the turn of a guest came while somebody else ticked; its owner's next tick takes the
    /// turn, and clears it. Until then the guest is in no queue, but still woken, so that a further
    /// wake does not queue it.
    pub(crate) is_overdue: bool,
}

/// The tasks by place.
///
/// A slab that never moves a slot as a whole: what is written field by field and read at once makes
/// the processor wait until all of the writes have arrived. So each field is written and read by
/// itself.
pub(crate) struct Slots {
    slots: Vec<Slot>,
    /// The first free place, or [`NONE`].
    free: u32,
    len: usize,
}

/// No place.
const NONE: u32 = u32::MAX;

impl Default for Slots {
    fn default() -> Slots {
        Slots { slots: Vec::new(), free: NONE, len: 0 }
    }
}

impl Slots {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The slot of a task that has not ended.
    #[inline]
    pub(crate) fn find(&mut self, id: TaskId) -> Option<&mut Slot> {
        self.slots.get_mut(id.index as usize).filter(|slot| slot.number == id.number)
    }

    /// A place for a task, which is woken. One without a future is a guest.
    pub(crate) fn add(&mut self, number: u64, future: Option<BoxedFuture>) -> TaskId {
        self.len += 1;
        let is_guest = future.is_none();
        let index = self.free;
        if index == NONE {
            return self.push(number, future);
        }
        let slot = &mut self.slots[index as usize];
        self.free = slot.next_free;
        slot.number = number;
        slot.future = future;
        (slot.is_woken, slot.is_polled) = (true, false);
        (slot.is_guest, slot.is_overdue) = (is_guest, false);
        TaskId { number, index }
    }

    fn push(&mut self, number: u64, future: Option<BoxedFuture>) -> TaskId {
        let index = u32::try_from(self.slots.len()).ok().filter(|&index| index != NONE);
        let index = index.expect("fewer than 2^32 - 1 tasks fit into memory");
        let is_guest = future.is_none();
        self.slots.push(Slot {
            number,
            future,
            waker: None,
            next_free: NONE,
            is_woken: true,
            is_polled: false,
            is_guest,
            is_overdue: false,
        });
        TaskId { number, index }
    }

    /// Takes a task out, if it has not ended, with its future and its waker, as far as they are
    /// here.
    #[inline]
    pub(crate) fn remove(
        &mut self,
        id: TaskId,
    ) -> Option<(Option<BoxedFuture>, Option<Box<TaskWaker>>)> {
        let slot = self.find(id)?;
        let held = (slot.future.take(), slot.waker.take());
        self.free(id);
        Some(held)
    }

    /// The same of a task of which neither is here, since its turn has both.
    #[inline]
    pub(crate) fn free(&mut self, id: TaskId) {
        let free = self.free;
        let Some(slot) = self.find(id) else { return };
        debug_assert!(slot.future.is_none() && slot.waker.is_none(), "the turn has both");
        slot.number = TaskId::DEAD.number;
        slot.next_free = free;
        self.free = id.index;
        self.len -= 1;
    }

    /// All tasks in spawn order.
    pub(crate) fn into_sorted(mut self) -> Vec<Slot> {
        self.slots.retain(|slot| slot.number != TaskId::DEAD.number);
        self.slots.sort_unstable_by_key(|slot| slot.number);
        self.slots
    }
}
