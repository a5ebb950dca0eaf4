//! Runs whose histories were copied from others: what of that counts for the copy.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use dacapo_store::RunKey;

use crate::instance::{Instance, Phase};
use crate::record::{Asked, Mark, Number, ShownMark};

/// Of one run.
#[derive(Default)]
pub(crate) struct Forks {
    /// The ids of the runs whose records are still to be delivered, in the order of the history.
    origins: RefCell<VecDeque<Arc<str>>>,
    /// From this seq on the history it began with says something of what stands before, and nothing more.
    remarks_from: Cell<Option<u64>>,
    /// The store and the key under which its steps have their idempotency keys, if not its own.
    keyed: Cell<Option<(u64, RunKey)>>,
    /// Whether nothing of its own has happened to it since, but that it was parked.
    is_fresh: Cell<bool>,
}

impl Instance {
    /// The history holds records of the run with this id, up to where that says so.
    pub(crate) fn note_origin(&self, id: &str) {
        self.extra().forks.origins.borrow_mut().push_back(id.into());
    }

    /// The history comes from another file, with the keys of its steps; or is that of a fork from there on, which
    /// has keys of its own.
    pub(crate) fn note_moved(&self, from: Option<(u64, RunKey)>) {
        self.extra().forks.keyed.set(from);
    }

    /// The number of the store and the key of the run that are in the idempotency keys of its steps.
    pub(crate) fn keyed(&self) -> (u64, RunKey) {
        let moved = self.has_extra().and_then(|extra| extra.forks.keyed.get());
        moved.unwrap_or_else(|| (self.world.setup.store_id.number, self.key()))
    }

    pub(crate) fn note_remarks_from(&self, seq: u64) {
        self.extra().forks.remarks_from.set(Some(seq));
    }

    /// Whether all has been delivered in which something happened.
    pub(crate) fn is_at_its_end(&self) -> bool {
        let delivered = self.delivered.get();
        let remarks = || self.has_extra().and_then(|extra| extra.forks.remarks_from.get());
        delivered == self.ledger.next_seq.get()
            || self.phase.get() == Phase::Replaying && remarks().is_some_and(|seq| delivered >= seq)
    }

    /// The id under which what is delivered now happened first: what was drawn from it has gone out into the
    /// world.
    pub(crate) fn first_id(&self) -> Arc<str> {
        let origin =
            self.has_extra().and_then(|extra| extra.forks.origins.borrow().front().cloned());
        origin.unwrap_or_else(|| self.id.clone())
    }

    /// From here on the history is its own. Nothing is under way: what has no outcome was not begun, and
    /// children that have none are the other run's.
    pub(crate) fn fork(&self, seed: u64) {
        let extra = self.extra();
        let _origin = extra.forks.origins.borrow_mut().pop_front();
        self.seed.set(seed);
        self.ignore_deadline();
        self.leave_queue();
        self.set_link(None);
        extra.children.clear();
        self.forget_let_go();
        let waiting = self.operations.borrow().first(usize::MAX);
        for operation in &waiting {
            let is_child = matches!(operation.asked(), Asked::Child { .. });
            let has_begun = operation.has_begun();
            operation.forget_attempts();
            if is_child && has_begun {
                self.request_again(operation);
            }
        }
    }

    /// Nothing of its own has happened to it by the end of its history: what waits was never begun.
    pub(crate) fn note_fresh(&self) {
        self.extra().forks.is_fresh.set(true);
    }

    pub(crate) fn is_fresh_fork(&self) -> bool {
        self.has_extra().is_some_and(|extra| extra.forks.is_fresh.get())
    }

    /// What begins when the run goes on, in the order of the numbers: steps, messages, children.
    pub(crate) fn show_beginning(&self) -> Vec<String> {
        let mut beginning: Vec<(Number, String)> = Vec::new();
        for operation in self.operations.borrow().first(usize::MAX) {
            match operation.asked() {
                Asked::Step { .. } | Asked::StepOf { .. } => {
                    beginning.push((operation.number, operation.to_string()));
                }
                Asked::Send { .. } | Asked::Child { .. } if !operation.has_begun() => {
                    let to = operation.outgoing().as_ref().map(|outgoing| outgoing.to.clone());
                    let to: Rc<str> = to.unwrap_or_default();
                    beginning.push((operation.number, alloc::format!("{operation} [{to}]")));
                }
                Asked::Send { .. }
                | Asked::Child { .. }
                | Asked::Sleep { .. }
                | Asked::Receive { .. } => {}
            }
        }
        for made in self.expected_marks() {
            if let Mark::ChildStarted { id, .. } = &made.mark {
                let shown = alloc::format!("{} [{id}]", ShownMark(&made.mark, made.number));
                beginning.push((made.number, shown));
            }
        }
        beginning.sort_by_key(|(number, _)| *number);
        beginning.into_iter().map(|(_, shown)| shown).collect()
    }
}
