//! Runs that wait to begin: for room in their queues, or for a time. Everything here follows from their
//! rows: it is made of them when the store is opened, and follows each row that is written.

mod admission;
mod child;
mod found;
mod gone;
mod line;
mod paused;
mod resubmission;

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use dacapo_store::{Filter, Queued, RunKey, RunRow, RunState};

use super::Engine;
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::queue::Limits;
use crate::record::{Number, Options, Place};
use crate::timer::{RunTimer, Timers};
pub(super) use found::Found;
use gone::Gone;
use line::Line;

/// Of all queues; runs in none that wait for a time are in one without a name.
#[derive(Default)]
pub(crate) struct Queues {
    all: RefCell<All>,
    /// Whether there is any.
    is_used: Cell<bool>,
    /// What is counted of runs that were deleted, by queue.
    gone: RefCell<BTreeMap<String, Gone>>,
}

#[derive(Default)]
struct All {
    lines: Vec<Line>,
    by_name: BTreeMap<Rc<str>, u32>,
    /// What may not be admitted before a time.
    later: BTreeMap<(Timestamp, RunKey), Later>,
}

/// Where a run waits when its time has come.
#[derive(Clone, Copy)]
struct Later {
    line: u32,
    part: u32,
    priority: i32,
}

impl Queues {
    /// Those of this build.
    pub(super) fn new(defined: impl Iterator<Item = (&'static str, Limits)>) -> Self {
        let queues = Self::default();
        for (name, limits) in defined {
            let all = &mut *queues.all.borrow_mut();
            let line = all.line(name);
            all.lines[line as usize] = Line::new(limits);
            queues.is_used.set(true);
        }
        queues
    }

    /// Whether this build defines any, or the file holds a run of one.
    pub(super) fn is_used(&self) -> bool {
        self.is_used.get()
    }

    /// A row is about to be written, or was found of a run that is not admitted next.
    fn note(&self, row: &RunRow, place: &Queued, has_code: bool, timers: &Timers) {
        self.is_used.set(true);
        let (all, now) = (&mut *self.all.borrow_mut(), timers.now());
        let number = all.line(&place.name);
        let deadline = deadline_of(row);
        if all.leave(number, row.key, place, now)
            && let Some(deadline) = &deadline
        {
            timers.remove(deadline);
        }
        let line = &mut all.lines[number as usize];
        if let Some(unique) = &place.unique {
            let is_free = row.state.has_ended() || place.is_debounced && !row.state.is_waiting();
            match is_free {
                true => line.release(unique, row.key),
                false => line.hold(unique, row.key),
            }
        }
        match row.state {
            RunState::Queued | RunState::Delayed if has_code => {
                all.wait(number, row.key, place, now);
                if let Some(deadline) = deadline {
                    timers.add(deadline);
                }
            }
            RunState::Running if has_code => {
                let part = line.part(place.partition.as_deref());
                line.run(part, row.key);
            }
            // What has no code goes on with another build.
            RunState::Running | RunState::Queued | RunState::Delayed => {}
            RunState::Parked
            | RunState::Completed
            | RunState::Failed
            | RunState::Cancelled
            | RunState::Continued => {}
        }
    }

    /// A run is deleted, whose row was this.
    fn forget(&self, row: &RunRow, timers: &Timers) {
        let mut gone = row.clone();
        gone.state = RunState::Cancelled;
        if let Some(place) = &row.queue {
            self.note(&gone, place, false, timers);
        }
    }

    /// Counts an admission against the rates of its queue.
    fn count(&self, place: &Queued, at: Timestamp) {
        let all = &mut *self.all.borrow_mut();
        let line = all.line(&place.name);
        let line = &mut all.lines[line as usize];
        let part = line.part(place.partition.as_deref());
        line.count(part, at);
    }

    /// Which run is admitted next.
    fn next(&self, now: Timestamp) -> Option<RunKey> {
        let all = &mut *self.all.borrow_mut();
        all.ripen(now);
        let All { lines, by_name, .. } = all;
        by_name.values().find_map(|line| lines[*line as usize].next(now))
    }

    /// When a run may be admitted by the time alone.
    fn next_at(&self, now: Timestamp) -> Option<Timestamp> {
        let all = self.all.borrow();
        let later = all.later.keys().next().map(|(at, _)| *at);
        all.lines.iter().filter_map(|line| line.next_at(now)).chain(later).min()
    }

    /// The limits of a queue. `None`: this build does not define it.
    pub(super) fn limits(&self, queue: &str) -> Option<Limits> {
        let all = self.all.borrow();
        let line = *all.by_name.get(queue)?;
        all.lines[line as usize].limits()
    }

    /// The names of those that this build defines.
    pub(crate) fn defined(&self) -> Vec<Rc<str>> {
        let all = self.all.borrow();
        let is_defined = |line: u32| all.lines[line as usize].limits().is_some();
        let names = all.by_name.iter().filter(|(_, line)| is_defined(**line));
        names.map(|(name, _)| name.clone()).collect()
    }

    /// # Errors
    ///
    /// If this build does not define the queue.
    fn set_paused(&self, queue: &str, is_paused: bool) -> Result<()> {
        self.with_line(queue, |line| line.is_paused = is_paused)
    }

    /// How many runs of a queue wait, and may go on for all that is counted; whether it is paused.
    ///
    /// # Errors
    ///
    /// If this build does not define the queue.
    pub(crate) fn count_of(&self, queue: &str) -> Result<(usize, bool)> {
        self.with_line(queue, |line| (line.waiting(), line.is_paused))
    }

    fn with_line<T>(&self, queue: &str, then: impl FnOnce(&mut Line) -> T) -> Result<T> {
        let all = &mut *self.all.borrow_mut();
        let line = all.by_name.get(queue).map(|line| &mut all.lines[*line as usize]);
        let line = line.filter(|line| line.limits().is_some());
        line.map(then).ok_or_else(|| {
            let message =
                format_args!("the queue {queue:?} is not defined: add it with Builder::queue");
            Error::of(Kind::Usage, message)
        })
    }

    /// The unended run that has the key of a place.
    pub(super) fn holder(&self, place: &Place) -> Option<RunKey> {
        let unique = place.unique.as_deref()?;
        let all = self.all.borrow();
        let line = *all.by_name.get(place.queue.as_deref().unwrap_or_default())?;
        all.lines[line as usize].holder(unique)
    }

    /// A run that is about to be submitted has the key of its place.
    pub(super) fn hold(&self, place: &Place, run: RunKey) {
        if let Some(unique) = &place.unique {
            let all = &mut *self.all.borrow_mut();
            let line = all.line(place.queue.as_deref().unwrap_or_default());
            all.lines[line as usize].hold(unique, run);
        }
    }
}

/// When a run is asked to end that waits until then.
fn deadline_of(row: &RunRow) -> Option<RunTimer> {
    let timer = |at| RunTimer {
        deadline: Timestamp::from_nanos(at),
        run: row.key,
        number: Number::DEADLINE,
    };
    row.deadline.map(timer)
}

impl All {
    /// The number of a queue.
    fn line(&mut self, name: &str) -> u32 {
        if let Some(line) = self.by_name.get(name) {
            return *line;
        }
        let number =
            u32::try_from(self.lines.len()).expect("fewer than 2^32 queues fit into memory");
        // Runs in no queue only wait for a time.
        let is_none = name.is_empty();
        self.lines.push(if is_none { Line::new(Limits::new()) } else { Line::default() });
        self.by_name.insert(name.into(), number);
        number
    }

    fn wait(&mut self, number: u32, run: RunKey, place: &Queued, now: Timestamp) {
        let (line, at) =
            (&mut self.lines[number as usize], Timestamp::from_nanos(place.eligible_at));
        let (part, priority) = (line.part(place.partition.as_deref()), place.priority);
        if at <= now {
            line.wait(part, (priority, run));
        } else {
            line.expect(part);
            self.later.insert((at, run), Later { line: number, part, priority });
        }
    }

    /// A run neither waits nor goes on, whatever it did before. Whether it waited.
    fn leave(&mut self, number: u32, run: RunKey, place: &Queued, now: Timestamp) -> bool {
        let line = &mut self.lines[number as usize];
        line.stop(run, now);
        let at = Timestamp::from_nanos(place.eligible_at);
        if let Some(later) = self.later.remove(&(at, run)) {
            line.expect_no_more(later.part, now);
            return true;
        }
        let part = line.find_part(place.partition.as_deref());
        part.is_some_and(|part| line.leave(part, (place.priority, run), now))
    }

    /// What has waited for a time waits for room from now on.
    fn ripen(&mut self, now: Timestamp) {
        while let Some(first) = self.later.first_entry()
            && first.key().0 <= now
        {
            let ((_, run), Later { line, part, priority }) = first.remove_entry();
            let line = &mut self.lines[line as usize];
            line.wait(part, (priority, run));
            line.expect_no_more(part, now);
        }
    }
}

impl Engine {
    /// A row is about to be written.
    pub(super) fn note_row(&self, row: &RunRow) {
        if let Some(place) = &row.queue {
            let has_code = self.registry.find(&row.workflow).is_some();
            self.queues.note(row, place, has_code, &self.world.timers);
        }
    }

    /// A run is deleted, whose row was this.
    pub(super) fn forget_row(&self, row: &RunRow) {
        self.queues.forget(row, &self.world.timers);
    }

    /// Learns which queues are paused, and which admissions are counted; what waits and what goes on is
    /// [found](Self::find_row) by who takes it up.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(super) fn look_through_queues(&self) -> Result<()> {
        self.recall_pauses()?;
        let looks_back = {
            let all = self.queues.all.borrow();
            all.lines.iter().filter_map(|line| line.limits()?.looks_back()).max()
        };
        if let Some(looks_back) = looks_back {
            let since = self.world.timers.now().minus(looks_back);
            let admitted = Filter::new().changed(since.as_nanos()..);
            let looked = self.store.borrow().scan(&admitted, &mut |row| {
                if let Some(place) = &row.queue
                    && let Some(at) = place.admitted_at
                {
                    self.queues.count(place, Timestamp::from_nanos(at));
                }
            });
            looked.map_err(|error| Error::store(&error))?;
            self.recall_gone()?;
        }
        Ok(())
    }

    /// Until when a rate counts the admission of a run.
    pub(super) fn counted_until(&self, row: &RunRow) -> Timestamp {
        let counted = row.queue.as_ref().and_then(|place| {
            let looks_back = self.queues.limits(&place.name)?.looks_back()?;
            Some(Timestamp::from_nanos(place.admitted_at?) + looks_back)
        });
        counted.unwrap_or_default()
    }

    /// Whether a run is to be admitted with the next commit.
    pub(super) fn admits(&self) -> bool {
        self.queues.is_used.get()
            && !self.world.ending.is_closing()
            && self.queues.next(self.world.timers.now()).is_some()
    }

    /// Has the timers know when a run may be admitted by the time alone.
    pub(super) fn watch_queues(&self) {
        if self.queues.is_used.get() {
            let is_closing = self.world.ending.is_closing();
            let next = self.queues.next_at(self.world.timers.now()).filter(|_| !is_closing);
            self.world.timers.set_next_admission(next);
        }
    }

    /// The unended run that has the key of a place: its id and its workflow.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn holder(&self, place: &Place) -> Result<Option<RunRow>> {
        let Some(run) = self.queues.holder(place) else { return Ok(None) };
        match self.ledgers.resident(run) {
            Some(run) => Ok(Some(run.row())),
            None => self.row(run),
        }
    }

    /// Whether a run that has ended may go on with its unique key.
    ///
    /// # Errors
    ///
    /// If another one has it.
    pub(super) fn check_key(&self, row: &RunRow) -> Result<()> {
        let Some(place) = Options::of_row(row).place else { return Ok(()) };
        if place.is_debounced && !row.state.is_waiting() {
            return Ok(());
        }
        match self.holder(&place)?.filter(|holder| holder.key != row.key) {
            None => Ok(()),
            Some(holder) => {
                let message = format_args!(
                    "run {:?} is not retried: run {:?} has its unique key",
                    row.id, holder.id
                );
                Err(Error::of(Kind::Taken, message))
            }
        }
    }

    /// Whether a run may be put there by whoever starts it.
    ///
    /// # Errors
    ///
    /// If it may not.
    pub(crate) fn check_place(&self, id: &str, place: &Place) -> Result<()> {
        let refused = |why: core::fmt::Arguments<'_>| {
            Err(Error::of(Kind::Usage, format_args!("run {id:?} cannot wait so: {why}")))
        };
        let Some(queue) = &place.queue else {
            return match (&place.partition, place.priority) {
                (None, 0) => Ok(()),
                (Some(_), _) => {
                    refused(format_args!("a partition is one of a queue: say of which"))
                }
                (None, _) => refused(format_args!("a priority is one in a queue: say in which")),
            };
        };
        let each = self.queues.limits(queue).map(|limits| limits.each);
        match (each, &place.partition) {
            (Some(None), Some(partition)) => refused(format_args!(
                "queue {queue:?} has no partitions: leave out {partition:?}, or give it limits for each with \
                 Limits::per_partition"
            )),
            (Some(Some(_)), None) => refused(format_args!(
                "queue {queue:?} has limits for each partition: say which one with Start::partition"
            )),
            // What this build does not define is checked by nobody.
            (None, _) | (Some(None), None) | (Some(Some(_)), Some(_)) => Ok(()),
        }
    }

    /// Whether this build has the queue of a place.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub(crate) fn expect_queue(&self, id: &str, queue: Option<&str>) -> Result<()> {
        match queue.filter(|queue| !queue.is_empty() && self.queues.limits(queue).is_none()) {
            None => Ok(()),
            Some(queue) => {
                let message = format_args!(
                    "run {id:?} needs the queue {queue:?}, which is not defined: add it with Builder::queue"
                );
                Err(Error::of(Kind::Usage, message))
            }
        }
    }
}
