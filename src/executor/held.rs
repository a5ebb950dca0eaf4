//! Runs that somebody holds.

use super::{Executor, admit};
use crate::engine::{by_hand, no_such_run};
use crate::error::{Error, Kind, Result};
use crate::instance::Phase;
use dacapo_store::RunState;

impl Executor {
    /// Parks a run that goes on, wherever it stands ([`ParkReason::OnRequest`](crate::ParkReason::OnRequest)),
    /// until it is [resumed](Self::resume) or [deleted](Self::delete): for one that does harm, or is to wait for
    /// the next build. It is committed when this returns.
    ///
    /// None of its code is asked or runs for it, and its workflow need not be registered: so a run whose replay
    /// ends the process can be held with an executor that has no workflows. What its steps have done stays done. Those
    /// that are under way are dropped, as at the end of a process, and begin again when it is resumed; one
    /// that runs at most once fails then.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`Error::is_not_found`]), if it has ended ([`Error::is_ended`]), is
    /// parked already or has not begun (delete it, or pause its queue), or if the store failed.
    ///
    /// ```
    /// use dacapo::{Channel, Ctx, Error, Executor, ParkReason, Workflow};
    ///
    /// const WAIT: Workflow<(), u8> = Workflow::new("wait");
    /// const ANSWER: Channel<u8> = Channel::new("answer");
    /// let wait = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(ANSWER).await);
    /// let executor = Executor::builder().workflow(WAIT, wait).in_memory();
    /// executor.block_on(executor.start(WAIT, "order-7", ())?.accepted())?;
    /// executor.hold("order-7")?;
    /// assert_eq!(executor.parked()?[0].reason, ParkReason::OnRequest);
    /// executor.block_on(executor.send("order-7", ANSWER, 7))?;
    /// executor.resume("order-7")?;
    /// assert_eq!(executor.block_on(executor.attach(WAIT, "order-7")?)?, 7);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn hold(&self, id: &str) -> Result<()> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("run {id:?} cannot be held"))?;
        // What its bodies have achieved by now is recorded first, or it would be done again.
        engine.commit()?;
        // A commit may be full before it has that, or the start of the run.
        let is_left = || engine.ledgers.with_id(id).is_some_and(|run| engine.has_left_over(&run));
        while is_left() && engine.commit()? {}
        match engine.ledgers.with_id(id) {
            Some(run) => {
                match run.phase.get() {
                    Phase::Ended => return Err(has_ended(id)),
                    Phase::Closed => return Err(is_parked(id)),
                    Phase::Replaying | Phase::Live if run.is_waiting() => {
                        return Err(has_not_begun(id));
                    }
                    Phase::Replaying | Phase::Live => {}
                }
                engine.park(&run, by_hand());
            }
            None => {
                let row = engine.find(id)?.ok_or_else(|| no_such_run(id))?;
                match row.state {
                    RunState::Running => engine.hold_away(row)?,
                    RunState::Parked => return Err(is_parked(id)),
                    RunState::Queued | RunState::Delayed => return Err(has_not_begun(id)),
                    RunState::Completed
                    | RunState::Failed
                    | RunState::Cancelled
                    | RunState::Continued => return Err(has_ended(id)),
                }
            }
        }
        engine.commit().map(drop)
    }
}

fn has_ended(id: &str) -> Error {
    let message = format_args!("run {id:?} has ended, so it cannot be held");
    Error::of(Kind::Ended, message)
}

fn is_parked(id: &str) -> Error {
    let message = format_args!("run {id:?} is parked already, so it cannot be held");
    Error::of(Kind::Usage, message)
}

fn has_not_begun(id: &str) -> Error {
    let message = format_args!(
        "run {id:?} has not begun, so it cannot be held: delete it, or pause its queue"
    );
    Error::of(Kind::Usage, message)
}
