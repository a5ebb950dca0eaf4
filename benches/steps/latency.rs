//! How long steps took, gathered from all runs of a measurement.

use std::mem;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Shared, since the runs of a peer end on threads of their own.
static TIMES: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

/// Times the steps of one run, each from its first poll to its delivery. What it saw is kept when
/// the run ends, so that runs do not wait for each other's notes.
pub(crate) struct Stopwatch {
    last: Instant,
    times: Vec<Duration>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { last: Instant::now(), times: Vec::new() }
    }

    /// A step was delivered. The next one is polled at once, so one look at the clock serves both.
    pub(crate) fn lap(&mut self) {
        let now = Instant::now();
        self.times.push(now - self.last);
        self.last = now;
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        keep(mem::take(&mut self.times));
    }
}

/// Keeps the times of some steps.
pub(crate) fn keep(times: impl IntoIterator<Item = Duration>) {
    TIMES.lock().expect("nobody panics with it").extend(times);
}

/// Takes what was kept since the last time, in order of length.
pub(crate) fn take() -> Vec<Duration> {
    let mut times = mem::take(&mut *TIMES.lock().expect("nobody panics with it"));
    times.sort_unstable();
    times
}

/// The time that so many of a hundred steps do not exceed.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}
