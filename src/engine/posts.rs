//! What comes to a run from elsewhere: messages of other runs and of callers, requests to end. Here it
//! is decided what each meets, when it is written.

use alloc::rc::Rc;
use core::mem;

use dacapo_store::{RunKey, RunState};

use super::write::{Guest, Writer};
use super::{Engine, no_such_run};
use crate::error::{Error, Kind, Result};
use crate::instance::{Arrival, Instance, Pending, Phase, Post, PostWhat};
use crate::ledger::{Ledger, What};
use crate::message::Message;
use crate::operation::Operation;
use crate::record::{Asked, CancelCause, Record};
use crate::watch::Watch;

/// What takes a post.
enum Receiver {
    Resident(Rc<Instance>),
    Guest(RunKey),
}

impl Engine {
    /// Has the next commit write something for a run, and gives where to wait for that.
    pub(crate) fn post(&self, to: &str, what: PostWhat) -> Rc<Watch> {
        let receipt = Rc::<Watch>::default();
        let post = Post { to: to.into(), what, receipt: receipt.clone() };
        self.world.pending.borrow_mut().posts.push(post);
        self.world.bodies.raw().notify();
        receipt
    }

    /// Brings the runs back for which there is something, before anything is written: what comes to a
    /// run is delivered to it.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(super) fn reload_receivers(&self) -> Result<()> {
        let mut index = 0;
        let has_none = |pending: &Pending| pending.posts.is_empty() && pending.requests.is_empty();
        if has_none(&self.world.pending.borrow()) {
            return Ok(());
        }
        // What comes back may have something for others, too.
        while let Some(id) = self.receiver(&mut index) {
            if self.ledgers.with_id(&id).is_none()
                && let Some(row) = self.find(&id)?
                && row.state == RunState::Running
                && self.registry.find(&row.workflow).is_some()
            {
                self.reload(&row)?;
            }
        }
        Ok(())
    }

    /// For whom the next request or post is.
    fn receiver(&self, index: &mut usize) -> Option<Rc<str>> {
        let pending = self.world.pending.borrow();
        let posts = pending.posts.len();
        while let Some(at) = index.checked_sub(posts).map_or(Some(0), Some) {
            let this = *index;
            *index += 1;
            if let Some(post) = pending.posts.get(this) {
                return Some(post.to.clone());
            }
            let What::Request(request) = &pending.requests.get(at)?.what else { continue };
            if let Some(outgoing) = &*request.outgoing() {
                return Some(outgoing.to.clone());
            }
        }
        None
    }
}

impl Writer<'_> {
    /// Carries out what a run asked for, and records what came of it.
    pub(super) fn carry_out(&mut self, run: &Ledger, request: &Operation) {
        let outcome = match request.asked() {
            Asked::Send { .. } => self.send(request),
            Asked::Step { .. } | Asked::Sleep { .. } | Asked::Receive { .. } => {
                unreachable!("it changes nothing outside of the run")
            }
        };
        match outcome {
            Ok(()) => request.set_done(),
            Err(error) => request.set_failure(error.into_failure()),
        }
        self.push(run, |bytes| request.with_record(|record| record.append(bytes)));
    }

    fn send(&mut self, request: &Operation) -> Result<()> {
        let (to, message) = {
            let outgoing = request.outgoing();
            let outgoing = outgoing.as_ref().expect("a send has something to hand over");
            (outgoing.to.clone(), outgoing.message.clone())
        };
        let receiver = self.find(&to)?;
        self.message(&receiver, message)
    }

    pub(super) fn write_posts(&mut self, posts: &[Post]) -> usize {
        for Post { to, what, receipt } in posts {
            let found = self.find(to);
            if let (Ok(Receiver::Resident(run)), PostWhat::Cancel(CancelCause::Terminated)) =
                (&found, what)
                && run.phase.get() == Phase::Closed
            {
                // This commit parks it. The next one ends it without its code.
                let what = PostWhat::Cancel(CancelCause::Terminated);
                let again = Post { to: to.clone(), what, receipt: receipt.clone() };
                self.engine.world.pending.borrow_mut().posts.push(again);
                continue;
            }
            let written = found.and_then(|receiver| match what {
                PostWhat::Message(message) => self.message(&receiver, message.clone()),
                PostWhat::Cancel(cause) => self.cancel(&receiver, *cause),
            });
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

    /// The run with this id, if it takes what comes.
    fn find(&mut self, id: &str) -> Result<Receiver> {
        if let Some(run) = self.engine.ledgers.with_id(id) {
            if run.ledger.next_seq.get() == 0 {
                // It was started behind what is for it.
                return Err(no_such_run(id));
            }
            return match run.phase.get() {
                Phase::Ended => Err(has_ended(id)),
                Phase::Replaying | Phase::Live | Phase::Closed => Ok(Receiver::Resident(run)),
            };
        }
        let row = self.engine.store.borrow().find(id);
        let row =
            row.map_err(|error| self.unreadable(id, error))?.ok_or_else(|| no_such_run(id))?;
        if row.state.has_ended() {
            return Err(has_ended(id));
        }
        let key = row.key;
        if self.elsewhere().deleted.contains(&key) {
            return Err(no_such_run(id));
        }
        if self.elsewhere().guests.get(&key).is_some_and(|guest| guest.row.state.has_ended()) {
            // This batch ends it.
            return Err(has_ended(id));
        }
        if !self.elsewhere().guests.contains_key(&key) {
            let ledger = Ledger::new(key);
            let last = self.engine.store.borrow().last(key);
            let last = last.map_err(|error| self.unreadable(id, error))?;
            ledger.next_seq.set(last.last().map_or(0, |entry| entry.seq + 1));
            self.elsewhere().guests.insert(key, Guest { ledger, row });
        }
        Ok(Receiver::Guest(key))
    }

    /// The history of a run that is not in memory cannot be added to; or the disk does not answer, and
    /// then nothing is.
    fn unreadable(&mut self, id: &str, error: dacapo_store::Error) -> Error {
        let message = Error::store(&error).wrap(format_args!("run {id:?} takes nothing"));
        if error.is_refused() {
            self.elsewhere().refused = Some(error);
        }
        message
    }

    fn ledger(&mut self, receiver: &Receiver) -> Rc<Ledger> {
        match receiver {
            Receiver::Resident(run) => run.ledger.clone(),
            Receiver::Guest(key) => self.elsewhere().guests[key].ledger.clone(),
        }
    }

    fn arrive(&mut self, receiver: &Receiver, what: What) {
        let ledger = self.ledger(receiver);
        if let Receiver::Resident(run) = receiver {
            self.engine.keep_in_memory(run);
        }
        self.elsewhere().arrivals.push(Arrival::Written(ledger.draft(what)));
    }

    /// Writes what comes to runs, behind all that they asked for and that was done for them.
    pub(super) fn write_arrivals(&mut self) {
        let arrivals = mem::take(&mut self.elsewhere().arrivals);
        for arrival in &arrivals {
            let Arrival::Written(draft) = arrival else { continue };
            draft.to.note_written();
            draft.with_record(|record| self.push(&draft.to, |bytes| record.append(bytes)));
        }
        self.elsewhere().arrivals = arrivals;
    }

    /// A message is recorded with whom it is for, unless its key was before.
    fn message(&mut self, receiver: &Receiver, message: Message) -> Result<()> {
        if let Some(key) = &message.key {
            let run = self.ledger(receiver).key;
            let is_new = self.elsewhere().keys.insert((run, message.channel, key.clone()));
            if !is_new || self.has_key(receiver, message.channel, key)? {
                return Ok(());
            }
        }
        self.arrive(receiver, What::Message(message));
        Ok(())
    }

    fn has_key(&mut self, receiver: &Receiver, channel: &str, key: &str) -> Result<bool> {
        match receiver {
            Receiver::Resident(run) if run.phase.get() != Phase::Closed => {
                Ok(run.has_extra().is_some_and(|extra| extra.inbox.borrow().has_key(channel, key)))
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
    fn history_has(
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

    /// A run is asked to end, once. Without its code there is nobody to ask: then it ends at once if it
    /// must, and otherwise waits for its code.
    fn cancel(&mut self, receiver: &Receiver, cause: CancelCause) -> Result<()> {
        let key = self.ledger(receiver).key;
        let terminates = cause == CancelCause::Terminated;
        let is_parked = match receiver {
            Receiver::Resident(run) => run.phase.get() == Phase::Closed,
            Receiver::Guest(key) => self.elsewhere().guests[key].row.state == RunState::Parked,
        };
        if is_parked && !terminates {
            return Err(parked(self.id(receiver)));
        }
        let is_asked = !self.elsewhere().cancelled.insert(key) || self.is_asked(receiver)?;
        if is_asked && !terminates {
            return Ok(());
        }
        self.arrive(receiver, What::Record(Record::CancelRequested { cause }.into()));
        if terminates && let Receiver::Guest(key) = receiver {
            self.end_guest(*key);
        }
        Ok(())
    }

    fn is_asked(&mut self, receiver: &Receiver) -> Result<bool> {
        match receiver {
            Receiver::Resident(run) => {
                Ok(run.has_extra().is_some_and(|extra| extra.cancelling.is_asked()))
            }
            Receiver::Guest(run) => {
                let id = self.elsewhere().guests[run].row.id.clone();
                self.history_has(*run, &id, |record| {
                    matches!(record, Record::CancelRequested { .. })
                })
            }
        }
    }

    /// A run ends without its code.
    fn end_guest(&mut self, key: RunKey) {
        let guest = self.elsewhere().guests.get_mut(&key).expect("it was found");
        guest.row.state = RunState::Cancelled;
        let mut row = guest.row.clone();
        row.changed_at = self.now.as_nanos();
        row.note.clear();
        row.wake_at = None;
        let outcome = Err(Error::cancelled().into_failure());
        let finished = Record::Finished { outcome, was_dropped: true };
        self.arrive(&Receiver::Guest(key), What::Record(finished.into()));
        self.batch.put_row(row);
    }

    fn id<'a>(&'a mut self, receiver: &'a Receiver) -> &'a str {
        match receiver {
            Receiver::Resident(run) => &run.id,
            Receiver::Guest(key) => &self.elsewhere().guests[key].row.id,
        }
    }
}

fn is_message(record: &Record<'_>, of: &str, with: &str) -> bool {
    matches!(record, Record::MessageArrived { channel, key: Some(key), .. } if *channel == of && *key == with)
}

fn has_ended(id: &str) -> Error {
    Error::of(Kind::Ended, format_args!("run {id:?} has ended: it takes nothing any more"))
}

fn parked(id: &str) -> Error {
    let message = format_args!(
        "run {id:?} is parked: nobody in it can be asked to end; resume it, or terminate it"
    );
    Error::of(Kind::Usage, message)
}
