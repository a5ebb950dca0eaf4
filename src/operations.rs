//! The operations of a run that were asked for and have no delivered outcome.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;

use crate::clock::Timestamp;
use crate::list::List;
use crate::operation::{FailedAttempt, Operation};
use crate::record::{Asked, Number};
use crate::table::Table;

/// See the module.
#[derive(Default)]
pub(crate) struct Operations {
    waiting: Table<Number, Rc<Operation>>,
    /// How many of those that wait are worked on.
    worked_on: u32,
    asked: ToTakeUp,
}

#[expect(clippy::box_collection, reason = "a map in place would make every run larger")]
enum ToTakeUp {
    /// What the next work phase takes up.
    Live(List<Number>),
    /// In a replay nothing is taken up, and at its end all that waits. The operations that were
    /// dropped are kept: the history may still speak of them.
    Replay { dropped: Box<BTreeMap<Number, Rc<Operation>>> },
}

impl Default for ToTakeUp {
    fn default() -> Self {
        Self::Live(List::default())
    }
}

/// What a number of the history stands for in this build.
pub(crate) enum Found {
    Waiting(Rc<Operation>),
    Dropped(Rc<Operation>),
    Unknown,
}

impl Operations {
    /// Those of a run whose history is to be delivered.
    pub(crate) fn in_replay() -> Self {
        Self { asked: ToTakeUp::Replay { dropped: Box::default() }, ..Self::default() }
    }

    pub(crate) fn is_replaying(&self) -> bool {
        matches!(self.asked, ToTakeUp::Replay { .. })
    }

    /// All that was committed has been delivered: what still waits is asked for.
    pub(crate) fn end_replay(&mut self) {
        self.asked = ToTakeUp::Live(List::Many(self.waiting.keys()));
    }

    /// An operation was polled for the first time.
    pub(crate) fn ask(&mut self, operation: Rc<Operation>) {
        let number = operation.number;
        let (is_begun, is_worked_on) = (operation.is_begun_by_work(), operation.is_worked_on());
        if is_begun {
            self.ask_again(number);
        }
        self.worked_on += u32::from(is_worked_on);
        self.waiting.insert(number, operation);
    }

    /// Has the next work phase look at an operation.
    #[inline]
    pub(crate) fn ask_again(&mut self, number: Number) {
        if let ToTakeUp::Live(asked) = &mut self.asked {
            asked.push(number);
        }
    }

    /// Takes what was asked for since the last time, in the order of the numbers. Some of it may
    /// no longer wait.
    pub(crate) fn take_asked(&mut self) -> List<Number> {
        let ToTakeUp::Live(asked) = &mut self.asked else { return List::default() };
        let mut asked = mem::take(asked);
        if asked.capacity() > 0 {
            asked.as_mut_slice().sort_unstable();
        }
        asked
    }

    /// Gives the memory of a list back that was taken, to be used again.
    pub(crate) fn reuse(&mut self, mut asked: List<Number>) {
        if let ToTakeUp::Live(before) = &mut self.asked
            && before.is_empty()
            && asked.capacity() <= Self::REUSED_AT_MOST
        {
            asked.clear();
            *before = asked;
        }
    }

    /// The memory of longer lists is given back: most runs never need one again.
    const REUSED_AT_MOST: usize = 16;

    pub(crate) fn find(&self, number: Number) -> Found {
        if let Some(waiting) = self.waiting.get(number) {
            return Found::Waiting(waiting.clone());
        }
        match &self.asked {
            ToTakeUp::Live(_) => Found::Unknown,
            ToTakeUp::Replay { dropped } => {
                dropped.get(&number).cloned().map_or(Found::Unknown, Found::Dropped)
            }
        }
    }

    pub(crate) fn get(&self, number: Number) -> Option<&Rc<Operation>> {
        self.waiting.get(number)
    }

    /// Removes an operation whose outcome is there; what is done for it is the caller's to end.
    pub(crate) fn finish(&mut self, number: Number) -> Option<Rc<Operation>> {
        self.remove(number)
    }

    /// The same, if it is the right one.
    #[inline]
    pub(crate) fn finish_if(
        &mut self,
        number: Number,
        is_right: impl FnOnce(&Operation) -> bool,
    ) -> Option<Rc<Operation>> {
        let operation = self.waiting.remove_if(number, |operation| is_right(operation))?;
        self.worked_on -= u32::from(operation.is_worked_on());
        Some(operation)
    }

    /// Removes an operation whose future was dropped; likewise.
    pub(crate) fn forget(&mut self, number: Number) -> bool {
        let Some(operation) = self.remove(number) else { return false };
        match &mut self.asked {
            ToTakeUp::Replay { dropped } if !matches!(operation.asked(), Asked::Receive { .. }) => {
                dropped.insert(number, operation);
            }
            ToTakeUp::Replay { .. } | ToTakeUp::Live(_) => {}
        }
        true
    }

    #[inline(always)]
    fn remove(&mut self, number: Number) -> Option<Rc<Operation>> {
        self.finish_if(number, |_| true)
    }

    /// Removes all; likewise.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Rc<Operation>> + use<> {
        self.worked_on = 0;
        mem::take(&mut self.waiting).into_values()
    }

    /// When the first of those that wait for a time is due. This looks at each.
    pub(crate) fn first_deadline(&self) -> Option<Timestamp> {
        self.waiting.values().filter_map(|operation| operation.deadline()).min()
    }

    /// When the first of them goes on, if whatever is worked on waits for its next attempt. This looks at each.
    pub(crate) fn first_retry(&self) -> Option<Timestamp> {
        if self.rest() {
            return None;
        }
        let mut first: Option<Timestamp> = None;
        for operation in self.waiting.values() {
            let at = match operation.is_worked_on() {
                true => Some(operation.failed()?.next_at),
                false => operation.deadline(),
            };
            first = first.into_iter().chain(at).min();
        }
        first
    }

    /// Whether none of them is worked on.
    pub(crate) fn rest(&self) -> bool {
        self.worked_on == 0
    }

    /// Whether they are so few that it costs nothing to look at each.
    pub(crate) fn are_few(&self) -> bool {
        self.waiting.is_small()
    }

    /// The steps that wait for their next attempt, with the one that failed, in the order of the numbers.
    pub(crate) fn retrying(&self) -> Vec<(Rc<Operation>, FailedAttempt)> {
        let steps = self.waiting.values();
        let steps = steps.filter_map(|step| step.failed().map(|failed| (step.clone(), failed)));
        let mut steps: Vec<_> = steps.collect();
        steps.sort_unstable_by_key(|(step, _)| step.number);
        steps
    }

    /// So many of those that wait, the first by their numbers.
    pub(crate) fn first(&self, most: usize) -> Vec<Rc<Operation>> {
        let numbers = self.waiting.keys();
        numbers.iter().filter_map(|&number| self.waiting.get(number)).take(most).cloned().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Some of the operations that wait, for a message.
    pub(crate) fn show(&self) -> String {
        const SHOWN: usize = 5;
        let numbers = self.waiting.keys();
        let operations = numbers.iter().filter_map(|&number| self.waiting.get(number));
        let shown = operations.map(|waiting| waiting.to_string());
        let mut shown: Vec<_> = shown.take(SHOWN).collect();
        match numbers.len() {
            0 => shown.push("no operation".into()),
            all if all > SHOWN => shown.push(alloc::format!("{} more", all - SHOWN)),
            _ => {}
        }
        shown.join(", ")
    }
}
