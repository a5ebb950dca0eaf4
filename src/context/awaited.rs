//! What the futures of all operations share.

use alloc::rc::Rc;
use core::panic::Location;
use core::task::{Context, Poll};

use crate::instance::Instance;
use crate::operation::Operation;

/// The future of an operation without its type: it asks at its first poll, and forgets when it is
/// dropped.
pub(super) struct Awaited {
    pub(super) instance: Rc<Instance>,
    pub(super) operation: Rc<Operation>,
}

impl Awaited {
    pub(super) fn new(instance: Rc<Instance>, operation: Rc<Operation>) -> Self {
        Self { instance, operation }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.instance.poll_operation(&self.operation, cx)
    }

    /// A mark is made about the operation.
    #[track_caller]
    pub(super) fn note_mark(&self) {
        if let Some(places) = self.instance.places() {
            places.mark(self.operation.number, Location::caller());
        }
    }

    /// Panics if the operation was polled: then it is too late to say how it is to be carried out.
    pub(super) fn assert_unpolled(&self, what: &str) {
        assert!(
            self.operation.is_built(),
            "{what} of {} is set before it is polled",
            self.operation
        );
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.instance.drop_operation(&self.operation);
    }
}
