//! Transactions: what reads and writes the tables of users within a commit.
//!
//! They are carried out before the commit is written, over what the last one left and what those before
//! them have changed since: nobody else writes, so that is what they would find within it. What they
//! change is then written by the commit that has their records.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::mem;
use core::time::Duration;

use dacapo_store::{Batch, ReadTables};

use super::Engine;
use crate::clock::Timestamp;
use crate::context::transaction;
use crate::error::{Error, Kind};
use crate::instance::{BodyEnd, Instance, Pending, Transacted, Transaction};
use crate::operation::Operation;
use crate::panics::{self, Caller};
use crate::tables::{Changes, Trouble, Tx, TxOnce};
use crate::watch::Watch;

/// All runs wait meanwhile: after so long the rest is left to the next commit.
const LONGEST: Duration = Duration::from_millis(5);

impl Engine {
    /// Has the next commit carry out a transaction of nobody's run; where to wait for it.
    pub(crate) fn post_transaction(&self, body: Box<TxOnce>) -> Rc<Watch> {
        let receipt = Rc::<Watch>::default();
        let transaction = Transaction::Outside(body, receipt.clone());
        let place = self.world.take_ticket();
        self.world.pending.borrow_mut().others_mut().transactions.insert(place, transaction);
        self.world.bodies.raw().notify();
        receipt
    }

    /// Carries out the transactions that wait, while there is time, and gives what they change.
    ///
    /// # Errors
    ///
    /// If the store does not answer.
    pub(super) fn transact(
        &self,
        taken: &mut Pending,
        now: Timestamp,
    ) -> dacapo_store::Result<Option<Changes>> {
        if taken.has_only_outcomes() || taken.others().transactions.is_empty() {
            return Ok(None);
        }
        let mut changes = Changes::default();
        // What the code does since a change of it is not committed before that is.
        let carried_out = match self.world.holds_bodies.get() {
            true => Ok(()),
            false => self
                .store
                .borrow()
                .read_tables(&mut |stored| self.transact_over(stored, taken, now, &mut changes)),
        };
        let rest = mem::take(&mut taken.others_mut().transactions);
        if !rest.is_empty() {
            self.world.pending.borrow_mut().others_mut().transactions.extend(rest);
        }
        carried_out.map(|()| Some(changes).filter(|changes| !changes.are_empty()))
    }

    fn transact_over(
        &self,
        stored: &dyn ReadTables,
        taken: &mut Pending,
        now: Timestamp,
        changes: &mut Changes,
    ) -> dacapo_store::Result<()> {
        let (begun, size_max) = (self.world.timers.monotonic(), self.world.commit_bytes());
        let others = taken.others_mut();
        let mut size = 0;
        while size + changes.bytes() <= size_max
            && self.world.timers.monotonic().saturating_sub(begun) < LONGEST
            && let Some((_, transaction)) = others.transactions.pop_first()
        {
            let before = mem::take(changes);
            let tx = Tx::new(stored, &self.world.values, before, now);
            let transacted = match transaction {
                // What was dropped since leaves nothing.
                Transaction::Step(instance, operation) if !instance.awaits(&operation) => {
                    *changes = tx.end(Ok(())).1;
                    continue;
                }
                Transaction::Step(instance, operation) => {
                    let (attempts, all) = transaction::attempt(&instance, &operation, tx);
                    *changes = all;
                    attempts.map(|attempts| ended(instance, operation, attempts, now))?
                }
                Transaction::Outside(body, receipt) => {
                    let (told, all) = self.call_outside(body, tx);
                    *changes = all;
                    if let Err(Trouble::Refused(error)) = told {
                        receipt.end(Err(Error::store(&error)));
                        return Err(error);
                    }
                    Some(Transacted::Outside(receipt, told.map_err(Trouble::into_error)))
                }
            };
            if let Some(transacted) = transacted {
                size += transacted.size();
                others.transacted.push(transacted);
            }
        }
        Ok(())
    }

    fn call_outside(&self, body: Box<TxOnce>, mut tx: Tx<'_>) -> (Result<(), Trouble>, Changes) {
        let caught = &self.world.setup.caught;
        let called = panics::catch(|| caught.calling(Caller::Transaction, || body(&mut tx)));
        let called = called.unwrap_or_else(|message| {
            let message = format_args!("the transaction panicked: {message}");
            Err(Error::of(Kind::Panicked, message).into_failure())
        });
        tx.end(called)
    }

    /// Commits a batch together with what transactions changed.
    pub(super) fn commit_changes(
        &self,
        batch: &mut Batch,
        changes: &Changes,
    ) -> dacapo_store::Result<u64> {
        let mut handed_over = Batch::new();
        let committed =
            self.store.borrow_mut().commit_with(&mut handed_over, &mut |tables, own| {
                mem::swap(own, batch);
                changes.write(tables)
            });
        // Its memory is used again.
        mem::swap(&mut handed_over, batch);
        committed
    }

    /// A commit was refused, or a read before it: those who wait for what it had are told.
    pub(super) fn tell_refused(taken: &mut Pending, error: &dacapo_store::Error) {
        for transacted in taken.others_mut().transacted.drain(..) {
            if let Transacted::Outside(receipt, _) = transacted {
                receipt.end(Err(Error::store(error)));
            }
        }
        for note in taken.others_mut().notes.drain(..) {
            note.refuse(&Error::store(error));
        }
    }
}

/// What is recorded of a transaction. `None`: it is made again, or its run is parked.
fn ended(
    instance: Rc<Instance>,
    operation: Rc<Operation>,
    attempts: u32,
    now: Timestamp,
) -> Option<Transacted> {
    operation.outcome()?;
    let (started_at, ended_at) = (now, now);
    Some(Transacted::Step(BodyEnd { instance, operation, attempts, started_at, ended_at }))
}

impl Transacted {
    /// How many bytes its outcome takes.
    fn size(&self) -> usize {
        match self {
            Self::Step(end) => match end.operation.outcome() {
                Some(Ok(bytes)) => bytes.as_slice().len(),
                Some(Err(_)) | None => 0,
            },
            Self::Outside(..) => 0,
        }
    }
}
