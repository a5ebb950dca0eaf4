//! A commit as the store is given it.

use alloc::vec::Vec;

use dacapo_store::{Batch, RunState};

use super::Engine;
use super::deliver::Committed;
use crate::clock::Timestamp;
use crate::codec;
use crate::fault::Fault;
use crate::instance::{BodyEnd, Pending, Sleeper};
use crate::ledger::{Draft, Ledger, What};
use crate::record::Record;

/// A commit takes no further run when its records have so many bytes.
const BYTES_PER_COMMIT: usize = 1 << 24;

/// So many outcomes lie between the one that is written and the one whose memory is fetched.
const AHEAD: usize = 6;

impl Engine {
    /// Commits what is pending up to the limit of a commit's size, and gives what is left over.
    ///
    /// The parts are written in their order, and the cut is between two runs: what one run asked
    /// for at one point is never split.
    pub(super) fn write(
        &self,
        pending: &mut Pending,
    ) -> dacapo_store::Result<(Pending, Committed)> {
        let now = self.world.timers.now();
        let batch = &mut *self.batch.borrow_mut();
        batch.clear();
        batch.set_time(now.as_nanos());
        let mut writer = Writer { engine: self, batch, now, size: 0, last: None };
        let rest = Pending {
            requests: writer.write_drafts(&mut pending.requests),
            outcomes: writer.write_outcomes(&mut pending.outcomes),
            timers: writer.write_drafts(&mut pending.timers),
            rows: writer.write_drafts(&mut pending.rows),
            sleepers: Vec::new(),
        };
        pending.sleepers.drain(..).for_each(|sleeper| writer.write_sleeper(sleeper));
        let committed = self.store.borrow_mut().commit(batch);
        match committed {
            Ok(number) => Ok((rest, Committed { number, time: now })),
            Err(error) => {
                pending.put_back(rest);
                Err(error)
            }
        }
    }
}

/// What writes one batch.
struct Writer<'a> {
    engine: &'a Engine,
    batch: &'a mut Batch,
    now: Timestamp,
    /// The bytes of all records so far.
    size: usize,
    /// The run that was written last.
    last: Option<dacapo_store::RunKey>,
}

impl Writer<'_> {
    /// Whether the batch has room for more of this run.
    fn takes(&mut self, run: &Ledger) -> bool {
        let takes = self.size <= BYTES_PER_COMMIT || self.last == Some(run.key);
        self.last = Some(run.key).filter(|_| takes);
        if takes {
            run.note_written();
        }
        takes
    }

    /// Writes outcomes while there is room, and gives those that are left.
    fn write_outcomes(&mut self, outcomes: &mut Vec<BodyEnd>) -> Vec<BodyEnd> {
        let mut written = 0;
        while let Some(end) = outcomes.get(written).filter(|end| self.takes(&end.instance.ledger)) {
            // See `Engine::deliver`.
            if let Some(later) = outcomes.get(written + AHEAD) {
                later.instance.prefetch();
                later.operation.prefetch();
            }
            let now = self.now;
            self.push(&end.instance.ledger, |bytes| {
                end.with_record(now, |record| record.append(bytes));
            });
            written += 1;
        }
        outcomes.split_off(written)
    }

    /// Writes drafts while there is room, and gives those that are left.
    fn write_drafts(&mut self, drafts: &mut Vec<Draft>) -> Vec<Draft> {
        let written = drafts.iter().take_while(|draft| {
            let takes = self.takes(&draft.to);
            if takes {
                self.write_draft(draft);
            }
            takes
        });
        let written = written.count();
        drafts.split_off(written)
    }

    fn write_draft(&mut self, Draft { to, what }: &Draft) {
        match what {
            What::Record(record) => {
                self.push(to, |bytes| record.append(bytes));
                if matches!(**record, Record::Started { .. }) {
                    to.started_at.set(self.now);
                }
                if let Some(state) = state_after(record) {
                    self.put_row(to, state, None);
                }
            }
            What::Park(fault) => self.put_row(to, RunState::Parked, Some(fault)),
            What::Resume => self.put_row(to, RunState::Running, None),
            What::Delete => self.batch.delete(to.key),
        }
    }

    fn push(&mut self, run: &Ledger, write: impl FnOnce(&mut Vec<u8>)) {
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

    fn put_row(&mut self, ledger: &Ledger, state: RunState, fault: Option<&Fault>) {
        let run = self.engine.ledgers.instance(ledger).expect("whose row changes is in memory");
        let mut row = run.row();
        row.state = state;
        row.changed_at = self.now.as_nanos();
        if let Some(fault) = fault {
            let note = codec::encode(fault).expect("faults are plain data");
            row.note = note.as_slice().to_vec();
        }
        ledger.row_has_wake_at.set(false);
        self.batch.put_row(row);
    }

    /// Has a row say when the run goes on by itself, if it still waits for that.
    fn write_sleeper(&mut self, sleeper: Sleeper) {
        let (ledger, row) = match sleeper {
            Sleeper::Away(ledger, row) => (ledger, Some(*row)),
            Sleeper::Resident(ledger) => {
                let run = self.engine.ledgers.instance(&ledger);
                (ledger, run.map(|run| run.row()))
            }
        };
        if let (Some(at), Some(mut row), false) =
            (ledger.wake_at(), row, ledger.row_has_wake_at.get())
        {
            row.changed_at = self.now.as_nanos();
            row.wake_at = Some(at.as_nanos());
            ledger.row_has_wake_at.set(true);
            self.batch.put_row(row);
        }
    }
}

/// Where a run stands behind this record, if that changes.
fn state_after(record: &Record<'_>) -> Option<RunState> {
    match record {
        Record::Started { .. } => Some(RunState::Running),
        Record::Finished { outcome: Ok(_) } => Some(RunState::Completed),
        Record::Finished { outcome: Err(_) } => Some(RunState::Failed),
        Record::OperationEnded { .. } | Record::OperationNoted { .. } => None,
    }
}
