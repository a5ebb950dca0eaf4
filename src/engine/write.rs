//! A commit as the store is given it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::mem;

use dacapo_store::{Batch, RunKey, RunRow, RunState};

use super::Engine;
use super::deliver::Committed;
use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::instance::{Arrival, BodyEnd, Pending, Reported, Sleeper, Transacted, Written};
use crate::ledger::{Draft, Ledger, Retrial, What};
use crate::record::{Link, Record};

/// So many outcomes or drafts lie between the one that is written and the one whose memory is fetched.
pub(super) const AHEAD: usize = 6;

impl Engine {
    /// Commits what was taken up to the limit of a commit's size, and puts back what is left over: it
    /// comes first in the next one, if its run still expects it.
    ///
    /// The parts are written in their order, and the cut is between two runs: what one run asked
    /// for at one point is never split.
    ///
    /// # Errors
    ///
    /// If the store refuses; all is put back then, for whoever waits for it to be told.
    pub(super) fn write(&self, taken: &mut Pending) -> dacapo_store::Result<Committed> {
        let now = self.world.timers.now();
        let changes = self.transact(taken, now).inspect_err(|error| {
            Self::tell_refused(taken, error);
            self.world.pending.borrow_mut().take_back(taken, &Written::default());
        })?;
        let batch = &mut *self.batch.borrow_mut();
        batch.clear();
        batch.set_time(now.as_nanos());
        let mut writer = Writer::new(self, batch, now);
        let written = match taken.has_only_outcomes() {
            true => {
                let (outcomes, _) = writer.write_outcomes(&taken.outcomes, &mut []);
                Written { outcomes, ..Written::default() }
            }
            false => writer.write_parts(taken),
        };
        if self.queues.is_used() {
            writer.write_admissions();
            self.write_gone(writer.batch);
        }
        writer.write_sleepers();
        self.world.ending.write(writer.batch);
        if writer.batch.is_empty() && changes.is_none() && self.keeps_time() {
            writer.batch.put_note(Self::TIME_NOTE, &now.as_nanos().to_le_bytes());
        }
        if !writer.batch.is_empty() || changes.is_some() {
            self.world.values.write_new(writer.batch);
            self.world.setup.store_id.write(writer.batch);
        }
        let is_full = writer.is_full;
        let refused = writer.elsewhere.and_then(|elsewhere| {
            let others = taken.others_mut();
            others.starts = elsewhere.starts;
            others.arrivals = elsewhere.arrivals;
            others.waiting = elsewhere.waiting;
            others.admitted = elsewhere.admitted;
            elsewhere.refused
        });
        let meters = &self.world.telemetry.meters;
        let began = meters.begin();
        let is_measured = self.load.measures_commits();
        if is_measured {
            self.begin_commit();
        }
        let committed = match (refused, changes) {
            (None, None) => self.store.borrow_mut().commit(batch),
            (None, Some(changes)) => self.commit_changes(batch, &changes),
            (Some(error), _) => Err(error),
        };
        match &committed {
            Ok(_) => {
                meters.committed(began, batch.len());
                if is_measured {
                    self.note_committed(batch.len());
                }
            }
            Err(error) => Self::tell_refused(taken, error),
        }
        if !is_full {
            self.world.holds_bodies.set(false);
        }
        if is_full || committed.is_err() {
            let written = if committed.is_ok() { written } else { Written::default() };
            self.world.pending.borrow_mut().take_back(taken, &written);
            self.has_stale.set(true);
        }
        Ok(Committed { number: committed?, time: now })
    }
}

/// A run that is not in memory, and gets something all the same: it is parked, or its workflow is not
/// registered.
pub(super) struct Guest {
    pub(super) ledger: Rc<Ledger>,
    pub(super) row: RunRow,
}

/// What writes one batch.
pub(super) struct Writer<'a> {
    pub(super) engine: &'a Engine,
    pub(super) batch: &'a mut Batch,
    pub(super) now: Timestamp,
    /// The bytes of all records so far, and with how many it takes no further run.
    size: usize,
    size_max: usize,
    /// The run that was written last.
    last: Option<RunKey>,
    /// Whether it took no more, so that something is left over.
    is_full: bool,
    /// Nothing for nearly all batches.
    pub(super) elsewhere: Option<Box<Elsewhere>>,
}

/// The run that is asked, the name of the question, and its key.
type QuestionKey = (RunKey, Rc<str>, Rc<str>);

/// What is known of what comes to runs from elsewhere with one batch.
#[derive(Default)]
pub(super) struct Elsewhere {
    pub(super) arrivals: Vec<Arrival>,
    /// What runs begin with that others started.
    pub(super) starts: Vec<Draft>,
    /// Of these, the ones that are not in memory, by their ids.
    pub(super) born: BTreeMap<Rc<str>, RunKey>,
    /// What this batch has for runs that are not in memory.
    pub(super) guests: BTreeMap<RunKey, Guest>,
    /// Where its questions with keys stand.
    pub(super) questions: BTreeMap<QuestionKey, Rc<Cell<u64>>>,
    /// The keys of its messages, and the runs that it asks to end.
    pub(super) keys: BTreeSet<(RunKey, Rc<str>, Rc<str>)>,
    pub(super) cancelled: BTreeSet<RunKey>,
    /// The runs that it forgets.
    pub(super) deleted: BTreeSet<RunKey>,
    /// What no longer waits, for runs that are not there or that it forgets.
    pub(super) let_go: BTreeSet<Link>,
    /// The runs that wait to be admitted from now on, and the admissions.
    pub(super) waiting: Vec<Rc<Ledger>>,
    pub(super) admitted: Vec<Draft>,
    /// Why the store cannot be read, if it cannot.
    pub(super) refused: Option<dacapo_store::Error>,
}

impl<'a> Writer<'a> {
    fn new(engine: &'a Engine, batch: &'a mut Batch, now: Timestamp) -> Self {
        let size_max = engine.world.commit_bytes();
        Self { engine, batch, now, size: 0, size_max, last: None, is_full: false, elsewhere: None }
    }

    pub(super) fn elsewhere(&mut self) -> &mut Elsewhere {
        self.elsewhere.get_or_insert_default()
    }

    /// Whether the batch has room for more of this run.
    pub(super) fn takes(&mut self, run: &Ledger) -> bool {
        let takes = self.size <= self.size_max || self.last == Some(run.key);
        self.last = Some(run.key).filter(|_| takes);
        match takes {
            true => run.note_written(),
            false => self.is_full = true,
        }
        takes
    }

    /// Writes all parts while there is room, and says how much of each.
    #[inline(never)]
    fn write_parts(&mut self, taken: &mut Pending) -> Written {
        let (outcomes, others) = taken.parts_mut();
        if others.arrivals.capacity() > 0 {
            // Their memory is used again.
            self.elsewhere().arrivals = mem::take(&mut others.arrivals);
        }
        for run in others.rows.iter().filter_map(deleted) {
            self.elsewhere().deleted.insert(run);
        }
        let passes = self.write_all(&others.passes);
        self.write_transacted(&others.transacted);
        let requests = self.write_drafts(&others.requests);
        let (outcomes, reports) = self.write_outcomes(outcomes, &mut others.reports);
        let timers = self.write_drafts(&others.timers);
        let posts = self.write_posts(&others.posts);
        self.write_notes(&others.notes);
        if self.elsewhere.is_some() {
            for run in others.rows.iter().filter_map(deleted) {
                self.bereave_deleted(run);
            }
            self.write_arrivals();
        }
        let rows = self.write_all(&others.rows);
        Written { passes, requests, outcomes, reports, timers, posts, rows }
    }

    /// Writes outcomes, and what bodies published among them, while there is room; how many of both.
    fn write_outcomes(&mut self, outcomes: &[BodyEnd], reports: &mut [Reported]) -> (usize, usize) {
        let mut reported = 0;
        for (written, end) in outcomes.iter().enumerate() {
            if reports.get(reported).is_some_and(|next| next.behind <= written) {
                let rest = &mut reports[reported..];
                reported += self.write_reports(rest, written, outcomes);
            }
            // See `Engine::deliver`.
            if let Some(later) = outcomes.get(written + AHEAD) {
                later.instance.prefetch();
                later.operation.prefetch();
            }
            let run = &end.instance.ledger;
            if !self.takes(run) {
                return (written, reported);
            }
            let now = self.now;
            self.push(run, |bytes| end.append(now, bytes));
        }
        let rest = &mut reports[reported..];
        if !rest.is_empty() {
            reported += self.write_reports(rest, outcomes.len(), outcomes);
        }
        (outcomes.len(), reported)
    }

    /// The commit has what they changed, so it has all of their records.
    fn write_transacted(&mut self, transacted: &[Transacted]) {
        for transacted in transacted {
            if let Transacted::Step(end) = transacted {
                let (run, now) = (&end.instance.ledger, self.now);
                run.note_written();
                self.push(run, |bytes| end.append(now, bytes));
            }
        }
    }

    /// Writes drafts while there is room, and says how many.
    fn write_drafts(&mut self, drafts: &[Draft]) -> usize {
        for (written, draft) in drafts.iter().enumerate() {
            if let Some(later) = drafts.get(written + AHEAD) {
                later.prefetch();
            }
            if !self.takes(&draft.to) {
                return written;
            }
            self.write_draft(draft);
        }
        drafts.len()
    }

    /// Passes that end are always written: nothing else may be written of their runs before. And rows are:
    /// what a run asks for that is resumed may be in this batch.
    fn write_all(&mut self, drafts: &[Draft]) -> usize {
        for draft in drafts {
            draft.to.note_written();
            self.write_draft(draft);
        }
        drafts.len()
    }

    fn write_sleepers(&mut self) {
        let sleepers = &mut self.engine.world.pending.borrow_mut().sleepers;
        if !sleepers.is_empty() {
            mem::take(sleepers).into_iter().for_each(|sleeper| self.write_sleeper(sleeper));
        }
    }

    pub(super) fn write_draft(&mut self, draft: &Draft) {
        let Draft { to, what } = draft;
        match what {
            What::Record(record) => {
                self.push(to, |bytes| record.append(bytes));
                if let Some(state) = state_after(record) {
                    self.write_state(to, record, state);
                }
            }
            What::Request(request) => self.carry_out(to, request),
            What::Mark(made) => {
                self.carry_out_mark(to, made);
                self.push_record(draft);
            }
            What::Again(passing) => self.write_again(to, passing),
            What::Message(_) | What::ChildEnded(_) => self.push_record(draft),
            What::Park(fault) => self.put_row(to, RunState::Parked, Some(fault)),
            What::Hold(held) => self.write_held(held),
            What::Resume => self.write_resumed(to),
            What::Retry(retrial) => self.write_retrial(to, retrial),
            What::Delete => self.batch.delete(to.key),
            What::Copy(copied) => self.write_copy(to, copied),
        }
    }

    /// A run that is resumed goes on, unless it came to its end at once, and that is in its row by now.
    fn write_resumed(&mut self, to: &Ledger) {
        if let Some(run) = self.engine.ledgers.instance(to)
            && !run.is_end_written.get()
        {
            self.put_unended(&run);
        }
    }

    /// A run that is in no one's memory goes on, whatever its end, or waits again.
    fn write_retrial(&mut self, to: &Rc<Ledger>, Retrial { row, from, children }: &Retrial) {
        self.push(to, |bytes| Record::Retried { from: *from }.append(bytes));
        children.iter().for_each(|child| self.rejoin(to, child));
        let mut row = row.clone();
        row.changed_at = self.now.as_nanos();
        if row.state.is_waiting() {
            // This batch may admit it.
            let guest = Guest { ledger: to.clone(), row: row.clone() };
            self.elsewhere().guests.insert(row.key, guest);
        }
        self.put(row);
    }

    pub(super) fn push_record(&mut self, draft: &Draft) {
        draft.with_record(|record| self.push(&draft.to, |bytes| record.append(bytes)));
    }

    /// The record begins a run, or ends it.
    fn write_state(&mut self, to: &Rc<Ledger>, record: &Record<'_>, state: RunState) {
        if !state.has_ended() {
            to.started_at.set(self.now);
        }
        // One without code has its row written by whoever starts it.
        let Some(run) = self.engine.ledgers.instance(to) else { return };
        self.put_row(to, state, None);
        if let Record::Finished { outcome, .. } = record {
            run.is_end_written.set(true);
            self.bereave(&run, outcome);
        }
    }

    pub(super) fn push(&mut self, run: &Ledger, write: impl FnOnce(&mut Vec<u8>)) {
        if run.row_has_wake_at.get() {
            // It goes on, and the next open must find that.
            self.put_row(run, RunState::Running, None);
        }
        let size = &mut self.size;
        self.batch.push(run.key, run.take_seq(), |bytes| {
            write(bytes);
            *size = bytes.len();
        });
    }

    pub(super) fn put_row(&mut self, ledger: &Ledger, state: RunState, fault: Option<&Fault>) {
        let run = self.engine.ledgers.instance(ledger).expect("whose row changes is in memory");
        let mut row = run.row();
        row.state = state;
        row.link = row.link.filter(|_| !state.has_ended());
        row.changed_at = self.now.as_nanos();
        if let Some(fault) = fault {
            row.note = fault.to_note();
        }
        ledger.row_has_wake_at.set(false);
        if state.is_waiting() {
            self.note_waiting(&run.ledger);
        }
        self.put(row);
    }

    /// Has a row say when the run goes on by itself, if it still waits for that.
    fn write_sleeper(&mut self, sleeper: Sleeper) {
        let (ledger, row) = match sleeper {
            Sleeper::Away(ledger, row) => (ledger, Some(*row)),
            Sleeper::Resident(ledger) => (ledger, None),
        };
        // Of many runs that wait for messages most have gone on by now.
        let Some(at) = ledger.wake_at().filter(|_| !ledger.row_has_wake_at.get()) else { return };
        // It may be back, and its row another by now.
        let run = self.engine.ledgers.instance(&ledger);
        if let Some(mut row) = run.map(|run| run.row()).or(row) {
            row.changed_at = self.now.as_nanos();
            row.wake_at = Some(at.as_nanos());
            ledger.row_has_wake_at.set(true);
            self.batch.put_row(row);
        }
    }
}

fn deleted(draft: &Draft) -> Option<RunKey> {
    matches!(draft.what, What::Delete).then_some(draft.to.key)
}

/// Where a run stands behind this record, if that changes.
fn state_after(record: &Record<'_>) -> Option<RunState> {
    match record {
        Record::Started { .. } => Some(RunState::Running),
        Record::Submitted(submission) => Some(submission.waits().unwrap_or(RunState::Running)),
        Record::Finished { was_dropped: true, .. } => Some(RunState::Cancelled),
        Record::Finished { outcome: Ok(_), .. } => Some(RunState::Completed),
        Record::Finished { outcome: Err(_), .. } => Some(RunState::Failed),
        Record::Again => Some(RunState::Continued),
        Record::OperationEnded { .. }
        | Record::OperationNoted { .. }
        | Record::MessageArrived { .. }
        | Record::CancelRequested { .. }
        | Record::Admitted { .. }
        | Record::Marked { .. }
        | Record::Reported { .. }
        | Record::Retried { .. }
        | Record::Forked { .. }
        | Record::Resubmitted(_)
        | Record::Moved { .. }
        | Record::MessageSkipped { .. } => None,
    }
}
