//! What an open finds. The index of what waits is made of it at once: run by run it would take several
//! times as long, and twice the memory.

use alloc::vec::Vec;

use dacapo_store::{RunKey, RunRow};

use super::line::Waits;
use super::{Later, Queues, deadline_of};
use crate::clock::Timestamp;
use crate::engine::Engine;

/// The runs that wait in their queues, in the order of their rows.
#[derive(Default)]
pub(in crate::engine) struct Found {
    /// By the numbers of the queues.
    waiting: Vec<Vec<Waits>>,
    /// As in what is known of all queues.
    later: Vec<((Timestamp, RunKey), Later)>,
}

impl Engine {
    /// The row of a run that has not ended was found. When all are, [`Queues::settle`] follows.
    pub(in crate::engine) fn find_row(&self, row: &RunRow, has_code: bool, found: &mut Found) {
        let Some(place) = &row.queue else { return };
        let timers = &self.world.timers;
        if !row.state.is_waiting() || !has_code {
            return self.queues.note(row, place, has_code, timers);
        }
        self.queues.is_used.set(true);
        let all = &mut *self.queues.all.borrow_mut();
        let number = all.line(&place.name);
        let line = &mut all.lines[number as usize];
        if let Some(unique) = &place.unique {
            line.hold(unique, row.key);
        }
        let (part, priority) = (line.part(place.partition.as_deref()), place.priority);
        let at = Timestamp::from_nanos(place.eligible_at);
        if at <= timers.now() {
            let number = number as usize;
            if found.waiting.len() <= number {
                found.waiting.resize_with(number + 1, Vec::new);
            }
            found.waiting[number].push((part, (priority, row.key)));
        } else {
            line.expect(part);
            found.later.push(((at, row.key), Later { line: number, part, priority }));
        }
        if let Some(deadline) = deadline_of(row) {
            timers.add(deadline);
        }
    }
}

impl Queues {
    /// All rows were found.
    pub(in crate::engine) fn settle(&self, found: Found) {
        let all = &mut *self.all.borrow_mut();
        all.later = found.later.into_iter().collect();
        for (line, waiting) in all.lines.iter_mut().zip(found.waiting) {
            line.settle(waiting);
        }
    }
}
