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
use crate::tasks::{Body, Core};

/// The place in the queue of a future that stays with the caller.
pub struct Guest {
    id: TaskId,
    core: Weak<Core>,
}

impl Guest {
    pub(crate) fn new(core: &Rc<Core>) -> Guest {
        let id = core.spawn(Body::Guest { overdue: false });
        Guest { id, core: Rc::downgrade(core) }
    }

    /// Whether its turn came while another loop ticked, and waits for the owner's next tick.
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
    /// Runs the executor inside any other runtime until `main` is ready.
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

    /// Runs the executor on this thread until `main` is ready, and sleeps when nothing is.
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
