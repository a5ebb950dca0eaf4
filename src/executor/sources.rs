//! Where the operations of a run stand in the source.

use core::fmt;

use dacapo_store::RunRow;

use super::parked::ParkedRun;
use super::{Executor, admit};
use crate::engine::no_such_run;
use crate::error::Result;
use crate::fault::Fault;
use crate::history::OperationNumber;
use crate::places::Sorted;
use crate::record::Number;
use crate::source::SourceLine;

/// Where the operations of a run stand in the source of this program; see [`Executor::sources`].
#[derive(Clone, Default)]
pub struct Sources {
    places: Sorted,
    parked: Option<ParkedRun>,
}

impl Sources {
    pub(super) fn new(row: &RunRow, places: Sorted, rehearsed: Result<(), Fault>) -> Self {
        let parked = rehearsed.err();
        let parked = parked.map(|fault| ParkedRun::new(&row.id, &row.workflow, &fault));
        Self { places, parked }
    }

    /// The line that makes the operation of this number, if the code of this program makes it: that of the call of
    /// [`Ctx::step`](crate::Ctx::step), and so on, whatever is said of it behind that.
    #[must_use]
    pub fn of(&self, number: OperationNumber) -> Option<SourceLine> {
        self.places.of(Number { task: number.task, local: number.place })
    }

    /// What this build would park the run for, if it does not repeat its history. Then lines are known up to there.
    #[must_use]
    pub fn parked(&self) -> Option<&ParkedRun> {
        self.parked.as_ref()
    }
}

impl Executor {
    /// Where the operations of a run stand in the source of this program. The run is rehearsed, which tells it:
    /// nothing of that is recorded, and a live step costs no more for it.
    ///
    /// The executor does nothing else meanwhile, and the code of the workflow runs, without its bodies. So nothing is
    /// told of a run that is parked on request, or since it ended the process, or that may be the one that did: its
    /// code may end this process, too.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`Error::is_not_found`](crate::Error::is_not_found)), if its workflow is not
    /// registered, or the store failed.
    ///
    /// ```
    /// use dacapo::{Ctx, Error, Executor, Result, Workflow};
    ///
    /// const SHIP: Workflow<u32, u32> = Workflow::new("ship");
    ///
    /// async fn ship(ctx: &Ctx, parcels: u32) -> Result<u32> {
    ///     for _ in 0..parcels {
    ///         hand_over(ctx).await?;
    ///     }
    ///     Ok(parcels)
    /// }
    ///
    /// const HANDED_OVER: u32 = line!() + 2;
    /// async fn hand_over(ctx: &Ctx) -> Result<()> {
    ///     ctx.step("hand over", async || Ok::<_, Error>(())).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(SHIP, ship).in_memory();
    /// executor.block_on(executor.start(SHIP, "ship-1", 2)?)?;
    /// let sources = executor.sources("ship-1")?;
    /// assert!(sources.parked().is_none(), "this build repeats it");
    /// for number in ["1", "2"] {
    ///     let source = sources.of(number.parse().expect("it is one")).expect("it was made");
    ///     assert_eq!(source.line(), HANDED_OVER);
    /// }
    /// assert!(sources.of("3".parse().expect("it is one")).is_none());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn sources(&self, id: &str) -> Result<Sources> {
        let engine = &self.shared.engine;
        admit(engine, format_args!("run {id:?} cannot be looked at"))?;
        let Some(row) = engine.find(id)? else { return Err(no_such_run(id)) };
        if engine.ends_processes(&row) {
            return Ok(Sources::default());
        }
        let (places, rehearsed) = engine.rehearse_places(&row)?;
        Ok(Sources::new(&row, places, rehearsed))
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("parked", &self.parked).finish_non_exhaustive()
    }
}
