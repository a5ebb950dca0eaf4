use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use std::sync::OnceLock;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::Shared;
use futures::{Stream, StreamExt, stream};

use super::{Remote, gone};
use crate::error::Result;
use crate::executor::{AT_ONCE, Executor, Found, unread_output};
use crate::name::Workflow;
use crate::queue::Debounce;
use crate::start::Start;
use crate::values::{FarValue, Value, Values};
use crate::watch::{Far, FarEnd};

/// A run to wait for, on any thread and any runtime: a future of its result.
///
/// It is given by [`Remote::start`] and [`Remote::attach`], and is what [`Handle`](crate::Handle) is
/// on the executor's own thread. Dropping it changes nothing for the run.
///
/// # Errors
///
/// Those of [`Executor::start`] or [`Executor::attach`], which come when it is awaited; and those of
/// [`Handle`](crate::Handle).
///
/// # Cancel safety
///
/// Dropping and attaching again loses nothing.
#[must_use = "a start is certain when its commit is: await the handle, or its `accepted`, or drop it"]
pub struct RemoteHandle<O> {
    id: String,
    /// Of the run that was found; set before `accepted` is told.
    found_id: Arc<OnceLock<Arc<str>>>,
    /// Set before `accepted` is told.
    is_new: Arc<AtomicBool>,
    accepted: Shared<oneshot::Receiver<Result<()>>>,
    ended: oneshot::Receiver<FarEnd>,
    output: PhantomData<fn() -> O>,
}

impl Remote {
    /// Starts a run, or attaches to the one with this id; see [`Executor::start`].
    ///
    /// It is asked for at once: the run starts also if the handle is dropped. The input is encoded
    /// here, so its type need not be `Send`.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// let run = executor.remote().start(ECHO, "one", 1);
    /// assert_eq!(run.id(), "one");
    /// assert_eq!(executor.block_on(run)?, 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn start<I: Value, O: Value>(
        &self,
        workflow: Workflow<I, O>,
        id: &str,
        input: I,
    ) -> RemoteHandle<O> {
        self.start_with(workflow, id, input, Start::new())
    }

    /// The same with options; see [`Executor::start_with`].
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Start, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// let ada = Start::new().attribute("customer", "ada");
    /// assert_eq!(executor.block_on(executor.remote().start_with(ECHO, "one", 1, ada))?, 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn start_with<I: Value, O: Value>(
        &self,
        workflow: Workflow<I, O>,
        id: &str,
        input: I,
        options: Start,
    ) -> RemoteHandle<O> {
        // How many bytes it may take is known over there.
        let input = FarValue::new(&input, usize::MAX);
        self.handle(id, move |executor, id| {
            let input = |values: &Values| input?.encode(values);
            executor.start_encoded(workflow.name(), id, options, input)
        })
    }

    /// Starts many runs, as far as the stream is polled; see [`Executor::start_all`].
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Start, Workflow};
    /// # use futures::StreamExt;
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// let runs = (0..20).map(|n| (n.to_string(), n, Start::new()));
    /// let started = executor.remote().start_all(ECHO, runs);
    /// let started: Vec<_> = executor.block_on(started.collect());
    /// assert!(started.iter().all(Result::is_ok) && started.len() == 20);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn start_all<I: Value, O: Value, R: IntoIterator<Item = (String, I, Start)>>(
        &self,
        workflow: Workflow<I, O>,
        runs: R,
    ) -> impl Stream<Item = Result<RemoteHandle<O>>> + Unpin + use<I, O, R> {
        let remote = self.clone();
        let start = move |(id, input, options): (String, I, Start)| {
            let handle = remote.start_with(workflow, &id, input, options);
            async move { handle.accepted().await.map(|()| handle) }
        };
        Box::pin(stream::iter(runs).map(start).buffered(AT_ONCE))
    }

    /// Starts a run when no call with this key has come for a while; see [`Executor::debounce`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dacapo::{Ctx, Debounce, Error, Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// let (remote, soon) = (executor.remote(), Debounce::new(Duration::from_millis(20)));
    /// let first = remote.debounce(ECHO, "key", soon, 1);
    /// let last = remote.debounce(ECHO, "key", soon, 2);
    /// assert_eq!(executor.block_on(last)?, 2);
    /// assert_eq!(executor.block_on(first)?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn debounce<I: Value, O: Value>(
        &self,
        workflow: Workflow<I, O>,
        key: &str,
        wait: Debounce,
        input: I,
    ) -> RemoteHandle<O> {
        let input = FarValue::new(&input, usize::MAX);
        self.handle(key, move |executor, key| {
            let input = |values: &Values| input?.encode(values);
            executor.debounce_encoded(workflow.name(), key, wait, input)
        })
    }

    /// Attaches to a run that was started before, in this process or an earlier one; see
    /// [`Executor::attach`].
    ///
    /// ```
    /// # use dacapo::{Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().attach(ECHO, "two")).unwrap_err();
    /// assert_eq!(error.to_string(), r#"there is no run "two": check the id, or start it"#);
    /// ```
    pub fn attach<I: Value, O: Value>(
        &self,
        workflow: Workflow<I, O>,
        id: &str,
    ) -> RemoteHandle<O> {
        let found = move |executor: &Executor, id: &str| {
            Ok((false, executor.find_existing(workflow.name(), id)?))
        };
        self.handle(id, found)
    }

    /// A handle of the run that `find` finds, and of which it says whether it has started it.
    fn handle<O>(
        &self,
        id: &str,
        find: impl FnOnce(&Executor, &str) -> Result<(bool, Found)> + Send + 'static,
    ) -> RemoteHandle<O> {
        let (accepted, is_accepted) = oneshot::channel();
        let (ended, has_ended) = oneshot::channel();
        let asked = id.to_owned();
        let far = Far { accepted: Some(accepted), ended: Some(ended) };
        let is_new = Arc::<AtomicBool>::default();
        let (started, found_id) = (is_new.clone(), Arc::<OnceLock<Arc<str>>>::default());
        let its_id = found_id.clone();
        let find = move |executor: &Executor| {
            let (is_new, (id, watch)) = find(executor, &asked)?;
            started.store(is_new, Ordering::Release);
            let _ = its_id.set(id);
            Ok(watch)
        };
        self.watch(find, far);
        let (id, accepted, output) = (id.to_owned(), is_accepted.shared(), PhantomData);
        RemoteHandle { id, found_id, is_new, accepted, ended: has_ended, output }
    }
}

impl<O> RemoteHandle<O> {
    /// The run's id: as it was asked for until the handle or its [`accepted`](Self::accepted) is ready. From
    /// then on that of the run that was found, which is another one if
    /// [`Start::unique`](crate::Start::unique) or [`Remote::debounce`](crate::Remote::debounce) chose it.
    #[must_use]
    pub fn id(&self) -> &str {
        self.found_id.get().map_or(&self.id, |id| id)
    }

    /// Waits until the start of the run is committed: from then on no crash can undo it.
    ///
    /// A service that tells its client "accepted" awaits this first.
    ///
    /// # Errors
    ///
    /// Those of [`Executor::start`] or [`Executor::attach`]; if the store refused the commit, or the
    /// executor has stopped.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// let run = executor.remote().start(ECHO, "one", 1);
    /// executor.block_on(run.accepted())?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn accepted(&self) -> impl Future<Output = Result<()>> + Send + use<O> {
        let accepted = self.accepted.clone();
        async move { accepted.await.map_err(|_| gone())? }
    }

    /// Whether the call that gave this handle started the run, as
    /// [`Handle::is_new`](crate::Handle::is_new) says. It is known on the executor's thread first, so this
    /// waits until the start is [`accepted`](Self::accepted).
    ///
    /// # Errors
    ///
    /// Those of [`accepted`](Self::accepted).
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// let remote = executor.remote();
    /// let is_new = |n| executor.block_on(remote.start(ECHO, "one", n).is_new());
    /// assert!(is_new(1)?);
    /// assert!(!is_new(2)?); // The client, once more.
    /// assert!(!executor.block_on(remote.attach(ECHO, "one").is_new())?);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn is_new(&self) -> impl Future<Output = Result<bool>> + Send + use<O> {
        let (is_new, accepted) = (self.is_new.clone(), self.accepted());
        async move {
            accepted.await?;
            Ok(is_new.load(Ordering::Acquire))
        }
    }
}

impl<O: Value> Future for RemoteHandle<O> {
    type Output = Result<O>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<O>> {
        self.ended.poll_unpin(cx).map(|told| match told.map_err(|_| gone())?? {
            Ok(output) => unread_output(self.id(), output.decode()),
            Err(failure) => Err(failure.into()),
        })
    }
}

impl<O> fmt::Debug for RemoteHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteHandle").field("id", &self.id()).finish_non_exhaustive()
    }
}
