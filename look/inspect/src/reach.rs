//! How an executor is reached: on its thread, or from another one.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use dacapo::{Error, Executor, Remote, Result};

/// How an executor is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach<'a> {
    /// This is its thread.
    Here(&'a Executor),
    /// It is called between two of its rounds.
    There(&'a Remote),
}

/// An executor that was answering is waited for so long.
const PATIENCE: Duration = Duration::from_secs(30);

impl Reach<'_> {
    /// What `call` gives, called with the executor.
    ///
    /// # Errors
    ///
    /// Those of `call`; or if the executor has stopped, or does not answer.
    pub(crate) fn call<R: Send + 'static>(
        self,
        call: impl FnOnce(&Executor) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        match self {
            Self::Here(executor) => call(executor),
            Self::There(remote) => wait(remote.with(call), PATIENCE).ok_or_else(|| {
                Error::new(format_args!("the executor has not answered for {PATIENCE:?}"))
            })??,
        }
    }
}

/// Waits on this thread until a future is ready, but no longer than `limit`. `None`: it is not.
///
/// ```
/// use std::{future, time::Duration};
///
/// assert_eq!(dacapo_inspect::wait(async { 7 }, Duration::ZERO), Some(7));
/// assert_eq!(dacapo_inspect::wait(future::pending::<()>(), Duration::from_millis(1)), None);
/// ```
pub fn wait<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Parked(thread::current())));
    let (mut future, began) = (pin!(future), Instant::now());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        // A wake that comes before this makes it return at once.
        thread::park_timeout(limit.checked_sub(began.elapsed()).filter(|left| !left.is_zero())?);
    }
}

/// A thread that waits.
struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
