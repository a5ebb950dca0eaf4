//! What the next commit writes, and what is known of each part of it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::mem;
use core::time::Duration;

use dacapo_store::{RunKey, RunRow};

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::instance::Instance;
use crate::ledger::{Draft, Ledger, What};
use crate::mark::Made;
use crate::message::Message;
use crate::operation::Operation;
use crate::record::{CancelCause, Outcome, Record, Spent, Submission};
use crate::start::Later;
use crate::tables::TxOnce;
use crate::topics::Report;
use crate::watch::Watch;

/// What a commit writes, part by part: the outcomes at their place among [`Others`].
#[derive(Default)]
pub(crate) struct Pending {
    /// Outcomes of bodies, in the order in which these ended.
    pub(crate) outcomes: Vec<BodyEnd>,
    /// Runs whose rows are to say when they go on by themselves. They go with the next commit that
    /// has anything else to write.
    pub(crate) sleepers: Vec<Sleeper>,
    others: Others,
    /// Whether there may be others. Nearly all commits have outcomes alone, and to look at each part
    /// would cost more than all else that is done for them here.
    has_others: bool,
}

/// All parts of a commit but the outcomes. It writes part by part in this order ("own first" in
/// `docs/semantics.md`): so nothing that comes to a run from elsewhere can take away what the run asked
/// for in the same commit.
#[derive(Default)]
pub(crate) struct Others {
    /// Passes that end: their last marks, and what the next ones take over.
    pub(crate) passes: Vec<Draft>,
    /// By their places among all. They are carried out before anything is written, as far as there is time.
    pub(crate) transactions: BTreeMap<u64, Transaction>,
    /// Those that were, in this order: all of them are written.
    pub(crate) transacted: Vec<Transacted>,
    /// What runs asked for, and starts, in the order in which they were drafted. What one run asked
    /// for at one point stands together.
    pub(crate) requests: Vec<Draft>,
    /// What runs begin with that `requests` started.
    pub(crate) starts: Vec<Draft>,
    // Here come the outcomes.
    /// What bodies published, among the outcomes.
    pub(crate) reports: Vec<Reported>,
    /// By deadline, run and number.
    pub(crate) timers: Vec<Draft>,
    /// What callers have for runs, in the order in which they called.
    pub(crate) posts: Vec<Post>,
    /// What comes to runs with this commit, of `posts` and of what `requests` did.
    pub(crate) arrivals: Vec<Arrival>,
    /// Rows that change without a record, and what is deleted.
    pub(crate) rows: Vec<Draft>,
    /// Notes of schedules and queues that change, and what schedules start. All of it is always written.
    pub(crate) notes: Vec<NoteDraft>,
    /// Runs that wait to be admitted from this commit on.
    pub(crate) waiting: Vec<Rc<Ledger>>,
    /// Runs that this commit admits.
    pub(crate) admitted: Vec<Draft>,
}

/// Something for a run that is found when it is written.
pub(crate) struct Post {
    pub(crate) to: Rc<str>,
    pub(crate) what: PostWhat,
    /// Where the caller waits for the commit.
    pub(crate) receipt: Rc<Watch>,
}

pub(crate) enum PostWhat {
    Message(Message),
    Cancel(CancelCause),
    /// The message at this seq is not to be received.
    Skip(u64),
    /// It waits to be admitted, and is to begin with something else, or to wait elsewhere.
    Resubmit(Box<Change>),
}

/// What a run that waits to be admitted is to have in place of what it has.
#[derive(Clone)]
pub(crate) struct Change {
    /// `None`: it stays.
    pub(crate) input: Option<Bytes<'static>>,
    pub(crate) replaced: Replaced,
}

/// Which of its options are replaced.
#[derive(Clone)]
pub(crate) enum Replaced {
    /// All that say where it waits, and others that are given.
    All(Later),
    /// When it may be admitted: after a while, but not so long after it was submitted.
    Time { wait: Duration, cap: Duration },
}

/// What a schedule or a queue has in a commit.
pub(crate) struct NoteDraft {
    pub(crate) key: Vec<u8>,
    /// What is to stand there. `None`: there is to be no such note.
    pub(crate) value: Option<Vec<u8>>,
    /// The ids of the runs that a schedule starts, and how they begin.
    pub(crate) starts: Vec<(Rc<str>, Submission<'static>)>,
    /// Where somebody may wait for the commit.
    pub(crate) receipt: Rc<Watch>,
}

/// What reads and writes tables in a commit.
pub(crate) enum Transaction {
    /// A step of a run.
    Step(Rc<Instance>, Rc<Operation>),
    /// Somebody else, who waits for the commit.
    Outside(Box<TxOnce>, Rc<Watch>),
}

/// A transaction that was carried out.
pub(crate) enum Transacted {
    Step(BodyEnd),
    /// What somebody else is told when it is committed.
    Outside(Rc<Watch>, Result<(), Error>),
}

/// What came of a post: what is recorded, or why nothing is.
pub(crate) enum Arrival {
    Written(Draft),
    /// The caller is told.
    Told(Rc<Watch>, Result<(), Error>),
    /// A question comes to a run, and stands there at this seq.
    Question(Draft, Rc<Cell<u64>>),
    /// Somebody waits for the answer to the question at this seq.
    Asks(RunKey, Rc<Cell<u64>>, Rc<Watch>),
    /// The caller is told the answer, or why there is none.
    Answered(Rc<Watch>, Box<Result<Outcome<'static>, Error>>),
    /// A pass has ended: the questions at these seqs are at those of the next one.
    Passed {
        from: RunKey,
        to: RunKey,
        seqs: Vec<(u64, u64)>,
    },
    /// A child has ended: whether somebody waits for it is looked at when all else is known.
    ChildEnds(Receiver, Box<Outcome<'static>>),
    Nothing,
}

/// What takes a post.
#[derive(Clone)]
pub(crate) enum Receiver {
    Resident(Rc<Instance>),
    /// One that is not in memory.
    Guest(RunKey),
}

/// A run that waits for long.
pub(crate) enum Sleeper {
    Resident(Rc<Ledger>),
    /// With the row to be written, for the run is not there to make it.
    Away(Rc<Ledger>, Box<RunRow>),
}

/// The end of a body's last attempt. What came of it is with the operation.
pub(crate) struct BodyEnd {
    pub(crate) instance: Rc<Instance>,
    pub(crate) operation: Rc<Operation>,
    pub(crate) attempts: u32,
    /// When the first attempt of this process began.
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
}

/// A value that a body published.
pub(crate) struct Reported {
    /// So many outcomes came before it.
    pub(crate) behind: usize,
    pub(crate) report: Report,
    pub(crate) value: Bytes<'static>,
    /// Whose it is, once it was written. What is void never is.
    pub(crate) run: Option<Rc<Instance>>,
}

/// How much of each part was written, if not all of it was.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) passes: usize,
    pub(crate) requests: usize,
    pub(crate) outcomes: usize,
    pub(crate) reports: usize,
    pub(crate) timers: usize,
    pub(crate) posts: usize,
    pub(crate) rows: usize,
}

impl Others {
    fn are_empty(&self) -> bool {
        let Self {
            passes,
            transactions,
            transacted,
            requests,
            starts,
            reports,
            timers,
            posts,
            arrivals,
            rows,
            notes,
            waiting,
            admitted,
        } = self;
        passes.is_empty()
            && transactions.is_empty()
            && transacted.is_empty()
            && requests.is_empty()
            && starts.is_empty()
            && reports.is_empty()
            && timers.is_empty()
            && posts.is_empty()
            && arrivals.is_empty()
            && rows.is_empty()
            && notes.is_empty()
            && waiting.is_empty()
            && admitted.is_empty()
    }
}

impl Pending {
    /// Whether it is nothing that a commit must be made for.
    pub(crate) fn is_empty(&self) -> bool {
        self.outcomes.is_empty() && self.has_only_outcomes()
    }

    /// Whether there is nothing but outcomes, as in nearly all commits.
    pub(crate) fn has_only_outcomes(&self) -> bool {
        !self.has_others || self.others.are_empty()
    }

    pub(crate) fn others(&self) -> &Others {
        &self.others
    }

    pub(crate) fn others_mut(&mut self) -> &mut Others {
        self.has_others = true;
        &mut self.others
    }

    /// The outcomes, and all else.
    pub(crate) fn parts_mut(&mut self) -> (&mut Vec<BodyEnd>, &mut Others) {
        self.has_others = true;
        (&mut self.outcomes, &mut self.others)
    }

    /// Moves all but the sleepers to `taken`, which is empty.
    pub(crate) fn move_to(&mut self, taken: &mut Self) {
        mem::swap(&mut self.outcomes, &mut taken.outcomes);
        taken.has_others = mem::take(&mut self.has_others);
        if taken.has_others {
            mem::swap(&mut self.others, &mut taken.others);
        }
    }

    /// Takes back from `taken` what is behind `written`, before what has come since.
    #[cold]
    pub(crate) fn take_back(&mut self, taken: &mut Self, written: &Written) {
        fn back<T>(list: &mut Vec<T>, taken: &mut Vec<T>, written: usize) {
            let mut rest = taken.split_off(written);
            rest.append(list);
            *list = rest;
        }
        back(&mut self.outcomes, &mut taken.outcomes, written.outcomes);
        let (others, taken) = (self.others_mut(), &mut taken.others);
        back(&mut others.passes, &mut taken.passes, written.passes);
        others.transactions.append(&mut taken.transactions);
        back(&mut others.requests, &mut taken.requests, written.requests);
        for reported in &mut taken.reports[written.reports..] {
            reported.behind -= written.outcomes;
        }
        back(&mut others.reports, &mut taken.reports, written.reports);
        back(&mut others.timers, &mut taken.timers, written.timers);
        back(&mut others.posts, &mut taken.posts, written.posts);
        back(&mut others.rows, &mut taken.rows, written.rows);
    }

    /// Takes out the outcomes that nobody waits for any more.
    pub(crate) fn drop_void_outcomes(&mut self) {
        let Self { outcomes, others, .. } = self;
        for reported in &mut others.reports {
            let before = &outcomes[..reported.behind];
            reported.behind = before.iter().filter(|end| end.is_awaited()).count();
        }
        outcomes.retain(BodyEnd::is_awaited);
    }

    /// Takes the marks of a run whose pass ends, which a commit that was full has left over: they come
    /// with its end. What else the run asked for is void.
    pub(crate) fn take_marks(&mut self, of: &Rc<Ledger>) -> Vec<Rc<Made>> {
        let mut marks = Vec::new();
        if of.has_pending() {
            self.others.requests.retain(|draft| {
                let is_other = !Rc::ptr_eq(&draft.to, of);
                if !is_other {
                    draft.settle();
                    if let What::Mark(made) = &draft.what {
                        marks.push(made.clone());
                    }
                }
                is_other
            });
        }
        marks
    }

    /// Gives the memory back that only a burst needed.
    pub(crate) fn shrink_to(&mut self, length: usize) {
        fn shrink<T>(list: &mut Vec<T>, length: usize) {
            if list.capacity() > length {
                list.shrink_to(length);
            }
        }
        shrink(&mut self.outcomes, length);
        if self.has_others {
            // A message that many runs get makes a post, and two arrivals.
            let length = 4 * length;
            let Others {
                passes,
                transactions: _,
                transacted,
                requests,
                starts,
                reports,
                timers,
                posts,
                arrivals,
                rows,
                notes,
                waiting,
                admitted,
            } = &mut self.others;
            shrink(waiting, length);
            for drafts in [passes, requests, starts, timers, rows, admitted] {
                shrink(drafts, length);
            }
            shrink(transacted, length);
            shrink(notes, length);
            shrink(reports, length);
            shrink(posts, length);
            shrink(arrivals, length);
        }
    }
}

impl BodyEnd {
    /// Gives the record of it, for a commit at `now`, to `take`.
    pub(crate) fn with_record<T>(&self, now: Timestamp, take: impl FnOnce(&Record<'_>) -> T) -> T {
        let Self { operation, attempts, started_at, ended_at, .. } = self;
        take(&Record::OperationEnded {
            number: operation.number,
            asked: operation.asked(),
            label: operation.label(),
            outcome: operation.borrowed_outcome(),
            spent: Spent {
                attempts: *attempts,
                started_before: now.nanos_since(*started_at),
                took: ended_at.nanos_since(*started_at),
            },
        })
    }

    /// Appends the encoding of that record.
    #[inline]
    pub(crate) fn append(&self, now: Timestamp, out: &mut Vec<u8>) {
        let Self { operation, attempts, started_at, ended_at, .. } = self;
        let spent = Spent {
            attempts: *attempts,
            started_before: now.nanos_since(*started_at),
            took: ended_at.nanos_since(*started_at),
        };
        if !operation.ended(spent).is_some_and(|ended| ended.append_short(out)) {
            self.append_long(now, out);
        }
    }

    #[inline(never)]
    fn append_long(&self, now: Timestamp, out: &mut Vec<u8>) {
        self.with_record(now, |record| record.append(out));
    }

    pub(crate) fn is_of(&self, operation: &Rc<Operation>) -> bool {
        Rc::ptr_eq(&self.operation, operation)
    }

    /// Whether its operation still waits for it.
    pub(crate) fn is_awaited(&self) -> bool {
        self.instance.awaits(&self.operation)
    }
}
