use alloc::rc::Rc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::Ctx;
use super::awaited::Awaited;
use crate::operation::{Effort, Operation};
use crate::record::Asked;

/// A durable sleep, made by [`Ctx::sleep`].
///
/// # Cancel safety
///
/// Dropping it takes its timer away; nothing of it is recorded from then on.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep(Awaited);

impl Ctx {
    /// Waits until `duration` after now, however often the process ends meanwhile.
    ///
    /// The time counts from this call, in the run's own time ([`Ctx::now`]). A sleep that became
    /// due while no process was there ends as soon as one is. The resolution is that of the
    /// clock, the latency that of a commit; a duration beyond the end of time (the year 2554) is
    /// cut short there.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # use std::time::{Duration, Instant};
    /// # const NAP: Workflow<(), ()> = Workflow::new("nap");
    /// let executor = Executor::builder()
    ///     .workflow(NAP, async |ctx: &Ctx, ()| {
    ///         ctx.sleep(Duration::from_millis(20)).await;
    ///         Ok::<_, dacapo::Error>(())
    ///     })
    ///     .in_memory();
    /// let start = Instant::now();
    /// executor.block_on(executor.start(NAP, "nap-1", ())?)?;
    /// assert!(start.elapsed() >= Duration::from_millis(20));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let until = self.instance.now.get() + duration;
        let operation = Operation::new(self.take_number(), Asked::Sleep { until }, Effort::Timer);
        Sleep(Awaited::new(Rc::clone(&self.instance), operation))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx)
    }
}
