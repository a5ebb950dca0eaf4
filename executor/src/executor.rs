//! The executor as its users see it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::fmt;
use core::future::poll_fn;
use core::ops::ControlFlow::{self, Break, Continue};
use core::pin::{Pin, pin};
use core::task::Poll;

use futures::FutureExt;

use crate::guest::Guest;
use crate::id::TaskId;
#[cfg(feature = "std")]
use crate::park::Parker;
use crate::task::{Outcome, Task};
use crate::tasks::Core;

/// Runs tasks on one thread, first in, first out.
///
/// A clone is another handle to the same executor, for tasks that spawn tasks. The handle that
/// [`new`](FifoExecutor::new) gave **owns** the tasks: when it is dropped they are, in spawn order,
/// however many clones are left. So tasks may hold clones without keeping themselves alive; only the
/// owner should not be moved into one of its own tasks.
///
/// ```
/// use dacapo_executor::FifoExecutor;
///
/// let executor = FifoExecutor::new();
/// let handle = executor.clone();
/// let sum = executor.block_on(async move {
///     let (one, two) = (handle.spawn(async { 1 }), handle.spawn(async { 2 }));
///     one.await + two.await
/// });
/// assert_eq!(sum, 3);
/// ```
pub struct FifoExecutor {
    pub(crate) core: Rc<Core>,
    /// Whether this is what `new` gave. Tasks hold clones of it, and would own themselves if a
    /// clone owned them.
    is_owner: bool,
}

/// After so many polls `run` lets the runtime around it have a turn.
const POLLS_PER_TURN: usize = 256;

impl FifoExecutor {
    /// Creates an executor without tasks, and gives the handle that owns it.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// assert!(!executor.has_ready());
    /// ```
    pub fn new() -> FifoExecutor {
        FifoExecutor::of(Core::new(None))
    }

    pub(crate) fn of(core: Core) -> FifoExecutor {
        FifoExecutor { core: Rc::new(core), is_owner: true }
    }

    /// Puts a task at the tail of the queue, and gives its handle.
    ///
    /// Nothing of the future runs before its first turn. In teardown the future is dropped at once, and
    /// the handle is that of a task which has ended.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let task = executor.spawn(async { 6 * 7 });
    /// assert_eq!(executor.block_on(task), 42);
    /// ```
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        if self.core.is_closed() {
            return Task::dead();
        }
        let outcome = Rc::new(Outcome::new());
        let given = outcome.clone();
        // `map` drops the future before it calls the closure: the awaiter goes behind whatever
        // that drop wakes.
        let future = Box::pin(future.map(move |output| given.give(output)));
        Task::new(self.core.spawn(Some(future)), Rc::downgrade(&self.core), outcome)
    }

    /// Polls the next ready task; `false` if none is ready.
    ///
    /// Tasks may tick their own executor: the task that is being polled is passed by, all others have
    /// their turns.
    ///
    /// ```
    /// use dacapo_executor::{FifoExecutor, yield_now};
    ///
    /// let executor = FifoExecutor::new();
    /// executor.spawn(yield_now()).detach();
    /// assert!(executor.try_tick());
    /// assert!(executor.try_tick());
    /// assert!(!executor.try_tick());
    /// ```
    ///
    /// # Panics
    ///
    /// If the task does. It is ended then, and the next tick goes on with the next task.
    pub fn try_tick(&self) -> bool {
        self.core.tick(TaskId::DEAD, &mut |_| Poll::Pending)
    }

    /// Ticks until no task is ready, and counts the polls.
    ///
    /// It does not return while tasks keep each other ready.
    ///
    /// ```
    /// use dacapo_executor::{FifoExecutor, yield_now};
    ///
    /// let executor = FifoExecutor::new();
    /// executor.spawn(yield_now()).detach();
    /// assert_eq!(executor.run_until_stalled(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// If a task does, as [`try_tick`](FifoExecutor::try_tick).
    pub fn run_until_stalled(&self) -> usize {
        let mut polls = 0;
        while self.try_tick() {
            polls += 1;
        }
        polls
    }

    /// Whether a tick may find a task to poll.
    ///
    /// If not, no task is ready. If so, one is, unless it ended while it was queued; the tick tells.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// executor.spawn(async {}).detach();
    /// assert!(executor.has_ready());
    /// ```
    pub fn has_ready(&self) -> bool {
        self.core.has_ready()
    }

    /// Runs the executor on this thread until `main` is ready, and parks when nothing is.
    ///
    /// `main` is a task with its own turn, behind those that are queued already. Tasks that are left stay
    /// as they are for the next time.
    ///
    /// ```
    /// use dacapo_executor::{FifoExecutor, yield_now};
    ///
    /// let executor = FifoExecutor::new();
    /// let name = String::from("ada");
    /// let len = executor.block_on(async {
    ///     yield_now().await;
    ///     name.len() // `main` may borrow.
    /// });
    /// assert_eq!(len, 3);
    /// ```
    ///
    /// # Panics
    ///
    /// If a task or `main` does, or if the executor is [closed](crate::raw::Raw::close) before `main`
    /// is ready.
    #[cfg(feature = "std")]
    pub fn block_on<T>(&self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let guest = Guest::new(&self.core);
        let parker = Parker::new();
        let waker = parker.waker();
        loop {
            match self.tick_main(&guest, main.as_mut()) {
                Break(output) => {
                    self.core.deregister(&waker);
                    return output;
                }
                Continue(true) => {}
                Continue(false) => {
                    self.core.register(&waker);
                    if !self.has_ready() {
                        parker.park();
                    }
                }
            }
        }
    }

    /// Runs the executor inside any other runtime, until `main` is ready.
    ///
    /// `main` is a task with its own turn, and takes its place in the queue when this future is first
    /// polled. When nothing is ready this future is pending; when much is, it lets the runtime around it
    /// have a turn after 256 polls, which changes nothing in the order here. Several may run at a time.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let task = executor.spawn(async { 2 });
    /// let value = futures::executor::block_on(executor.run(async { task.await + 1 }));
    /// assert_eq!(value, 3);
    /// ```
    ///
    /// # Panics
    ///
    /// If a task or `main` does, or if the executor is [closed](crate::raw::Raw::close) before `main`
    /// is ready.
    ///
    /// # Cancel safety
    ///
    /// When this future is dropped `main` is; the tasks stay, and go on when the executor is next
    /// driven.
    pub async fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let guest = Guest::new(&self.core);
        poll_fn(|cx| {
            self.core.deregister(cx.waker());
            for _ in 0..POLLS_PER_TURN {
                match self.tick_main(&guest, main.as_mut()) {
                    Break(output) => return Poll::Ready(output),
                    Continue(true) => {}
                    Continue(false) => {
                        self.core.register(cx.waker());
                        if !self.has_ready() {
                            return Poll::Pending;
                        }
                    }
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// One tick of a loop with a main future: the output, if it is ready, or else whether a task
    /// was polled.
    fn tick_main<T>(
        &self,
        guest: &Guest,
        mut main: Pin<&mut impl Future<Output = T>>,
    ) -> ControlFlow<T, bool> {
        let mut output = None;
        let ticked = self
            .core
            .tick(guest.id(), &mut |cx| main.as_mut().poll(cx).map(|value| output = Some(value)));
        if let Some(output) = output {
            return Break(output);
        }
        let closed = self.core.is_closed();
        assert!(!closed, "the executor was closed before its main future was ready");
        Continue(ticked)
    }
}

impl Clone for FifoExecutor {
    fn clone(&self) -> FifoExecutor {
        FifoExecutor { core: self.core.clone(), is_owner: false }
    }
}

impl Default for FifoExecutor {
    fn default() -> FifoExecutor {
        FifoExecutor::new()
    }
}

impl Drop for FifoExecutor {
    fn drop(&mut self) {
        if self.is_owner {
            self.core.close();
        }
    }
}

impl fmt::Debug for FifoExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FifoExecutor")
            .field("tasks", &self.core.state.borrow().slots.len())
            .finish()
    }
}
