//! The loops that wait for one executor to have something to do.

use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::task::Waker;

use crate::aside::Theirs;
use crate::inbox::Inbox;
use crate::sync;
use crate::tasks::Core;

/// Those who registered since the last wake, as one waker. They are woken in the order in which they did.
///
/// The inbox is given this one, whose parts are called aside, and never one of theirs: a panic in the midst of
/// it would leave the inbox as if somebody were about to register for ever.
pub(crate) struct Registered(Vec<Arc<Theirs>>);

impl Core {
    /// Has `waker` woken when a task becomes ready, beside all that registered since the last wake.
    pub(crate) fn register(&self, waker: &Waker) {
        let before = self.registered();
        let known: &[Arc<Theirs>] = before.as_ref().map_or(&[], |before| &before.0);
        let theirs = known.iter().find(|theirs| theirs.is(waker)).cloned();
        // It calls code of theirs: nothing has changed yet.
        let theirs = theirs.unwrap_or_else(|| Arc::new(Theirs::new(waker)));
        let mut waiting = if self.inbox.is_registered() { known.to_vec() } else { Vec::new() };
        if !waiting.iter().any(|other| Arc::ptr_eq(other, &theirs)) {
            waiting.push(theirs);
        }
        self.register_all(before, waiting);
    }

    /// Forgets `waker`: its owner is about to look at the queue itself.
    pub(crate) fn deregister(&self, waker: &Waker) {
        let Some(before) = self.registered() else { return };
        let others = before.0.iter().filter(|theirs| !theirs.is(waker));
        let others: Vec<_> = others.cloned().collect();
        if others.is_empty() {
            // It is kept, for it may well be back.
            self.inbox.deregister();
        } else if self.inbox.is_registered() {
            self.register_all(Some(before), others);
        }
    }

    /// Has the inbox wake these, and those before no more.
    fn register_all(&self, before: Option<Arc<Registered>>, waiting: Vec<Arc<Theirs>>) {
        let same = |before: &Arc<Registered>| {
            let pairs = || before.0.iter().zip(&waiting);
            before.0.len() == waiting.len() && pairs().all(|(one, other)| Arc::ptr_eq(one, other))
        };
        let registered = match before {
            // Nearly always it is the one loop again.
            Some(before) if same(&before) => before,
            Some(_) | None => Arc::new(Registered(waiting)),
        };
        self.registered.set(Some(registered.clone()));
        self.inbox.register(&Waker::from(registered));
    }

    fn registered(&self) -> Option<Arc<Registered>> {
        let registered = self.registered.take();
        self.registered.set(registered.clone());
        registered
    }
}

/// Wakes all who registered with one executor.
struct Notifier(sync::Arc<Inbox>);

impl Core {
    pub(crate) fn notifier(&self) -> Waker {
        Waker::from(Arc::new(Notifier(self.inbox.clone())))
    }
}

impl Wake for Notifier {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify();
    }
}

impl Wake for Registered {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.iter().for_each(|theirs| theirs.wake());
    }
}
