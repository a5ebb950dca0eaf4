//! One future of several, and the waker that tells it from the others.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::mem;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::woken::WokenSet;
use crate::sync::AtomicWaker;

/// The wakers of all branches of one combinator.
pub(super) struct Wakers {
    woken: Arc<Woken>,
    wakers: Vec<Waker>,
}

struct Woken {
    branches: WokenSet,
    task: AtomicWaker,
}

impl Wakers {
    /// Wakers for so many branches, each of which has yet to be polled.
    pub(super) fn new(len: usize) -> Wakers {
        let woken = Arc::new(Woken { branches: WokenSet::full(len), task: AtomicWaker::new() });
        let waker = |index| Waker::from(Arc::new(BranchWaker { woken: woken.clone(), index }));
        Wakers { wakers: (0..len).map(waker).collect(), woken }
    }

    /// Calls `poll` for the woken branches in index order, until it breaks.
    ///
    /// A branch that is woken meanwhile has its turn in the same pass if the pass has not come to
    /// it yet, else in the task's next turn: a pass ends, whatever the branches do.
    pub(super) fn poll_woken<B>(
        &self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(usize, &mut Context<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        // Whoever is woken by this pass need not wake the task: it is awake.
        drop(self.woken.task.take());
        let mut from = 0;
        while let Some(index) = self.woken.branches.take(from) {
            poll(index, &mut Context::from_waker(&self.wakers[index]))?;
            from = index + 1;
        }
        self.woken.task.register(cx.waker());
        // Some were woken behind the pass, or before the waker was there to be woken.
        if !self.woken.branches.is_empty() {
            cx.waker().wake_by_ref();
        }
        ControlFlow::Continue(())
    }
}

struct BranchWaker {
    woken: Arc<Woken>,
    index: usize,
}

impl Wake for BranchWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.woken.branches.add(self.index) {
            self.woken.task.wake();
        }
    }
}

/// A future until it is ready, then its output.
pub(super) enum Branch<F: Future> {
    Running(Pin<Box<F>>),
    Ready(F::Output),
    /// The output was taken.
    Spent,
}

impl<F: Future> Branch<F> {
    pub(super) fn new(future: F) -> Branch<F> {
        Branch::Running(Box::pin(future))
    }

    /// Polls the future, unless it was ready before, and drops it when it is; whether it is ready
    /// since now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Branch::Running(future) = self else { return false };
        let Poll::Ready(output) = future.as_mut().poll(cx) else { return false };
        *self = Branch::Ready(output);
        true
    }

    /// The output, if it is there.
    pub(super) fn take(&mut self) -> Option<F::Output> {
        match mem::replace(self, Branch::Spent) {
            Branch::Ready(output) => Some(output),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Branch<F> {
    /// The error, if that is the output.
    pub(super) fn take_error(&mut self) -> Option<E> {
        match mem::replace(self, Branch::Spent) {
            Branch::Ready(Err(error)) => Some(error),
            other => {
                *self = other;
                None
            }
        }
    }
}
