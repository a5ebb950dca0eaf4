//! A main future: a task that lives with the loop that drives the executor.

use alloc::rc::{Rc, Weak};
use core::fmt;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use crate::executor::FifoExecutor;
use crate::id::TaskId;
#[cfg(feature = "std")]
use crate::park::Parker;
use crate::tasks::Core;

/// A main future's place in the queue.
///
/// A loop that drives the executor often has a future of its own, which borrows from the stack and
/// cannot be spawned. As a guest it is a task like any other all the same: it has a waker, it goes to
/// the tail when it is woken, and it is polled when its turn comes, by the loop that owns it, in
/// [`tick_with`](FifoExecutor::tick_with). Dropping the guest gives up the place.
///
/// Where loops are nested (a task that itself blocks on the executor) or side by side (two
/// [`run`](FifoExecutor::run)s), one loop may come upon the guest of another. It cannot poll it, so
/// it marks its turn as overdue and goes on, and the owner's next tick begins with that turn. An
/// outer main future therefore makes no progress while an inner loop runs; an inner one that waits
/// for the outer one waits for ever.
///
/// ```
/// use std::cell::Cell;
/// use std::task::Poll;
///
/// use dacapo_executor::FifoExecutor;
///
/// let executor = FifoExecutor::new();
/// let turns = Cell::new(0); // Borrowed: no task could do so.
/// let guest = executor.guest();
/// while executor.tick_with(&guest, &mut |cx| {
///     turns.set(turns.get() + 1);
///     cx.waker().wake_by_ref();
///     if turns.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
/// }) {}
/// assert_eq!(turns.get(), 3);
/// ```
pub struct Guest {
    id: TaskId,
    core: Weak<Core>,
}

impl Guest {
    pub(crate) fn new(core: &Rc<Core>) -> Guest {
        let id = core.spawn(None);
        Guest { id, core: Rc::downgrade(core) }
    }

    /// Whether its turn came while another loop ticked, and waits for its owner's next tick.
    ///
    /// A loop that always ticks before it sleeps need not ask.
    ///
    /// ```
    /// use dacapo_executor::FifoExecutor;
    ///
    /// let executor = FifoExecutor::new();
    /// let guest = executor.guest();
    /// executor.try_tick();
    /// assert!(guest.is_overdue());
    /// ```
    pub fn is_overdue(&self) -> bool {
        self.core.upgrade().is_some_and(|core| core.is_overdue(self.id))
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn is_of(&self, core: &Rc<Core>) -> bool {
        core::ptr::eq(self.core.as_ptr(), Rc::as_ptr(core))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.abort(self.id);
        }
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guest").field(&self.id).finish()
    }
}

/// After so many polls `run` lets the runtime around it have a turn.
const POLLS_PER_TURN: usize = 256;

impl FifoExecutor {
    /// Runs the executor inside any other runtime, until `main` is ready.
    ///
    /// `main` is a task with its own turn, and takes its place in the queue when this future is first
    /// polled. When nothing is ready this future sleeps; when much is, it lets the runtime around it have
    /// a turn after 256 polls, which changes nothing in the order here. Several may run at a time.
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
    /// If a task or `main` does, or if the executor is closed before `main` is ready.
    ///
    /// # Cancel safety
    ///
    /// When this future is dropped `main` is; the tasks stay, and go on when the executor is next
    /// driven.
    pub async fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let guest = self.guest();
        poll_fn(|cx| {
            self.deregister(cx.waker());
            for _ in 0..POLLS_PER_TURN {
                let mut output = None;
                let ticked = self.tick_with(&guest, &mut |cx| {
                    main.as_mut().poll(cx).map(|value| output = Some(value))
                });
                if let Some(output) = output {
                    return Poll::Ready(output);
                }
                assert!(!self.is_closed(), "{CLOSED}");
                if !ticked {
                    self.register(cx.waker());
                    if !self.has_ready() {
                        return Poll::Pending;
                    }
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
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
    /// If a task or `main` does, or if the executor is closed before `main` is ready.
    #[cfg(feature = "std")]
    pub fn block_on<T>(&self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let guest = self.guest();
        let parker = Parker::new();
        let waker = parker.waker();
        loop {
            let mut output = None;
            let ticked = self.tick_with(&guest, &mut |cx| {
                main.as_mut().poll(cx).map(|value| output = Some(value))
            });
            if let Some(output) = output {
                self.deregister(&waker);
                return output;
            }
            assert!(!self.is_closed(), "{CLOSED}");
            if !ticked {
                self.register(&waker);
                if !self.has_ready() {
                    parker.park();
                }
            }
        }
    }
}

const CLOSED: &str = "the executor was closed before its main future was ready";
