//! What the engine keeps of each run that has not ended: of those in memory, of those that are about
//! to be written, and of those that have left it, unless their rows say when they go on: then that and
//! their keys are enough, and are with the timers.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use dacapo_store::{History, RunKey, RunRow};

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::fault::Fault;
use crate::mark::Made;
use crate::message::Message;
use crate::operation::Operation;
use crate::record::{Asked, Number, Outcome, Record, Spent, borrowed};
use crate::retried::Awaited;
use crate::watch::Watch;

/// One run. Its id and its workflow are with the run if that is in memory, and in its row otherwise.
pub(crate) struct Ledger {
    pub(crate) key: RunKey,
    /// The seq of the next record to be committed. Of a run that was not read yet it is unknown, and 0.
    pub(crate) next_seq: Cell<u64>,
    pub(crate) started_at: Cell<Timestamp>,
    /// When it goes on by itself; it counts if `has_wake_at`.
    wake_at: Cell<Timestamp>,
    /// `None` while nobody waits.
    watch: Cell<Option<Rc<Watch>>>,
    /// Where the run is in memory, or [`AWAY`](Self::AWAY).
    pub(crate) slot: Cell<u32>,
    /// How many drafts of it wait for a commit, or to be delivered: until then it stays in memory.
    pending: Cell<u32>,
    /// How many records of the present commit are still to be delivered to it.
    undelivered: Cell<u32>,
    /// Whether its start is committed.
    is_accepted: Cell<bool>,
    has_wake_at: Cell<bool>,
    /// Whether its row says when it goes on by itself, so that a record must take that back.
    pub(crate) row_has_wake_at: Cell<bool>,
    /// Whether the run waits to be admitted, and its row says all there is.
    pub(crate) is_waiting: Cell<bool>,
}

/// One thing that the next commit writes of a run, beside the outcomes of bodies.
pub(crate) struct Draft {
    pub(crate) to: Rc<Ledger>,
    pub(crate) what: What,
}

pub(crate) enum What {
    Record(Box<Record<'static>>),
    /// What the code asked for is carried out, and recorded with what came of it.
    Request(Rc<Operation>),
    /// What the code did without awaiting it.
    Mark(Rc<Made>),
    /// The run goes on in another pass.
    Again(Box<Passing>),
    /// A message comes to the run.
    Message(Message),
    /// A child that the run started has ended.
    ChildEnded(Box<ChildEnd>),
    /// The run is parked: its row changes, its history does not.
    Park(Box<Fault>),
    /// The same of a run that is nothing but its row.
    Hold(Box<Held>),
    /// The run is taken up again: likewise.
    Resume,
    /// The run has failed, and is taken up again.
    Retry(Box<Retrial>),
    /// The run has ended or is parked, and is forgotten with its history.
    Delete,
    /// The run comes into being with a history.
    Copy(Box<Copied>),
}

/// A run that comes into being with a history, and is parked if it has not ended.
pub(crate) struct Copied {
    pub(crate) row: RunRow,
    /// What keeps its commits and times.
    pub(crate) history: History,
    /// The record behind it, of the commit that brings it; or nothing.
    pub(crate) own: Vec<u8>,
    /// Why it is parked.
    pub(crate) fault: Fault,
}

/// A run that is not in memory, and is to be parked.
pub(crate) struct Held {
    /// Its row, as it is before that.
    pub(crate) row: RunRow,
    pub(crate) fault: Fault,
}

/// A run that had failed is taken up again.
pub(crate) struct Retrial {
    /// Its row, as it is to be.
    pub(crate) row: RunRow,
    /// From which seq on failures no longer count.
    pub(crate) from: u64,
    /// The children that it waits for again.
    pub(crate) children: Vec<Awaited>,
}

/// What one pass of a run hands to the next.
pub(crate) struct Passing {
    pub(crate) input: Bytes<'static>,
    /// How many passes by now, in a row, ended with nothing delivered to them but their start.
    pub(crate) idle_passes: u32,
}

/// The end of a child, for the run that waits for it.
pub(crate) struct ChildEnd {
    pub(crate) number: Number,
    pub(crate) workflow: Rc<str>,
    pub(crate) id: Rc<str>,
    pub(crate) outcome: Outcome<'static>,
}

impl Ledger {
    /// Of a run that is new, or of which nothing was read yet.
    pub(crate) fn new(key: RunKey) -> Rc<Self> {
        Rc::new(Self {
            key,
            next_seq: Cell::default(),
            started_at: Cell::default(),
            wake_at: Cell::default(),
            watch: Cell::default(),
            slot: Cell::new(Self::AWAY),
            pending: Cell::default(),
            undelivered: Cell::default(),
            is_accepted: Cell::default(),
            has_wake_at: Cell::default(),
            row_has_wake_at: Cell::default(),
            is_waiting: Cell::default(),
        })
    }

    /// Of a run that waits to be admitted.
    pub(crate) fn waiting(key: RunKey) -> Rc<Self> {
        let ledger = Self::new(key);
        ledger.accept();
        ledger.is_waiting.set(true);
        ledger
    }

    /// Of a run that has left memory, and whose row says until when.
    pub(crate) fn asleep(key: RunKey, wake_at: Timestamp) -> Rc<Self> {
        let ledger = Self::new(key);
        ledger.accept();
        ledger.set_wake_at(Some(wake_at));
        ledger.row_has_wake_at.set(true);
        ledger
    }

    /// Whether it says no more than what [`asleep`](Self::asleep) would make of the row, and nobody
    /// waits for the run.
    pub(crate) fn may_be_forgotten(self: &Rc<Self>) -> bool {
        self.forget_deserted_watch();
        let is_watched = self.has_watch();
        let has_row = self.row_has_wake_at.get() || self.is_waiting.get();
        let is_asleep = self.slot.get() == Self::AWAY && has_row;
        is_asleep && !is_watched && Rc::strong_count(self) == 1
    }

    /// Where a run is that is not in memory.
    pub(crate) const AWAY: u32 = u32::MAX;

    /// When it goes on by itself, if it may leave memory or has left it.
    pub(crate) fn wake_at(&self) -> Option<Timestamp> {
        self.has_wake_at.get().then(|| self.wake_at.get())
    }

    pub(crate) fn set_wake_at(&self, at: Option<Timestamp>) {
        self.has_wake_at.set(at.is_some());
        self.wake_at.set(at.unwrap_or_default());
    }

    pub(crate) fn take_wake_at(&self) -> Option<Timestamp> {
        let at = self.wake_at();
        self.set_wake_at(None);
        at
    }

    pub(crate) fn has_pending(&self) -> bool {
        self.pending.get() > 0
    }

    /// Has something to be written of it by a commit. It is [settled](Draft::settle) once, when it was
    /// delivered, or turned out to be void.
    pub(crate) fn draft(self: &Rc<Self>, what: What) -> Draft {
        self.pending.set(self.pending.get() + 1);
        Draft { to: self.clone(), what }
    }

    pub(crate) fn take_seq(&self) -> u64 {
        self.next_seq.replace(self.next_seq.get() + 1)
    }

    /// One more record or change of the present commit is to be delivered.
    pub(crate) fn note_written(&self) {
        self.undelivered.set(self.undelivered.get() + 1);
    }

    /// One of these was delivered; whether it was the last.
    pub(crate) fn note_delivered(&self) -> bool {
        self.undelivered.set(self.undelivered.get() - 1);
        self.undelivered.get() == 0
    }

    /// Where to wait for the run.
    pub(crate) fn watch(&self) -> Rc<Watch> {
        let watch = self.watch.take().unwrap_or_else(|| match self.is_accepted.get() {
            true => Watch::accepted(),
            false => Rc::default(),
        });
        self.watch.set(Some(watch.clone()));
        watch
    }

    /// Those who wait for the run, for the next pass of it.
    pub(crate) fn take_watch(&self) -> Option<Rc<Watch>> {
        self.watch.take()
    }

    pub(crate) fn set_watch(&self, watch: Rc<Watch>) {
        self.watch.set(Some(watch));
    }

    /// The start is committed.
    pub(crate) fn accept(&self) {
        self.is_accepted.set(true);
        if let Some(watch) = self.watch.take() {
            watch.accept();
            self.watch.set(Some(watch));
            self.forget_deserted_watch();
        }
    }

    /// Whether there is a place where somebody may wait.
    pub(crate) fn has_watch(&self) -> bool {
        let watch = self.watch.take();
        let is_there = watch.is_some();
        self.watch.set(watch);
        is_there
    }

    /// A run that nobody waits for needs no place to wait at.
    pub(crate) fn forget_deserted_watch(&self) {
        let watch = self.watch.take();
        let is_watched =
            |watch: &Rc<Watch>| Rc::strong_count(watch) > 1 || watch.is_watched_from_afar();
        self.watch.set(watch.filter(is_watched));
    }

    /// Ends the wait of all who wait.
    pub(crate) fn end(&self, ended: Result<Outcome<'static>>) {
        if let Some(watch) = self.watch.take() {
            watch.end(ended);
        }
    }

    /// Reads a little of it, so that its memory is in the processor's cache soon.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        core::hint::black_box((self.key, self.undelivered.get()));
    }
}

impl Draft {
    /// The same.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        self.to.prefetch();
        if let What::Request(request) = &self.what {
            request.prefetch();
        }
    }

    /// Gives the record, if it is one, to `take`.
    pub(crate) fn with_record<T>(&self, take: impl FnOnce(&Record<'_>) -> T) -> Option<T> {
        match &self.what {
            What::Record(record) => Some(take(record)),
            What::Request(request) => Some(request.with_record(take)),
            What::Mark(made) => {
                Some(take(&Record::Marked { number: made.number, mark: made.mark.borrowed() }))
            }
            What::Again(_) => Some(take(&Record::Again)),
            What::Message(Message { channel, payload, key, is_question }) => {
                let (payload, key) = (payload.borrowed(), key.as_deref());
                let is_question = *is_question;
                Some(take(&Record::MessageArrived { channel, payload, key, is_question }))
            }
            What::ChildEnded(end) => {
                let ChildEnd { number, workflow, id, outcome } = &**end;
                Some(take(&Record::OperationEnded {
                    number: *number,
                    asked: Asked::Child { workflow },
                    label: Some(id),
                    outcome: borrowed(outcome),
                    spent: Spent::default(),
                }))
            }
            What::Park(_)
            | What::Hold(_)
            | What::Resume
            | What::Retry(_)
            | What::Delete
            | What::Copy(_) => None,
        }
    }

    /// It was delivered, or never will be.
    pub(crate) fn settle(&self) {
        self.to.pending.set(self.to.pending.get() - 1);
    }
}
