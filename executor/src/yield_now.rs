//! Letting the others have their turn.

use core::pin::Pin;
use core::task::{Context, Poll};

/// Lets all who wait have their turn: the task goes to the tail of the queue, once.
///
/// What the same poll woke or spawned goes first, too. A branch of a combinator yields for its
/// branch only: it is polled again in the task's next turn.
///
/// ```
/// use dacapo_executor::{FifoExecutor, yield_now};
///
/// let executor = FifoExecutor::new();
/// let other = executor.spawn(async {});
/// executor.block_on(async {
///     yield_now().await;
///     assert!(other.is_finished());
/// });
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
