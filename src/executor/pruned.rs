//! Many runs deleted at once, by a rule or by a list, piece by piece.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::future::poll_fn;

use dacapo_executor::yield_now;

use super::runs::RunInfo;
use super::{Executor, admit};
use crate::engine::{Piece, Sweep};
use crate::error::Result;
use crate::retention::Retention;
use crate::watch::{Waiting, Watch};

impl Executor {
    /// Deletes the ended runs that a rule does not keep, and says how many. The passes before a run
    /// ([`Ctx::again`](crate::Ctx::again)) go with it, and are not counted.
    ///
    /// A hundred at most share a commit, and while other runs are in memory 15, so that these are held up little.
    ///
    /// # Errors
    ///
    /// If the store failed, or a row cannot be read: some may be deleted by then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends it: what is not deleted by then stays.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Retention, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// for n in 0..5 {
    ///     executor.block_on(executor.start(ECHO, &n.to_string(), n)?)?;
    /// }
    /// let deleted = executor.block_on(executor.prune(Retention::new().count(2)))?;
    /// assert_eq!(deleted, 3);
    /// assert_eq!(executor.runs(&Default::default())?[0].id, "3");
    /// # Ok::<(), Error>(())
    /// ```
    pub async fn prune(&self, rule: Retention) -> Result<usize> {
        let (mut sweep, mut all) = (self.begin_prune(rule)?, 0);
        loop {
            let piece = self.prune_piece(&mut sweep)?;
            all += piece.deleted;
            committed(piece.watch).await?;
            if piece.is_last {
                return Ok(all);
            }
        }
    }

    pub(crate) fn begin_prune(&self, rule: Retention) -> Result<Sweep> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("runs cannot be deleted"))?;
        engine.world.advance();
        Ok(Sweep::new(rule.into(), engine.world.timers.now()))
    }

    pub(crate) fn prune_piece(&self, sweep: &mut Sweep) -> Result<Piece> {
        self.shared.engine.check()?;
        self.shared.engine.sweep(sweep)
    }

    /// Deletes these runs, and says how many. Those are left that have neither ended nor are parked, and those
    /// that are not as they were when they were [listed](Self::runs): so nothing is deleted but what was
    /// looked at, and counted.
    ///
    /// It goes as with [`delete`](Self::delete); a hundred at most share a commit, or 15.
    ///
    /// # Errors
    ///
    /// If the store failed: some may be deleted by then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends it: what is not deleted by then stays.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// use dacapo::store::{Filter, RunState};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// # let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// for id in ["order-1", "order-2", "mail-1"] {
    ///     executor.block_on(executor.start(ECHO, id, 1)?)?;
    /// }
    /// let orders = Filter::new().id_prefix("order-").states(&[RunState::Completed]);
    /// let listed = executor.runs(&orders)?;
    /// assert_eq!(listed.len(), 2); // Say so, and ask.
    /// assert_eq!(executor.block_on(executor.delete_all(&listed))?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub async fn delete_all(&self, runs: &[RunInfo]) -> Result<usize> {
        let (mut left, mut all) = (runs, 0);
        while !left.is_empty() {
            let (piece, rest) = left.split_at(self.deleted_at_once().min(left.len()));
            let (deleted, watch) = self.delete_piece(piece)?;
            (left, all) = (rest, all + deleted);
            committed(watch).await?;
        }
        Ok(all)
    }

    /// Whether it goes on.
    ///
    /// # Errors
    ///
    /// Why it has stopped.
    pub(crate) fn check(&self) -> Result<()> {
        self.shared.engine.check()
    }

    /// So many runs are a piece.
    pub(crate) fn deleted_at_once(&self) -> usize {
        self.shared.engine.deleted_at_once()
    }

    pub(crate) fn delete_piece(&self, runs: &[RunInfo]) -> Result<(usize, Option<Rc<Watch>>)> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("runs cannot be deleted"))?;
        let (mut deleted, mut watch) = (0, None);
        for listed in runs {
            if let Some(row) = engine.row(listed.key)?
                && row.state.may_be_deleted()
                && RunInfo::from(row.clone()) == *listed
                // One that was taken up again is here, and its row may not say so yet.
                && (row.state.is_waiting() || engine.ledgers.get(listed.key).is_none())
                && !engine.is_being_deleted(listed.key)
            {
                watch = Some(engine.delete(&row)?);
                deleted += 1;
            }
        }
        Ok((deleted, watch))
    }

    /// Adds to these runs those that they started as children, and that these did, without the ones that were
    /// let go ([`Child::detach`](crate::Child::detach)): to be deleted with them.
    ///
    /// Their histories are read.
    ///
    /// # Errors
    ///
    /// If the store failed, or a history cannot be read.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// const CHILD: Workflow<(), ()> = Workflow::new("child");
    /// const PARENT: Workflow<(), ()> = Workflow::new("parent");
    /// let executor = Executor::builder()
    ///     .workflow(CHILD, async |_: &Ctx, ()| Ok::<_, Error>(()))
    ///     .workflow(PARENT, async |ctx: &Ctx, ()| ctx.child(CHILD, ()).await)
    ///     .in_memory();
    /// executor.block_on(executor.start(PARENT, "one", ())?)?;
    /// let parents = executor.runs(&dacapo::store::Filter::new().workflow("parent"))?;
    /// let family = executor.with_children(&parents)?;
    /// assert_eq!(family[1].id, "one/1");
    /// assert_eq!(executor.block_on(executor.delete_all(&family))?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn with_children(&self, runs: &[RunInfo]) -> Result<Vec<RunInfo>> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("runs cannot be listed"))?;
        let mut family = runs.to_vec();
        let mut known: BTreeSet<_> = runs.iter().map(|run| run.key).collect();
        let mut next = 0;
        while let Some(parent) = family.get(next) {
            for row in engine.started_by(parent.key)? {
                if known.insert(row.key) {
                    family.push(row.into());
                }
            }
            next += 1;
        }
        Ok(family)
    }
}

/// Waits for a commit, if there is something in it, and lets others have one without it, if they have something.
pub(super) async fn committed(watch: Option<Rc<Watch>>) -> Result<()> {
    if let Some(watch) = watch {
        let waiting = Waiting::new(watch);
        poll_fn(|cx| waiting.poll_accepted(cx)).await?;
    }
    yield_now().await;
    Ok(())
}
