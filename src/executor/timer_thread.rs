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

/// So long a turn of the runtime around lasts if there is no thread to be had, and that is tried again.
const LATE: Duration = Duration::from_millis(5);

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
    /// Wakes `waker`, one of ours, after `wait`, and forgets what was set before; `None` forgets only.
    pub(super) fn set(&mut self, wait: Option<Duration>, waker: &Waker) {
        self.set_by(wait, waker, thread::Builder::new());
    }

    /// The same, with a thread of this kind if there is none yet.
    fn set_by(&mut self, wait: Option<Duration>, waker: &Waker, builder: thread::Builder) {
        // A wait too long for the system's clock is one for ever.
        let deadline = wait.and_then(|wait| Instant::now().checked_add(wait));
        if self.shared.is_none() && deadline.is_none() {
            return;
        }
        if self.shared.is_none() {
            self.shared = Shared::begin(builder);
        }
        match &self.shared {
            Some(shared) => {
                shared.change(|state| state.next = deadline.map(|at| (at, waker.clone())));
            }
            // The runtime around has to wait along, and timers fire a little late.
            None => {
                thread::sleep(wait.map_or(LATE, |wait| wait.min(LATE)));
                waker.wake_by_ref();
            }
        }
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
    /// `None`: the system has no thread now.
    fn begin(builder: thread::Builder) -> Option<Arc<Self>> {
        let shared = Arc::<Self>::default();
        let threads = shared.clone();
        let begun = builder.name("dacapo-timers".into()).spawn(move || threads.run());
        begun.ok().map(|_| shared)
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicU32);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// As when a system has used up its threads: none has a stack of this size.
    #[test]
    fn there_is_no_thread_to_be_had() {
        let (wakes, mut timer) = (Arc::new(Wakes::default()), TimerThread::default());
        let waker = Waker::from(wakes.clone());
        let huge = || thread::Builder::new().stack_size(usize::MAX / 4);
        for polls in 1..4 {
            timer.set_by(Some(Duration::from_secs(60)), &waker, huge());
            assert_eq!(
                wakes.0.load(Ordering::SeqCst),
                polls,
                "the loop looks at its timers itself"
            );
        }
        timer.set_by(Some(Duration::from_secs(60)), &waker, thread::Builder::new());
        assert!(timer.shared.is_some(), "there is one again");
        assert_eq!(wakes.0.load(Ordering::SeqCst), 3);
    }
}
