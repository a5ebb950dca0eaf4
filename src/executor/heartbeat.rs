//! What other threads see of an executor that does not answer.

use super::Executor;
use crate::heartbeat::Heartbeat;

impl Executor {
    /// What this executor is at, for other threads, also while a body, a workflow or the disk blocks its own.
    ///
    /// From the first call on the executor leaves word of what it polls, which costs it some nanoseconds a poll;
    /// before that it costs nothing.
    ///
    /// ```
    /// use dacapo::{Ctx, Doing, Error, Executor, Result, Workflow};
    ///
    /// const PAY: Workflow<(), ()> = Workflow::new("pay");
    ///
    /// let (begins, begun) = std::sync::mpsc::channel();
    /// let (release, released) = std::sync::mpsc::channel();
    /// let channels = std::rc::Rc::new((begins, released));
    /// let pay = async move |ctx: &Ctx, ()| -> Result<()> {
    ///     let channels = channels.clone();
    ///     let block = async move || {
    ///         channels.0.send(()).expect("it is waited for");
    ///         channels.1.recv().map_err(Error::new) // It blocks the thread of all runs.
    ///     };
    ///     ctx.step("charge", block).await
    /// };
    /// let executor = Executor::builder().workflow(PAY, pay).in_memory();
    /// let heartbeat = executor.heartbeat();
    /// let other = std::thread::spawn(move || {
    ///     begun.recv().expect("the step begins");
    ///     let beat = heartbeat.read();
    ///     release.send(()).expect("it is waited for");
    ///     beat.doing.to_string()
    /// });
    /// executor.block_on(executor.start(PAY, "order-7", ())?)?;
    /// let doing = other.join().expect("it does not panic");
    /// assert_eq!(doing, r#"polls step 1 "charge" of run "order-7""#);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn heartbeat(&self) -> Heartbeat {
        let engine = &self.shared.engine;
        let world = &engine.world;
        let heartbeat = world.pulse.heartbeat(&world.gate);
        world.tells_polls.set(true);
        for run in engine.ledgers.all_residents() {
            world.pulse.enter(run.key(), &run.id);
        }
        engine.beat();
        heartbeat
    }
}
