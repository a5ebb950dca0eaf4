use alloc::rc::Rc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::Ctx;
use super::awaited::Awaited;
use crate::clock::{Now, Timestamp};
use crate::operation::{Effort, Operation};
use crate::record::Asked;

/// A durable sleep, made by [`Ctx::sleep`] and [`Ctx::sleep_until`].
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
    #[track_caller]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.build_sleep(self.instance.now.get() + duration)
    }

    /// Waits until `time`, however often the process ends meanwhile; without `std` it is a
    /// [`Timestamp`].
    ///
    /// A time that has passed already is due at once, with the next commit. Everything else is as
    /// with [`sleep`](Self::sleep).
    ///
    /// The time is recorded, and compared in a replay. So take it from the input of the run, from the
    /// outcome of a step, or reckon it from [`Ctx::now`]: one from the system's clock would be another
    /// one in a replay, and the run would be parked ([`ParkReason::Diverged`]).
    ///
    /// [`ParkReason::Diverged`]: crate::ParkReason::Diverged
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # use std::time::{Duration, SystemTime};
    /// const REMIND: Workflow<SystemTime, String> = Workflow::new("remind");
    ///
    /// async fn remind(ctx: &Ctx, due: SystemTime) -> Result<String> {
    ///     ctx.sleep_until(due).await;
    ///     ctx.step("remind", async || Ok::<_, dacapo::Error>("it is time".to_owned())).await
    /// }
    ///
    /// let executor = Executor::builder().workflow(REMIND, remind).in_memory();
    /// let due = SystemTime::now() + Duration::from_millis(20);
    /// assert_eq!(executor.block_on(executor.start(REMIND, "remind-1", due)?)?, "it is time");
    /// assert!(SystemTime::now() >= due);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[track_caller]
    pub fn sleep_until(&self, time: Now) -> Sleep {
        self.build_sleep(Timestamp::from_now(time))
    }

    #[track_caller]
    fn build_sleep(&self, until: Timestamp) -> Sleep {
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
