//! A clock's bell for runtimes whose timers we do not know.

use core::task::Waker;
use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Wakes a task after a while. Its thread begins with the first call that needs it, and ends with
/// the alarm.
#[derive(Default)]
pub(super) struct Alarm {
    bell: Option<Arc<Bell>>,
}

#[derive(Default)]
struct Bell {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    set: Option<(Instant, Waker)>,
    is_closed: bool,
}

impl Alarm {
    /// Wakes `waker` after `wait`, and forgets what was set before; `None` forgets only.
    pub(super) fn set(&mut self, wait: Option<Duration>, waker: &Waker) {
        // A wait too long for the system's clock is one for ever.
        let deadline = wait.and_then(|wait| Instant::now().checked_add(wait));
        if self.bell.is_none() && deadline.is_none() {
            return;
        }
        let bell = self.bell.get_or_insert_with(Bell::begin);
        bell.change(|state| state.set = deadline.map(|deadline| (deadline, waker.clone())));
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(bell) = &self.bell {
            bell.change(|state| state.is_closed = true);
        }
    }
}

impl Bell {
    fn begin() -> Arc<Self> {
        let bell = Arc::<Self>::default();
        let rung = bell.clone();
        let builder = thread::Builder::new().name("dacapo-alarm".into());
        builder.spawn(move || rung.ring()).expect("the system gives a thread for timers");
        bell
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    fn ring(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.is_closed {
            let now = Instant::now();
            state = match state.set.take_if(|(deadline, _)| *deadline <= now) {
                Some((_, waker)) => {
                    drop(state);
                    waker.wake();
                    self.state.lock().unwrap_or_else(PoisonError::into_inner)
                }
                None => self.wait(state, now),
            };
        }
    }

    fn wait<'a>(
        &self,
        state: std::sync::MutexGuard<'a, State>,
        now: Instant,
    ) -> std::sync::MutexGuard<'a, State> {
        match state.set.as_ref().map(|(deadline, _)| *deadline - now) {
            Some(wait) => {
                let waited = self.changed.wait_timeout(state, wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}
