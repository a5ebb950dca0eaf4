//! Schedules: runs that are started at their times. The start of a run and the note of how far its schedule
//! has come are one commit, so a tick has one run, wherever the process ends.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use dacapo_store::{RunState, Store};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::write::Writer;
use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::codec;
use crate::error::{Error, Kind, Result};
use crate::instance::NoteDraft;
use crate::notice::Notice;
use crate::panics::{self, Caller};
use crate::record::{Carried, Submission};
use crate::schedule::{Missed, Overlap, Scheduled, Tick, Times};
use crate::start::Start;
use crate::watch::Watch;

/// Those of this build, by their names.
pub(crate) struct Schedules {
    all: BTreeMap<&'static str, Kept>,
    /// When the first of them has something to do: `NEVER` if none has.
    next_at: Cell<Timestamp>,
    /// When this process opened the store: ticks up to then were missed.
    opened_at: Timestamp,
}

/// One schedule, and how far it has come.
struct Kept {
    scheduled: Scheduled,
    times: Times,
    state: RefCell<State>,
    /// Whether nothing of it is in the store as it is now.
    is_new: Cell<bool>,
}

/// What the store has of a schedule. The order of the fields is the format.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct State {
    /// What it was in the build that wrote this: one that has become another begins anew.
    when: String,
    /// When it was new.
    since: Timestamp,
    /// The last tick that was looked at.
    last: Timestamp,
    /// The last one for which a run was started.
    started: Option<Timestamp>,
    /// Why there are no ticks.
    paused: Option<String>,
}

/// What is known of a schedule; see [`Executor::schedules`](crate::Executor::schedules).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ScheduleInfo {
    /// Its name.
    pub name: String,
    /// The workflow that it starts.
    pub workflow: String,
    /// When it has its next tick, if it is not paused and there is one.
    pub next_at: Option<Timestamp>,
    /// The last tick for which a run was started.
    pub started_at: Option<Timestamp>,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
}

impl Default for Schedules {
    fn default() -> Self {
        let (next_at, opened_at) = (Cell::new(Timestamp::NEVER), Timestamp::default());
        Self { all: BTreeMap::new(), next_at, opened_at }
    }
}

impl Schedules {
    /// What notes of schedules begin with; the name follows.
    const NOTE: &'static [u8] = b"schedule ";

    /// A schedule cannot name more times than this at once.
    const MOST: usize = 10_000;

    /// Reads how far they have come.
    ///
    /// # Errors
    ///
    /// If one of them never has a tick, or is wrong otherwise; if the store cannot be read.
    pub(crate) fn open(
        scheduled: Vec<Scheduled>,
        store: &dyn Store,
        check: impl Fn(&Scheduled) -> Result<(), String>,
        now: Timestamp,
    ) -> Result<Self> {
        let mut all = BTreeMap::new();
        for scheduled in scheduled {
            let name = scheduled.name;
            let wrong = |why: &str| Error::of(Kind::Usage, format!("the schedule {name:?}: {why}"));
            let times = scheduled.schedule.times().map_err(|why| wrong(&why))?;
            check(&scheduled).map_err(|why| wrong(&why))?;
            let note = store.note(&note_key(name)).map_err(|error| Error::store(&error))?;
            let stored = note.map(|note| codec::decode::<State>(&note)).transpose();
            let stored = stored.map_err(|why| {
                let why = format!("its note cannot be read: {why}; restore the file from a backup");
                Error::of(Kind::Store, format!("the schedule {name:?}: {why}"))
            })?;
            let when = scheduled.schedule.to_string();
            let kept = stored.as_ref().filter(|state| state.when == when).cloned();
            let is_new = Cell::new(kept.is_none());
            let state = kept.unwrap_or_else(|| State {
                when,
                since: now,
                last: now,
                started: stored.as_ref().and_then(|stored| stored.started),
                paused: stored.and_then(|stored| stored.paused),
            });
            let state = RefCell::new(state);
            all.insert(name, Kept { scheduled, times, state, is_new });
        }
        let schedules = Self { all, next_at: Cell::default(), opened_at: now };
        schedules.note_next();
        Ok(schedules)
    }

    fn note_next(&self) {
        let next = self.all.values().filter_map(|kept| match kept.is_new.get() {
            true => Some(Timestamp::default()),
            false => kept.next(),
        });
        self.next_at.set(next.min().unwrap_or(Timestamp::NEVER));
    }

    fn get(&self, name: &str) -> Result<&Kept> {
        self.all.get(name).ok_or_else(|| {
            let names: Vec<_> = self.all.keys().map(|name| format!("{name:?}")).collect();
            let all = if names.is_empty() { "none".into() } else { names.join(", ") };
            let message = format_args!("there is no schedule {name:?}: this build has {all}");
            Error::of(Kind::NotFound, message)
        })
    }
}

impl Kept {
    fn next(&self) -> Option<Timestamp> {
        let state = self.state.borrow();
        self.times.next(state.since, state.last).filter(|_| state.paused.is_none())
    }

    /// The ticks up to `now` for which there is to be a run, and the last one that was looked at.
    fn due(&self, opened_at: Timestamp, now: Timestamp) -> (Vec<Timestamp>, Option<Timestamp>) {
        let State { since, last, .. } = *self.state.borrow();
        let newest = self.times.last(since, (last, now), 1).pop();
        let due = match self.scheduled.schedule.missed {
            Missed::Latest => newest.into_iter().collect(),
            Missed::All(most) => {
                let most = usize::try_from(most.max(1)).unwrap_or(usize::MAX);
                self.times.last(since, (last, now), most)
            }
            Missed::Skip => newest.into_iter().filter(|time| *time > opened_at).collect(),
        };
        (due, newest)
    }

    /// Makes the input of a run, with code of the user.
    fn input(&self, engine: &Engine, tick: Tick) -> core::result::Result<Bytes<'static>, String> {
        let world = &engine.world;
        let input = || (self.scheduled.input)(tick, &world.values);
        match panics::catch(|| world.setup.caught.calling(Caller::Schedule, input)) {
            Ok(input) => input.map_err(|why| format!("its input cannot be recorded: {why}")),
            Err(message) => Err(format!("its input function panicked: {message}")),
        }
    }

    /// What the next commit writes of it.
    fn draft(&self, starts: Vec<(Rc<str>, Submission<'static>)>) -> NoteDraft {
        self.is_new.set(false);
        let value = Some(codec::encode(&*self.state.borrow()));
        NoteDraft { key: note_key(self.scheduled.name), value, starts, receipt: Rc::default() }
    }
}

impl Engine {
    /// Reads how far schedules have come.
    ///
    /// # Errors
    ///
    /// As with [`Schedules::open`].
    pub(crate) fn open_schedules(&mut self, scheduled: Vec<Scheduled>) -> Result<()> {
        let store = self.store.borrow();
        // What was due by now was missed.
        let now = self.world.timers.present();
        let check = |scheduled: &Scheduled| self.check_scheduled(scheduled);
        let schedules = Schedules::open(scheduled, &**store, check, now)?;
        drop(store);
        self.schedules = schedules;
        Ok(())
    }

    /// Whether this build has what the runs of a schedule need; what it lacks.
    fn check_scheduled(&self, scheduled: &Scheduled) -> Result<(), String> {
        let workflow = scheduled.workflow;
        if self.registry.find(workflow).is_none() {
            return Err(format!(
                "it starts {workflow:?}, which is not registered: add it with Builder::workflow"
            ));
        }
        let Some(queue) = scheduled.schedule.queue().map(|queue| queue.name()) else {
            return Ok(());
        };
        match self.queues.limits(queue) {
            None => Err(format!(
                "it needs the queue {queue:?}, which is not defined: add it with Builder::queue"
            )),
            Some(limits) if limits.each.is_some() => Err(format!(
                "the queue {queue:?} has limits for each partition, and runs of schedules are in none: give it \
                 another queue"
            )),
            Some(_) => Ok(()),
        }
    }

    /// Has the next commit start what is due.
    ///
    /// # Errors
    ///
    /// If the store does not say whether a run goes on that no other may overlap.
    #[inline]
    pub(super) fn draft_ticks(&self) -> Result<()> {
        match self.schedules.next_at.get() <= self.world.timers.now() {
            true => self.draft_due(),
            false => Ok(()),
        }
    }

    #[cold]
    fn draft_due(&self) -> Result<()> {
        if self.world.ending.is_closing() {
            return Ok(());
        }
        let now = self.world.timers.now();
        for kept in self.schedules.all.values() {
            if kept.is_new.get() || kept.next().is_some_and(|next| next <= now) {
                let draft = kept.draft_due(self, now)?;
                self.world.pending.borrow_mut().others_mut().notes.push(draft);
            }
        }
        self.schedules.note_next();
        Ok(())
    }

    /// How long it is until the first schedule has something to do.
    pub(super) fn next_tick(&self) -> Option<Duration> {
        let at = self.schedules.next_at.get();
        (at != Timestamp::NEVER && !self.world.ending.is_closing() && self.check().is_ok())
            .then(|| at.since(self.world.timers.present()))
    }

    /// Whether the run of a schedule's last tick goes on, or waits to begin.
    fn runs(&self, name: &'static str, time: Timestamp) -> Result<bool> {
        let row = self.find(&Tick::new(name, time).run_id())?;
        Ok(row.is_some_and(|row| {
            let is_under_way = row.state == RunState::Running || row.state.is_waiting();
            is_under_way && self.registry.find(&row.workflow).is_some()
        }))
    }

    /// Has the next commit change whether a schedule is paused, and why; where to wait for that. One that
    /// goes on begins now.
    pub(crate) fn pause(&self, name: &str, why: Option<String>) -> Result<Rc<Watch>> {
        let kept = self.schedules.get(name)?;
        {
            let state = &mut *kept.state.borrow_mut();
            if why.is_none() && state.paused.is_some() {
                state.last = self.world.timers.present();
            }
            state.paused = why;
        }
        let draft = kept.draft(Vec::new());
        let receipt = draft.receipt.clone();
        self.world.pending.borrow_mut().others_mut().notes.push(draft);
        self.schedules.note_next();
        self.world.bodies.raw().notify();
        Ok(receipt)
    }

    /// What is known of each; if there is none, of those that the store has.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn schedules(&self) -> Result<Vec<ScheduleInfo>> {
        if self.schedules.all.is_empty() {
            return self.stored_schedules();
        }
        let info = |kept: &Kept| {
            let state = kept.state.borrow();
            ScheduleInfo {
                name: kept.scheduled.name.into(),
                workflow: kept.scheduled.workflow.into(),
                next_at: kept.next(),
                started_at: state.started,
                paused: state.paused.clone(),
            }
        };
        Ok(self.schedules.all.values().map(info).collect())
    }

    fn stored_schedules(&self) -> Result<Vec<ScheduleInfo>> {
        let mut stored = Vec::new();
        let store = self.store.borrow();
        let read = store.notes(Schedules::NOTE, &mut |key, note| {
            let name = String::from_utf8_lossy(&key[Schedules::NOTE.len()..]).into_owned();
            // One that cannot be read is told of by who opens the file.
            if let Ok(State { started, paused, .. }) = codec::decode::<State>(note) {
                let (workflow, next_at) = (String::new(), None);
                stored.push(ScheduleInfo { name, workflow, next_at, started_at: started, paused });
            }
        });
        read.map_err(|error| Error::store(&error))?;
        Ok(stored)
    }

    /// The ticks of a schedule from one time on until before another.
    ///
    /// # Errors
    ///
    /// If there is no such schedule, or there are too many.
    pub(crate) fn ticks(&self, name: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Tick>> {
        const INSTANT: Duration = Duration::from_nanos(1);
        let kept = self.schedules.get(name)?;
        let since = kept.state.borrow().since;
        let most = Schedules::MOST;
        let times = match from < to {
            true => kept.times.last(since, (from.minus(INSTANT), to.minus(INSTANT)), most + 1),
            false => Vec::new(),
        };
        if times.len() > most {
            let message = format_args!(
                "the schedule {name:?} has more than {most} ticks in that time: take it in parts"
            );
            return Err(Error::of(Kind::Usage, message));
        }
        Ok(times.into_iter().map(|time| Tick::new(kept.scheduled.name, time)).collect())
    }

    /// The tick that somebody wants now.
    pub(crate) fn tick_now(&self, name: &str) -> Result<Tick> {
        let kept = self.schedules.get(name)?;
        Ok(Tick::new(kept.scheduled.name, self.world.timers.present()))
    }

    /// What a tick's run is started with: the workflow, the input, and the options.
    ///
    /// # Errors
    ///
    /// If the input function panics, or what it returns cannot be recorded.
    pub(crate) fn tick_start(&self, tick: Tick) -> Result<(&'static str, Bytes<'static>, Start)> {
        let kept = self.schedules.get(tick.schedule())?;
        let input = kept.input(self, tick).map_err(|why| {
            Error::of(Kind::Usage, format_args!("the schedule {:?}: {why}", tick.schedule()))
        })?;
        Ok((kept.scheduled.workflow, input, kept.options()))
    }
}

impl Kept {
    fn draft_due(&self, engine: &Engine, now: Timestamp) -> Result<NoteDraft> {
        let name = self.scheduled.name;
        let (due, newest) = self.due(engine.schedules.opened_at, now);
        let mut starts = Vec::new();
        for time in due {
            let started = self.state.borrow().started;
            let overlaps = self.scheduled.schedule.overlap == Overlap::Skip
                && match started {
                    _ if !starts.is_empty() => true,
                    Some(time) => engine.runs(name, time)?,
                    None => false,
                };
            if overlaps {
                continue;
            }
            let tick = Tick::new(name, time);
            match self.input(engine, tick) {
                Ok(input) => {
                    starts.push((tick.run_id().into(), self.submission(input, now)));
                    self.state.borrow_mut().started = Some(time);
                }
                Err(reason) => {
                    engine
                        .world
                        .notify(&Notice::SchedulePaused { schedule: name, reason: &reason });
                    self.state.borrow_mut().paused = Some(reason);
                    break;
                }
            }
        }
        if let Some(newest) = newest {
            self.state.borrow_mut().last = newest;
        }
        Ok(self.draft(starts))
    }

    /// The options of its runs.
    fn options(&self) -> Start {
        let options = Start::new().attribute(Tick::ATTRIBUTE, self.scheduled.name);
        match self.scheduled.schedule.queue() {
            Some(queue) => options.queue(queue),
            None => options,
        }
    }

    fn submission(&self, input: Bytes<'static>, now: Timestamp) -> Submission<'static> {
        let (workflow, options) = (self.scheduled.workflow, self.options().later().at(now));
        Submission { workflow, input, options, link: None, pass: 1, carried: Carried::default() }
    }
}

fn note_key(name: &str) -> Vec<u8> {
    [Schedules::NOTE, name.as_bytes()].concat()
}

impl Writer<'_> {
    /// Writes how far schedules have come, and starts their runs: one that is there counts as started. And which
    /// queues are paused.
    pub(super) fn write_notes(&mut self, notes: &[NoteDraft]) {
        for NoteDraft { key, value, starts, .. } in notes {
            match value {
                Some(value) => self.batch.put_note(key, value),
                None => self.batch.remove_note(key),
            }
            for (id, submission) in starts {
                if self.check_free(id).is_ok() {
                    let _run = self.begin_run(id, submission.clone());
                }
            }
        }
    }
}

impl NoteDraft {
    /// The executor has stopped.
    pub(super) fn refuse(&self, why: &Error) {
        self.receipt.end(Err(why.clone()));
    }
}
