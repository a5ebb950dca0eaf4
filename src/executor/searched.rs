//! Runs looked through without their values being read.

use dacapo_store::RunKey;

use super::{Executor, admit};
use crate::error::Result;

impl Executor {
    /// Whether one of the first `most` records of a run, or its last one, may have this text in what it holds:
    /// `false` if it is in none of their bytes. That takes a tenth of what it takes to show values.
    ///
    /// Texts stand in the bytes of a value as they are; what is none (numbers, and the
    /// [names](Self::names_hold) of fields) does not. Of an error more is said than is recorded, so one with
    /// which a run ended may have any text, as may what is damaged.
    ///
    /// # Errors
    ///
    /// If the store failed.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// # const GREET: Workflow<String, usize> = Workflow::new("greet");
    /// # let greet = async |_: &Ctx, name: String| Ok::<_, Error>(name.len());
    /// let executor = Executor::builder().workflow(GREET, greet).in_memory();
    /// executor.block_on(executor.start(GREET, "greet-1", "ada".into())?)?;
    /// let run = executor.info("greet-1")?.key;
    /// assert!(executor.ends_hold(run, 10, "ada")?);
    /// assert!(!executor.ends_hold(run, 10, "bob")?);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn ends_hold(&self, run: RunKey, most: u64, text: &str) -> Result<bool> {
        admit(&self.shared.engine, format_args!("histories cannot be read"))?;
        self.shared.engine.ends_hold(run, most, text.as_bytes())
    }

    /// Whether this text is in a name that was recorded with the shape of a type: of a struct, an enum, a field
    /// or a variant.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Order { customer: String }
    /// # const ORDER: Workflow<Order, usize> = Workflow::new("order");
    /// # let order = async |_: &Ctx, order: Order| Ok::<_, Error>(order.customer.len());
    /// let executor = Executor::builder().workflow(ORDER, order).in_memory();
    /// executor.block_on(executor.start(ORDER, "order-1", Order { customer: "ada".into() })?)?;
    /// assert!(executor.names_hold("custom"));
    /// assert!(!executor.names_hold("ada"));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn names_hold(&self, text: &str) -> bool {
        self.shared.engine.world.values.names_hold(text.as_bytes())
    }
}
