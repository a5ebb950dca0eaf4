//! Runs as their rows show them: listed and deleted.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use dacapo_store::{Filter, Queued, RunKey, RunRow, RunState};

use super::posted::Posted;
use super::{Executor, admit};
use crate::clock::Timestamp;
use crate::engine::{Engine, no_such_run};
use crate::error::{Error, Kind, Result};
use crate::instance::Phase;
use crate::watch::Watch;

/// What is known of a run without reading its history; see [`Executor::runs`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RunInfo {
    /// Its key in this store: a filter lists what comes after it ([`Filter::after`]).
    pub key: RunKey,
    /// The run's id.
    pub id: String,
    /// The name of its workflow.
    pub workflow: String,
    /// Where it stands.
    pub state: RunState,
    /// When its start was committed.
    pub started_at: Timestamp,
    /// When its row changed last: at its start, its end, when it was parked or resumed, or when it
    /// began to wait for long.
    pub changed_at: Timestamp,
    /// Nothing happens to it by itself before this time. `None`: that is not known.
    /// [`Timestamp::NEVER`]: it waits for something from elsewhere alone
    /// ([`waits_for_others`](Self::waits_for_others)). Of a run whose steps wait for their next attempts this
    /// is known in the executor that it is in, and not in the file.
    pub wake_at: Option<Timestamp>,
    /// Which pass of it this is: 1 for the first.
    pub pass: u32,
    /// When it is asked to end.
    pub deadline: Option<Timestamp>,
    /// The names and values that it was started with, in the order of the names.
    pub attributes: Vec<(String, String)>,
    /// Its place in a queue, also when it was admitted, or for what it was delayed.
    pub queue: Option<Queued>,
}

impl RunInfo {
    /// Whether nothing happens to it by itself, so that it may wait for ever: it has no sleep, no time
    /// limit and no deadline, and waits for a message, a question, the end of a child, or to be cancelled.
    ///
    /// A run that began to wait some seconds ago has it in its row; before that it is not known, and this
    /// is false.
    ///
    /// ```
    /// use std::time::Duration;
    /// use dacapo::{Channel, Ctx, Error, Executor, Workflow, sim::VirtualClock};
    ///
    /// const DOOR: Workflow<(), u32> = Workflow::new("door");
    /// const KNOCK: Channel<u32> = Channel::new("knock");
    ///
    /// let clock = VirtualClock::default();
    /// let executor = Executor::builder()
    ///     .clock(clock.clone())
    ///     .workflow(DOOR, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(KNOCK).await))
    ///     .in_memory();
    /// let _run = executor.start(DOOR, "door-1", ())?;
    /// executor.block_on(clock.sleep(Duration::from_secs(5)));
    /// let door = executor.runs(&Default::default())?.remove(0);
    /// assert!(door.waits_for_others());
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn waits_for_others(&self) -> bool {
        self.wake_at == Some(Timestamp::NEVER)
    }
}

impl Executor {
    /// The runs that a filter keeps, as of the last commit, in the order in which they were started.
    ///
    /// Histories are not read. Ask for pages: a file may hold millions of runs. Each pass of a run has a row
    /// of its own ([`Ctx::again`](crate::Ctx::again)): to list each run once, leave out
    /// [`RunState::Continued`], which all passes but the last have.
    ///
    /// # Errors
    ///
    /// If the store failed.
    ///
    /// ```
    /// use dacapo::Start;
    /// use dacapo::store::{Filter, RunState};
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder()
    ///     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, dacapo::Error>(n))
    ///     .in_memory();
    /// executor.block_on(executor.start(ECHO, "one", 1)?)?;
    /// let runs = executor.runs(&Filter::new().states(&[RunState::Completed]))?;
    /// assert_eq!((runs[0].id.as_str(), runs[0].workflow.as_str()), ("one", "echo"));
    ///
    /// // By what it was started with.
    /// let ada = Start::new().attribute("customer", "ada");
    /// executor.block_on(executor.start_with(ECHO, "two", 2, ada)?)?;
    /// let runs = executor.runs(&Filter::new().attribute("customer", "ada"))?;
    /// assert_eq!((runs.len(), runs[0].id.as_str()), (1, "two"));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn runs(&self, filter: &Filter) -> Result<Vec<RunInfo>> {
        admit(&self.shared.engine, format_args!("runs cannot be listed"))?;
        let rows = self.shared.engine.list(filter)?.into_iter();
        Ok(rows.map(|row| self.info_of(row)).collect())
    }

    /// What a row says of its run, and what is known of one in memory beside.
    pub(super) fn info_of(&self, row: RunRow) -> RunInfo {
        let resident = || self.shared.engine.ledgers.resident(row.key)?.retries_at();
        let wake_at = row.wake_at.map(Timestamp::from_nanos).or_else(resident);
        RunInfo { wake_at, ..RunInfo::from(row) }
    }

    /// Whether there is a run with this id in the store.
    #[cfg(feature = "sim")]
    pub(crate) fn has(&self, id: &str) -> Result<bool> {
        Ok(self.shared.engine.find(id)?.is_some())
    }

    /// Deletes a run that has ended or is parked, with its history: from then on its id is free.
    ///
    /// All its passes are ([`Ctx::again`](crate::Ctx::again)). One that is parked ends first, for those
    /// whom that concerns: the run that started it, its children, whoever asks it something.
    ///
    /// It takes effect when the future is first polled, and the future is ready when it is
    /// committed. Steps that the run has done stay done: who starts its id anew does them again.
    ///
    /// # Errors
    ///
    /// If there is no such run ([`Error::is_not_found`]), if it has not ended and is not parked, or if
    /// the store failed.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder()
    ///     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, dacapo::Error>(n))
    ///     .in_memory();
    /// executor.block_on(executor.start(ECHO, "one", 1)?)?;
    /// executor.block_on(executor.delete("one"))?;
    /// assert!(executor.attach(ECHO, "one").is_err());
    /// assert_eq!(executor.block_on(executor.start(ECHO, "one", 2)?)?, 2);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn delete(&self, id: &str) -> Posted {
        let id = String::from(id);
        Posted::new(&self.shared, move |engine| delete(engine, &id))
    }

    /// The same, asked for at once; where to wait for the commit.
    pub(crate) fn post_delete(&self, id: &str) -> Result<Rc<Watch>> {
        delete(&self.shared.engine, id)
    }
}

fn delete(engine: &Engine, id: &str) -> Result<Rc<Watch>> {
    engine.check()?;
    admit(engine, format_args!("run {id:?} cannot be deleted"))?;
    if let Some(run) = engine.ledgers.with_id(id) {
        if run.phase.get() != Phase::Closed && !run.is_waiting() {
            return Err(unfinished(id));
        }
        // It is parked, or waits, and that is not committed yet.
        engine.commit()?;
    }
    let row = engine.find(id)?.ok_or_else(|| no_such_run(id))?;
    match row.state.may_be_deleted() {
        true => engine.delete(&row),
        false => Err(unfinished(id)),
    }
}

fn unfinished(id: &str) -> Error {
    let message =
        format_args!("run {id:?} has not ended and is not parked, so it cannot be deleted");
    Error::of(Kind::Usage, message)
}

impl From<RunRow> for RunInfo {
    fn from(row: RunRow) -> Self {
        let at = Timestamp::from_nanos;
        Self {
            key: row.key,
            id: row.id,
            workflow: row.workflow,
            state: row.state,
            started_at: at(row.started_at),
            changed_at: at(row.changed_at),
            wake_at: row.wake_at.map(at),
            pass: row.pass,
            deadline: row.deadline.map(at),
            attributes: row.attributes,
            queue: row.queue.map(|queued| *queued),
        }
    }
}
