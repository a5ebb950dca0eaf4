use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use super::Ctx;
use crate::error::Elapsed;

impl Ctx {
    /// Waits for `future`, but no longer than `limit` from now, in the run's own time.
    ///
    /// The limit is a durable sleep, numbered by this call. At every poll `future` goes first, so
    /// it wins if both are ready. When the limit has passed it is dropped, and its operations and
    /// bodies with it.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # use std::time::Duration;
    /// const HURRY: Workflow<(), String> = Workflow::new("hurry");
    ///
    /// async fn hurry(ctx: &Ctx, (): ()) -> Result<String> {
    ///     let forever = ctx.sleep(Duration::MAX);
    ///     match ctx.timeout(Duration::from_millis(10), forever).await {
    ///         Ok(()) => Ok("in time".into()),
    ///         Err(elapsed) => Ok(elapsed.to_string()),
    ///     }
    /// }
    ///
    /// let executor = Executor::builder().workflow(HURRY, hurry).in_memory();
    /// let run = executor.start(HURRY, "hurry-1", ())?;
    /// assert_eq!(executor.block_on(run)?, "not ready within 10ms");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[track_caller]
    pub fn timeout<F: Future>(
        &self,
        limit: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + use<F> {
        let sleep = self.sleep(limit);
        async move {
            let (mut future, mut sleep) = (pin!(future), pin!(sleep));
            poll_fn(|cx| match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Ok(output)),
                Poll::Pending => sleep.as_mut().poll(cx).map(|()| Err(Elapsed { limit })),
            })
            .await
        }
    }
}
