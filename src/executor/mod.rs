//! The executor as its users see it.

mod asking;
mod awaited;
mod batch;
mod before;
mod builder;
mod debounced;
mod drive;
#[cfg(feature = "export")]
mod exported;
mod failed;
mod follow;
mod forked;
mod handle;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
mod heartbeat;
mod held;
mod history;
#[cfg(feature = "export")]
mod imported;
mod kept;
mod outside;
mod parked;
mod rehearsed;
mod retrying;
mod posted;
mod queued;
mod file;
mod pruned;
mod runs;
mod schedules;
mod searched;
mod shutdown;
mod sources;
mod statistics;
mod tables;
#[cfg(feature = "export")]
mod texts;
#[cfg(feature = "std")]
mod timer_thread;
#[cfg(feature = "view")]
mod typed;
mod unread;
mod weak;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::Future;
use core::task::Waker;
use core::time::Duration;

use dacapo_store::RunState;
use futures::channel::oneshot;

pub use asking::Asking;
pub(crate) use asking::unread_answer;
pub use awaited::AwaitedOperation;
#[cfg(feature = "std")]
pub(crate) use batch::AT_ONCE;
pub use builder::Builder;
pub use follow::Follow;
pub(crate) use follow::unread_value;
pub use forked::{Cut, Fork};
pub use handle::Handle;
#[cfg(feature = "std")]
pub(crate) use handle::unread_output;
pub use parked::{Divergence, ParkedRun, UnregisteredRun};
pub use posted::Posted;
pub use queued::{NamedQueue, QueueInfo};
pub use rehearsed::RehearsedRuns;
pub use retrying::RetryingStep;
pub use runs::RunInfo;
pub use sources::Sources;
pub use statistics::{Recent, RecentCommits, Statistics, Suspect};
pub use tables::Written;
#[cfg(feature = "view")]
pub use typed::TypedValues;
pub use weak::WeakExecutor;

use crate::bytes::Bytes;
use crate::engine::{Engine, Stopped, empty_id, fault_of, no_such_run, parked_error, unregistered};
use crate::error::{Error, Kind, Result};
use crate::mailbox::Mailbox;
use crate::name::Workflow;
use crate::panics::Caller;
use crate::start::Start;
use crate::values::{Value, Values};
use crate::watch::Watch;

/// Runs workflows durably, on one thread, over one store.
///
/// Opening it replays every unfinished run to where it was, or when it is due if it sleeps for long;
/// they go on while the executor is driven, by `block_on` or [`run`](Self::run). It is not `Send`: there is one per thread, and one
/// per file. Dropping it closes the file; what was not committed by then is done again by the
/// next one. Bodies that the drop cuts off begin again, too, and count no attempt for it, unless a panic
/// drops the executor. [`shutdown`](Self::shutdown) gives them time to end.
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

/// A run's id, and where to wait for it.
pub(crate) type Found = (Arc<str>, Rc<Watch>);

/// What is done with an executor on its thread, between two rounds.
pub(crate) type Command = Box<dyn FnOnce(&Executor) + Send>;

/// What an executor and its handles share.
struct Shared {
    engine: Engine,
    /// What other threads ask for.
    commands: Arc<Mailbox<Command>>,
    /// Wakes the loop that drives it: whoever has something for it from elsewhere has this, and nobody has the
    /// waker of the runtime around.
    notifier: Waker,
    /// Whether a loop drives it.
    is_driven: Cell<bool>,
    /// What is dropped before the file is closed.
    kept: RefCell<Vec<Box<dyn Any>>>,
}

impl Executor {
    fn over(engine: Engine) -> Self {
        let commands = Arc::new(Mailbox::new());
        let (is_driven, kept) = (Cell::new(false), RefCell::default());
        let notifier = engine.world.bodies.raw().notifier();
        let shared = Shared { engine, commands, notifier, is_driven, kept };
        Self { shared: Rc::new(shared), is_owner: true }
    }

    /// Starts a run, or attaches to the one with this id.
    ///
    /// It takes effect at once, and its commit follows with the next batch while the executor is
    /// driven: see [`Handle::accepted`]. If there is a run of this workflow with this id, running,
    /// parked or ended, the handle is one of that run and `input` is ignored; so starting the same
    /// id twice runs it once, also across restarts. [`Handle::is_new`] tells which it was, and with
    /// [`Start::same_input`] another input is an error. One that has failed is not taken up by this: its
    /// handle gives the recorded error, as it was. See [`retry`](Self::retry).
    ///
    /// # Errors
    ///
    /// If the id is empty or belongs to a run of another workflow, if the workflow is not
    /// registered, if the input cannot be recorded, or if the store failed.
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
        self.start_with(workflow, id, input, Start::new())
    }

    /// The same with options: a deadline, attributes. If there is such a run they are ignored, as the
    /// input is.
    ///
    /// # Errors
    ///
    /// As with [`start`](Self::start).
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Start, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder()
    ///     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, dacapo::Error>(n))
    ///     .in_memory();
    /// let ada = Start::new().attribute("customer", "ada");
    /// assert_eq!(executor.block_on(executor.start_with(ECHO, "one", 1, ada)?)?, 1);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn start_with<I: Value, O: Value>(
        &self,
        workflow: Workflow<I, O>,
        id: &str,
        input: I,
        options: Start,
    ) -> Result<Handle<O>> {
        let (is_new, (id, watch)) =
            self.start_encoded(workflow.name(), id, options, |values| values.encode(&input))?;
        let handle = Handle::new(id, watch, self.values().clone());
        Ok(if is_new { handle.started() } else { handle })
    }

    /// The same with an input in bytes, which are asked for if there is no such run: whether there was
    /// none, and where to wait.
    pub(crate) fn start_encoded(
        &self,
        workflow: &'static str,
        id: &str,
        options: Start,
        input: impl FnOnce(&Values) -> Result<Bytes<'static>, dacapo_values::Error>,
    ) -> Result<(bool, Found)> {
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("run {id:?} cannot be started"))?;
        let started = self.find_or_start(workflow, id, options, input);
        started.inspect_err(|error| self.shared.engine.notify_refused(error))
    }

    fn find_or_start(
        &self,
        workflow: &'static str,
        id: &str,
        options: Start,
        input: impl FnOnce(&Values) -> Result<Bytes<'static>, dacapo_values::Error>,
    ) -> Result<(bool, Found)> {
        if let Some((id, watch)) = self.find(workflow, id)? {
            if options.is_only_new {
                return Err(taken(format_args!("there is one{}", before::beside(&watch)), &id));
            }
            if options.is_same_input {
                self.expect_input(&id, input)?;
            }
            return Ok((false, (id, watch)));
        }
        if id.is_empty() {
            return Err(empty_id());
        }
        let engine = &self.shared.engine;
        let (is_only_new, is_same_input) = (options.is_only_new, options.is_same_input);
        let options = options.later().at(engine.world.timers.present());
        if let Some(place) = &options.place
            && let Some(holder) = engine.holder(place)?
        {
            if is_only_new {
                return Err(taken(format_args!("run {:?} has its unique key", holder.id), id));
            }
            if holder.workflow != workflow {
                let (holder, its) = (&holder.id, &holder.workflow);
                let why = format_args!("run {holder:?} of workflow {its:?} has its unique key");
                return Err(taken(why, id));
            }
            let found = self.find(workflow, &holder.id)?.ok_or_else(|| no_such_run(&holder.id))?;
            if is_same_input {
                self.expect_input(&holder.id, input)?;
            }
            return Ok((false, found));
        }
        let input = input(self.values()).map_err(|why| unfit_input(id, &why))?;
        let run = engine.start(workflow, id, input, options)?;
        Ok((true, (run.id.clone(), run.ledger.watch())))
    }

    fn expect_input(
        &self,
        id: &str,
        input: impl FnOnce(&Values) -> Result<Bytes<'static>, dacapo_values::Error>,
    ) -> Result<()> {
        let input = input(self.values()).map_err(|why| unfit_input(id, &why))?;
        self.shared.engine.expect_input(id, &input)
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
        let (id, watch) = self.find_existing(workflow.name(), id)?;
        Ok(Handle::new(id, watch, self.values().clone()))
    }

    pub(crate) fn find_existing(&self, workflow: &str, id: &str) -> Result<Found> {
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("run {id:?} cannot be attached to"))?;
        self.find(workflow, id)?.ok_or_else(|| no_such_run(id))
    }

    /// The run with this id, wherever it is.
    fn find(&self, workflow: &str, id: &str) -> Result<Option<Found>> {
        if let Some(run) = self.shared.engine.ledgers.with_id(id) {
            same_workflow(id, run.workflow(), workflow)?;
            return Ok(Some((run.id.clone(), run.ledger.watch())));
        }
        let Some(row) = self.shared.engine.find(id)? else { return Ok(None) };
        same_workflow(id, &row.workflow, workflow)?;
        let watch = match row.state {
            RunState::Running => match self.shared.engine.ledger_of(&row) {
                // It has left memory, and need not come back to be waited for.
                Some(ledger) => ledger.watch(),
                None => return Err(unregistered(id, &row.workflow)),
            },
            RunState::Parked => Watch::ended(Err(parked_error(id, &fault_of(&row)))),
            RunState::Queued | RunState::Delayed => {
                let engine = &self.shared.engine;
                if engine.registry.find(&row.workflow).is_none() {
                    return Err(unregistered(id, &row.workflow));
                }
                engine.expect_queue(id, row.queue.as_ref().map(|place| &*place.name))?;
                engine
                    .ledger_of(&row)
                    .expect("one that waits has a ledger when it is asked for")
                    .watch()
            }
            // The id belongs to the pass that goes on.
            RunState::Continued => return Err(unregistered(id, &row.workflow)),
            RunState::Completed | RunState::Failed | RunState::Cancelled => {
                Watch::ended(Ok(self.shared.engine.outcome(&row)?))
            }
        };
        Ok(Some((id.into(), watch)))
    }

    /// Ready, with the reason, when the executor has stopped: the store failed (a full disk, a file that
    /// was removed), or it was shut down or dropped.
    ///
    /// [`block_on`](Self::block_on) and [`run`](Self::run) go on with their main future then, since it may
    /// have something to put in order; but no run goes on, and each call is an error. A main future that
    /// serves awaits this beside what it does, and ends with it.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow, store::MemoryStore};
    /// use dacapo::{Either, select};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    ///
    /// let store = MemoryStore::new();
    /// store.fail_after(0); // As a disk that is full.
    /// let executor = Executor::builder().workflow(ECHO, echo).open_with(store)?;
    /// let run = executor.start(ECHO, "one", 1)?;
    /// let serve = std::future::pending::<()>(); // Whatever a service waits for.
    /// match executor.block_on(select(serve, executor.failed())) {
    ///     Either::First(()) => unreachable!(),
    ///     Either::Second(why) => assert!(why.is_store()),
    /// }
    /// # drop(run);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn failed(&self) -> impl Future<Output = Error> + use<> {
        let (teller, told) = oneshot::channel();
        self.tell_when_stopped(teller);
        let dropped = |_| Error::of(Kind::Closed, "the executor was dropped");
        async move { told.await.map_or_else(dropped, |stopped| stopped.why) }
    }

    /// Tells `waiter` why it has stopped, as soon as it has.
    pub(crate) fn tell_when_stopped(&self, waiter: oneshot::Sender<Stopped>) {
        self.shared.engine.tell_when_stopped(waiter);
    }

    pub(crate) fn values(&self) -> &Rc<Values> {
        &self.shared.engine.world.values
    }

    /// What other threads ask for.
    pub(crate) fn commands(&self) -> &Arc<Mailbox<Command>> {
        &self.shared.commands
    }

    /// How long it is from this moment until the next timer is due, of runs or of bodies; `None`: there is
    /// none.
    ///
    /// Where there is no `std`, nobody wakes [`run`](Self::run) for a timer: poll it again by then, and
    /// every few seconds if somebody may set the wall clock forward.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// const NAP: Workflow<(), ()> = Workflow::new("nap");
    /// let nap = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.sleep(Duration::from_secs(60)).await);
    /// let executor = Executor::builder().workflow(NAP, nap).in_memory();
    /// let run = executor.start(NAP, "nap-1", ())?;
    /// executor.block_on(run.accepted())?;
    /// executor.block_on(dacapo::yield_now());
    /// assert!(executor.next_wait().is_some_and(|wait| wait <= Duration::from_secs(60)));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn next_wait(&self) -> Option<Duration> {
        self.shared.engine.wait()
    }

    /// How often what this executor was given has panicked: a clock, an observer, the waker of somebody who
    /// waits for it, or what it dropped for them. Such panics are caught (with `std`), and change nothing for
    /// the runs. Those of wakers and drops are counted for all executors of a thread together.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Event, Executor, Observer, Workflow};
    /// struct Broken;
    ///
    /// impl Observer for Broken {
    ///     fn observe(&self, _run: &str, _event: Event<'_>) {
    ///         panic!("the log is poisoned");
    ///     }
    /// }
    ///
    /// const NOTHING: Workflow<(), ()> = Workflow::new("nothing");
    /// let nothing = async |_: &Ctx, ()| Ok::<_, Error>(());
    /// let executor = Executor::builder().workflow(NOTHING, nothing).observer(Broken).in_memory();
    /// executor.block_on(executor.start(NOTHING, "run", ())?)?;
    /// assert!(executor.caught_panics() > 0);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn caught_panics(&self) -> u64 {
        self.shared.engine.world.setup.caught.count()
    }
}

#[cfg(feature = "sim")]
impl Executor {
    /// Whether a drop of it, now, is an end in order for bodies that are under way.
    pub(crate) fn cuts_off_in_order(&self) -> bool {
        self.shared.engine.cuts_off_in_order()
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if !self.is_owner {
            return;
        }
        drop(self.shared.kept.take());
        self.shared.commands.close();
        self.shared.engine.world.reports.close();
        let is_in_order = self.shared.engine.cuts_off_in_order();
        // Bodies that are dropped by this may still find it by a weak handle: it refuses them.
        self.shared.engine.stop(Error::of(Kind::Closed, "the executor was dropped"));
        self.shared.engine.world.tasks.raw().close();
        self.shared.engine.world.bodies.raw().close();
        if is_in_order {
            self.shared.engine.note_cut_off();
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.shared.engine.ledgers.residents();
        f.debug_struct("Executor").field("runs", &runs).finish_non_exhaustive()
    }
}

/// Lets in who may call: nobody whose code the engine itself is calling, for a replay or a commit is
/// under way then. `what` is what cannot be done.
///
/// # Errors
///
/// If the caller is a workflow, also one that is rehearsed or dropped, an observer, a clock or a transaction.
fn admit(engine: &Engine, what: fmt::Arguments<'_>) -> Result<()> {
    let instead = match engine.caller() {
        Caller::Outside => return Ok(()),
        Caller::Workflow => "by a workflow: use what Ctx has, or a body",
        Caller::Observer => "by an observer or a clock: post it with a Remote",
        Caller::Schedule => "by the input function of a schedule: its workflow may do more",
        Caller::Transaction => "while tables are read or written: do it before or behind that",
    };
    Err(Error::of(Kind::Usage, format_args!("{what} {instead}")))
}

pub(crate) fn unfit_input(id: &str, why: &dacapo_values::Error) -> Error {
    Error::of(Kind::Usage, format_args!("the input of run {id:?} cannot be recorded: {why}"))
}

/// What is said of a run that is to be new, and is not.
fn taken(why: fmt::Arguments<'_>, id: &str) -> Error {
    Error::of(Kind::Taken, format_args!("run {id:?} is not started: {why}"))
}

fn same_workflow(id: &str, is: &str, asked: &str) -> Result<()> {
    if is == asked {
        return Ok(());
    }
    let message = format_args!(
        "run {id:?} is one of workflow {is:?}, not of {asked:?}: attach to it with its own workflow, or use \
         another id"
    );
    Err(Error::of(Kind::Usage, message))
}
