//! Copies of runs, up to a place of their histories.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display};

use dacapo_store::{Entry, History};

use super::{Executor, admit};
use crate::engine::{no_such_run, parked_error};
use crate::error::{Error, Kind, Result};
use crate::fault::{Fault, ParkReason};
use crate::ledger::Copied;
use crate::random;
use crate::record::Record;

/// Where a history is cut for a [fork](Executor::fork).
///
/// ```
/// use dacapo::Cut;
///
/// assert_eq!(Cut::before("2.1").to_string(), "before operation 2.1");
/// assert_eq!(Cut::at(14).to_string(), "at record 14");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut(Place);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    At(u64),
    Before(String),
}

impl Cut {
    /// Keeps the records before this one, counted from 0. What a run begins with is always kept, so
    /// `at(1)` is the same input again.
    #[must_use]
    pub fn at(record: u64) -> Self {
        Self(Place::At(record))
    }

    /// Keeps what comes before the outcome of the operation with this number, such as `3`, or `"2.1"` for
    /// the first of task 2: it is carried out anew.
    #[must_use]
    pub fn before(number: impl Display) -> Self {
        Self(Place::Before(number.to_string()))
    }
}

impl Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::At(record) => write!(f, "at record {record}"),
            Place::Before(number) => write!(f, "before operation {number}"),
        }
    }
}

/// What a fork is, or would be; see [`Executor::fork`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fork {
    /// The id of the copy.
    pub id: String,
    /// So many records of the other run stand in its history: those before this one.
    pub kept: u64,
    /// So many of its records do not.
    pub left_out: u64,
    /// What begins when it is resumed, in the order of the numbers: steps, which run (again), with idempotency
    /// keys of their own; messages, which are sent (again); children, which are started (again). All of it has
    /// no outcome in what is kept.
    pub begins: Vec<String>,
    /// What it would be parked for when it is resumed, if the code of this build does not repeat what is kept.
    /// Then it is not known what begins.
    pub would_park: Option<String>,
}

/// What to do about an id that exists.
const IF_TAKEN: &str = "give the copy another id";

impl Executor {
    /// Makes a copy of a run as it was at a place of its history, under another id. It is parked until it is
    /// [resumed](Self::resume): then it goes on from there, with the code of this build, and the other run
    /// is as it was.
    ///
    /// What stands before the cut has happened, and is not repeated: outcomes, messages that were sent, children
    /// that have ended. Whatever has no outcome there is as if it was never begun: steps begin with their first
    /// attempt and with new idempotency keys, children are started anew under the copy's id. Those that were
    /// let go are not. Sleeps whose time is over end at once. The copy has no parent and no deadline, and draws
    /// other random numbers from there on. [`Ctx::id`](crate::Ctx::id) gives the copy's id from its beginning: code
    /// that makes a label or a decision of it diverges.
    ///
    /// The run may be in any state. Of one that went on in passes ([`Ctx::again`](crate::Ctx::again)) it is
    /// the present one.
    ///
    /// # Errors
    ///
    /// If there is no such run ([`Error::is_not_found`]), if the new id exists or is empty, if the history is
    /// damaged, if the run had ended before the cut or is shorter, or the operation has no outcome in it; or
    /// if the store failed.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Result, Workflow};
    /// use dacapo::Cut;
    /// const ORDER: Workflow<u32, String> = Workflow::new("order");
    ///
    /// async fn order(ctx: &Ctx, cents: u32) -> Result<String> {
    ///     ctx.step("reserve", async || Ok::<_, Error>(())).await?;
    ///     let id = ctx.id().to_owned();
    ///     ctx.step("pay", async move || Ok::<_, Error>(format!("{cents} by {id}"))).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(ORDER, order).in_memory();
    /// executor.block_on(executor.start(ORDER, "one", 250)?)?;
    ///
    /// let fork = executor.fork("one", Cut::before(2), "one-again")?;
    /// assert_eq!((fork.kept, fork.left_out), (2, 2));
    /// assert_eq!(fork.begins, [r#"step 2 "pay""#]);
    /// executor.resume("one-again")?;
    /// let run = executor.attach(ORDER, "one-again")?;
    /// assert_eq!(executor.block_on(run)?, "250 by one-again");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn fork(&self, id: &str, cut: Cut, new_id: &str) -> Result<Fork> {
        let (copied, fork) = self.prepare_fork(id, &cut, new_id)?;
        self.shared.engine.copy([copied], IF_TAKEN)?;
        Ok(fork)
    }

    /// Says what [`fork`](Self::fork) would do, and changes nothing.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.rehearse_fork("one", dacapo::Cut::at(1), "two").unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    pub fn rehearse_fork(&self, id: &str, cut: Cut, new_id: &str) -> Result<Fork> {
        self.prepare_fork(id, &cut, new_id).map(|(_, fork)| fork)
    }

    fn prepare_fork(&self, id: &str, cut: &Cut, new_id: &str) -> Result<(Copied, Fork)> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("run {id:?} cannot be forked"))?;
        engine.expect_free(new_id, IF_TAKEN)?;
        let origin = engine.find(id)?.ok_or_else(|| no_such_run(id))?;
        let whole = engine.history(&origin)?.map_err(|fault| parked_error(id, &fault))?;
        let place = place(id, &whole, cut)?;
        let row = engine.copied_row(new_id, &origin);
        let mut own = Vec::new();
        let seed = random::mix(engine.seed, row.key.0);
        Record::Forked { from: id, seq: place, seed }.append(&mut own);
        let history = kept(&whole, place);
        let (begins, would_park) = engine.rehearse_copy(&row, &history, &own)?;
        let (kept, left_out) = (place, whole.len() as u64 - place);
        let fork = Fork { id: new_id.to_owned(), kept, left_out, begins, would_park };
        let detail = format_args!("it is a fork of run {id:?} {cut}");
        let fault = engine.world.stamped(Fault::new(ParkReason::OnRequest, detail));
        Ok((Copied { row, history, own, fault }, fork))
    }
}

/// How many records are kept, or why it cannot be cut there.
fn place(id: &str, history: &History, cut: &Cut) -> Result<u64> {
    let refused = |why: fmt::Arguments<'_>| {
        let message = format_args!("run {id:?} cannot be forked {cut}: {why}");
        Err(Error::of(Kind::Usage, message))
    };
    let place = match &cut.0 {
        Place::At(record) => *record,
        Place::Before(number) => match outcome_of(history, number) {
            Some(seq) => seq,
            None => {
                return refused(format_args!(
                    "its history has no outcome of that, so cut it at a record"
                ));
            }
        },
    };
    if place > history.len() as u64 {
        return refused(format_args!("its history has {} records", history.len()));
    }
    let (mut begins, mut end) = (None, None);
    for (seq, entry) in (0..).zip(history) {
        match Record::read(entry.record) {
            Ok(Record::Started { .. } | Record::Admitted { .. }) => begins = Some(seq + 1),
            Ok(Record::Finished { .. } | Record::Again) => {
                if seq < place {
                    end = Some(seq);
                }
            }
            Ok(Record::Retried { .. }) => {
                if seq < place {
                    end = None;
                }
            }
            Ok(
                Record::Submitted(_)
                | Record::Resubmitted(_)
                | Record::OperationEnded { .. }
                | Record::OperationNoted { .. }
                | Record::Marked { .. }
                | Record::Reported { .. }
                | Record::MessageArrived { .. }
                | Record::MessageSkipped { .. }
                | Record::CancelRequested { .. }
                | Record::Forked { .. }
                | Record::Moved { .. },
            ) => {}
            Err(why) => return refused(format_args!("record {seq} cannot be read: {why}")),
        }
    }
    match end {
        Some(end) => {
            refused(format_args!("it had ended with record {end}: cut it there or before"))
        }
        None => match begins {
            Some(begins) => Ok(place.max(begins)),
            None => refused(format_args!("it waits to be admitted, so there is nothing to keep")),
        },
    }
}

/// Where the last outcome of an operation stands.
fn outcome_of(history: &History, number: &str) -> Option<u64> {
    let is_it = |record: &[u8]| match Record::read(record) {
        Ok(Record::OperationEnded { number: ended, .. }) => ended.to_string() == number,
        Ok(_) | Err(_) => false,
    };
    history.iter().rev().find(|entry| is_it(entry.record)).map(|entry| entry.seq)
}

/// What a fork has of a history: what stands before the cut; and wherever it stands, what says of a message there
/// that it is skipped, or of the code that it takes a new way there.
fn kept(history: &History, place: u64) -> History {
    let is_kept = |entry: &Entry<'_>| {
        entry.seq < place
            || Record::read_skipped(entry.record).is_some_and(|seq| seq < place)
            || Record::read_patched(entry.record).is_some_and(|(_, at)| at <= place)
    };
    let kept = history.iter().filter(is_kept);
    (0..).zip(kept).map(|(seq, entry)| Entry { seq, ..entry }).collect()
}
