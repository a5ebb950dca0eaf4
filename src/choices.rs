//! What circumstance decides in production, and a seed in a simulation.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use dacapo_store::RunKey;
use futures::future::LocalBoxFuture;

/// Everything that may come out one way or another without making a run another run.
pub(crate) trait Choices {
    /// Whether a body that is about to be polled lets the others go first.
    fn defers(&self) -> bool;

    /// How many polls of bodies come before the next commit, when so many are queued.
    fn polls(&self, queued: usize) -> usize;

    /// Which of the `tasks` that a run has spawned have a spurious poll, now that it has become
    /// quiescent and `seq` is the next in its history.
    fn wakes(&self, run: RunKey, seq: u64, tasks: u32) -> Vec<u32>;

    /// A commit takes no further run when its records have so many bytes. `None`: as in production.
    fn commit_bytes(&self) -> Option<usize>;
}

/// Makes a body hesitate: whenever it is polled it may go behind all others that are ready, so that
/// any order of them can come about.
pub(crate) fn hesitant(
    body: LocalBoxFuture<'static, ()>,
    choices: Rc<dyn Choices>,
) -> LocalBoxFuture<'static, ()> {
    Box::pin(Hesitant { body, choices })
}

struct Hesitant {
    body: LocalBoxFuture<'static, ()>,
    choices: Rc<dyn Choices>,
}

impl Future for Hesitant {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.choices.defers() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.body.as_mut().poll(cx)
    }
}
