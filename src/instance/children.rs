//! The children of a run: started, dropped, let go.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::{Context, Poll};

use crate::instance::Instance;
use crate::operation::Operation;
use crate::record::{Asked, Mark, Number};

/// Of one run: the ids of the children that were started, whose ends it has not heard of, and that it
/// did not let go.
#[derive(Default)]
pub(crate) struct Children(RefCell<BTreeMap<Number, Rc<str>>>);

impl Children {
    pub(crate) fn add(&self, number: Number, id: &str) {
        self.0.borrow_mut().insert(number, id.into());
    }

    pub(crate) fn remove(&self, number: Number) {
        self.0.borrow_mut().remove(&number);
    }

    pub(crate) fn get(&self, number: Number) -> Option<Rc<str>> {
        self.0.borrow().get(&number).cloned()
    }

    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// In the order of their numbers.
    pub(crate) fn all(&self) -> Vec<(Number, Rc<str>)> {
        self.0.borrow().iter().map(|(&number, id)| (number, id.clone())).collect()
    }
}

impl Instance {
    /// Polls for the start of a child alone. The first time asks for it.
    pub(crate) fn poll_started(&self, child: &Rc<Operation>, cx: &mut Context<'_>) -> Poll<()> {
        if child.has_begun() || child.is_delivered() {
            return Poll::Ready(());
        }
        if self.poll_operation(child, cx).is_pending() && self.may_poll() {
            child.set_start_waiter(self.world.waiter(cx.waker()));
        }
        Poll::Pending
    }

    /// The start of a child is recorded, and the run has ended with an earlier record of the commit: it
    /// is let go, or comes to its end with the run.
    pub(crate) fn begin_child_late(&self, number: Number, id: &str) {
        self.extra().children.add(number, id);
        if self.expected_mark(number).is_some_and(|made| made.child.is_some()) {
            self.forget_mark(number);
            self.mark(number, Mark::ChildDetached, None);
        }
    }

    /// The start of a child is recorded. If its future was dropped or let go in the same commit, so is
    /// the child.
    pub(crate) fn begin_child(&self, number: Number, id: &str, child: Option<&Rc<Operation>>) {
        self.extra().children.add(number, id);
        match child {
            Some(child) => {
                child.note_begun();
                self.wake(child.take_start_waiter());
            }
            None => {
                let was_let_go = self.expected_mark(number).is_some();
                let mark = if was_let_go { Mark::ChildDetached } else { Mark::ChildDropped };
                self.forget_mark(number);
                self.mark(number, mark, None);
            }
        }
    }

    /// The future of a child was dropped while it waited: a child that was started is dropped with it.
    pub(super) fn drop_child(&self, child: &Operation) {
        if child.has_begun() && self.is_running() && self.is_open() {
            self.mark(child.number, Mark::ChildDropped, None);
        }
    }

    /// A child is let go: it goes on by itself, and is started if it was not.
    pub(crate) fn detach_child(&self, child: &Rc<Operation>) {
        if !self.is_running() || !self.is_open() {
            // Its drop says so.
            return;
        }
        let is_new = child.is_built();
        let has_waited = self.operations.borrow_mut().forget(child.number);
        child.take_at_once();
        match (child.has_begun(), is_new || has_waited) {
            (true, true) => self.mark(child.number, Mark::ChildDetached, None),
            (false, true) => {
                let outgoing = child.outgoing();
                let (Asked::Child { workflow }, Some(outgoing)) = (child.asked(), &*outgoing)
                else {
                    return;
                };
                let mark = Mark::ChildStarted { workflow, id: outgoing.to.to_string().into() };
                self.mark(child.number, mark, Some(child.clone()));
            }
            // It has ended, or was never to be.
            (_, false) => {}
        }
    }
}
