//! How operations are polled, delivered to, and dropped.

use alloc::rc::Rc;
use core::task::{Context, Poll, ready};

use crate::inbox::Address;
use crate::instance::{Instance, Phase, World};
use crate::message::Arrived;
use crate::operation::{Effort, Operation, Waiter};
use crate::panics::{self, Caller};
use crate::record::Asked;
use crate::trace::Event;

impl Instance {
    /// Polls the future of an operation: the first time asks for it, and it is ready when its
    /// outcome was delivered.
    pub(crate) fn poll_operation(
        &self,
        operation: &Rc<Operation>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !self.may_poll() {
            return Poll::Pending;
        }
        operation.poll_delivered(
            || self.world.waiter(cx.waker()),
            || {
                self.observe(Event::Asked(operation));
                self.operations.borrow_mut().ask(operation.clone());
                if operation.is_plain() {
                    // Nearly all are.
                } else if operation.is_request() {
                    self.request(operation.clone());
                } else if operation.is_transaction() {
                    operation.set_order(self.world.take_ticket());
                }
            },
        )
    }

    /// Hands an outcome to the future of an operation, and wakes whoever awaits it.
    pub(crate) fn hand_over(&self, operation: &Operation) {
        self.wake(operation.hand_over());
    }

    pub(super) fn wake(&self, waiter: Option<Waiter>) {
        match waiter {
            None => {}
            Some(Waiter::Task(task)) => self.world.tasks.raw().wake(task),
            Some(Waiter::Waker(waker)) => self.open(|| waker.wake()),
        }
    }

    /// Something that was awaited is dropped: if something outside dropped it, no replay will.
    pub(crate) fn note_drop(&self) {
        if self.is_running() && !self.is_open() {
            self.world.gate.note_foreign_wake(self.key());
        }
    }

    /// Whether an operation still waits for its outcome: a parked run keeps its history as it is, and
    /// what was dropped leaves no record.
    pub(crate) fn awaits(&self, operation: &Rc<Operation>) -> bool {
        let operations = self.operations.borrow();
        let waiting = operations.get(operation.number);
        self.phase.get() != Phase::Closed
            && waiting.is_some_and(|waiting| Rc::ptr_eq(waiting, operation))
    }

    /// Ends an operation whose future was dropped, and its body with it.
    pub(crate) fn drop_operation(&self, operation: &Operation) {
        if operation.set_dropped() {
            return;
        }
        let asked = self.operations.borrow_mut().forget(operation.number);
        // What has a message in hand waits no longer, and was asked for all the same.
        let in_hand = operation.take_arrived();
        if asked || in_hand.is_some() {
            self.note_drop();
        }
        match operation.asked() {
            Asked::Receive { channel, is_question } => {
                let from = Address { channel, is_question };
                self.drop_receive(from, operation.order(), in_hand);
            }
            Asked::Child { .. } if asked => self.drop_child(operation),
            Asked::Step { .. } | Asked::StepOf { .. } | Asked::Sleep { .. } => {
                self.end_effort(operation);
            }
            Asked::Send { .. } | Asked::Child { .. } => {}
        }
    }

    /// Ends what was done for an operation, and lets go of the code that it owns. What is dropped here lives in
    /// a live run and in no replay, so it finds the gate shut; it is refused by the executor, as a workflow is; and a
    /// panic of it is its own affair.
    pub(crate) fn end_effort(&self, operation: &Operation) {
        let World { gate, setup, .. } = &*self.world;
        let apart = |end: &mut dyn FnMut()| {
            let end = || setup.caught.calling(Caller::Workflow, || gate.shut(end));
            let _ = panics::catch(end);
        };
        if !operation.is_plain()
            && let Some(code) = operation.take_code()
        {
            let mut code = Some(code);
            apart(&mut || drop(code.take()));
        }
        match operation.take_effort() {
            Effort::Nothing => {}
            Effort::Unstarted(body) => {
                let mut body = Some(body);
                apart(&mut || drop(body.take()));
            }
            Effort::Body(body) => apart(&mut || self.world.bodies.raw().abort(body)),
            Effort::Timer => {
                if let Some(timer) = self.timer(operation) {
                    self.world.timers.remove(&timer);
                }
            }
        }
    }

    /// Whether what waits for something of the run may be polled now. If something outside polls it,
    /// that is as foreign as a wake.
    pub(crate) fn may_poll(&self) -> bool {
        if !self.is_running() || self.fault().is_some() {
            return false;
        }
        if !self.is_open() {
            self.world.gate.note_foreign_wake(self.key());
            return false;
        }
        true
    }

    /// Polls a receive: a message that is there it takes at its first poll.
    pub(crate) fn poll_receive(
        &self,
        receive: &Rc<Operation>,
        from: Address<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Arrived> {
        if receive.is_built() && self.is_running() && self.is_open() && self.fault().is_none() {
            let arrived = self.extra().inbox.borrow_mut().take(from);
            if let Some(arrived) = arrived {
                self.observe(Event::Asked(receive));
                receive.take_at_once();
                return Poll::Ready(arrived);
            }
            let mut inbox = self.extra().inbox.borrow_mut();
            inbox.wait(from, receive.order(), receive.clone());
        }
        ready!(self.poll_operation(receive, cx));
        let arrived = receive.take_arrived().expect("a receive is ready when it has a message");
        let mut inbox = self.extra().inbox.borrow_mut();
        inbox.take_from_hand(arrived.seq);
        if !inbox.is_skipped(arrived.seq) {
            return Poll::Ready(arrived);
        }
        if let Some(arrived) = inbox.take(from) {
            return Poll::Ready(arrived);
        }
        inbox.wait(from, receive.order(), receive.clone());
        receive.wait_again(self.world.waiter(cx.waker()));
        self.operations.borrow_mut().ask(receive.clone());
        Poll::Pending
    }

    /// A message has arrived: the oldest receive that waits for it gets it in hand.
    pub(crate) fn arrive(&self, to: Address<'_>, arrived: Arrived) {
        let given = self.extra().inbox.borrow_mut().arrive(to, arrived);
        if let Some((receive, arrived)) = given {
            receive.set_arrived(arrived);
            self.operations.borrow_mut().finish(receive.number);
            self.hand_over(&receive);
        }
    }

    /// A receive was dropped: what it had in hand goes back to its place.
    fn drop_receive(&self, from: Address<'_>, order: u64, in_hand: Option<Arrived>) {
        match in_hand {
            Some(arrived) => {
                self.extra().inbox.borrow_mut().take_from_hand(arrived.seq);
                if self.is_running() {
                    self.arrive(from, arrived);
                } else {
                    // For the next pass, if there is one.
                    self.extra().inbox.borrow_mut().put(from, arrived);
                }
            }
            None => {
                if let Some(extra) = self.has_extra() {
                    extra.inbox.borrow_mut().forget(from, order);
                }
            }
        }
    }
}
