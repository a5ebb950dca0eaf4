//! A thread that names the run whose replay blocks the executor's thread.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::panics;

/// Whom to tell, with one line.
pub(crate) type Tell = dyn Fn(&str) + Send;

/// See the module. Its thread ends with it.
pub(crate) struct Watchdog(Arc<Shared>);

struct Shared {
    limit: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The run that is being replayed, since when, and whether that was told.
    replayed: Option<(String, Instant, bool)>,
    is_closed: bool,
}

/// While this is there, a run is being replayed.
pub(crate) struct Watched<'a>(&'a Shared);

impl Watchdog {
    /// Tells of each replay that takes longer than `limit`. Without a thread nobody is told.
    pub(crate) fn new(limit: Duration, tell: Box<Tell>) -> Self {
        let (state, changed) = (Mutex::default(), Condvar::default());
        let shared = Arc::new(Shared { limit, state, changed });
        let watched = shared.clone();
        let builder = thread::Builder::new().name("dacapo-watchdog".into());
        let _thread = builder.spawn(move || watched.run(&*tell));
        Self(shared)
    }

    /// The run with this id is replayed from now on.
    pub(crate) fn watch(&self, run: &str) -> Watched<'_> {
        self.0.change(|state| state.replayed = Some((run.into(), Instant::now(), false)));
        Watched(&self.0)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.change(|state| state.is_closed = true);
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.replayed = None);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    /// What the thread does.
    fn run(&self, tell: &Tell) {
        let mut state = self.lock();
        while !state.is_closed {
            let left = match &state.replayed {
                Some((_, since, false)) => Some(self.limit.saturating_sub(since.elapsed())),
                Some((_, _, true)) | None => None,
            };
            state = match left {
                Some(Duration::ZERO) => self.tell(state, tell),
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn tell<'a>(&'a self, mut state: MutexGuard<'a, State>, tell: &Tell) -> MutexGuard<'a, State> {
        let Some((run, _, is_told)) = &mut state.replayed else { return state };
        *is_told = true;
        let line = format!(
            "the replay of run {run:?} has taken longer than {:?}, and no other run goes on \
             meanwhile: if it never ends, open the file with Builder::hold({run:?})",
            self.limit
        );
        drop(state);
        let _ = panics::catch(|| tell(&line));
        self.lock()
    }
}
