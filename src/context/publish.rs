use super::{Attempt, Ctx};
use crate::bytes::Bytes;
use crate::fault::{Fault, ParkReason};
use crate::name::Topic;
use crate::record::Mark;
use crate::values::{FarValue, Value};

impl Ctx {
    /// Publishes a value on a topic of this run, for all who want to know how it is getting on.
    ///
    /// It is there for [`Executor::latest`](crate::Executor::latest) and
    /// [`Executor::follow`](crate::Executor::follow) as soon as the next commit is: with all else that
    /// the code asked for at this point, once, in the order of the code. A topic keeps all values, and
    /// they take room in the history; for what changes often, publish from the body of a step no more
    /// often than somebody can read it.
    ///
    /// It has a number, as an operation has: a later build must publish on the same topic here.
    ///
    /// A value that cannot be recorded parks the run.
    ///
    /// ```
    /// use dacapo::{Ctx, Executor, Result, Topic, Workflow};
    ///
    /// const ORDER: Workflow<(), ()> = Workflow::new("order");
    /// const STATUS: Topic<String> = Topic::new("status");
    ///
    /// async fn order(ctx: &Ctx, (): ()) -> Result<()> {
    ///     ctx.publish(STATUS, "charging".into());
    ///     ctx.step("charge", async || Ok::<_, dacapo::Error>(())).await?;
    ///     ctx.publish(STATUS, "charged".into());
    ///     Ok(())
    /// }
    ///
    /// let executor = Executor::builder().workflow(ORDER, order).in_memory();
    /// executor.block_on(executor.start(ORDER, "order-1", ())?)?;
    /// assert_eq!(executor.latest("order-1", STATUS)?, Some("charged".into()));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[track_caller]
    pub fn publish<T: Value>(&self, topic: Topic<T>, value: T) {
        let (number, topic) = (self.take_number(), topic.name());
        if !self.instance.may_poll() {
            // Its code is being dropped, or is called by somebody else.
            return;
        }
        match self.values().encode(&value) {
            Ok(value) => self.instance.mark(number, Mark::Published { topic, value }, None),
            Err(why) => {
                let kind = core::any::type_name::<T>();
                let detail = format_args!(
                    "the value of publish {number} on {topic:?}, a {kind}, cannot be recorded: {why}"
                );
                let fault = Fault::new(ParkReason::Misused, detail);
                let mark = Mark::Published { topic, value: Bytes::EMPTY };
                self.instance.mark_refused(number, mark, fault);
            }
        }
    }
}

impl Attempt {
    /// Publishes a value on a topic of the run: how far the step has come.
    ///
    /// It is recorded with one of the next commits, before the outcome of the step. It is no more than
    /// news: an attempt that is interrupted may have published, and the next one publishes again, so
    /// each value is there at least once; what is published when the step was dropped, or has its
    /// outcome, is not recorded. A replay hands it to nobody, and code that awaits the step knows
    /// nothing of it. From any thread, so from [`step_blocking`](Ctx::step_blocking), too.
    ///
    /// # Panics
    ///
    /// Panics if the value cannot be recorded: then the attempt has failed.
    ///
    /// ```
    /// use dacapo::{Attempt, Ctx, Error, Executor, Result, Topic, Workflow};
    ///
    /// const IMPORT: Workflow<u64, u64> = Workflow::new("import");
    /// const DONE: Topic<u64> = Topic::new("done");
    ///
    /// async fn import(ctx: &Ctx, lines: u64) -> Result<u64> {
    ///     let body = move |attempt: &Attempt| {
    ///         for line in 1..=lines {
    ///             attempt.publish(DONE, line);
    ///         }
    ///         Ok::<_, Error>(lines)
    ///     };
    ///     ctx.step_blocking("import", body).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(IMPORT, import).in_memory();
    /// executor.block_on(executor.start(IMPORT, "import-1", 3)?)?;
    /// assert_eq!(executor.latest("import-1", DONE)?, Some(3));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn publish<T: Value>(&self, topic: Topic<T>, value: T) {
        let topic = topic.name();
        let value = FarValue::new(&value, self.value_max()).unwrap_or_else(|why| {
            let kind = core::any::type_name::<T>();
            panic!("the value for topic {topic:?}, a {kind}, cannot be recorded: {why}")
        });
        self.report(topic, value);
    }
}
