//! Many runs started one after the other, with few commits.

use alloc::boxed::Box;
use alloc::string::String;

use futures::{Stream, StreamExt, stream};

use super::{Executor, Handle};
use crate::error::Result;
use crate::name::Workflow;
use crate::start::Start;
use crate::values::Value;

/// So many starts share a commit, at most: each is in memory until then.
pub(crate) const AT_ONCE: usize = 10_000;

impl Executor {
    /// Starts many runs, as far as the stream is polled: each item is the handle of one, in their order, and
    /// is ready when its start is committed.
    ///
    /// Ten thousand starts share a commit, and no more than these are in memory, if the runs wait in a queue
    /// or leave it by [`Builder::resident_max`](crate::Builder::resident_max): so a million take the time of
    /// a hundred commits. After a crash do all of it again: a run that was started is attached to.
    ///
    /// # Errors
    ///
    /// An item is an error as [`start_with`](Self::start_with) gives it, for the run in its place; the stream
    /// goes on behind it.
    ///
    /// ```
    /// use futures::StreamExt;
    /// # use dacapo::{Ctx, Error, Executor, Limits, Queue, Start, Workflow};
    /// # const MAIL: Workflow<u32, u32> = Workflow::new("mail");
    /// # const OUTGOING: Queue = Queue::new("outgoing");
    /// # let mail = async |_: &Ctx, n: u32| Ok::<_, Error>(n);
    /// # let builder = Executor::builder().workflow(MAIL, mail);
    /// let executor = builder.queue(OUTGOING, Limits::new().concurrency(10)).in_memory();
    /// let mails = (0..500).map(|n| (format!("mail-{n}"), n, Start::new().queue(OUTGOING)));
    /// executor.block_on(async {
    ///     let mut started = executor.start_all(MAIL, mails);
    ///     let mut last = None;
    ///     while let Some(mail) = started.next().await {
    ///         last = Some(mail?);
    ///     }
    ///     assert_eq!(last.expect("there were some").await?, 499);
    ///     Ok::<_, Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn start_all<I: Value, O: Value, R: IntoIterator<Item = (String, I, Start)>>(
        &self,
        workflow: Workflow<I, O>,
        runs: R,
    ) -> impl Stream<Item = Result<Handle<O>>> + Unpin + use<'_, I, O, R> {
        let start = move |(id, input, options): (String, I, Start)| {
            let handle = self.start_with(workflow, &id, input, options);
            async move {
                let handle = handle?;
                handle.accepted().await?;
                Ok(handle)
            }
        };
        Box::pin(stream::iter(runs).map(start).buffered(AT_ONCE))
    }
}
