//! One poll of one task, and what comes before and after it.

use alloc::boxed::Box;
use core::task::{Context, Poll};

use crate::alarm::Alarm;
use crate::id::TaskId;
use crate::tasks::{Body, BoxedFuture, Core, Slot};

/// The poll of a guest, which only the guest's owner can do.
pub(crate) type GuestPoll<'a> = &'a mut dyn FnMut(&mut Context<'_>) -> Poll<()>;

impl Core {
    /// Polls the next ready task; `false` if there is none.
    ///
    /// A guest other than `guest` is marked overdue and passed over.
    pub(crate) fn tick(&self, guest: Option<TaskId>, poll_guest: GuestPoll<'_>) -> bool {
        let Some(mut turn) = self.next_turn(guest) else { return false };
        let mut cx = Context::from_waker(turn.alarm.as_ref().expect(HELD).waker());
        let poll = match &mut turn.future {
            Some(future) => future.as_mut().poll(&mut cx),
            None => poll_guest(&mut cx),
        };
        if poll.is_pending() {
            turn.pause();
        }
        true
    }

    fn next_turn(&self, guest: Option<TaskId>) -> Option<Turn<'_>> {
        if let Some(turn) = guest.and_then(|id| self.overdue_turn(id)) {
            return Some(turn);
        }
        while let Some(id) = self.pop() {
            if let Some(turn) = self.begin_turn(id, guest) {
                return Some(turn);
            }
        }
        None
    }

    pub(crate) fn is_overdue(&self, id: TaskId) -> bool {
        let mut slots = self.slots.borrow_mut();
        let slot = Slot::find(&mut slots, id);
        slot.is_some_and(|slot| matches!(slot.body, Body::Guest { overdue: true }))
    }

    /// The turn that the guest could not take when it came.
    fn overdue_turn(&self, id: TaskId) -> Option<Turn<'_>> {
        let mut slots = self.slots.borrow_mut();
        let slot = Slot::find(&mut slots, id)?;
        let Body::Guest { overdue: overdue @ true } = &mut slot.body else { return None };
        *overdue = false;
        Some(Turn::begin(self, id, slot))
    }

    /// `None` if the task has ended, or is the guest of another loop.
    fn begin_turn(&self, id: TaskId, guest: Option<TaskId>) -> Option<Turn<'_>> {
        let mut slots = self.slots.borrow_mut();
        let slot = Slot::find(&mut slots, id)?;
        if let Body::Guest { overdue } = &mut slot.body
            && guest != Some(id)
        {
            // Whoever sleeps was roused when the guest was queued, its owner among them.
            *overdue = true;
            return None;
        }
        Some(Turn::begin(self, id, slot))
    }
}

const HELD: &str = "only the turn of a task has its alarm, and has it to the end";

/// A task that is being polled. Dropping it ends the task: that is what a poll that is ready and
/// one that panics have in common.
struct Turn<'a> {
    core: &'a Core,
    id: TaskId,
    alarm: Option<Box<Alarm>>,
    /// `None` for a guest.
    future: Option<BoxedFuture>,
    /// The task whose poll this turn interrupts, if one ticks in its poll.
    outer: Option<TaskId>,
}

impl<'a> Turn<'a> {
    fn begin(core: &'a Core, id: TaskId, slot: &mut Slot) -> Turn<'a> {
        let alarm = slot.alarm.take();
        alarm.iter().for_each(|alarm| alarm.begin());
        let alarm = alarm.unwrap_or_else(|| core.lend_alarm(id));
        (slot.is_woken, slot.is_polled) = (false, true);
        let future = match &mut slot.body {
            Body::Task(future) => future.take(),
            Body::Guest { .. } => None,
        };
        let outer = core.current.replace(Some(id));
        Turn { core, id, alarm: Some(alarm), future, outer }
    }

    /// Gives the task back, and queues it if it was woken meanwhile: behind all that its poll
    /// woke or spawned. A task that was aborted meanwhile ends here.
    fn pause(mut self) {
        let mut slots = self.core.slots.borrow_mut();
        let Some(slot) = Slot::find(&mut slots, self.id) else { return };
        if let Body::Task(future) = &mut slot.body {
            *future = self.future.take();
        }
        let alarm = self.alarm.take().expect(HELD);
        slot.is_polled = false;
        let woken = if alarm.is_free() {
            slot.is_woken |= alarm.was_rung();
            self.core.give_back(alarm);
            slot.is_woken
        } else {
            let woken = alarm.pause() || (slot.is_woken && alarm.ring());
            (slot.alarm, slot.is_woken) = (Some(alarm), false);
            woken
        };
        drop(slots);
        if woken {
            self.core.push(self.id);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.core.current.set(self.outer);
        // Nothing to end: the task has its alarm back.
        let Some(alarm) = self.alarm.take() else { return };
        alarm.end();
        self.core.remove(self.id);
        drop(self.future.take());
        if alarm.is_free() {
            self.core.give_back(alarm);
        }
    }
}
