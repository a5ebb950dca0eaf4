//! The executor as its users see it.

mod builder;
mod drive;
mod handle;
mod parked;
mod posted;
mod remote;
mod runs;
#[cfg(feature = "std")]
mod timer_thread;
mod weak;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::Cell;
use core::fmt;

use dacapo_store::RunState;

pub use builder::Builder;
pub use handle::Handle;
pub use parked::{ParkedRun, UnregisteredRun};
pub use posted::Posted;
pub use remote::Remote;
pub use runs::RunInfo;
pub use weak::WeakExecutor;

use crate::clock::Timestamp;
use crate::codec::{self, Value};
use crate::engine::{Engine, fault_of, parked_error, unregistered};
use crate::error::{Error, Kind, Result};
use crate::mailbox::Mailbox;
use crate::name::Workflow;
use crate::watch::Watch;

/// Runs workflows durably, on one thread, over one store.
///
/// Opening it replays every unfinished run to where it was; they go on while the executor is
/// driven, by `block_on` or [`run`](Self::run). It is not `Send`: there is one per thread, and one
/// per file. Dropping it closes the file; what was not committed by then is done again by the
/// next one.
///
/// ```
/// use dacapo::{Ctx, Executor, Result, Workflow};
///
/// const GREET: Workflow<String, String> = Workflow::new("greet");
///
/// async fn greet(ctx: &Ctx, name: String) -> Result<String> {
///     ctx.step("compose", async move || Ok::<_, dacapo::Error>(format!("hello {name}"))).await
/// }
///
/// let executor = Executor::builder().workflow(GREET, greet).in_memory();
/// let run = executor.start(GREET, "greet-ada", "ada".into())?;
/// assert_eq!(executor.block_on(run)?, "hello ada");
/// # Ok::<(), dacapo::Error>(())
/// ```
pub struct Executor {
    shared: Rc<Shared>,
    /// Whether its drop is the end of all. It is not for one that a weak handle lends.
    is_owner: bool,
}

/// What is done with an executor on its thread, between two rounds.
type Command = Box<dyn FnOnce(&Executor) + Send>;

/// What an executor and its handles share.
struct Shared {
    engine: Engine,
    /// What other threads ask for.
    commands: Arc<Mailbox<Command>>,
    /// Whether a loop drives it.
    is_driven: Cell<bool>,
}

impl Executor {
    fn over(engine: Engine) -> Self {
        let (commands, is_driven) = (Arc::new(Mailbox::new()), Cell::new(false));
        Self { shared: Rc::new(Shared { engine, commands, is_driven }), is_owner: true }
    }

    /// Starts a run, or attaches to the one with this id.
    ///
    /// It takes effect at once, and its commit follows with the next batch while the executor is
    /// driven: see [`Handle::accepted`]. If there is a run of this workflow with this id, running,
    /// parked or ended, the handle is one of that run and `input` is ignored; so starting the same
    /// id twice runs it once, also across restarts.
    ///
    /// # Errors
    ///
    /// If the id is empty or belongs to a run of another workflow, if the workflow is not
    /// registered, if the input cannot be encoded, or if the store failed.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder()
    ///     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, dacapo::Error>(n))
    ///     .in_memory();
    /// let first = executor.start(ECHO, "one", 1)?;
    /// let same = executor.start(ECHO, "one", 2)?;
    /// assert_eq!(executor.block_on(first)?, 1);
    /// assert_eq!(executor.block_on(same)?, 1);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn start<I: Value, O: Value>(
        &self,
        workflow: Workflow<I, O>,
        id: &str,
        input: I,
    ) -> Result<Handle<O>> {
        self.shared.engine.check()?;
        if let Some(handle) = self.find(workflow, id)? {
            return Ok(handle);
        }
        if id.is_empty() {
            return Err(Error::of(Kind::Usage, "a run needs an id that is not empty"));
        }
        let input = codec::encode(&input).map_err(|why| {
            let message = format_args!("the input of run {id:?} cannot be encoded: {why}");
            Error::of(Kind::Usage, message)
        })?;
        let run = self.shared.engine.start(workflow.name(), id, input)?;
        Ok(Handle::new(run.id.clone(), run.ledger.watch()).started())
    }

    /// Attaches to a run that was started before, in this process or an earlier one.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`Error::is_not_found`]), if it is one of another workflow, if it is unfinished and
    /// its workflow is not registered, or if the store failed. That a run is parked is what its
    /// handle says when it is awaited.
    ///
    /// ```
    /// # use dacapo::{Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder().in_memory();
    /// let error = executor.attach(ECHO, "two").unwrap_err();
    /// assert_eq!(error.to_string(), r#"there is no run "two": check the id, or start it"#);
    /// ```
    pub fn attach<I: Value, O: Value>(
        &self,
        workflow: Workflow<I, O>,
        id: &str,
    ) -> Result<Handle<O>> {
        self.shared.engine.check()?;
        self.find(workflow, id)?.ok_or_else(|| no_such_run(id))
    }

    /// The run with this id, wherever it is.
    fn find<I, O>(&self, workflow: Workflow<I, O>, id: &str) -> Result<Option<Handle<O>>> {
        if let Some(run) = self.shared.engine.ledgers.with_id(id) {
            same_workflow(id, run.workflow(), workflow.name())?;
            return Ok(Some(Handle::new(run.id.clone(), run.ledger.watch())));
        }
        let Some(row) = self.shared.engine.find(id)? else { return Ok(None) };
        same_workflow(id, &row.workflow, workflow.name())?;
        let watch = match row.state {
            RunState::Running => match self.shared.engine.ledgers.get(row.key) {
                // It has left memory, and need not come back to be waited for.
                Some(ledger) => ledger.watch(),
                None => return Err(unregistered(id, &row.workflow)),
            },
            RunState::Parked => Watch::ended(Err(parked_error(id, &fault_of(&row)))),
            // No build before this one puts a run into a queue, or begins another pass.
            RunState::Queued | RunState::Delayed | RunState::Continued => {
                return Err(unregistered(id, &row.workflow));
            }
            RunState::Completed | RunState::Failed | RunState::Cancelled => {
                Watch::ended(Ok(self.shared.engine.outcome(&row)?))
            }
        };
        Ok(Some(Handle::new(id.into(), watch)))
    }

    /// # Errors
    ///
    /// If the caller is a workflow: its polls, and its drops, are not to be mixed with a replay.
    fn refuse_workflows(&self, id: &str, what: &str) -> Result<()> {
        if !self.shared.engine.is_called_by_a_workflow() {
            return Ok(());
        }
        let message = format_args!("run {id:?} cannot be {what} by a workflow: use a body");
        Err(Error::of(Kind::Usage, message))
    }

    /// When the next timer is due, of runs and of bodies.
    ///
    /// Where there is no `std`, nobody wakes [`run`](Self::run) for a timer: poll it again by then.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.shared.engine.next_deadline()
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if !self.is_owner {
            return;
        }
        self.shared.commands.close();
        self.shared.engine.close(&Error::of(Kind::Closed, "the executor was dropped"));
        self.shared.engine.world.tasks.raw().close();
        self.shared.engine.world.bodies.raw().close();
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.shared.engine.ledgers.residents();
        f.debug_struct("Executor").field("runs", &runs).finish_non_exhaustive()
    }
}

fn same_workflow(id: &str, is: &str, asked: &str) -> Result<()> {
    if is == asked {
        return Ok(());
    }
    let message = format_args!("run {id:?} is one of workflow {is:?}, not of {asked:?}");
    Err(Error::of(Kind::Usage, message))
}

fn no_such_run(id: &str) -> Error {
    Error::of(Kind::NotFound, format_args!("there is no run {id:?}: check the id, or start it"))
}
