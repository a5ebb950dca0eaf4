//! The commit that all runs share: gathered, written, delivered, and the work that follows.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use dacapo_store::{RunRow, RunState};

use super::engine::{Engine, parked_error};
use super::residents::Resident;
use crate::clock::Timestamp;
use crate::codec;
use crate::error::{Error, Kind, Result};
use crate::fault::{Fault, ParkReason};
use crate::instance::{Draft, Entry, Instance, Phase};
use crate::panics;
use crate::record::{Outcome, Record};
use crate::replay::Delivery;

/// A commit takes no further run when its records have so many bytes.
const BYTES_PER_COMMIT: usize = 1 << 24;

/// So many entries lie between the one that is written and the one whose memory is fetched.
const AHEAD: usize = 6;

/// Has the processor fetch what it will need of a run: of ten thousand runs nothing is in its
/// caches any more when their turn comes, and it can wait for several at a time.
#[inline(always)]
fn touch(instance: &Instance, entry: &Entry) {
    instance.touch();
    if let Entry::Record(Draft::Outcome(ended)) = entry {
        ended.operation.touch();
    }
}

/// Stops the executor if a panic leaves a commit: some of it may not have been delivered.
struct StopOnUnwind<'a>(&'a Engine);

impl Drop for StopOnUnwind<'_> {
    fn drop(&mut self) {
        let why = "a panic cut off a delivery, so the executor stopped: open the store again";
        let _ = self.0.failure.set(Error::of(Kind::Closed, why));
    }
}

impl Engine {
    /// Commits all that there is, delivers it, and takes up the work that follows. `false`: there
    /// was nothing.
    pub(super) fn commit(&self) -> Result<bool> {
        // Also when it has stopped: foreign wakes that nobody takes keep the main loop awake.
        self.park_foreign_wakes();
        self.check()?;
        // Nothing that runs below comes back here, so the borrow is safe to hold.
        let spare = &mut *self.spare.borrow_mut();
        self.gather()?;
        let mut entries = self.world.pending.replace(core::mem::take(&mut spare.entries));
        if self.has_stale.take() {
            entries.retain(|(instance, entry)| {
                let is_void = matches!(entry, Entry::Record(draft) if !draft.is_expected(instance));
                if is_void {
                    entry.settle(instance);
                }
                !is_void
            });
        }
        let has_entries = !entries.is_empty();
        let unwound = StopOnUnwind(self);
        if has_entries {
            let now = self.world.timers.now();
            match self.write(&entries, now) {
                Ok(written) => self.put_back(entries.split_off(written)),
                Err(error) => {
                    core::mem::forget(unwound);
                    return Err(self.fail(&error));
                }
            }
            let commit = self.commits.replace(self.commits.get() + 1);
            let mut drained = entries.drain(..);
            while let Some((instance, entry)) = drained.next() {
                if let Some((later, entry)) = drained.as_slice().get(1) {
                    touch(later, entry);
                }
                self.deliver(&instance, entry, &mut spare.drafts, (commit, now));
            }
            drop(drained);
        }
        self.evict_surplus();
        core::mem::forget(unwound);
        spare.entries = entries;
        spare.shrink();
        Ok(has_entries)
    }

    /// Moves the outcomes of bodies, and the timers that are due, to what is pending.
    fn gather(&self) -> Result<()> {
        let room = self.room();
        while let Some(timer) = self.world.timers.next_due() {
            let Some(resident) = self.residents.with_key(timer.run) else {
                if self.residents.len() >= room {
                    // It comes back when some of those that did before it have left.
                    self.world.timers.add(timer);
                    break;
                }
                self.wake_evicted(timer.run).map_err(|why| self.stop(why))?;
                continue;
            };
            let fired = Record::TimerFired { number: timer.number };
            self.record(&resident, fired.into());
        }
        Ok(())
    }

    /// What a commit had no room for comes first in the next one, if its run still expects it.
    fn put_back(&self, rest: Vec<(Rc<Instance>, Entry)>) {
        if !rest.is_empty() {
            self.has_stale.set(true);
            let later = self.world.pending.replace(rest);
            self.world.pending.borrow_mut().extend(later);
        }
    }

    /// Commits entries up to the limit of a commit's size, and says how many: what one run asks
    /// for at one point is not split.
    fn write(
        &self,
        entries: &[(Rc<Instance>, Entry)],
        now: Timestamp,
    ) -> dacapo_store::Result<usize> {
        let mut batch = self.batch.borrow_mut();
        batch.clear();
        batch.set_time(now.as_nanos());
        let (mut size, mut written, mut before) = (0, 0, None);
        for (index, (instance, entry)) in entries.iter().enumerate() {
            if let Some((later, entry)) = entries.get(index + AHEAD) {
                touch(later, entry);
            }
            if size > BYTES_PER_COMMIT && before != Some(instance.key) {
                break;
            }
            (written, before) = (written + 1, Some(instance.key));
            instance.undelivered.set(instance.undelivered.get() + 1);
            if let Entry::Record(draft) = entry {
                let seq = instance.next_seq.replace(instance.next_seq.get() + 1);
                batch.push(instance.key, seq, |bytes| {
                    draft.with_record(now, |record| record.append(bytes));
                    size = bytes.len();
                });
            }
            if let Some((state, note)) = row_change(entry) {
                if matches!(entry, Entry::Record(draft) if draft.is_start()) {
                    instance.started_at.set(now);
                }
                let mut row = RunRow::new(instance.key, &*instance.id, instance.workflow);
                row.state = state;
                row.started_at = instance.started_at.get().as_nanos();
                row.changed_at = now.as_nanos();
                row.note = note;
                batch.put_row(row);
            }
        }
        self.store.borrow_mut().commit(&batch)?;
        Ok(written)
    }

    /// Delivers what was committed of a run. Its work follows when that was the last of it.
    fn deliver(
        &self,
        instance: &Rc<Instance>,
        entry: Entry,
        drafts: &mut Vec<Draft>,
        commit: (u64, Timestamp),
    ) {
        entry.settle(instance);
        let Some(resident) = self.residents.of(instance) else { return };
        match entry {
            Entry::Record(draft) => self.deliver_record(&resident, &draft, commit),
            Entry::Resumed => {}
            Entry::Parked(fault) => {
                self.residents.remove(&resident);
                resident.end(Err(parked_error(&instance.id, &fault)));
            }
        }
        instance.undelivered.set(instance.undelivered.get() - 1);
        if instance.undelivered.get() == 0 {
            // What parks a run is in its row, and in its handles.
            let _ = self.work(&resident, drafts);
        }
    }

    fn deliver_record(
        &self,
        resident: &Rc<Resident>,
        draft: &Draft,
        (commit, time): (u64, Timestamp),
    ) {
        let instance = &resident.run.instance;
        if instance.phase.get() == Phase::Closed {
            return;
        }
        draft.with_record(time, |record| {
            if matches!(record, Record::Started { .. }) {
                // It is committed, whatever the workflow makes of it.
                resident.accept();
            }
            let is_end = matches!(record, Record::Finished { .. });
            let delivery = Delivery { seq: instance.delivered.get(), commit, time };
            match caught(|| resident.run.deliver(delivery, record)) {
                Ok(()) if is_end => self.end(resident),
                Ok(()) => {}
                Err(fault) => self.park(resident, fault),
            }
        });
    }

    /// The end of a run is committed: it leaves memory.
    fn end(&self, resident: &Rc<Resident>) {
        let instance = &resident.run.instance;
        instance.close();
        self.residents.remove(resident);
        let outcome = instance.outcome.get().expect("an ended run has an outcome");
        resident.end(Ok(Outcome::clone(outcome)));
    }

    /// Has a run, to which all that was committed has been delivered, take up its work. `drafts`
    /// is an empty list.
    ///
    /// # Errors
    ///
    /// If that parks it.
    pub(super) fn work(
        &self,
        resident: &Rc<Resident>,
        drafts: &mut Vec<Draft>,
    ) -> Result<(), Fault> {
        match caught(|| resident.run.work(drafts)) {
            Ok(()) => {
                if drafts.is_empty() {
                    self.fall_asleep(resident);
                }
                drafts.drain(..).for_each(|draft| self.record(resident, draft));
                Ok(())
            }
            Err(fault) => {
                drafts.clear();
                self.park(resident, fault.clone());
                Err(fault)
            }
        }
    }
}

/// What a run is asked for; a panic that its own catches missed is a fault of it, too.
pub(super) fn caught(ask: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    let panicked = |message| Fault::new(ParkReason::Panicked, message);
    panics::catch(ask).unwrap_or_else(|message: String| Err(panicked(message)))
}

/// How the run's row changes with this entry: its state, and its note.
fn row_change(entry: &Entry) -> Option<(RunState, Vec<u8>)> {
    let state = match entry {
        Entry::Record(Draft::Outcome(_)) => return None,
        Entry::Record(Draft::Record(record)) => match **record {
            Record::Started { .. } => RunState::Running,
            Record::Finished { outcome: Ok(_) } => RunState::Completed,
            Record::Finished { outcome: Err(_) } => RunState::Failed,
            _ => return None,
        },
        Entry::Resumed => RunState::Running,
        Entry::Parked(fault) => {
            let note = codec::encode(fault).expect("faults are plain data");
            return Some((RunState::Parked, note.as_slice().to_vec()));
        }
    };
    Some((state, Vec::new()))
}
