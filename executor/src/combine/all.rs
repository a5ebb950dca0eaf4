//! Any number of futures in one task.

use alloc::vec::Vec;
use core::future::poll_fn;
use core::ops::ControlFlow::{Break, Continue};
use core::task::Poll;

use super::branch::{Branch, Wakers};

const READY: &str = "every branch is ready and none was spent";

/// Runs all and gives all outputs.
pub fn join_all<I>(futures: I) -> impl Future<Output = Vec<<I::Item as Future>::Output>>
where
    I: IntoIterator,
    I::Item: Future,
{
    let mut branches: Vec<_> = futures.into_iter().map(Branch::new).collect();
    let wakers = Wakers::new(branches.len());
    let mut running = branches.len();
    poll_fn(move |cx| {
        let _ = wakers.poll_woken(cx, |index, cx| {
            running -= usize::from(branches[index].poll(cx));
            Continue::<()>(())
        });
        if running > 0 {
            return Poll::Pending;
        }
        Poll::Ready(branches.iter_mut().map(|branch| branch.take().expect(READY)).collect())
    })
}

/// Runs all until all are `Ok`, or one gives an error.
pub fn try_join_all<I, T, E>(futures: I) -> impl Future<Output = Result<Vec<T>, E>>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>>,
{
    let mut branches: Vec<_> = futures.into_iter().map(Branch::new).collect();
    let wakers = Wakers::new(branches.len());
    let mut running = branches.len();
    poll_fn(move |cx| {
        let failed = wakers.poll_woken(cx, |index, cx| {
            running -= usize::from(branches[index].poll(cx));
            if let Branch::Ready(Err(_)) = branches[index] { Break(index) } else { Continue(()) }
        });
        let end = match failed.break_value() {
            Some(index) => branches[index].take().expect(READY).map(|_| Vec::new()),
            None if running > 0 => return Poll::Pending,
            None => branches.iter_mut().map(|branch| branch.take().expect(READY)).collect(),
        };
        branches.clear();
        Poll::Ready(end)
    })
}
