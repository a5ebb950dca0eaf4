//! One poll of one task, and what comes before and after it.

use alloc::boxed::Box;
use core::mem;
use core::task::{Context, Poll};

use crate::alarm::Alarm;
use crate::id::TaskId;
use crate::tasks::{BoxedFuture, Core, Slots, State};

/// The poll of a guest, which only the guest's owner can do.
pub(crate) type GuestPoll<'a> = &'a mut dyn FnMut(&mut Context<'_>) -> Poll<()>;

impl Core {
    /// Polls the next ready task; `false` if there is none.
    ///
    /// A guest other than `guest` is marked overdue and passed over.
    #[inline]
    pub(crate) fn tick(&self, guest: TaskId, poll_guest: GuestPoll<'_>) -> bool {
        let Some(mut turn) = self.next_turn(guest) else { return false };
        let mut cx = Context::from_waker(turn.alarm.as_ref().expect(HELD).waker());
        let poll = match &mut turn.future {
            Some(future) => future.as_mut().poll(&mut cx),
            None => poll_guest(&mut cx),
        };
        if poll.is_pending() && turn.pause() {
            // Nothing is left to end.
            mem::forget(turn);
        }
        true
    }

    #[inline]
    fn next_turn(&self, guest: TaskId) -> Option<Turn<'_>> {
        let mut state = self.state.borrow_mut();
        let State { slots, ready, spare_alarm } = &mut *state;
        if guest != TaskId::DEAD && take_overdue(slots, guest) {
            ready.push_front(guest);
        }
        let (id, slot) = loop {
            let id = match ready.pop_front() {
                Some(id) => id,
                None if self.inbox.is_quiet() => return None,
                None => {
                    self.inbox.empty_into(ready);
                    ready.pop_front()?
                }
            };
            // `None` if the task has ended.
            let Some(slot) = slots.find(id) else { continue };
            if slot.is_guest && guest != id {
                // Whoever sleeps was roused when the guest was queued, its owner among them.
                slot.is_overdue = true;
                continue;
            }
            break (id, slot);
        };
        (slot.is_woken, slot.is_polled) = (false, true);
        let future = slot.future.take();
        let alarm = match slot.alarm.take() {
            Some(alarm) => {
                alarm.begin();
                alarm
            }
            None => {
                let spare = spare_alarm.take();
                let alarm = spare.unwrap_or_else(|| Box::new(Alarm::new(self.inbox.clone())));
                alarm.lend(id);
                alarm
            }
        };
        let outer = self.current.replace(id);
        Some(Turn { core: self, id, alarm: Some(alarm), future, outer })
    }

    pub(crate) fn is_overdue(&self, id: TaskId) -> bool {
        let slots = &mut self.state.borrow_mut().slots;
        let slot = slots.find(id);
        slot.is_some_and(|slot| slot.is_overdue)
    }
}

/// Whether the guest has a turn that it could not take when it came; it takes it now.
fn take_overdue(slots: &mut Slots, guest: TaskId) -> bool {
    slots.find(guest).is_some_and(|slot| mem::take(&mut slot.is_overdue))
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
    outer: TaskId,
}

impl Turn<'_> {
    /// Gives the task back, and queues it if it was woken meanwhile: behind all that its poll
    /// woke or spawned. `false`: it was aborted meanwhile.
    // By reference: a turn that is moved is read in other pieces than it was written in.
    #[inline]
    fn pause(&mut self) -> bool {
        let core = self.core;
        let mut state = core.state.borrow_mut();
        let State { slots, ready, spare_alarm } = &mut *state;
        let Some(slot) = slots.find(self.id) else { return false };
        slot.future = self.future.take();
        let alarm = self.alarm.take().expect(HELD);
        slot.is_polled = false;
        let woken = if alarm.is_free() {
            slot.is_woken |= alarm.was_rung();
            *spare_alarm = Some(alarm);
            slot.is_woken
        } else {
            let woken = alarm.pause() || (slot.is_woken && alarm.ring());
            (slot.alarm, slot.is_woken) = (Some(alarm), false);
            woken
        };
        core.current.set(self.outer);
        if woken {
            if core.inbox.is_quiet() {
                ready.push_back(self.id);
            } else {
                drop(state);
                core.push_noisily(self.id);
            }
        }
        true
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.core.current.set(self.outer);
        let Some(alarm) = self.alarm.take() else { return };
        alarm.end();
        // The turn has both.
        let _ended = self.core.state.borrow_mut().slots.remove(self.id);
        drop(self.future.take());
        if alarm.is_free() {
            self.core.state.borrow_mut().spare_alarm = Some(alarm);
        }
    }
}
