//! What a run in memory waits for.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Executor, admit};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::history::{OperationKind, OperationNumber, kind_of};
use crate::operation::Operation;

/// An operation that a run waits for; see [`Executor::awaited`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AwaitedOperation {
    /// Its number.
    pub number: OperationNumber,
    /// What it is.
    pub kind: OperationKind,
    /// The label of a step, or the id of the run that something is sent to or that is started.
    pub label: Option<String>,
    /// How many attempts of a step came to an end without an outcome, as far as that is known.
    pub attempts: u32,
    /// How many attempts the policy of a step allows; `None`: there is no limit, or it is no step.
    pub attempts_max: Option<u32>,
    /// Of a step that waits for its next attempt: why the last one failed, and when the next one is made.
    pub failed: Option<(Error, Timestamp)>,
}

impl Executor {
    /// What the run with this id waits for at this moment, in the order of the numbers: the first 500 of its
    /// operations. `None` if it is not in memory, since it has ended, is parked, or only sleeps.
    ///
    /// # Errors
    ///
    /// If the executor has stopped.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use dacapo::{Ctx, Error, Executor, OperationKind, Workflow};
    /// const NAP: Workflow<(), ()> = Workflow::new("nap");
    /// let nap = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.sleep(Duration::from_secs(1)).await);
    /// let executor = Executor::builder().workflow(NAP, nap).in_memory();
    /// let run = executor.start(NAP, "nap-1", ())?;
    /// executor.block_on(run.accepted())?;
    /// let awaited = executor.awaited("nap-1")?.expect("it is in memory");
    /// assert!(matches!(awaited[0].kind, OperationKind::Sleep(_)));
    /// assert!(executor.awaited("nap-2")?.is_none());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn awaited(&self, id: &str) -> Result<Option<Vec<AwaitedOperation>>> {
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("run {id:?} cannot be looked at"))?;
        let Some(run) = self.shared.engine.ledgers.with_id(id) else { return Ok(None) };
        let waiting = run.operations.borrow().first(MOST);
        Ok(Some(waiting.into_iter().map(AwaitedOperation::from).collect()))
    }
}

/// So many are shown.
const MOST: usize = 500;

impl From<Rc<Operation>> for AwaitedOperation {
    fn from(operation: Rc<Operation>) -> Self {
        let failed = operation.failed();
        let to = operation.outgoing_to();
        Self {
            number: operation.number.into(),
            attempts_max: operation.attempts_max(),
            kind: kind_of(&operation.asked()),
            label: to.or_else(|| operation.label().map(ToOwned::to_owned)),
            attempts: failed.as_ref().map_or(operation.attempts(), |failed| failed.attempt),
            failed: failed.map(|failed| (failed.failure.into(), failed.next_at)),
        }
    }
}
