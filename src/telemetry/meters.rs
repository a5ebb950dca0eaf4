//! Counters, gauges and histograms, by the crate `metrics`: whatever recorder is installed gets them.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::time::Instant;

use dacapo_store::RunState;
use futures::future::LocalBoxFuture;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics::{gauge, histogram};

use super::Figures;
use crate::notice::Notice;

/// What is measured of one executor.
#[derive(Default)]
pub(crate) struct Meters {
    is_off: bool,
    gauged_at: Cell<Option<Instant>>,
}

/// When something began.
#[derive(Clone, Copy)]
pub(crate) struct Began(Instant);

/// What is there is counted so often.
const EACH: Duration = Duration::from_secs(1);

impl Meters {
    pub(crate) fn off() -> Self {
        Self { is_off: true, ..Self::default() }
    }

    pub(crate) fn notice(&self, notice: &Notice<'_>) {
        if self.is_off {
            return;
        }
        match notice {
            Notice::Ended { error, .. } => {
                let outcome = match error {
                    None => "completed",
                    Some(error) if error.is_cancelled() => "cancelled",
                    Some(_) => "failed",
                };
                counter!("dacapo_runs_ended_total", "outcome" => outcome).increment(1);
            }
            Notice::Parked { reason, .. } => {
                counter!("dacapo_runs_parked_total", "reason" => reason.to_string()).increment(1);
            }
            Notice::AttemptFailed { .. } => {
                counter!("dacapo_attempts_failed_total").increment(1);
            }
            Notice::Blocked { .. } => counter!("dacapo_blocked_polls_total").increment(1),
            _ => {}
        }
    }

    pub(crate) fn begin(&self) -> Began {
        Began(Instant::now())
    }

    /// A batch of so many records is durable.
    pub(crate) fn committed(&self, began: Began, records: usize) {
        histogram!("dacapo_commit_seconds").record(began.0.elapsed());
        histogram!("dacapo_commit_records").record(records as f64);
    }

    /// A body whose waits for its turn are measured.
    pub(crate) fn timed(&self, body: LocalBoxFuture<'static, ()>) -> LocalBoxFuture<'static, ()> {
        let ready = Ready { waker: futures::task::AtomicWaker::new(), since: AtomicU64::new(0) };
        let ready = Arc::new(ready);
        ready.note();
        Box::pin(Timed { body, waker: ready.clone().into(), ready })
    }

    /// Tells what `count` counts, if that is long ago.
    pub(crate) fn gauge(&self, count: impl FnOnce() -> Option<Figures>) {
        let now = Instant::now();
        match self.gauged_at.get() {
            _ if self.is_off => return,
            Some(at) if now.duration_since(at) < EACH => return,
            Some(_) => {}
            None => describe(),
        }
        self.gauged_at.set(Some(now));
        let Some(Figures { runs, resident, ready_bodies }) = count() else { return };
        for state in RunState::ALL {
            gauge!("dacapo_runs", "state" => state.name()).set(runs[state] as f64);
        }
        gauge!("dacapo_resident_runs").set(resident as f64);
        gauge!("dacapo_ready_bodies").set(ready_bodies as f64);
    }
}

/// What each of them is, for recorders that show it.
fn describe() {
    describe_counter!("dacapo_runs_ended_total", "Runs that ended, by outcome");
    describe_counter!("dacapo_runs_parked_total", "Runs that were parked, by reason");
    describe_counter!("dacapo_attempts_failed_total", "Attempts of steps that failed");
    describe_counter!("dacapo_blocked_polls_total", "Polls of bodies that took 100 ms or longer");
    describe_histogram!("dacapo_commit_seconds", Unit::Seconds, "How long a commit takes");
    describe_histogram!("dacapo_commit_records", Unit::Count, "How many records a commit has");
    let waits = "How long a body that is ready waits for its turn";
    describe_histogram!("dacapo_ready_to_poll_seconds", Unit::Seconds, waits);
    describe_gauge!("dacapo_runs", "Runs in the store, by state");
    describe_gauge!("dacapo_resident_runs", "Runs in memory");
    describe_gauge!("dacapo_ready_bodies", "Bodies that are ready, and wait for their turn");
}

/// Since when a body is ready.
struct Ready {
    waker: futures::task::AtomicWaker,
    /// Nanoseconds since a moment of this process; 0: it is not.
    since: AtomicU64,
}

fn nanos() -> u64 {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let nanos = BEGAN.get_or_init(Instant::now).elapsed().as_nanos();
    u64::try_from(nanos).unwrap_or(u64::MAX).max(1)
}

impl Ready {
    /// It is ready, and perhaps was before.
    fn note(&self) {
        let _ = self.since.compare_exchange(0, nanos(), Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.note();
        self.waker.wake();
    }
}

/// See [`Meters::timed`].
struct Timed {
    body: LocalBoxFuture<'static, ()>,
    ready: Arc<Ready>,
    waker: Waker,
}

impl Future for Timed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { body, ready, waker } = &mut *self;
        let since = ready.since.swap(0, Ordering::Relaxed);
        if since > 0 {
            let waited = Duration::from_nanos(nanos().saturating_sub(since));
            histogram!("dacapo_ready_to_poll_seconds").record(waited);
        }
        ready.waker.register(cx.waker());
        body.as_mut().poll(&mut Context::from_waker(waker))
    }
}
