//! Requests and marks: what the code asked for and the next commit carries out, in the order in which
//! it asked.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::fault::Fault;
use crate::instance::{Extra, Instance};
use crate::list::List;
use crate::mark::{Ask, Made};
use crate::operation::Operation;
use crate::record::{Mark, Number, ShownMark};

/// Of one run.
#[derive(Default)]
pub(crate) struct Asks {
    /// In the order of the code, since the last time that they were taken up. Some may no longer wait.
    untaken: RefCell<List<Ask>>,
    /// The marks whose records were not delivered yet. There is never more than one of a number.
    marks: RefCell<BTreeMap<Number, Rc<Made>>>,
}

impl Instance {
    /// Something is asked for that changes something outside of the run.
    pub(super) fn request(&self, operation: Rc<Operation>) {
        self.ask(Ask::Request(operation));
    }

    /// The code did something that it does not await.
    pub(crate) fn mark(&self, number: Number, mark: Mark<'static>, child: Option<Rc<Operation>>) {
        self.make(Made { number, mark, child, refusal: None });
    }

    /// The same of something that cannot be recorded now. In a replay it may have been.
    pub(crate) fn mark_refused(&self, number: Number, mark: Mark<'static>, refusal: Fault) {
        self.make(Made { number, mark, child: None, refusal: Some(refusal) });
    }

    fn make(&self, made: Made) {
        let made = Rc::new(made);
        self.extra().asks.marks.borrow_mut().insert(made.number, made.clone());
        self.ask(Ask::Mark(made));
    }

    fn ask(&self, ask: Ask) {
        let asks = &mut *self.extra().asks.untaken.borrow_mut();
        // In a replay nearly all have their records by the time that there are others.
        if let List::Many(asks) = asks
            && asks.len() == asks.capacity()
        {
            asks.retain(|ask| self.still_waits(ask));
        }
        asks.push(ask);
    }

    fn still_waits(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Request(request) => self.awaits(request) && !request.has_begun(),
            Ask::Mark(made) => self.expects_mark(made),
        }
    }

    /// Whether the record of a mark is still to come.
    pub(crate) fn expects_mark(&self, made: &Rc<Made>) -> bool {
        let marks = self.extra().asks.marks.borrow();
        marks.get(&made.number).is_some_and(|expected| Rc::ptr_eq(expected, made))
    }

    /// Takes what was asked for since the last time and still waits, in the order of the code: it is
    /// to be recorded. An error parks the run.
    pub(crate) fn take_asks(&self, extra: &Extra) -> Result<impl Iterator<Item = Ask>, Fault> {
        let asks = extra.asks.untaken.take();
        let refusal = asks.as_slice().iter().find_map(|ask| match ask {
            Ask::Mark(made) if self.still_waits(ask) => made.refusal.clone(),
            Ask::Mark(_) | Ask::Request(_) => None,
        });
        match refusal {
            None => Ok(asks.into_iter().filter(|ask| self.still_waits(ask))),
            Some(refusal) => Err(refusal),
        }
    }

    /// The mark with this number whose record is to come.
    pub(crate) fn expected_mark(&self, number: Number) -> Option<Rc<Made>> {
        self.has_extra()?.asks.marks.borrow().get(&number).cloned()
    }

    /// The record of a mark was delivered, or there will be none.
    pub(crate) fn forget_mark(&self, number: Number) {
        let _made = self.extra().asks.marks.borrow_mut().remove(&number);
    }

    /// A child that was begun is to be begun anew.
    pub(super) fn request_again(&self, child: &Rc<Operation>) {
        let mut untaken = self.extra().asks.untaken.borrow_mut();
        let is_it = |ask: &Ask| matches!(ask, Ask::Request(asked) if Rc::ptr_eq(asked, child));
        // In a replay those that were begun may have been weeded out.
        if !untaken.as_slice().iter().any(is_it) {
            untaken.push(Ask::Request(child.clone()));
        }
    }

    /// Forgets that children were dropped or let go, where that is not recorded.
    pub(super) fn forget_let_go(&self) {
        let is_kept = |made: &Made| match made.mark {
            Mark::ChildDropped | Mark::ChildDetached => false,
            Mark::Published { .. }
            | Mark::Answered { .. }
            | Mark::ChildStarted { .. }
            | Mark::Patched { .. } => true,
        };
        self.extra().asks.marks.borrow_mut().retain(|_, made| is_kept(made));
    }

    /// The marks whose records are to come, in the order of their numbers.
    pub(super) fn expected_marks(&self) -> Vec<Rc<Made>> {
        let marks = self.has_extra().map(|extra| extra.asks.marks.borrow());
        marks.iter().flat_map(|marks| marks.values().cloned()).collect()
    }

    /// Forgets the drops of children: they come to an end with their parent anyway.
    pub(crate) fn forget_drops(&self) {
        if let Some(extra) = self.has_extra() {
            let is_drop = |made: &Made| matches!(made.mark, Mark::ChildDropped);
            extra.asks.marks.borrow_mut().retain(|_, made| !is_drop(made));
        }
    }

    /// A mark that the history should hold by now, for a message.
    pub(crate) fn show_missing_mark(&self) -> Option<(Number, String)> {
        let marks = self.has_extra()?.asks.marks.borrow();
        let made = marks.values().next()?;
        Some((made.number, alloc::format!("{}", ShownMark(&made.mark, made.number))))
    }
}
