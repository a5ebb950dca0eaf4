use super::Ctx;
use crate::instance::Instance;
use crate::record::{Mark, Number};

impl Ctx {
    /// Whether the run takes the new way here: for a change of the code of a workflow that has unfinished
    /// runs.
    ///
    /// A run whose history goes on behind this place when the new build comes keeps the old way there; all
    /// others take the new one. (A wait that has not ended is not in the history.) In a loop that began under the old build, the rounds
    /// that are in the history stay old, and the ones behind it are new. What was answered is recorded: a
    /// replay, by any build that asks, answers the same.
    ///
    /// Each change has a name of its own, for good. It takes no number, and is no point at which others
    /// run: so it may be put in anywhere, and be taken out, with the old way, when no unfinished run takes
    /// that any more. The first call that is answered with `true` is recorded, and no body begins before
    /// that is committed.
    ///
    /// ```
    /// use dacapo::{Ctx, Error, Executor, Result, Workflow};
    /// # use dacapo::sim::VirtualClock;
    /// # use dacapo::store::MemoryStore;
    /// # use std::time::Duration;
    ///
    /// const ORDER: Workflow<u32, String> = Workflow::new("order");
    /// # let (store, clock) = (MemoryStore::new(), VirtualClock::default());
    /// # let open = |builder: dacapo::Builder| {
    /// #     builder.clock(clock.clone()).open_with(store.shared())
    /// # };
    ///
    /// // A run of the old build has packed, and waits for a day.
    /// let old = async |ctx: &Ctx, cents: u32| -> Result<String> {
    ///     ctx.step("pack", async || Ok::<_, Error>(())).await?;
    ///     ctx.sleep(Duration::from_secs(86_400)).await;
    ///     ctx.step("charge", async move || Ok::<_, Error>(format!("charged {cents}"))).await
    /// };
    /// let executor = open(Executor::builder().workflow(ORDER, old))?;
    /// let _monday = executor.start(ORDER, "monday", 250)?;
    /// executor.block_on(clock.sleep(Duration::from_secs(60)));
    /// drop(executor);
    ///
    /// // The new one wraps before that, and no longer charges.
    /// let new = async |ctx: &Ctx, cents: u32| -> Result<String> {
    ///     if ctx.patched("wrap") {
    ///         ctx.step("wrap", async || Ok::<_, Error>(())).await?;
    ///     }
    ///     ctx.step("pack", async || Ok::<_, Error>(())).await?;
    ///     ctx.sleep(Duration::from_secs(86_400)).await;
    ///     let name = if ctx.patched("authorize") { "authorize" } else { "charge" };
    ///     ctx.step(name, async move || Ok::<_, Error>(format!("{name}d {cents}"))).await
    /// };
    /// let executor = open(Executor::builder().workflow(ORDER, new))?;
    /// let monday = executor.block_on(executor.attach(ORDER, "monday")?)?;
    /// assert_eq!(monday, "authorized 250", "it is not wrapped: its history goes on behind that place");
    /// executor.verify("monday")?;
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn patched(&self, name: &'static str) -> bool {
        self.instance.is_patched(name)
    }
}

impl Instance {
    fn is_patched(&self, name: &'static str) -> bool {
        let delivered = self.delivered.get();
        let known = self.has_extra().and_then(|extra| extra.patches.borrow().get(name).copied());
        if let Some(at) = known {
            return at <= delivered;
        }
        // Whoever calls it elsewhere, as in a body or while the code is dropped, changes nothing.
        let is_at_its_end = self.is_at_its_end() && self.may_poll();
        if is_at_its_end {
            let mut patches = self.extra().patches.borrow_mut();
            let index = u32::try_from(patches.len()).expect("a program has few names");
            patches.insert(name.into(), delivered);
            self.mark(Number::of_patch(index), Mark::Patched { name, at: delivered }, None);
            self.world.holds_bodies.set(true);
        }
        is_at_its_end
    }
}
