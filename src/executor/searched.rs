//! Runs looked through without their values being shown.

use dacapo_store::RunKey;

use super::{Executor, admit};
use crate::engine::Sought;
use crate::error::Result;

impl Executor {
    /// Whether an input or an output in one of the first `most` records of a run, or in its last one, may have this
    /// text in one of its parts: in a text or in the name of a field, as they are, or in a number as it is written.
    /// `false` if it is in none. That takes a fraction of what it takes to show them.
    ///
    /// More is said of an error than is recorded, so one with which a run ended may have any text, as may what is
    /// damaged, and the input of a run that does not begin within these records: it may have been replaced behind
    /// them. Of `true`, `false`, `null` and what stands between the parts nothing is known.
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
    /// for (text, holds) in [("ada", true), ("bob", false), ("3", true), ("4", false)] {
    ///     assert_eq!(executor.ends_hold(run, 10, text)?, holds);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn ends_hold(&self, run: RunKey, most: u64, text: &str) -> Result<bool> {
        admit(&self.shared.engine, format_args!("histories cannot be read"))?;
        self.shared.engine.ends_hold(run, most, &Sought::new(text))
    }
}
