//! Runs that have failed, and how they go on.

use dacapo_store::{RunRow, RunState};

use super::{Executor, admit};
use crate::engine::no_such_run;
use crate::error::{Error, Kind, Result};

impl Executor {
    /// Takes up a run that has failed or was cancelled, from what it had achieved.
    ///
    /// What stands at the end of its history and is a failure counts no longer, nor does what the code did
    /// about it since: so the steps that failed are tried anew, with their idempotency keys, and all of
    /// their attempts. The history is read backwards up to the last outcome that is none: what stands
    /// before that stays, failures that the code has dealt with included. If none is found the end alone is
    /// taken back, and the code of this build decides about it anew.
    ///
    /// A child that failed, or was asked to end with the run, is not started again, but awaited again; if it has
    /// ended by then, its end is what comes of it (retry that one first). A step that runs at most once and had
    /// begun does not run again, and its error [is that of an interruption](Error::is_interrupted): find out whether
    /// its effect took place, and have the workflow go on by that error, in this build or the next. The
    /// deadline counts no longer. One that was cancelled while it waited to begin waits again. Whoever was told of the failure (handles, a parent) keeps it;
    /// [`attach`](Self::attach) waits for the new end.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`Error::is_not_found`]), if it has not ended or has completed, if
    /// its workflow is not registered, if another run has its unique key ([`Error::is_taken`]), if its history is
    /// damaged, or if the store failed; if the replay parks it, with the reason ([`Error::is_parked`]).
    ///
    /// ```
    /// # use dacapo::{Attempt, Ctx, Error, Executor, Result, Workflow};
    /// # use std::{cell::RefCell, rc::Rc};
    /// const PAY: Workflow<(), usize> = Workflow::new("pay");
    ///
    /// let keys = Rc::new(RefCell::new(Vec::new()));
    /// let seen = keys.clone();
    /// let pay = async move |ctx: &Ctx, ()| -> Result<usize> {
    ///     let seen = seen.clone();
    ///     let charge = async move |attempt: Attempt| {
    ///         seen.borrow_mut().push(attempt.key().to_owned());
    ///         let calls = seen.borrow().len();
    ///         if calls == 1 { Err(Error::new("the log disk is full")) } else { Ok(calls) }
    ///     };
    ///     ctx.step_with("charge", charge).await
    /// };
    /// let executor = Executor::builder().workflow(PAY, pay).in_memory();
    /// executor.block_on(executor.start(PAY, "pay-1", ())?).unwrap_err();
    ///
    /// executor.retry("pay-1")?;
    /// assert_eq!(executor.block_on(executor.attach(PAY, "pay-1")?)?, 2);
    /// assert_eq!(keys.borrow()[0], keys.borrow()[1]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn retry(&self, id: &str) -> Result<()> {
        let row = self.failed_row(id)?;
        self.shared.engine.retry(&row)
    }

    /// The row of a run that has ended, and did not complete.
    fn failed_row(&self, id: &str) -> Result<RunRow> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("run {id:?} cannot be retried"))?;
        if engine.ledgers.with_id(id).is_some() {
            // Its end may be about to be committed.
            engine.commit()?;
        }
        let row = engine.find(id)?.ok_or_else(|| no_such_run(id))?;
        if engine.is_being_deleted(row.key) {
            return Err(no_such_run(id));
        }
        let refused = |what| {
            let message = format_args!("run {id:?} {what}");
            Err(Error::of(Kind::Usage, message))
        };
        match row.state {
            RunState::Failed | RunState::Cancelled => Ok(row),
            RunState::Completed => refused("has completed, so there is nothing to retry"),
            RunState::Parked => refused("is parked, and has not failed: see Executor::resume"),
            RunState::Running | RunState::Queued | RunState::Delayed | RunState::Continued => {
                refused("has not ended, so there is nothing to retry")
            }
        }
    }
}
