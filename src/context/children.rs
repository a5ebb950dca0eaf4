//! Many children of one run, so many at a time.

use core::future::Future;
use core::iter::Enumerate;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};

use super::Ctx;
use super::child::Child;
use crate::error::Result;
use crate::name::Workflow;
use crate::start::Start;
use crate::values::Value;

/// The ends of many children, as they come; made by [`Ctx::children`].
///
/// # Cancel safety
///
/// The children that have not ended are asked to end when this is dropped, and no others are started.
#[must_use = "no child is started unless it is polled"]
pub struct Children<'a, I, O, R> {
    ctx: &'a Ctx,
    /// Where its children stand in the source: they are built while it is polled.
    place: &'static Location<'static>,
    workflow: Workflow<I, O>,
    inputs: Enumerate<R>,
    at_once: usize,
    options: Start,
    under_way: FuturesUnordered<Indexed<O>>,
}

/// A child and which input it has.
struct Indexed<O> {
    index: usize,
    child: Child<O>,
}

impl Ctx {
    /// Starts a child for each input, at most so many at a time, and gives their ends as they come: the place
    /// of the input, from 0, and what [`child`](Self::child) would have given.
    ///
    /// The next child is started when this is polled after one has ended. To have many runs share room with
    /// others, put them into a queue instead ([`Children::options`]).
    ///
    /// # Panics
    ///
    /// Panics if it is 0 at a time.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use dacapo::{Ctx, Executor, Result, Workflow};
    ///
    /// const SUM: Workflow<Vec<u64>, u64> = Workflow::new("sum");
    /// const SQUARE: Workflow<u64, u64> = Workflow::new("square");
    ///
    /// async fn sum(ctx: &Ctx, numbers: Vec<u64>) -> Result<u64> {
    ///     let mut squares = ctx.children(SQUARE, numbers, 3);
    ///     let mut sum = 0;
    ///     while let Some((_place, square)) = squares.next().await {
    ///         sum += square?;
    ///     }
    ///     Ok(sum)
    /// }
    ///
    /// let executor = Executor::builder()
    ///     .workflow(SUM, sum)
    ///     .workflow(SQUARE, async |_: &Ctx, n: u64| Ok::<_, dacapo::Error>(n * n))
    ///     .in_memory();
    /// let run = executor.start(SUM, "sum-1", (1..=10).collect())?;
    /// assert_eq!(executor.block_on(run)?, 385);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[track_caller]
    pub fn children<I: Value, O: Value, R: IntoIterator<Item = I>>(
        &self,
        workflow: Workflow<I, O>,
        inputs: R,
        at_once: usize,
    ) -> Children<'_, I, O, R::IntoIter> {
        assert!(at_once > 0, "0 children at a time would start none");
        let (inputs, options) = (inputs.into_iter().enumerate(), Start::new());
        let under_way = FuturesUnordered::new();
        let place = Location::caller();
        Children { ctx: self, place, workflow, inputs, at_once, options, under_way }
    }
}

impl<I, O, R> Children<'_, I, O, R> {
    /// Starts those that follow with these options, such as a queue.
    pub fn options(self, options: Start) -> Self {
        Self { options, ..self }
    }
}

impl<I: Value, O: Value, R: Iterator<Item = I> + Unpin> Stream for Children<'_, I, O, R> {
    type Item = (usize, Result<O>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while this.under_way.len() < this.at_once
            && let Some((index, input)) = this.inputs.next()
        {
            let Self { ctx, place, workflow, options, .. } = this;
            let child = ctx.build_child(place, *workflow, input, options.clone());
            this.under_way.push(Indexed { index, child });
        }
        this.under_way.poll_next_unpin(cx)
    }
}

impl<O: Value> Future for Indexed<O> {
    type Output = (usize, Result<O>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.child).poll(cx));
        Poll::Ready((self.index, ended))
    }
}
