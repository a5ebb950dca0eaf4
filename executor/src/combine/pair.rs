//! Two futures in one task.

use core::future::poll_fn;
use core::ops::ControlFlow::{Break, Continue};
use core::task::{Context, Poll};

use super::branch::{Branch, Wakers};

/// Runs two futures in one task and gives both outputs.
///
/// The first is polled first; later only those that were woken are polled, the first one first. Each
/// is dropped as soon as it is ready.
///
/// ```
/// use dacapo_executor::{FifoExecutor, join, yield_now};
///
/// let both = join(async { yield_now().await; 1 }, async { "two" });
/// assert_eq!(FifoExecutor::new().block_on(both), (1, "two"));
/// ```
///
/// # Cancel safety
///
/// Dropped, it drops the first and then the second, or what outputs they left.
pub fn join<A: Future, B: Future>(
    first: A,
    second: B,
) -> impl Future<Output = (A::Output, B::Output)> {
    let mut pair = Pair::new(first, second);
    poll_fn(move |cx| pair.poll(cx, take_both))
}

/// Runs two futures in one task until both are `Ok`, or one gives an error.
///
/// Polled like [`join`]. The first error that is found ends it, and the other future is dropped then
/// and there.
///
/// ```
/// use dacapo_executor::{FifoExecutor, try_join};
///
/// let executor = FifoExecutor::new();
/// let fine = try_join(async { Ok::<_, &str>(1) }, async { Ok(2) });
/// assert_eq!(executor.block_on(fine), Ok((1, 2)));
/// let failed = try_join(std::future::pending::<Result<(), _>>(), async { Err::<(), _>("out of tea") });
/// assert_eq!(executor.block_on(failed), Err("out of tea"));
/// ```
///
/// # Cancel safety
///
/// Dropped, it drops the first and then the second, or what outputs they left.
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

/// Runs two futures in one task until one is ready, and gives its output.
///
/// Polled like [`join`]. When both could be ready in the same turn the first one wins, and the second
/// is not polled any more. The loser is dropped then and there. For futures of two types there is
/// [`select`].
///
/// ```
/// use dacapo_executor::{FifoExecutor, race, yield_now};
///
/// let slow = async { yield_now().await; "slow" };
/// assert_eq!(FifoExecutor::new().block_on(race(slow, async { "fast" })), "fast");
/// ```
///
/// # Cancel safety
///
/// Dropped, it drops the first and then the second.
pub fn race<T>(
    first: impl Future<Output = T>,
    second: impl Future<Output = T>,
) -> impl Future<Output = T> {
    let mut pair = Pair::new(first, second);
    poll_fn(move |cx| pair.poll(cx, |first, second| first.take().or_else(|| second.take())))
}

/// Runs two futures of any types in one task until one is ready, and says which: a [`race`] whose
/// branches give different things.
///
/// Polled like [`race`]: first the first one, which wins when both could be ready in the same turn. The
/// loser is dropped then and there. To keep it, hand it over as a `&mut`, pinned.
///
/// ```
/// use dacapo_executor::{Either, FifoExecutor, select, yield_now};
///
/// let slow = async { yield_now().await; "slow" };
/// match FifoExecutor::new().block_on(select(slow, async { 7 })) {
///     Either::First(word) => panic!("{word} came first"),
///     Either::Second(number) => assert_eq!(number, 7),
/// }
/// ```
///
/// # Cancel safety
///
/// Dropped, it drops the first and then the second.
#[doc(alias = "race2")]
pub fn select<A: Future, B: Future>(
    first: A,
    second: B,
) -> impl Future<Output = Either<A::Output, B::Output>> {
    let mut pair = Pair::new(first, second);
    poll_fn(move |cx| {
        pair.poll(cx, |first, second| {
            let first = first.take().map(Either::First);
            first.or_else(|| second.take().map(Either::Second))
        })
    })
}

/// Which of two futures was ready first, with its output; see [`select`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Either<A, B> {
    /// The first one.
    First(A),
    /// The second one.
    Second(B),
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
