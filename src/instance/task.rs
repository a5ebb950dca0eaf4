//! The tasks of a run.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures::future::LocalBoxFuture;

use crate::instance::Instance;
use crate::trace::Event;

/// The first task of a run, before it is spawned: its end is that of the run.
pub(crate) struct Root {
    pub(super) number: u32,
    pub(super) task: LocalBoxFuture<'static, ()>,
}

impl Root {
    pub(crate) fn new(
        run: &Rc<Instance>,
        number: u32,
        root: impl Future<Output = ()> + 'static,
    ) -> Self {
        Self { number, task: Box::pin(WorkflowTask::new(run, number, root)) }
    }
}

pin_project_lite::pin_project! {
    /// A task of a run: it is seen by the observer, and what it awaits by the gate.
    pub(super) struct WorkflowTask<F> {
        #[pin]
        task: F,
        number: u32,
        instance: Rc<Instance>,
    }

    // A task ends while its run is polled, or in a teardown. If something outside dropped its
    // handle (a body that owns it, another run), that is as foreign as a wake.
    impl<F> PinnedDrop for WorkflowTask<F> {
        fn drop(this: Pin<&mut Self>) {
            let run = &this.instance;
            if run.is_running() && !run.is_open() {
                run.world.gate.note_foreign_wake(run.key());
            }
        }
    }
}

impl<F> WorkflowTask<F> {
    pub(super) fn new(run: &Rc<Instance>, number: u32, task: F) -> Self {
        Self { task, number, instance: run.clone() }
    }
}

impl<F: Future> Future for WorkflowTask<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.instance.observe(Event::Polled(*this.number));
        this.instance.world.set_polled(*this.number, cx.waker());
        this.task.poll(cx)
    }
}
