//! Runs that do not go on: listed, taken up again, rehearsed.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use dacapo_store::{Filter, RunRow, RunState};

use super::{Executor, admit};
use crate::engine::{fault_of, no_such_run, parked_error, unregistered};
use crate::error::{Error, Kind, Result};
use crate::fault::{Fault, ParkReason};
use crate::instance::{Phase, PostWhat};
use crate::source::SourceLine;

/// A run that was stopped without having ended; see [`Executor::parked`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ParkedRun {
    /// The run's id.
    pub id: String,
    /// The name of its workflow.
    pub workflow: String,
    /// Why it is parked.
    pub reason: ParkReason,
    /// Why in particular, and what to do about it.
    pub message: String,
    /// The [id](crate::Builder::build_id) of the build that parked it, if it had one.
    pub build: Option<String>,
    /// Where its history and the code part, if that is why.
    pub divergence: Option<Divergence>,
    /// Where the code stands that it is about: what it asks for instead of what the history holds, or what it cannot
    /// read. Known of runs that were rehearsed, as by [`Executor::verify_all`] and [`Executor::sources`], and of no
    /// others: nothing of the source is recorded.
    pub source: Option<SourceLine>,
}

/// Where a history and the code part: the first record that differs, and both sides of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Divergence {
    /// The record.
    pub record: u64,
    /// What it holds: `outcome of 3 step "pay"`.
    pub history: String,
    /// What the code did there: `asks for step 3 "charge"`.
    pub code: String,
}

/// An unfinished run whose workflow this build does not have; see [`Executor::unregistered`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct UnregisteredRun {
    /// The run's id.
    pub id: String,
    /// The name of its workflow.
    pub workflow: String,
}

impl Executor {
    /// The runs that are parked, with the reasons, in the order in which they were started.
    ///
    /// # Errors
    ///
    /// If the store failed.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, ParkReason, Result, Workflow};
    /// const STUCK: Workflow<(), ()> = Workflow::new("stuck");
    /// let executor = Executor::builder()
    ///     .workflow(STUCK, async |_: &Ctx, ()| {
    ///         std::future::pending::<()>().await;
    ///         Ok::<_, dacapo::Error>(())
    ///     })
    ///     .in_memory();
    /// let error = executor.block_on(executor.start(STUCK, "stuck-1", ())?).unwrap_err();
    /// assert!(error.is_parked());
    /// let parked = executor.parked()?;
    /// assert_eq!((parked[0].id.as_str(), parked[0].reason), ("stuck-1", ParkReason::Stalled));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn parked(&self) -> Result<Vec<ParkedRun>> {
        admit(&self.shared.engine, format_args!("parked runs cannot be listed"))?;
        let rows = self.shared.engine.list(&Filter::new().states(&[RunState::Parked]))?;
        // One that is in memory was taken up again, and that is not committed yet.
        let is_away = |row: &RunRow| self.shared.engine.ledgers.resident(row.key).is_none();
        let mut parked: Vec<_> = rows
            .into_iter()
            .filter(is_away)
            .map(|row| (row.key, ParkedRun::new(&row.id, &row.workflow, &fault_of(&row))))
            .collect();
        let mut pending = Vec::new();
        self.shared.engine.pending_parks(|run, fault| {
            pending.push((run.key(), ParkedRun::new(&run.id, run.workflow(), fault)));
        });
        parked.extend(pending);
        parked.sort_by_key(|&(key, _)| key);
        Ok(parked.into_iter().map(|(_, parked)| parked).collect())
    }

    /// The unfinished runs whose workflows this build does not have. They stay as they are.
    ///
    /// # Errors
    ///
    /// If the store failed.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert!(executor.unregistered()?.is_empty());
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn unregistered(&self) -> Result<Vec<UnregisteredRun>> {
        admit(&self.shared.engine, format_args!("unregistered runs cannot be listed"))?;
        const STATES: [RunState; 3] = [RunState::Running, RunState::Queued, RunState::Delayed];
        let (engine, mut unknown) = (&self.shared.engine, Vec::new());
        let scanned = engine.store.borrow().scan(&Filter::new().states(&STATES), &mut |row| {
            if engine.registry.find(&row.workflow).is_none() {
                unknown.push(UnregisteredRun::from(row));
            }
        });
        scanned.map_err(|error| Error::store(&error))?;
        Ok(unknown)
    }

    /// Takes a parked run up again: replays it from its start, with the code of this build. That it goes on is in the
    /// file with the next commit, so drive the executor. It goes on at once, whatever room its queue has.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`Error::is_not_found`]), if it has ended
    /// ([`Error::is_ended`]) or is not parked, if its workflow is not registered, or if the store
    /// failed. If the replay finds something wrong again, the run stays parked, with the new
    /// reason, and the error says so ([`Error::is_parked`]).
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.resume("order-7").unwrap_err();
    /// assert_eq!(error.to_string(), r#"there is no run "order-7": check the id, or start it"#);
    /// ```
    pub fn resume(&self, id: &str) -> Result<()> {
        let row = self.parked_row(id)?;
        self.shared.engine.resume(&row)
    }

    /// Takes up all runs that are parked for this reason, such as those that a bad deployment has parked,
    /// and gives the ids of those that go on. Those that are parked again, or whose workflow is not
    /// registered, are left.
    ///
    /// # Errors
    ///
    /// If the store failed.
    ///
    /// ```
    /// # use std::{cell::Cell, rc::Rc};
    /// # use dacapo::{Ctx, Error, Executor, ParkReason, Workflow};
    /// const GREET: Workflow<(), ()> = Workflow::new("greet");
    /// let is_broken = Rc::new(Cell::new(true));
    /// let held = is_broken.clone();
    /// let greet = async move |_: &Ctx, ()| {
    ///     assert!(!held.get(), "a bug");
    ///     Ok::<_, Error>(())
    /// };
    /// let executor = Executor::builder().workflow(GREET, greet).in_memory();
    /// for id in ["a", "b"] {
    ///     executor.block_on(executor.start(GREET, id, ())?).unwrap_err();
    /// }
    /// assert!(executor.resume_all(ParkReason::Panicked)?.is_empty());
    /// is_broken.set(false);
    /// assert_eq!(executor.resume_all(ParkReason::Panicked)?, ["a", "b"]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn resume_all(&self, reason: ParkReason) -> Result<Vec<String>> {
        let mut resumed = Vec::new();
        for run in self.parked()?.into_iter().filter(|run| run.reason == reason) {
            match self.resume(&run.id) {
                Ok(()) => resumed.push(run.id),
                // It was that run's. If it was the store's, no other goes on either.
                Err(_) => self.shared.engine.check()?,
            }
        }
        Ok(resumed)
    }

    /// Takes up a run that is parked because a message does not decode, without that message: whoever
    /// would have received it gets the next one, or waits.
    ///
    /// That the message is skipped is recorded. Everything before goes as it did.
    ///
    /// # Errors
    ///
    /// As with [`resume`](Self::resume), and if the run is parked for another reason.
    ///
    /// ```
    /// use dacapo::{Channel, Ctx, Executor, Result, Workflow};
    ///
    /// const ORDER: Workflow<(), u64> = Workflow::new("order");
    /// const CENTS: Channel<u64> = Channel::new("cents");
    ///
    /// let executor = Executor::builder()
    ///     .workflow(ORDER, async |ctx: &Ctx, ()| Ok::<_, dacapo::Error>(ctx.receive(CENTS).await))
    ///     .in_memory();
    /// let run = executor.start(ORDER, "order-7", ())?;
    /// const EMPTY: Channel<()> = Channel::new("cents");
    /// executor.block_on(executor.send("order-7", EMPTY, ()))?;
    /// assert!(executor.block_on(run).unwrap_err().is_parked());
    /// executor.resume_skipping("order-7")?;
    /// executor.block_on(executor.send("order-7", CENTS, 7))?;
    /// assert_eq!(executor.block_on(executor.attach(ORDER, "order-7")?)?, 7);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn resume_skipping(&self, id: &str) -> Result<()> {
        let row = self.parked_row(id)?;
        let message = fault_of(&row).skippable().ok_or_else(|| {
            let message = format_args!(
                "run {id:?} is not parked for a message that does not decode, so there is none to \
                 skip: see Executor::parked, and resume it"
            );
            Error::of(Kind::Usage, message)
        });
        let engine = &self.shared.engine;
        // It is recorded first: the run may well be parked again, for the next one.
        let _told = engine.post(id, PostWhat::Skip(message?));
        engine.commit()?;
        // That commit may have ended it, or deleted it.
        engine.resume(&self.parked_row(id)?)
    }

    /// The row of a run that is parked.
    fn parked_row(&self, id: &str) -> Result<RunRow> {
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("run {id:?} cannot be resumed"))?;
        let is_not_parked = || {
            let message = format_args!("run {id:?} is not parked, so it cannot be resumed");
            Error::of(Kind::Usage, message)
        };
        if let Some(run) = self.shared.engine.ledgers.with_id(id) {
            match run.phase.get() {
                Phase::Closed => {}
                Phase::Ended => return Err(has_ended(id)),
                Phase::Replaying | Phase::Live => return Err(is_not_parked()),
            }
            // It is parked, and that is not committed yet.
            self.shared.engine.commit()?;
        }
        let row = self.shared.engine.find(id)?.ok_or_else(|| no_such_run(id))?;
        if self.shared.engine.is_being_deleted(row.key) {
            return Err(no_such_run(id));
        }
        match row.state {
            RunState::Parked => Ok(row),
            RunState::Running if self.shared.engine.registry.find(&row.workflow).is_none() => {
                Err(unregistered(id, &row.workflow))
            }
            RunState::Completed | RunState::Failed | RunState::Cancelled => Err(has_ended(id)),
            RunState::Running | RunState::Queued | RunState::Delayed | RunState::Continued => {
                Err(is_not_parked())
            }
        }
    }

    /// Replays a run against the code of this build, without starting any body and without
    /// changing anything: a rehearsal before a deployment.
    ///
    /// An ended run must end again with the recorded outcome.
    ///
    /// # Errors
    ///
    /// If there is no such run, or its workflow is not registered; or what the run would be parked
    /// for ([`Error::is_parked`]).
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder()
    ///     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, dacapo::Error>(n))
    ///     .in_memory();
    /// executor.block_on(executor.start(ECHO, "one", 1)?)?;
    /// executor.verify("one")?;
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn verify(&self, id: &str) -> Result<()> {
        admit(&self.shared.engine, format_args!("run {id:?} cannot be verified"))?;
        match self.shared.engine.find(id)? {
            Some(row) => {
                let rehearsed = self.shared.engine.rehearse(&row)?;
                rehearsed.map_err(|fault| not_repeated(&row, &fault))
            }
            // Nothing of it is committed, so nothing can differ.
            None if self.shared.engine.ledgers.with_id(id).is_some() => Ok(()),
            None => Err(no_such_run(id)),
        }
    }

    /// Replays a run as [`verify`](Self::verify) does, and lists the fields that are recorded in its
    /// history and that no type of this build asks for: what a removed field held, or one that was
    /// renamed without an alias and has a default under its new name.
    ///
    /// Each is named once, as `Price.tax`, in the order of the names.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    ///
    /// ```
    /// use dacapo::store::MemoryStore;
    /// use dacapo::{Ctx, Error, Executor, Workflow};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Price { net: u64, tax: u64 }
    ///
    /// const SELL: Workflow<Price, u64> = Workflow::new("sell");
    /// let store = MemoryStore::new();
    /// let sell = async |_: &Ctx, price: Price| Ok::<_, Error>(price.net);
    /// let executor = Executor::builder().workflow(SELL, sell).open_with(store.shared())?;
    /// executor.block_on(executor.start(SELL, "one", Price { net: 100, tax: 19 })?)?;
    /// assert!(executor.unread_fields("one")?.is_empty());
    /// # drop(executor);
    ///
    /// // The next release.
    /// #[derive(Serialize, Deserialize)]
    /// struct Net { net: u64 }
    ///
    /// const LATER: Workflow<Net, u64> = Workflow::new("sell");
    /// let sell = async |_: &Ctx, price: Net| Ok::<_, Error>(price.net);
    /// let executor = Executor::builder().workflow(LATER, sell).open_with(store.shared())?;
    /// assert_eq!(executor.unread_fields("one")?, ["Price.tax"]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn unread_fields(&self, id: &str) -> Result<Vec<String>> {
        let (verified, unread) = self.values().unread_in(|| self.verify(id));
        verified.map(|()| unread)
    }
}

fn has_ended(id: &str) -> Error {
    let message = format_args!(
        "run {id:?} has ended, so it cannot be resumed: if it failed, see Executor::retry"
    );
    Error::of(Kind::Ended, message)
}

/// What is said of a run that a rehearsal could not repeat.
fn not_repeated(row: &RunRow, fault: &Fault) -> Error {
    let (id, state, why) = (&row.id, row.state, fault.ahead());
    if state == RunState::Parked {
        return parked_error(id, fault);
    }
    let kind = Kind::ParkedFor(fault.reason());
    if state.has_ended() || state == RunState::Continued {
        return Error::of(kind, format_args!("run {id:?} is not repeated by this build: {why}"));
    }
    Error::of(kind, format_args!("run {id:?} would be parked by this build: {why}"))
}

impl From<RunRow> for UnregisteredRun {
    fn from(row: RunRow) -> Self {
        Self { id: row.id, workflow: row.workflow }
    }
}

impl ParkedRun {
    pub(super) fn new(id: &str, workflow: &str, fault: &Fault) -> Self {
        let message = alloc::format!("{}", fault);
        let (id, workflow) = (id.to_owned(), workflow.to_owned());
        let build = fault.build().map(ToOwned::to_owned);
        let divergence = fault.sides().map(|(record, history, code)| Divergence {
            record,
            history: history.to_owned(),
            code: code.to_owned(),
        });
        let (reason, source) = (fault.reason(), fault.source());
        Self { id, workflow, reason, message, build, divergence, source }
    }
}
