//! Code of whoever waits for an executor. A panic of it is their own affair.

use core::task::Waker;

/// Calls `code`; a panic in it is caught and counted.
#[cfg(feature = "std")]
fn aside(code: impl FnOnce()) {
    let code = core::panic::AssertUnwindSafe(code);
    if let Err(panic) = std::panic::catch_unwind(code) {
        // It may panic again when it is dropped.
        core::mem::forget(panic);
        CAUGHT.with(|count| count.set(count.get() + 1));
    }
}

/// Without `std` a panic ends the process, or whatever there is in the place of one.
#[cfg(not(feature = "std"))]
fn aside(code: impl FnOnce()) {
    code();
}

#[cfg(feature = "std")]
std::thread_local! {
    static CAUGHT: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
}

/// How many panics of such code were caught on this thread.
#[cfg(feature = "std")]
pub(crate) fn caught() -> u64 {
    CAUGHT.with(core::cell::Cell::get)
}

/// A waker of theirs, which is woken and dropped aside: it stops no others that are woken along.
pub(crate) struct Theirs(Option<Waker>);

impl Theirs {
    /// # Panics
    ///
    /// If their `clone` does.
    pub(crate) fn new(waker: &Waker) -> Theirs {
        Theirs(Some(waker.clone()))
    }

    pub(crate) fn is(&self, waker: &Waker) -> bool {
        self.0.as_ref().is_some_and(|theirs| theirs.will_wake(waker))
    }

    pub(crate) fn wake(&self) {
        aside(|| self.0.iter().for_each(Waker::wake_by_ref));
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        aside(|| drop(self.0.take()));
    }
}
