//! Two futures in one task.

use core::future::poll_fn;
use core::ops::ControlFlow::{Break, Continue};
use core::task::{Context, Poll};

use super::branch::{Branch, Wakers};

/// Runs both and gives both outputs.
pub fn join<A: Future, B: Future>(
    first: A,
    second: B,
) -> impl Future<Output = (A::Output, B::Output)> {
    let mut pair = Pair::new(first, second);
    poll_fn(move |cx| pair.poll(cx, take_both))
}

/// Runs both until both are `Ok`, or one gives an error.
pub fn try_join<A, B, E>(
    first: impl Future<Output = Result<A, E>>,
    second: impl Future<Output = Result<B, E>>,
) -> impl Future<Output = Result<(A, B), E>> {
    let mut pair = Pair::new(first, second);
    poll_fn(move |cx| {
        pair.poll(cx, |first, second| {
            if let Some(error) = first.take_error().or_else(|| second.take_error()) {
                return Some(Err(error));
            }
            take_both(first, second).map(|(first, second)| Ok((first?, second?)))
        })
    })
}

/// Runs both until one is ready and gives its output; the other is dropped.
pub fn race<T>(
    first: impl Future<Output = T>,
    second: impl Future<Output = T>,
) -> impl Future<Output = T> {
    let mut pair = Pair::new(first, second);
    poll_fn(move |cx| pair.poll(cx, |first, second| first.take().or_else(|| second.take())))
}

struct Pair<A: Future, B: Future> {
    first: Branch<A>,
    second: Branch<B>,
    wakers: Wakers,
}

impl<A: Future, B: Future> Pair<A, B> {
    fn new(first: A, second: B) -> Pair<A, B> {
        let (first, second) = (Branch::new(first), Branch::new(second));
        Pair { first, second, wakers: Wakers::new(2) }
    }

    /// Polls the woken branches, and asks `end` for the output when one of them gets ready. With
    /// the output both branches are dropped, the first one first.
    fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        end: impl Fn(&mut Branch<A>, &mut Branch<B>) -> Option<R>,
    ) -> Poll<R> {
        let Pair { first, second, wakers } = self;
        let output = wakers.poll_woken(cx, |index, cx| {
            let ready = if index == 0 { first.poll(cx) } else { second.poll(cx) };
            match ready.then(|| end(first, second)).flatten() {
                Some(output) => Break(output),
                None => Continue(()),
            }
        });
        let Break(output) = output else { return Poll::Pending };
        *first = Branch::Spent;
        *second = Branch::Spent;
        Poll::Ready(output)
    }
}

/// Both outputs, once both are there.
fn take_both<A: Future, B: Future>(
    first: &mut Branch<A>,
    second: &mut Branch<B>,
) -> Option<(A::Output, B::Output)> {
    let (Branch::Ready(_), Branch::Ready(_)) = (&first, &second) else { return None };
    first.take().zip(second.take())
}
