//! What is in the store when it is opened: found, listed, recovered.

use alloc::rc::Rc;
use alloc::vec::Vec;

use dacapo_store::{Filter, RunKey, RunRow, RunState};
use dacapo_values::Comparison;

use super::queues::Found;
use super::{Engine, guard, unregistered};
use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::ending::Ending;
use crate::error::{Error, Kind, Result};
use crate::fault::Fault;
use crate::instance::{Instance, TakenUp};
use crate::ledger::{Draft, Ledger, What};
use crate::random;
use crate::record::{Carried, Options, Outcome, Record, SEMANTICS_VERSION, Submission};
use crate::watch::Watch;

impl Engine {
    pub(crate) fn find(&self, id: &str) -> Result<Option<RunRow>> {
        self.store.borrow().find(id).map_err(|error| Error::store(&error))
    }

    pub(crate) fn row(&self, run: RunKey) -> Result<Option<RunRow>> {
        self.store.borrow().row(run).map_err(|error| Error::store(&error))
    }

    pub(crate) fn list(&self, filter: &Filter) -> Result<Vec<RunRow>> {
        self.store.borrow().list(filter).map_err(|error| Error::store(&error))
    }

    /// The recorded outcome of an ended run.
    pub(crate) fn outcome(&self, row: &RunRow) -> Result<Outcome<'static>> {
        self.recorded_outcome(row).map_err(|error| Error::store(&error))?
    }

    /// The same; what the store says is told apart from what is damaged.
    pub(super) fn recorded_outcome(
        &self,
        row: &RunRow,
    ) -> dacapo_store::Result<Result<Outcome<'static>>> {
        let last = self.store.borrow().last(row.key)?;
        let record = last.last().map(|entry| Record::read(entry.record));
        Ok(match record {
            Some(Ok(Record::Finished { outcome, .. })) => Ok(outcome.map(Bytes::into_owned)),
            Some(_) | None => {
                let id = &row.id;
                let message = format_args!("the history of run {id:?} is damaged at its end");
                Err(Error::of(Kind::Store, message))
            }
        })
    }

    /// Adds a run, whose start is recorded by the next commit.
    ///
    /// # Errors
    ///
    /// If its workflow is not registered.
    pub(crate) fn start(
        &self,
        workflow: &'static str,
        id: &str,
        input: Bytes<'static>,
        options: Options,
    ) -> Result<Rc<Instance>> {
        if let Some(place) = &options.place {
            self.expect_queue(id, place.queue.as_deref())?;
            self.check_place(id, place)?;
        }
        let run = self.enter(self.take_key(), id.into(), workflow);
        let run = run.ok_or_else(|| unregistered(id, workflow))?;
        if let Some(place) = &options.place {
            self.queues.hold(place, run.key());
        }
        if options == Options::default() {
            let (version, seed) = (SEMANTICS_VERSION, random::mix(self.seed, run.key().0));
            run.draft(Record::Started { workflow, input, version, seed });
        } else {
            let (link, carried) = (None, Carried::default());
            let submission = Submission { workflow, input, options, link, pass: 1, carried };
            run.submit(&submission);
            let waits = submission.waits().is_some();
            run.draft(Record::Submitted(submission.into()));
            if !waits {
                run.draft(self.admission(run.key()));
            }
        }
        self.world.bodies.raw().notify();
        Ok(run)
    }

    /// What a run began with, or is to begin with as things stand; `None` if that is what a pass before it left.
    fn begins_with(&self, id: &str, run: RunKey) -> Result<Option<Bytes<'static>>> {
        let damaged = format_args!("the history of run {id:?} is damaged at its beginning");
        let mut input = None;
        // One by one: what lies behind the beginning may be damaged.
        for seq in 0.. {
            let read = self.store.borrow().entries(run, seq..seq + 1);
            let read = read.map_err(|error| Error::store(&error))?;
            match read.get(0).map(|entry| Record::read(entry.record)) {
                Some(Ok(Record::Started { input, .. })) => return Ok(Some(input.into_owned())),
                Some(Ok(Record::Submitted(submission))) if submission.pass > 1 => return Ok(None),
                Some(Ok(Record::Submitted(submission))) => {
                    input = Some(submission.input.into_owned());
                }
                Some(Ok(Record::Resubmitted(resubmission))) => {
                    input = resubmission.input.map(Bytes::into_owned).or(input);
                }
                // What comes to a run that waits.
                Some(Ok(
                    Record::MessageArrived { .. }
                    | Record::MessageSkipped { .. }
                    | Record::CancelRequested { .. }
                    | Record::Retried { .. }
                    | Record::Forked { .. }
                    | Record::Moved { .. },
                )) => {}
                Some(Ok(
                    Record::Admitted { .. }
                    | Record::OperationEnded { .. }
                    | Record::OperationNoted { .. }
                    | Record::Marked { .. }
                    | Record::Reported { .. }
                    | Record::Finished { .. }
                    | Record::Again,
                ))
                | None => break,
                Some(Err(_)) => return Err(Error::of(Kind::Store, damaged)),
            }
        }
        input.map(Some).ok_or_else(|| Error::of(Kind::Store, damaged))
    }

    /// # Errors
    ///
    /// If the run with this id was started with another input, or that cannot be read.
    pub(crate) fn expect_input(&self, id: &str, input: &Bytes<'_>) -> Result<()> {
        if self.ledgers.with_id(id).is_some() {
            // Its start may be about to be committed.
            self.commit()?;
        }
        let Some(row) = self.find(id)? else { return Ok(()) };
        let first = self.passes_before(row.key)?.pop().unwrap_or(row.key);
        // The passes before are deleted, and nobody knows what the first of them began with.
        let Some(was) = self.begins_with(id, first)? else { return Ok(()) };
        let values = &self.world.values;
        let compared = match self.registry.find(&row.workflow) {
            Some(workflow) => {
                values.compare_over_builds(was.as_slice(), input.as_slice(), workflow.input)
            }
            None => values.compare(was.as_slice(), input.as_slice()),
        };
        match compared.map_err(|why| Error::of(Kind::Store, format_args!("{why}")))? {
            // A set has its elements in any order.
            Comparison::Same | Comparison::Reordered => Ok(()),
            Comparison::Different => {
                let message = format_args!(
                    "run {id:?} was started with another input: give this one an id of its own, or \
                     attach to that run"
                );
                Err(Error::of(Kind::Usage, message))
            }
        }
    }

    /// Has the next commit forget a run that has ended or is parked, with the passes before, and gives
    /// where to wait for that.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn delete(&self, row: &RunRow) -> Result<Rc<Watch>> {
        let run = row.key;
        let passes = if row.pass > 1 { self.passes_before(run)? } else { Vec::new() };
        let mut pending = self.world.pending.borrow_mut();
        let is_same = |draft: &&Draft| matches!(draft.what, What::Delete) && draft.to.key == run;
        if let Some(draft) = pending.others().rows.iter().find(is_same) {
            return Ok(draft.to.watch());
        }
        for pass in &passes {
            self.row(*pass)?.iter().for_each(|row| self.keep_count(row));
        }
        self.keep_count(row);
        let ledger = Ledger::new(run);
        for pass in passes.into_iter().map(Ledger::new).chain([ledger.clone()]) {
            pending.others_mut().rows.push(pass.draft(What::Delete));
        }
        self.world.bodies.raw().notify();
        Ok(ledger.watch())
    }

    /// The passes of a run before the one with this key, as far as they are there.
    fn passes_before(&self, run: RunKey) -> Result<Vec<RunKey>> {
        let (mut passes, mut first) = (Vec::new(), run);
        while let Some(before) = self.pass_before(first)? {
            passes.push(before);
            first = before;
        }
        Ok(passes)
    }

    /// The pass before one, if it is there.
    fn pass_before(&self, run: RunKey) -> Result<Option<RunKey>> {
        let Some(before) = self.key_before(run)? else { return Ok(None) };
        let (row, before) = (self.row(run)?, self.row(before)?);
        // What was copied says what it said where it came from.
        let is_it = |before: &RunRow| {
            let is_next = |row: &RunRow| row.id == before.id && row.pass == before.pass + 1;
            row.as_ref().is_some_and(is_next)
        };
        Ok(before.filter(is_it).map(|before| before.key))
    }

    /// What the first record of a run says. Of one that cannot be read, nothing.
    fn key_before(&self, run: RunKey) -> Result<Option<RunKey>> {
        let first = match self.store.borrow().entries(run, 0..1) {
            Err(error) if error.is_refused() => return Err(Error::store(&error)),
            first => first.ok(),
        };
        let record = first.as_ref().and_then(|first| first.get(0)).map(|entry| entry.record);
        match record.map(Record::read) {
            Some(Ok(Record::Submitted(submission))) => Ok(submission.carried.before.map(RunKey)),
            Some(Ok(_) | Err(_)) | None => Ok(None),
        }
    }

    /// Whether the next commit forgets a run: it must not be taken up again before that.
    pub(crate) fn is_being_deleted(&self, run: RunKey) -> bool {
        let pending = self.world.pending.borrow();
        pending
            .others()
            .rows
            .iter()
            .any(|draft| matches!(draft.what, What::Delete) && draft.to.key == run)
    }

    /// Takes up all unfinished runs of registered workflows: replays them, or notes when they go on
    /// if nothing can happen before that.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn recover(&self) -> Result<()> {
        let note = self.store.borrow().note(Ending::NOTE).map_err(|error| Error::store(&error))?;
        // Where no workflow is known no body begins, so the note is for the next one.
        let note = note.filter(|_| !self.registry.is_empty());
        self.look_back()?;
        self.world.advance();
        self.world.ending.recover(note.is_some(), || self.take_up_unfinished())?;
        self.take_up_what_others_parked()
    }

    /// Learns what the process before ended in, and tells of it.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn look_back(&self) -> Result<()> {
        self.guard.look_back(&self.store);
        self.notify_suspects()
    }

    /// The same for one who only looks, and rehearses a part of the runs after another: those that have ended the
    /// processes of earlier looks are known then.
    pub(crate) fn look_back_once(&self) -> Result<()> {
        let is_looking = self.store.borrow().writers_marker().is_some();
        if is_looking && self.guard.is_clear() { self.look_back() } else { Ok(()) }
    }

    /// Whoever only looks takes nothing back of what is known of earlier ends.
    pub(crate) fn keep_suspects(&self) {
        let is_writer = self.store.borrow().writers_marker().is_none();
        if is_writer {
            self.guard.look_back(&self.store);
        }
    }

    /// The runs of which one has ended the process before, and is not parked yet: their rows, and how often. So
    /// says this process; of a file that is only looked at, the one that wrote to it last.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(crate) fn suspects(&self) -> Result<Vec<(RunRow, u32)>> {
        let writers = self.writers_guard();
        let guard = writers.as_ref().unwrap_or(&self.guard);
        let mut suspects = Vec::new();
        for kind in [guard::Kind::Replay, guard::Kind::Leave] {
            let (runs, ends) = guard.foremost(kind);
            for run in runs {
                let row = self.row(run)?.filter(|row| row.state == RunState::Running);
                suspects.extend(row.map(|row| (row, ends)));
            }
        }
        Ok(suspects)
    }

    /// Whether the code of a run may end the process: it was parked or held for that, or is about to be. Whoever only
    /// looks does not try.
    pub(crate) fn ends_processes(&self, row: &RunRow) -> bool {
        use crate::fault::ParkReason::{EndedProcess, OnRequest};
        let is_parked = || matches!(fault_of(row).reason(), EndedProcess | OnRequest);
        self.writers_guard().as_ref().unwrap_or(&self.guard).suspects(row.key)
            || row.state == RunState::Parked && is_parked()
    }

    /// What is known by those who write to a file that is only looked at, until a rehearsal has said more.
    fn writers_guard(&self) -> Option<guard::Guard> {
        if self.guard.is_clear() { guard::Guard::of_writers(&self.store) } else { None }
    }

    /// A rehearsal is over, and has said what is wrong: the next one tries again.
    pub(crate) fn forget_suspects(&self) {
        self.guard.forget_all(&self.store);
    }

    /// Resumes the runs that another build parked, for what may be otherwise in this one.
    fn take_up_what_others_parked(&self) -> Result<()> {
        let Some(build) = &self.world.setup.build_id else { return Ok(()) };
        let mut rows = self.list(&Filter::new().states(&[RunState::Parked]))?;
        rows.retain(|row| {
            let is_held = self.guard.is_held(&row.id);
            let has_code = self.registry.find(&row.workflow).is_some();
            has_code && !is_held && fault_of(row).may_be_mended_by(build)
        });
        for row in rows {
            // One that cannot go on here either is parked anew, by this build.
            match self.take_up(&row, TakenUp::Resumed) {
                Ok(()) => {}
                Err(error) if error.is_parked() => {}
                Err(error) => return Err(error),
            }
            self.evict_surplus();
        }
        Ok(())
    }

    fn take_up_unfinished(&self) -> Result<()> {
        let (mut rows, mut asleep, mut found) = (Vec::new(), Vec::new(), Found::default());
        self.look_through_queues()?;
        let scanned = self.store.borrow().scan(&Filter::new().unfinished(), &mut |row| {
            let has_code = self.registry.find(&row.workflow).is_some();
            self.find_row(&row, has_code, &mut found);
            if has_code && row.state == RunState::Running {
                match self.sleeps_until(&row) {
                    Some(wake_at) if !self.guard.is_held(&row.id) => {
                        asleep.push((wake_at, row.key))
                    }
                    Some(_) | None => rows.push(row),
                }
            }
        });
        scanned.map_err(|error| Error::store(&error))?;
        self.queues.settle(found);
        self.world.timers.add_returns(asleep);
        for group in rows.chunks(self.group()) {
            let runs = group.iter().map(|row| row.key);
            self.guard.share_mark(&self.store, guard::Kind::Replay, runs, || {
                group.iter().try_for_each(|row| self.reload(row).map(drop))
            })?;
            self.evict_surplus();
        }
        Ok(())
    }

    /// Until when a run is left where it is: its row says that nothing can happen to it before that,
    /// and no more is kept of it.
    fn sleeps_until(&self, row: &RunRow) -> Option<Timestamp> {
        let wake_at = row.wake_at.map(Timestamp::from_nanos);
        wake_at.filter(|at| *at > self.world.timers.now())
    }
}

/// The reason in a parked run's row.
pub(crate) fn fault_of(row: &RunRow) -> Fault {
    Fault::of_note(&row.note)
}
