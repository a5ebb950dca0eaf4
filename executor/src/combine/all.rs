//! Any number of futures in one task.

use alloc::vec::Vec;
use core::fmt;
use core::ops::ControlFlow::{Break, Continue};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::branch::{Branch, Wakers};

/// Runs any number of futures in one task and gives their outputs in order.
///
/// The first time all are polled in the order given; later only those that were woken are, in the
/// same order, so that even 100,000 of them cost no more than their own polls. One that is woken by
/// another in the same turn has its poll in that turn if it comes later in the order, else in the
/// task's next turn. Each is dropped as soon as it is ready.
///
/// ```
/// use dacapo_executor::{FifoExecutor, join_all, yield_now};
///
/// let squares = join_all((0..4).map(|i| async move { yield_now().await; i * i }));
/// assert_eq!(FifoExecutor::new().block_on(squares), [0, 1, 4, 9]);
/// ```
///
/// # Cancel safety
///
/// Dropped, it drops the futures and the outputs that are there, in order.
pub fn join_all<I>(futures: I) -> JoinAll<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    JoinAll(Branches::new(futures))
}

/// Runs any number of futures in one task until all are `Ok`, or one gives an error.
///
/// Polled like [`join_all`]. The first error that is found ends it, and all other futures and outputs
/// are dropped then and there, in order.
///
/// ```
/// use dacapo_executor::{FifoExecutor, try_join_all};
///
/// let even = |i: u32| async move { if i % 2 == 0 { Ok(i) } else { Err(i) } };
/// let executor = FifoExecutor::new();
/// assert_eq!(executor.block_on(try_join_all([2, 4].map(even))), Ok(vec![2, 4]));
/// assert_eq!(executor.block_on(try_join_all([2, 3, 5].map(even))), Err(3));
/// ```
///
/// # Cancel safety
///
/// Dropped, it drops the futures and the outputs that are there, in order.
pub fn try_join_all<I, T, E>(futures: I) -> TryJoinAll<I::Item>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>>,
{
    TryJoinAll(Branches::new(futures))
}

/// The future of [`join_all`].
#[must_use = "futures do nothing unless awaited"]
pub struct JoinAll<F: Future>(Branches<F>);

/// The future of [`try_join_all`].
#[must_use = "futures do nothing unless awaited"]
pub struct TryJoinAll<F: Future>(Branches<F>);

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<F::Output>> {
        let Branches { all, running, wakers } = &mut self.0;
        let _ = wakers.poll_woken(cx, |index, cx| {
            *running -= usize::from(all[index].poll(cx));
            Continue::<()>(())
        });
        if *running > 0 {
            return Poll::Pending;
        }
        Poll::Ready(all.drain(..).filter_map(|mut branch| branch.take()).collect())
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for TryJoinAll<F> {
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Vec<T>, E>> {
        let Branches { all, running, wakers } = &mut self.0;
        let failed = wakers.poll_woken(cx, |index, cx| {
            *running -= usize::from(all[index].poll(cx));
            all[index].take_error().map_or(Continue(()), Break)
        });
        if let Break(error) = failed {
            all.clear();
            return Poll::Ready(Err(error));
        }
        if *running > 0 {
            return Poll::Pending;
        }
        Poll::Ready(all.drain(..).filter_map(|mut branch| branch.take()).collect())
    }
}

impl<F: Future> fmt::Debug for JoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAll").field("running", &self.0.running).finish_non_exhaustive()
    }
}

impl<F: Future> fmt::Debug for TryJoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryJoinAll").field("running", &self.0.running).finish_non_exhaustive()
    }
}

struct Branches<F: Future> {
    /// Empty once the output was given.
    all: Vec<Branch<F>>,
    running: usize,
    wakers: Wakers,
}

impl<F: Future> Branches<F> {
    fn new(futures: impl IntoIterator<Item = F>) -> Branches<F> {
        let all: Vec<_> = futures.into_iter().map(Branch::new).collect();
        Branches { running: all.len(), wakers: Wakers::new(all.len()), all }
    }
}

// The futures are boxed, and nothing else is ever pinned.
impl<F: Future> Unpin for Branches<F> {}
