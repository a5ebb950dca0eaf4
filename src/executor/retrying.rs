//! Steps that failed, and wait to be tried again.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Executor, admit};
use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// A step that waits for its next attempt; see [`Executor::retrying`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RetryingStep {
    /// The id of its run.
    pub run: String,
    /// Its number, name and label.
    pub step: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// How many its policy allows ([`Retry::max_attempts`](crate::Retry::max_attempts)); `None`: there is no limit.
    pub attempts_max: Option<u32>,
    /// Why the last of them failed.
    pub error: Error,
    /// When the next one is made, in the time of runs.
    pub next_at: Timestamp,
}

impl Executor {
    /// The steps that failed and are to be tried again, by the ids of their runs and their numbers.
    ///
    /// # Errors
    ///
    /// If the executor has stopped.
    ///
    /// ```
    /// use std::time::Duration;
    /// use dacapo::{Ctx, Error, Executor, Result, Retry, Workflow};
    ///
    /// const PAY: Workflow<(), ()> = Workflow::new("pay");
    /// const PATIENT: Retry = Retry::exponential(Duration::from_secs(60)).max_attempts(20);
    ///
    /// let pay = async |ctx: &Ctx, ()| -> Result<()> {
    ///     ctx.step("charge", async || Err(Error::new("the bank is down"))).retry(PATIENT).await
    /// };
    /// let executor = Executor::builder().workflow(PAY, pay).in_memory();
    /// let run = executor.start(PAY, "order-7", ())?;
    /// executor.block_on(async {
    ///     run.accepted().await?;
    ///     dacapo::yield_now().await;
    ///     let retrying = executor.retrying()?;
    ///     assert_eq!(retrying[0].step, r#"step 1 "charge""#);
    ///     assert_eq!((retrying[0].run.as_str(), retrying[0].attempts), ("order-7", 1));
    ///     assert_eq!(retrying[0].attempts_max, Some(20));
    ///     assert_eq!(retrying[0].error.to_string(), "the bank is down");
    ///     Ok::<(), Error>(())
    /// })
    /// # ?; Ok::<(), Error>(())
    /// ```
    pub fn retrying(&self) -> Result<Vec<RetryingStep>> {
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("steps cannot be listed"))?;
        let mut retrying = Vec::new();
        for run in self.shared.engine.ledgers.all_residents() {
            let steps = run.operations.borrow().retrying();
            retrying.extend(steps.into_iter().map(|(step, failed)| RetryingStep {
                run: (*run.id).to_owned(),
                step: step.to_string(),
                attempts: failed.attempt,
                attempts_max: step.attempts_max(),
                error: failed.failure.into(),
                next_at: failed.next_at,
            }));
        }
        Ok(retrying)
    }
}
