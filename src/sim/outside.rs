use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::{Any, TypeId};
use core::cell::{Cell, RefCell};
use core::time::Duration;

use super::VirtualClock;
use super::changed::Changed;
use crate::clock::{Clock, Timestamp};
use crate::context::Attempt;

/// What lies outside of the processes of one simulation, and is still there when they are gone.
#[derive(Default)]
pub(super) struct Outside {
    noted: RefCell<BTreeMap<String, Noted>>,
    things: RefCell<BTreeMap<TypeId, Rc<dyn Any>>>,
    /// Runs whose attempts are counted anew, and whose steps may run again.
    pub(super) changed: Changed,
    /// What must never be, and was.
    wrong: RefCell<Vec<String>>,
    /// The number of the present process, from 1.
    process: Cell<u32>,
    /// What the clock of the last process showed: the time outside goes on from there.
    clock: RefCell<Option<VirtualClock>>,
    /// Whether that may be set back: then an attempt that had begun may look as if it had not.
    has_jumps: Cell<bool>,
}

/// The effects of one step.
#[derive(Default)]
struct Noted {
    times: u32,
    /// In how many processes, and in which one the last time.
    processes: u32,
    last: u32,
    /// How many of these were shut down, which counts as no attempt.
    shut_down: u32,
}

impl Outside {
    /// Another process begins.
    pub(super) fn begin_process(&self) {
        self.process.set(self.process.get() + 1);
    }

    /// The clock of a process that begins `outage` after the last one, over a store that was written last
    /// at `last_commit`.
    pub(super) fn begin_clock(&self, last_commit: Timestamp, outage: Duration) -> VirtualClock {
        let mut clock = self.clock.borrow_mut();
        let last = clock.as_ref().map_or(last_commit, |clock| clock.now().max(last_commit));
        clock.insert(VirtualClock::new(last + outage)).clone()
    }

    /// The clocks of the processes may be set back.
    pub(super) fn allow_jumps(&self) {
        self.has_jumps.set(true);
    }

    /// The present process was shut down, or has dropped its executor.
    pub(super) fn end_in_order(&self) {
        let process = self.process.get();
        let mut noted = self.noted.borrow_mut();
        noted.values_mut().filter(|noted| noted.last == process).for_each(|noted| {
            noted.shut_down += 1;
        });
    }

    /// Notes an effect. The end of each process in which the body had begun is an attempt, unless it
    /// was shut down, so a later one has a higher number.
    pub(super) fn note(&self, attempt: &Attempt) {
        let mut noted = self.noted.borrow_mut();
        let noted = noted.entry(attempt.key().into()).or_default();
        let before = noted.processes;
        if noted.last != self.process.get() {
            (noted.processes, noted.last) = (before + 1, self.process.get());
            let (number, key) = (attempt.number(), attempt.key());
            let counted = before - noted.shut_down;
            if self.changed.has_key(key) {
                return noted.times += 1;
            }
            if number <= counted && !self.has_jumps.get() {
                let ended = format!("though {counted} processes ended in an attempt before");
                self.wrong(format!("the body of {key} begins attempt {number}, {ended}"));
            }
            if before > 0 && attempt.runs_at_most_once() {
                self.wrong(format!("the body of {key} ran twice, and it may run at most once"));
            }
        }
        noted.times += 1;
    }

    fn wrong(&self, what: String) {
        self.wrong.borrow_mut().push(what);
    }

    pub(super) fn take_wrong(&self) -> Option<String> {
        self.wrong.borrow_mut().pop()
    }

    /// How often each step noted an effect, by idempotency key.
    pub(super) fn effects(&self) -> BTreeMap<String, u32> {
        let noted = self.noted.borrow();
        noted.iter().map(|(key, noted)| (key.clone(), noted.times)).collect()
    }

    /// The one thing of this type.
    pub(super) fn thing<T: Default + 'static>(&self) -> Rc<T> {
        let mut things = self.things.borrow_mut();
        let thing = things.entry(TypeId::of::<T>()).or_insert_with(|| Rc::<T>::default()).clone();
        thing.downcast().expect("it is kept under its type")
    }
}
