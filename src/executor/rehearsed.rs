//! What a build would park of a store at rest, said before it is deployed.

use alloc::vec::Vec;
use core::fmt;
#[cfg(feature = "redb")]
use std::path::Path;

use dacapo_store::{Filter, RunState, Store};

use super::builder::Builder;
#[cfg(feature = "redb")]
use super::builder::options;
use super::parked::{ParkedRun, UnregisteredRun};
use super::{Executor, admit};
use crate::engine::Engine;
#[cfg(feature = "redb")]
use crate::error::Error;
use crate::error::Result;

/// How the runs of a store fare with a build; see [`Builder::rehearse`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RehearsedRuns {
    /// So many were tried: all that have not ended, are not parked, and whose workflow this build has.
    pub tried: usize,
    /// Those of them that it would park, with what for, in the order in which they were started.
    pub parked: Vec<ParkedRun>,
    /// Those whose workflow it does not have: it would leave them as they are.
    pub unregistered: Vec<UnregisteredRun>,
}

impl fmt::Display for RehearsedRuns {
    /// How many were tried, and a line for each that would be parked, with what for, where the code stands, and what
    /// to do; then one for each whose workflow there is not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = if self.tried == 1 { "run" } else { "runs" };
        write!(f, "{} {runs} replayed, {} would be parked", self.tried, self.parked.len())?;
        self.parked.iter().try_for_each(|run| {
            let ParkedRun { id, workflow, message, .. } = run;
            write!(f, "\nrun {id:?} of workflow {workflow:?}: {message}")
        })?;
        self.unregistered.iter().try_for_each(|UnregisteredRun { id, workflow }| {
            write!(f, "\nrun {id:?}: this build has no workflow {workflow:?}, so it would leave it as it is")
        })
    }
}

impl Builder {
    /// Says what this build would park of the runs in the file at `path`: replays all that have not ended, as
    /// [`Executor::verify`] does, without starting any body and without changing
    /// anything. For a test before a deployment.
    ///
    /// The file is a copy, such as [`Executor::backup`] makes, or at rest: nobody
    /// has it open. It is only read, so it may lie where nothing can be written. Runs that are parked already
    /// are left out.
    ///
    /// A run whose code ends the process ends that of the rehearsal. The next one tells whom it was
    /// ([`Notice::ReplayEndedProcess`](crate::Notice::ReplayEndedProcess)), and after three such ends lists it
    /// without trying: a file beside the other that ends in `.rehearsing` says so meanwhile, and is gone when a
    /// rehearsal has come to its end. Where no file can be made, an observer is shown the first event of each run
    /// before any of its code runs ([`Observer::rehearse`](crate::Observer::rehearse)), and
    /// [`replay_limit`](Self::replay_limit) names one that does not end.
    ///
    /// # Errors
    ///
    /// If there is no file, if it is in use, is not a store or is damaged, or if it cannot be read. What is
    /// wrong with a single run is in the list.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, ParkReason, Result, Workflow};
    /// # use std::time::Duration;
    /// const REMIND: Workflow<(), ()> = Workflow::new("remind");
    /// # let directory = std::env::temp_dir().join(format!("dacapo-ahead-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).expect("it is made");
    /// # let path = directory.join("runs");
    /// let today = Executor::builder().workflow(REMIND, async |ctx: &Ctx, ()| {
    ///     ctx.step("mail", async || Ok::<_, Error>(())).await?;
    ///     ctx.sleep(Duration::from_secs(86_400)).await;
    ///     Ok::<_, Error>(())
    /// });
    /// let executor = today.open(&path)?;
    /// executor.block_on(executor.start(REMIND, "ada", ())?.accepted())?;
    /// # executor.block_on(async { for _ in 0..9 { dacapo::yield_now().await } });
    /// drop(executor);
    ///
    /// let tomorrow = Executor::builder().workflow(REMIND, async |ctx: &Ctx, ()| {
    ///     ctx.step("letter", async || Ok::<_, Error>(())).await
    /// });
    /// let rehearsed = tomorrow.rehearse(&path)?;
    /// assert_eq!((rehearsed.tried, rehearsed.parked.len()), (1, 1));
    /// assert_eq!(rehearsed.parked[0].id, "ada");
    /// assert_eq!(rehearsed.parked[0].reason, ParkReason::Diverged);
    /// # std::fs::remove_dir_all(&directory).expect("it is there");
    /// # Ok::<(), Error>(())
    /// ```
    #[cfg(feature = "redb")]
    pub fn rehearse(self, path: impl AsRef<Path>) -> Result<RehearsedRuns> {
        let store = options().read_only().open(path).map_err(|error| Error::store(&error))?;
        self.rehearse_with(store)
    }

    /// The same over any store.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    ///
    /// # Panics
    ///
    /// Panics without `std` if there is no [`clock`](Self::clock).
    pub fn rehearse_with(self, store: impl Store + 'static) -> Result<RehearsedRuns> {
        let engine = self.over(store)?;
        engine.look_back()?;
        let rehearsed = rehearse(&engine, &Filter::new())?;
        engine.forget_suspects();
        Ok(rehearsed)
    }
}

impl Executor {
    /// Replays all runs that have not ended and that a filter keeps against the code of this build, as
    /// [`verify`](Self::verify) does with one, and says which of them it would park, and for what: with the
    /// first record that differs, and both sides of it ([`ParkedRun::divergence`]).
    ///
    /// The executor does nothing else meanwhile: of very many runs ask for a page at a time
    /// ([`Filter::after`], [`Filter::limit`]). To try a build before it has the file, see [`Builder::rehearse`].
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Result, Workflow, store::{Filter, MemoryStore}};
    /// # use std::time::Duration;
    /// const REMIND: Workflow<(), ()> = Workflow::new("remind");
    /// # let store = MemoryStore::new();
    /// let build = |step: &'static str| {
    ///     Executor::builder().workflow(REMIND, async move |ctx: &Ctx, ()| {
    ///         ctx.step(step, async || Ok::<_, Error>(())).await?;
    ///         ctx.sleep(Duration::from_secs(86_400)).await;
    ///         Ok::<_, Error>(())
    ///     })
    /// };
    /// let executor = build("mail").open_with(store.shared())?;
    /// executor.block_on(executor.start(REMIND, "ada", ())?.accepted())?;
    /// # executor.block_on(async { for _ in 0..9 { dacapo::yield_now().await } });
    /// assert!(executor.verify_all(&Filter::new())?.parked.is_empty());
    /// # drop(executor);
    ///
    /// let other = build("letter").look_at(store.shared())?;
    /// let found = other.verify_all(&Filter::new())?.parked.remove(0).divergence.expect("it differs");
    /// assert_eq!(found.record, 1);
    /// assert_eq!(found.history, r#"outcome of step 1 "mail""#);
    /// assert_eq!(found.code, r#"asks for step 1 "letter""#);
    ///
    /// // All of it as text, with the line of the code and what to do: for a test before a deployment.
    /// let told = other.verify_all(&Filter::new())?.to_string();
    /// assert!(told.starts_with("1 run replayed, 1 would be parked"));
    /// assert!(told.contains(r#"but the code asks for step 1 "letter", at "#));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn verify_all(&self, filter: &Filter) -> Result<RehearsedRuns> {
        admit(&self.shared.engine, format_args!("runs cannot be verified"))?;
        self.shared.engine.look_back_once()?;
        rehearse(&self.shared.engine, filter)
    }
}

/// How the unfinished runs that a filter keeps fare with this build.
fn rehearse(engine: &Engine, filter: &Filter) -> Result<RehearsedRuns> {
    let (mut tried, mut parked, mut unregistered) = (0, Vec::new(), Vec::new());
    for row in engine.list(&filter.clone().states(&[RunState::Running]))? {
        if engine.registry.find(&row.workflow).is_none() {
            unregistered.push(row.into());
            continue;
        }
        tried += 1;
        if let Err(fault) = engine.rehearse(&row)? {
            parked.push(ParkedRun::new(&row.id, &row.workflow, &fault));
        }
    }
    Ok(RehearsedRuns { tried, parked, unregistered })
}
