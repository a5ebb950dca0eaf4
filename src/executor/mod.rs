//! The executor as its users see it.

mod builder;
mod commit;
mod drive;
mod engine;
mod evict;
mod handle;
mod open;
mod parked;
mod residents;
#[cfg(feature = "std")]
mod timer_thread;

use alloc::rc::Rc;
use core::fmt;

use dacapo_store::{RunKey, RunState};

pub use builder::Builder;
pub use handle::Handle;
pub use parked::{ParkedRun, UnregisteredRun};

use crate::clock::Timestamp;
use crate::codec::{self, Value};
use crate::error::{Error, Kind, Result};
use crate::instance::{Instance, Phase};
use crate::name::Workflow;
use crate::random;
use crate::record::{Record, SEMANTICS_VERSION};
use crate::run::Run;
use engine::{Engine, parked_error};
use handle::Watch;
use parked::fault_of;
use residents::Resident;

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
    engine: Engine,
}

impl Executor {
    /// Starts to build an executor.
    pub fn builder() -> Builder {
        Builder::new()
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
        self.engine.check()?;
        if let Some(handle) = self.find(workflow, id)? {
            return Ok(handle);
        }
        if id.is_empty() {
            return Err(Error::of(Kind::Usage, "a run needs an id that is not empty"));
        }
        let Some((name, code)) = self.engine.registry.find(workflow.name()) else {
            return Err(unregistered(id, workflow.name()));
        };
        let input = codec::encode(&input).map_err(|why| {
            let message = format_args!("the input of run {id:?} cannot be encoded: {why}");
            Error::of(Kind::Usage, message)
        })?;
        let key = RunKey(self.engine.next_run.replace(self.engine.next_run.get() + 1));
        let (world, id) = (self.engine.world.clone(), Rc::<str>::from(id));
        let instance = Instance::new(world, key, id.clone(), name, Phase::Live);
        let resident = Resident::new(Run::new(instance, code));
        self.engine.residents.add(&resident);
        let started = Record::Started {
            workflow: name,
            input,
            version: SEMANTICS_VERSION,
            seed: random::mix(self.engine.seed, key.0),
        };
        self.engine.record(&resident, started.into());
        self.engine.world.bodies.raw().notify();
        Ok(Handle::new(id, resident.watch()))
    }

    /// Attaches to a run that was started before, in this process or an earlier one.
    ///
    /// # Errors
    ///
    /// If there is no run with this id, if it is one of another workflow, if it is unfinished and
    /// its workflow is not registered, or if the store failed. That a run is parked is what its
    /// handle says when it is awaited.
    ///
    /// ```
    /// # use dacapo::{Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder().in_memory();
    /// let error = executor.attach(ECHO, "two").err().expect("nobody started it");
    /// assert_eq!(error.to_string(), r#"there is no run "two": check the id, or start it"#);
    /// ```
    pub fn attach<I: Value, O: Value>(
        &self,
        workflow: Workflow<I, O>,
        id: &str,
    ) -> Result<Handle<O>> {
        self.engine.check()?;
        self.find(workflow, id)?.ok_or_else(|| no_such_run(id))
    }

    /// The run with this id, wherever it is.
    fn find<I, O>(&self, workflow: Workflow<I, O>, id: &str) -> Result<Option<Handle<O>>> {
        if let Some(resident) = self.engine.residents.with_id(id) {
            let instance = &resident.run.instance;
            same_workflow(id, instance.workflow, workflow.name())?;
            return Ok(Some(Handle::new(instance.id.clone(), resident.watch())));
        }
        let Some(row) = self.engine.find(id)? else { return Ok(None) };
        same_workflow(id, &row.workflow, workflow.name())?;
        let watch = Rc::<Watch>::default();
        watch.accept();
        match row.state {
            RunState::Running => {
                self.refuse_workflows(id, "attached to")?;
                let watch = self.engine.bring_back(&row)?.watch();
                self.engine.world.bodies.raw().notify();
                self.engine.evict_surplus();
                return Ok(Some(Handle::new(id.into(), watch)));
            }
            RunState::Parked => watch.end(Err(parked_error(id, &fault_of(&row)))),
            RunState::Completed | RunState::Failed | RunState::Cancelled => {
                watch.end(Ok(self.engine.outcome(&row)?));
            }
        }
        Ok(Some(Handle::new(id.into(), watch)))
    }

    /// # Errors
    ///
    /// If the caller is a workflow: its polls, and its drops, are not to be mixed with a replay.
    fn refuse_workflows(&self, id: &str, what: &str) -> Result<()> {
        let is_workflow =
            self.engine.world.tasks.raw().current().is_some() || self.engine.evicting.get();
        if !is_workflow {
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
        self.engine.world.timers.next_deadline()
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.engine.close(&Error::of(Kind::Closed, "the executor was dropped"));
        self.engine.world.tasks.raw().close();
        self.engine.world.bodies.raw().close();
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.engine.residents.len();
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
    Error::of(Kind::Usage, format_args!("there is no run {id:?}: check the id, or start it"))
}

fn unregistered(id: &str, workflow: &str) -> Error {
    let message = format_args!(
        "run {id:?} needs the workflow {workflow:?}, which is not registered: \
         add it with Builder::workflow"
    );
    Error::of(Kind::Usage, message)
}
