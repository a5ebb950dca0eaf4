//! A thread that wakes the main loop for timers, in runtimes whose timers we do not know.

use core::task::Waker;
use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Wakes a task after a while. Its thread begins with the first call that needs it, and ends when
/// this is dropped.
#[derive(Default)]
pub(super) struct TimerThread {
    shared: Option<Arc<Shared>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: Option<(Instant, Waker)>,
    is_closed: bool,
}

impl TimerThread {
    /// Wakes `waker` after `wait`, and forgets what was set before; `None` forgets only.
    pub(super) fn set(&mut self, wait: Option<Duration>, waker: &Waker) {
        // A wait too long for the system's clock is one for ever.
        let deadline = wait.and_then(|wait| Instant::now().checked_add(wait));
        if self.shared.is_none() && deadline.is_none() {
            return;
        }
        let shared = self.shared.get_or_insert_with(Shared::begin);
        shared.change(|state| state.next = deadline.map(|deadline| (deadline, waker.clone())));
    }
}

impl Drop for TimerThread {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.change(|state| state.is_closed = true);
        }
    }
}

impl Shared {
    fn begin() -> Arc<Self> {
        let shared = Arc::<Self>::default();
        let threads = shared.clone();
        let builder = thread::Builder::new().name("dacapo-timers".into());
        builder.spawn(move || threads.run()).expect("the system gives a thread for timers");
        shared
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// What the thread does.
    fn run(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.is_closed {
            let now = Instant::now();
            state = match state.next.take_if(|(deadline, _)| *deadline <= now) {
                Some((_, waker)) => {
                    drop(state);
                    waker.wake();
                    self.state.lock().unwrap_or_else(PoisonError::into_inner)
                }
                None => self.wait(state, now),
            };
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, now: Instant) -> MutexGuard<'a, State> {
        match state.next.as_ref().map(|(deadline, _)| *deadline - now) {
            Some(wait) => {
                let waited = self.changed.wait_timeout(state, wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}
