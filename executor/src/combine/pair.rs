//! Two futures in one task.

use core::future::poll_fn;
use core::ops::ControlFlow::{Break, Continue};
use core::task::{Context, Poll};

use super::branch::{Branch, Wakers};

const SPENT: &str = "a combinator was polled again after it was ready";

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

    fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Branch<A>, &mut Branch<B>) -> Option<R>,
    ) -> Poll<R> {
        let Pair { first, second, wakers } = self;
        let end = wakers.poll_woken(cx, |index, cx| {
            let ready = if index == 0 { first.poll(cx) } else { second.poll(cx) };
            match ready.then(|| look(first, second)).flatten() {
                Some(end) => Break(end),
                None => Continue(()),
            }
        });
        end.break_value().map_or(Poll::Pending, Poll::Ready)
    }

    fn drop_both(&mut self) {
        self.first = Branch::Spent;
        self.second = Branch::Spent;
    }
}

/// Runs both and gives both outputs.
pub fn join<A: Future, B: Future>(
    first: A,
    second: B,
) -> impl Future<Output = (A::Output, B::Output)> {
    let mut pair = Pair::new(first, second);
    poll_fn(move |cx| {
        pair.poll(cx, |first, second| match (&first, &second) {
            (Branch::Ready(_), Branch::Ready(_)) => {
                Some((first.take().expect(SPENT), second.take().expect(SPENT)))
            }
            _ => None,
        })
    })
}

/// Runs both until both are `Ok`, or one gives an error.
pub fn try_join<A, B, E>(
    first: impl Future<Output = Result<A, E>>,
    second: impl Future<Output = Result<B, E>>,
) -> impl Future<Output = Result<(A, B), E>> {
    let mut pair = Pair::new(first, second);
    poll_fn(move |cx| {
        let end = pair.poll(cx, |first, second| match (&first, &second) {
            (Branch::Ready(Err(_)), _) => first.take().map(|error| error.map(|_| unreachable!())),
            (_, Branch::Ready(Err(_))) => second.take().map(|error| error.map(|_| unreachable!())),
            (Branch::Ready(Ok(_)), Branch::Ready(Ok(_))) => {
                let (first, second) = (first.take().expect(SPENT), second.take().expect(SPENT));
                Some(first.and_then(|first| second.map(|second| (first, second))))
            }
            _ => None,
        });
        if end.is_ready() {
            pair.drop_both();
        }
        end
    })
}

/// Runs both until one is ready and gives its output; the other is dropped.
pub fn race<T>(
    first: impl Future<Output = T>,
    second: impl Future<Output = T>,
) -> impl Future<Output = T> {
    let mut pair = Pair::new(first, second);
    poll_fn(move |cx| {
        let end = pair.poll(cx, |first, second| first.take().or_else(|| second.take()));
        if end.is_ready() {
            pair.drop_both();
        }
        end
    })
}
