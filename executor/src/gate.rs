//! Who may wake tasks.

/// Lets wakes in, or keeps them out: those that come through wakers, from any thread.
///
/// Tasks belong to owners. The gate says for whom it is open when a task is polled: that is the
/// owner of the task, and a clone of its waker that is made in this poll or later asks the gate
/// before it wakes. What is kept out has no effect.
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::task::{Poll, Waker};
///
/// use dacapo_executor::raw::{self, Gate};
///
/// struct OpenFor(AtomicU64);
///
/// impl Gate for OpenFor {
///     fn owner(&self) -> u64 {
///         self.0.load(Ordering::Relaxed)
///     }
///     fn admits(&self, owner: u64) -> bool {
///         owner == self.owner()
///     }
///     fn refused(&self, _: u64) {}
/// }
///
/// let gate = Arc::new(OpenFor(AtomicU64::new(1)));
/// let executor = raw::gated(gate.clone());
/// let waker: Rc<Cell<Option<Waker>>> = Rc::default();
/// let kept = waker.clone();
/// let poll = move |cx: &mut std::task::Context<'_>| {
///     kept.set(Some(cx.waker().clone()));
///     Poll::<()>::Pending
/// };
/// executor.spawn(std::future::poll_fn(poll)).detach();
/// assert_eq!(executor.run_until_stalled(), 1);
///
/// let waker = waker.take().expect("the task was polled");
/// gate.0.store(2, Ordering::Relaxed);
/// waker.wake_by_ref();
/// assert_eq!(executor.run_until_stalled(), 0);
/// gate.0.store(1, Ordering::Relaxed);
/// waker.wake_by_ref();
/// assert_eq!(executor.run_until_stalled(), 1);
/// ```
pub trait Gate: Send + Sync {
    /// Whose task is about to be polled.
    fn owner(&self) -> u64;

    /// Whether a wake of a task of `owner` may come in now.
    fn admits(&self, owner: u64) -> bool;

    /// A wake of a task of `owner` was kept out, the first since that task was polled.
    fn refused(&self, owner: u64);
}
