//! The loops that wait for one executor to have something to do.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::task::Waker;

use crate::tasks::Core;

impl Core {
    /// Has `waker` woken when a task becomes ready, beside all that registered since the last wake.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut registered = self.registered.take();
        if !self.inbox.is_registered() {
            registered.clear();
        }
        if !registered.iter().any(|other| other.will_wake(waker)) {
            registered.push(waker.clone());
        }
        self.register_all(&registered);
        self.registered.set(registered);
    }

    /// Forgets `waker`: its owner is about to look at the queue itself.
    pub(crate) fn deregister(&self, waker: &Waker) {
        let mut registered = self.registered.take();
        registered.retain(|other| !other.will_wake(waker));
        if registered.is_empty() {
            self.inbox.deregister();
        } else if self.inbox.is_registered() {
            self.register_all(&registered);
        }
        self.registered.set(registered);
    }

    /// The inbox knows one waker only.
    fn register_all(&self, wakers: &[Waker]) {
        match wakers {
            [only] => self.inbox.register(only),
            several => self.inbox.register(&Waker::from(Arc::new(All(several.into())))),
        }
    }
}

/// Several wakers as one. They are woken in the order in which they were registered.
struct All(Box<[Waker]>);

impl Wake for All {
    fn wake(self: Arc<Self>) {
        self.0.iter().for_each(Waker::wake_by_ref);
    }
}
