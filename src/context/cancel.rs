use alloc::rc::Rc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::Ctx;
use crate::instance::Instance;
use crate::record::CancelCause;

/// Why a run is asked to end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// Somebody asked for it: [`Executor::cancel`](crate::Executor::cancel).
    Asked,
    /// Its deadline has passed.
    Deadline,
    /// The run that started it has ended, or dropped it.
    Parent,
}

/// Ready when the run is asked to end; made by [`Ctx::cancelled`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Cancelled {
    instance: Rc<Instance>,
    /// Its number among those of the run, once it was polled.
    waiter: Option<u64>,
}

impl Ctx {
    /// Waits until the run is asked to end, and gives the cause.
    ///
    /// A run that nobody in it waits for this is dropped when it is asked to end: its operations and
    /// bodies with it, and its outcome is an error of which
    /// [`is_cancelled`](crate::Error::is_cancelled) is true. One that awaits it decides itself: it may
    /// clean up, and what it returns is its outcome. Once a run was asked, each of these is ready at
    /// its first poll. A run is asked once: a clean-up is not disturbed by a second call.
    ///
    /// Once something is held, every await belongs into a race with this, or behind a
    /// [`shield`](Self::shield), [`Child::started`](crate::Child::started) and the last step included: a cancel
    /// that comes at another one, as between two phases, drops the code, and nothing cleans up.
    ///
    /// A run that cleans up ends as completed or failed, by what it returns. Its row says cancelled only if
    /// its code was dropped.
    ///
    /// A body that is dropped may have had its effect. So a clean-up asks the other side, by the
    /// idempotency key, and never a local variable.
    ///
    /// ```
    /// use dacapo::{Ctx, Error, Executor, Result, Workflow, race};
    ///
    /// const HOLD: Workflow<(), String> = Workflow::new("hold");
    ///
    /// async fn hold(ctx: &Ctx, (): ()) -> Result<String> {
    ///     let work = async {
    ///         ctx.sleep(std::time::Duration::from_secs(3600)).await;
    ///         Ok("done".to_owned())
    ///     };
    ///     let given_up = async { Err(Error::new(format!("{:?}", ctx.cancelled().await))) };
    ///     let done: Result<String> = race(work, given_up).await;
    ///     if done.is_err() {
    ///         ctx.shield(ctx.step("release", async || Ok::<_, dacapo::Error>(()))).await?;
    ///         return Ok("released".into());
    ///     }
    ///     done
    /// }
    ///
    /// let executor = Executor::builder().workflow(HOLD, hold).in_memory();
    /// let run = executor.start(HOLD, "hold-1", ())?;
    /// executor.block_on(executor.cancel("hold-1"))?;
    /// assert_eq!(executor.block_on(run)?, "released");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn cancelled(&self) -> Cancelled {
        Cancelled { instance: self.instance.clone(), waiter: None }
    }

    /// Awaits `future`, which no cancel may drop meanwhile: a run that is asked to end goes on until
    /// it is ready.
    ///
    /// For a clean-up, also after an ordinary failure. A [`terminate`](crate::Executor::terminate) does
    /// not wait.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const CLEAN: Workflow<(), u32> = Workflow::new("clean");
    /// let executor = Executor::builder()
    ///     .workflow(CLEAN, async |ctx: &Ctx, ()| {
    ///         ctx.shield(ctx.step("release", async || Ok::<_, dacapo::Error>(7))).await
    ///     })
    ///     .in_memory();
    /// let run = executor.start(CLEAN, "clean-1", ())?;
    /// executor.block_on(executor.cancel("clean-1"))?;
    /// assert_eq!(executor.block_on(run)?, 7);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn shield<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let instance = self.instance.clone();
        async move {
            let _shield = Shield::new(instance);
            future.await
        }
    }
}

impl Future for Cancelled {
    type Output = Cause;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cause> {
        let this = &mut *self;
        if !this.instance.may_poll() {
            return Poll::Pending;
        }
        let cancelling = &this.instance.extra().cancelling;
        match cancelling.see() {
            Some(cause) => Poll::Ready(cause.into()),
            None => {
                let waiter = *this.waiter.get_or_insert_with(|| cancelling.next_waiter());
                cancelling.wait(waiter, cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            self.instance.note_drop();
            self.instance.extra().cancelling.forget(waiter);
        }
    }
}

impl From<CancelCause> for Cause {
    fn from(cause: CancelCause) -> Self {
        match cause {
            CancelCause::Asked | CancelCause::Terminated => Self::Asked,
            CancelCause::Deadline => Self::Deadline,
            CancelCause::Parent => Self::Parent,
        }
    }
}

/// While it lives, no cancel drops its run.
struct Shield(Rc<Instance>);

impl Shield {
    fn new(run: Rc<Instance>) -> Self {
        run.extra().cancelling.shield();
        Self(run)
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        self.0.note_drop();
        self.0.extra().cancelling.unshield();
    }
}
