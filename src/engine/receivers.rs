//! What comes to a run from elsewhere, written: here it is decided what each meets.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::mem;

use dacapo_store::{RunKey, RunRow};

use super::no_such_run;
use super::write::{Guest, Writer};
use crate::error::{Error, Kind, Result};
use crate::inbox::Address;
use crate::instance::{Arrival, Extra, Instance, Phase, Post, PostWhat, Receiver};
use crate::ledger::{Draft, Ledger, What};
use crate::message::{Message, Outgoing, Parcel};
use crate::operation::Operation;
use crate::record::{CancelCause, Link, Record};
use crate::watch::Watch;

impl Writer<'_> {
    /// Carries out what a run asked for, and records what came of it.
    pub(super) fn carry_out(&mut self, run: &Ledger, request: &Operation) {
        let carried_out = {
            let outgoing = request.outgoing();
            let Outgoing { to, parcel, spot } =
                outgoing.as_ref().expect("a request hands something over");
            match parcel {
                Parcel::Message(message) => {
                    let found = match spot.get().and_then(|spot| self.engine.ledgers.at(spot)) {
                        Some(run) => self.find_resident(to, run),
                        None => self.find(to),
                    };
                    self.hand_over(to, found, message.clone()).map(|()| request.set_done())
                }
                Parcel::Child(birth) => {
                    let link = Link { parent: run.key.0, number: request.number };
                    self.start_child(run, to, birth, Some(link))
                }
                Parcel::Refused(error) => Err(error.clone()),
            }
        };
        if let Err(error) = carried_out {
            request.set_failure(error.into_failure());
        }
        self.push(run, |bytes| request.with_record(|record| record.append(bytes)));
    }

    pub(super) fn write_posts(&mut self, posts: &[Post]) -> usize {
        for Post { to, what, receipt } in posts {
            let found = self.find(to);
            if let (Ok(Receiver::Resident(run)), PostWhat::Cancel(CancelCause::Terminated)) =
                (&found, what)
                && run.phase.get() == Phase::Closed
            {
                // This commit parks it. The next one ends it without its code.
                self.put_off(to, PostWhat::Cancel(CancelCause::Terminated), receipt);
                continue;
            }
            if let PostWhat::Message(message) = what
                && message.is_question
            {
                self.ask(to, found, message, receipt);
                continue;
            }
            let written = match what {
                PostWhat::Message(message) => self.hand_over(to, found, message.clone()),
                PostWhat::Cancel(cause) => {
                    found.and_then(|receiver| self.cancel(&receiver, *cause))
                }
                PostWhat::Resubmit(change) => {
                    if found.is_err() && self.engine.ledgers.has_id(to) {
                        // The commit is full, and the next one submits it.
                        self.put_off(to, PostWhat::Resubmit(change.clone()), receipt);
                        continue;
                    }
                    found.and_then(|receiver| self.resubmit(&receiver, change))
                }
                PostWhat::Skip(seq) => found.map(|receiver| {
                    let record = Record::MessageSkipped { seq: *seq };
                    self.arrive(&receiver, What::Record(record.into()));
                }),
            };
            // Who asks that something ends that has ended has what he wants.
            let is_late = matches!(what, PostWhat::Cancel(_));
            let told = written.or_else(|error| match is_late && error.is_ended() {
                true => Ok(()),
                false => Err(error),
            });
            self.elsewhere().arrivals.push(Arrival::Told(receipt.clone(), told));
        }
        posts.len()
    }

    /// The next commit has it.
    fn put_off(&self, to: &Rc<str>, what: PostWhat, receipt: &Rc<Watch>) {
        let again = Post { to: to.clone(), what, receipt: receipt.clone() };
        self.engine.world.pending.borrow_mut().others_mut().posts.push(again);
    }

    /// The run with this id, if it takes what comes.
    pub(super) fn find(&mut self, id: &str) -> Result<Receiver> {
        let receiver = self.look_up(id)?.ok_or_else(|| no_such_run(id))?;
        self.check_takes(id, receiver)
    }

    /// A run in memory, if it takes what comes.
    fn find_resident(&mut self, id: &str, run: Rc<Instance>) -> Result<Receiver> {
        let receiver = resident(run).ok_or_else(|| no_such_run(id))?;
        self.check_takes(id, receiver)
    }

    fn check_takes(&mut self, id: &str, receiver: Receiver) -> Result<Receiver> {
        match self.takes_posts(&receiver) {
            true => Ok(receiver),
            false => Err(has_ended(id)),
        }
    }

    /// The run with this id, if there is one by now, and it has not ended before this commit.
    pub(super) fn look_up(&mut self, id: &str) -> Result<Option<Receiver>> {
        if let Some(run) = self.engine.ledgers.with_id(id) {
            return Ok(resident(run));
        }
        if let Some(key) = self.elsewhere.as_ref().and_then(|known| known.born.get(id)) {
            return Ok(Some(Receiver::Guest(*key)));
        }
        let row = self.engine.store.borrow().find(id);
        let row = row.map_err(|error| self.unreadable(id, error))?;
        row.map_or(Ok(None), |row| self.guest(row))
    }

    /// The same by its key.
    pub(super) fn look_up_key(&mut self, run: RunKey) -> Result<Option<Receiver>> {
        if let Some(run) = self.engine.ledgers.resident(run) {
            // Nothing is known of a history that cannot be read.
            return Ok((run.ledger.next_seq.get() > 0).then_some(Receiver::Resident(run)));
        }
        if self.elsewhere().guests.contains_key(&run) {
            return Ok(Some(Receiver::Guest(run)));
        }
        let row = self.engine.store.borrow().row(run);
        let row = row.map_err(|error| self.unreadable("its parent", error))?;
        row.map_or(Ok(None), |row| self.guest(row))
    }

    fn guest(&mut self, row: RunRow) -> Result<Option<Receiver>> {
        let key = row.key;
        if self.elsewhere().deleted.contains(&key) {
            return Ok(None);
        }
        if row.state.has_ended() {
            return Err(has_ended(&row.id));
        }
        self.add_guest(row)?;
        Ok(Some(Receiver::Guest(key)))
    }

    /// Something comes to a run that is not in memory.
    pub(super) fn add_guest(&mut self, row: RunRow) -> Result<()> {
        let key = row.key;
        if !self.elsewhere().guests.contains_key(&key) {
            assert!(!self.engine.may_come_back(&row), "whoever gets something was brought back");
            // Somebody may wait for one that waits.
            let ledger = self.engine.ledgers.get(key).unwrap_or_else(|| Ledger::new(key));
            let last = self.engine.store.borrow().last(key);
            let last = last.map_err(|error| self.unreadable(&row.id, error))?;
            ledger.next_seq.set(last.last().map_or(0, |entry| entry.seq + 1));
            self.elsewhere().guests.insert(key, Guest { ledger, row });
        }
        Ok(())
    }

    /// Whether anything may be added to the history of a run from elsewhere.
    pub(super) fn takes_posts(&mut self, receiver: &Receiver) -> bool {
        match receiver {
            Receiver::Resident(run) => match run.phase.get() {
                Phase::Ended => false,
                Phase::Replaying | Phase::Live if run.is_waiting() => {
                    // One that waits is not asked to end, it ends.
                    !self.elsewhere().cancelled.contains(&run.key())
                }
                Phase::Replaying | Phase::Live | Phase::Closed => true,
            },
            // This batch may have ended it.
            Receiver::Guest(key) => !self.elsewhere().guests[key].row.state.has_ended(),
        }
    }

    /// The history of a run that is not in memory cannot be added to; or the disk does not answer, and
    /// then nothing is.
    pub(super) fn unreadable(&mut self, id: &str, error: dacapo_store::Error) -> Error {
        let message = Error::store(&error).wrap(format_args!("run {id:?} takes nothing"));
        if error.is_refused() {
            self.elsewhere().refused = Some(error);
        }
        message
    }

    pub(super) fn ledger(&mut self, receiver: &Receiver) -> Rc<Ledger> {
        match receiver {
            Receiver::Resident(run) => run.ledger.clone(),
            Receiver::Guest(key) => self.elsewhere().guests[key].ledger.clone(),
        }
    }

    pub(super) fn arrive(&mut self, receiver: &Receiver, what: What) {
        let draft = self.draft_for(receiver, what);
        self.elsewhere().arrivals.push(Arrival::Written(draft));
    }

    /// Something comes to a run with this batch, which has it in memory until then.
    pub(super) fn draft_for(&mut self, receiver: &Receiver, what: What) -> Draft {
        match receiver {
            Receiver::Resident(run) => self.engine.keep_in_memory(run),
            Receiver::Guest(key) => self.wake_guest(*key),
        }
        self.ledger(receiver).draft(what)
    }

    /// A run that waits for its code may have rested before: an open that has it must not leave it where
    /// it is any more.
    fn wake_guest(&mut self, key: RunKey) {
        let guest = self.elsewhere().guests.get_mut(&key).expect("it was found");
        if guest.row.wake_at.take().is_some() {
            let row = guest.row.clone();
            self.put(row);
        }
    }

    /// Writes what comes to runs, behind all that they asked for and that was done for them.
    pub(super) fn write_arrivals(&mut self) {
        let mut written = Vec::new();
        loop {
            let mut arrivals = mem::take(&mut self.elsewhere().arrivals);
            if arrivals.is_empty() {
                break;
            }
            self.write_each_arrival(&mut arrivals);
            // What ends by them may concern others.
            match written.is_empty() {
                true => written = arrivals,
                false => written.append(&mut arrivals),
            }
        }
        self.elsewhere().arrivals = written;
    }

    fn write_each_arrival(&mut self, arrivals: &mut [Arrival]) {
        for arrival in arrivals {
            if let Arrival::ChildEnds(child, outcome) = arrival {
                *arrival = self.child_end(child, outcome);
            }
            let draft = match arrival {
                Arrival::Written(draft) => draft,
                Arrival::Question(draft, seq) => {
                    seq.set(draft.to.next_seq.get());
                    draft
                }
                Arrival::Told(..)
                | Arrival::Asks(..)
                | Arrival::Answered(..)
                | Arrival::Passed { .. }
                | Arrival::ChildEnds(..)
                | Arrival::Nothing => continue,
            };
            draft.to.note_written();
            self.write_draft(draft);
        }
    }

    /// A message is for the run that was found, or not. One that has ended may have had it before: whoever
    /// sends it once more, with its key, is told so.
    fn hand_over(&mut self, to: &str, found: Result<Receiver>, message: Message) -> Result<()> {
        match found {
            Ok(receiver) => self.message(&receiver, message),
            Err(error) if error.is_ended() && self.had_before(to, &message)? => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a run that has ended, or is about to with this batch, had a message with the key of this one.
    fn had_before(&mut self, id: &str, message: &Message) -> Result<bool> {
        let Some(key) = &message.key else { return Ok(false) };
        if let Some(run) = self.engine.ledgers.with_id(id) {
            return self.has_key(&Receiver::Resident(run), &message.channel, key);
        }
        let row = self.engine.store.borrow().find(id);
        let row = row.map_err(|error| self.unreadable(id, error))?;
        row.map_or(Ok(false), |row| {
            self.history_has(row.key, id, |record| is_message(record, &message.channel, key))
        })
    }

    /// A message is recorded with whom it is for, unless its key was before.
    fn message(&mut self, receiver: &Receiver, message: Message) -> Result<()> {
        if let Some(key) = &message.key {
            let run = self.ledger(receiver).key;
            let is_new =
                self.elsewhere().keys.insert((run, (&*message.channel).into(), key.clone()));
            if !is_new || self.has_key(receiver, &message.channel, key)? {
                return Ok(());
            }
        }
        self.arrive(receiver, What::Message(message));
        Ok(())
    }

    fn has_key(&mut self, receiver: &Receiver, channel: &str, key: &str) -> Result<bool> {
        match receiver {
            Receiver::Resident(run) if run.phase.get() != Phase::Closed => {
                let to = Address { channel, is_question: false };
                let has_key = |extra: &Extra| extra.inbox.borrow().keyed(to, key).is_some();
                Ok(run.has_extra().is_some_and(has_key))
            }
            // Parked: what it had delivered may not be all.
            Receiver::Resident(run) => self
                .history_has(run.key(), &run.id.clone(), |record| is_message(record, channel, key)),
            Receiver::Guest(run) => {
                let id = self.elsewhere().guests[run].row.id.clone();
                self.history_has(*run, &id, |record| is_message(record, channel, key))
            }
        }
    }

    /// Whether the history of a run that is not in memory holds such a record.
    pub(super) fn history_has(
        &mut self,
        run: RunKey,
        id: &str,
        is_such: impl Fn(&Record<'_>) -> bool,
    ) -> Result<bool> {
        let history = self.engine.store.borrow().history(run);
        let history = history.map_err(|error| self.unreadable(id, error))?;
        let mut records = history.iter().map(|entry| Record::read(entry.record));
        Ok(records.any(|record| record.is_ok_and(|record| is_such(&record))))
    }
}

/// A run in memory. One that was started behind what is for it is not there yet.
fn resident(run: Rc<Instance>) -> Option<Receiver> {
    (run.ledger.next_seq.get() > 0).then_some(Receiver::Resident(run))
}

/// Whether a record says that there was a message with this key: in this pass, or in one before.
fn is_message(record: &Record<'_>, of: &str, with: &str) -> bool {
    if let Record::Submitted(submission) = record {
        return submission.carried.has_message(of, with);
    }
    matches!(
        record,
        Record::MessageArrived { channel, key: Some(key), is_question: false, .. }
            if *channel == of && *key == with
    )
}

fn has_ended(id: &str) -> Error {
    let message = format_args!(
        "run {id:?} has ended: it takes nothing any more; attach to it for its outcome, or start another run"
    );
    Error::of(Kind::Ended, message)
}
