//! Steps that are carried out within a commit.

use alloc::boxed::Box;
use alloc::rc::Rc;

use super::Ctx;
use super::awaited::Awaited;
use super::body::Job;
use super::step::Step;
use crate::error::BoxError;
use crate::instance::{Instance, Transaction};
use crate::operation::Operation;
use crate::tables::{Changes, Trouble, Tx};
use crate::values::Value;

impl Ctx {
    /// A step that reads and writes [tables](crate::Table) of yours: what it writes and its outcome are one
    /// commit, so it takes place exactly once.
    ///
    /// `body` is called within the commit that follows, behind the transactions that were asked for
    /// before it, and sees what they wrote. When it returns an error or panics, nothing that it wrote is
    /// left. It has the policies of any step: a [`retry`](Step::retry) waits between two attempts,
    /// [`or_park`](Step::or_park) parks the run. In a replay it is not called.
    ///
    /// It runs on the executor's thread, and all runs wait for it, so it must not block. Those of one
    /// commit stop after 5 ms, and the rest comes with the next one. It must have no effect but through `tx`, since an
    /// attempt whose commit the end of the process prevented is made again.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step); and if a value cannot be read or recorded, or it writes more than 64 MiB.
    /// If the disk refuses, the executor stops, as with any commit.
    ///
    /// ```
    /// use dacapo::{Ctx, Error, Executor, Result, Table, Workflow};
    ///
    /// const MOVE: Workflow<(String, String, i64), ()> = Workflow::new("move");
    /// const BALANCE: Table<String, i64> = Table::new("balance");
    ///
    /// async fn move_cents(ctx: &Ctx, (from, to, cents): (String, String, i64)) -> Result<()> {
    ///     let moved = ctx.transaction("move", move |tx| {
    ///         let left = tx.get(BALANCE, &from).unwrap_or(0) - cents;
    ///         let sum = tx.get(BALANCE, &to).unwrap_or(0) + cents;
    ///         tx.put(BALANCE, &from, &left);
    ///         tx.put(BALANCE, &to, &sum);
    ///         if left < 0 { Err(Error::new("too little")) } else { Ok(()) }
    ///     });
    ///     moved.await
    /// }
    ///
    /// let executor = Executor::builder().workflow(MOVE, move_cents).in_memory();
    /// executor.block_on(executor.write(|tx| {
    ///     tx.put(BALANCE, "ada", &100);
    ///     Ok::<_, Error>(())
    /// }))?;
    /// let pay = |id, cents| executor.start(MOVE, id, ("ada".into(), "bob".into(), cents));
    /// executor.block_on(pay("move-1", 70)?)?;
    /// assert!(executor.block_on(pay("move-2", 70)?).is_err());
    /// let balances = executor.read(|tables| tables.range(BALANCE, ..).collect::<Vec<_>>())?;
    /// assert_eq!(balances, [("ada".into(), 30), ("bob".into(), 70)]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn transaction<T: Value, E: Into<BoxError> + 'static>(
        &self,
        name: &'static str,
        body: impl Fn(&mut Tx<'_>) -> Result<T, E> + 'static, // clone what it borrows
    ) -> Step<T> {
        let operation = Operation::step(&self.instance.world.spare, self.take_number(), name);
        operation.set_transaction(Rc::new(move |tx| {
            let outcome = body(tx);
            tx.encode(outcome)
        }));
        Step::of_operation(Awaited::new(self.instance.clone(), operation))
    }
}

/// Has the next commit carry out a transaction that a run asked for, or the next attempt of it when it is
/// time for that.
pub(crate) fn begin(instance: &Rc<Instance>, operation: &Rc<Operation>) {
    if !operation.has_failed() {
        return queue(instance.clone(), operation.clone());
    }
    let job = Job::new(instance.clone(), operation.clone());
    operation.set_body(Box::pin(wait(job)));
    operation.start(|body| instance.world.spawn_body(body));
}

/// Waits between two attempts.
async fn wait(job: Job) {
    job.wait().await;
    let (instance, operation) = job.into_parts();
    // It is here, at its end: nothing is left to be ended by a drop.
    operation.take_effort();
    // Otherwise the next process makes this attempt.
    if !instance.world.ending.is_closing() {
        queue(instance, operation);
    }
}

fn queue(instance: Rc<Instance>, operation: Rc<Operation>) {
    let (world, place) = (instance.world.clone(), operation.order());
    let transaction = Transaction::Step(instance, operation);
    world.pending.borrow_mut().others_mut().transactions.insert(place, transaction);
}

/// Makes an attempt of a transaction. If that was the last, its outcome is with the operation; else it is made
/// again when its policy says, or its run is parked. `Err`: the storage does not answer.
pub(crate) fn attempt(
    instance: &Rc<Instance>,
    operation: &Rc<Operation>,
    mut tx: Tx<'_>,
) -> (dacapo_store::Result<u32>, Changes) {
    let attempts = operation.failed().map_or(operation.attempts(), |failed| failed.attempt) + 1;
    let job = Job::new(instance.clone(), operation.clone());
    let called = job.call(&mut tx, attempts);
    let (result, changes) = tx.end(called);
    let failure = match result {
        Ok(bytes) => {
            operation.set_outcome(Ok(bytes));
            return (Ok(attempts), changes);
        }
        Err(Trouble::Refused(error)) => return (Err(error), changes),
        Err(Trouble::Failed(error)) => error.into_failure(),
    };
    if job.fail(failure, attempts) {
        begin(instance, operation);
    }
    (Ok(attempts), changes)
}
