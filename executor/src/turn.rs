//! One poll of one task, and what comes before and after it.

use alloc::boxed::Box;
use core::mem;
use core::task::{Context, Poll};

use crate::id::TaskId;
use crate::slots::{BoxedFuture, Slot, Slots};
use crate::task_waker::TaskWaker;
use crate::tasks::{Core, State};

/// The poll of a guest, which only the guest's owner can do.
pub(crate) type GuestPoll<'a> = &'a mut dyn FnMut(&mut Context<'_>) -> Poll<()>;

impl Core {
    /// Polls the next ready task; `false` if there is none.
    ///
    /// A guest other than `guest` is marked overdue and passed over.
    #[inline]
    pub(crate) fn tick(&self, guest: TaskId, poll_guest: GuestPoll<'_>) -> bool {
        let Some(mut turn) = self.next_turn(guest) else { return false };
        let mut cx = Context::from_waker(turn.waker.as_ref().expect(HELD).waker());
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
        let State { slots, ready, spare_waker } = &mut *state;
        if guest != TaskId::DEAD && take_overdue(slots, guest) {
            ready.push_front(guest);
        }
        let (id, slot) = loop {
            let id = match ready.pop_front() {
                Some(id) => id,
                None if self.inbox.is_clear() => return None,
                None => {
                    self.inbox.drain_into(ready);
                    ready.pop_front()?
                }
            };
            // `None` if the task has ended.
            let Some(slot) = slots.find(id) else { continue };
            if slot.is_guest && guest != id {
                // Who was parked was woken when the guest was queued, its owner among them.
                slot.is_overdue = true;
                continue;
            }
            break (id, slot);
        };
        (slot.is_woken, slot.is_polled) = (false, true);
        let future = slot.future.take();
        let waker = self.waker_for(id, slot, spare_waker);
        let outer = self.current.replace(id);
        Some(Turn { core: self, id, waker: Some(waker), future, outer })
    }

    /// The task's own waker, or the spare one.
    #[inline]
    fn waker_for(
        &self,
        id: TaskId,
        slot: &mut Slot,
        spare: &mut Option<Box<TaskWaker>>,
    ) -> Box<TaskWaker> {
        if let Some(own) = slot.waker.take() {
            own.state.begin();
            return own;
        }
        let new = || Box::new(TaskWaker::new(self.inbox.clone()));
        let waker = spare.take().unwrap_or_else(new);
        waker.assign(id);
        waker
    }

    pub(crate) fn is_overdue(&self, id: TaskId) -> bool {
        let slots = &mut self.state.borrow_mut().slots;
        slots.find(id).is_some_and(|slot| slot.is_overdue)
    }
}

/// Whether the guest has a turn that it could not take when it came; it takes it now.
fn take_overdue(slots: &mut Slots, guest: TaskId) -> bool {
    slots.find(guest).is_some_and(|slot| mem::take(&mut slot.is_overdue))
}

const HELD: &str = "only the turn of a task has its waker, and has it to the end";

/// A task that is being polled. Dropping it ends the task: that is what a poll that is ready and
/// one that panics have in common.
struct Turn<'a> {
    core: &'a Core,
    id: TaskId,
    waker: Option<Box<TaskWaker>>,
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
        let State { slots, ready, spare_waker } = &mut *state;
        let Some(slot) = slots.find(self.id) else { return false };
        slot.future = self.future.take();
        slot.is_polled = false;
        let waker = self.waker.take().expect(HELD);
        let is_woken = if waker.is_unshared() {
            slot.is_woken |= waker.state.was_woken();
            *spare_waker = Some(waker);
            slot.is_woken
        } else {
            // From now on its own waker knows, also of a wake by id in this poll.
            let by_id = mem::take(&mut slot.is_woken);
            let is_woken = waker.state.pause() || (by_id && waker.state.wake_by_id());
            slot.waker = Some(waker);
            is_woken
        };
        core.current.set(self.outer);
        if is_woken {
            if core.inbox.is_clear() {
                ready.push_back(self.id);
            } else {
                drop(state);
                core.push_and_notify(self.id);
            }
        }
        true
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.core.current.set(self.outer);
        let Some(waker) = self.waker.take() else { return };
        waker.state.end();
        self.core.state.borrow_mut().slots.free(self.id);
        drop(self.future.take());
        if waker.is_unshared() {
            self.core.state.borrow_mut().spare_waker = Some(waker);
        }
    }
}
