//! The gate in front of workflow tasks: they are woken by deliveries, and by nothing else.
//!
//! A run's tasks may be woken only while the executor polls that run, on its thread. Every other
//! wake is foreign: it comes of something that no history holds. It is not passed on: the run is
//! noted, and parked.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

use dacapo_store::RunKey;

use crate::mailbox::Mailbox;

/// The one gate of an executor.
pub(crate) struct Gate {
    /// The run that is polled right now, or [`SHUT`], in two halves: 64-bit atomics are not
    /// everywhere. Written on the executor's thread only, and what others read does not matter.
    open_for: [AtomicU32; 2],
    /// Runs that had a foreign wake. They must be parked soon.
    foreign_wakes: Mailbox<RunKey>,
    /// The executor's.
    thread: Thread,
}

/// No run has this key.
const SHUT: RunKey = RunKey(u64::MAX);

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            open_for: halves(SHUT).map(AtomicU32::new),
            foreign_wakes: Mailbox::new(),
            thread: Thread::current(),
        })
    }

    /// Runs `poll` with the gate open for the tasks of `run`.
    pub(crate) fn open<T>(&self, run: RunKey, poll: impl FnOnce() -> T) -> T {
        self.set(run, poll)
    }

    /// Runs `drop` with the gate shut: for user code that runs live and not in a replay.
    pub(crate) fn shut<T>(&self, drop: impl FnOnce() -> T) -> T {
        self.set(SHUT, drop)
    }

    fn set<T>(&self, open_for: RunKey, call: impl FnOnce() -> T) -> T {
        let restore = Restore { gate: self, before: self.open_for() };
        self.set_open_for(open_for);
        let result = call();
        drop(restore);
        result
    }

    fn open_for(&self) -> RunKey {
        let [low, high] = &self.open_for;
        let low = u64::from(low.load(Ordering::Relaxed));
        RunKey(u64::from(high.load(Ordering::Relaxed)) << 32 | low)
    }

    fn set_open_for(&self, run: RunKey) {
        let [low, high] = halves(run);
        self.open_for[0].store(low, Ordering::Relaxed);
        self.open_for[1].store(high, Ordering::Relaxed);
    }

    /// The run whose tasks are being polled, on whatever thread.
    #[cfg(all(feature = "std", target_has_atomic = "64"))]
    pub(crate) fn run(&self) -> Option<RunKey> {
        Some(self.open_for()).filter(|run| *run != SHUT)
    }

    /// Whether the tasks of `run` are being polled, on this very thread.
    pub(crate) fn is_open_for(&self, run: RunKey) -> bool {
        self.open_for() == run && self.thread == Thread::current()
    }

    /// Notes a foreign wake of a run, or that something of it was polled or dropped from elsewhere,
    /// which is as bad.
    pub(crate) fn note_foreign_wake(&self, run: RunKey) {
        self.foreign_wakes.post(run);
    }

    /// Has `waker` woken when a foreign wake is noted.
    pub(crate) fn register(&self, waker: &Waker) {
        self.foreign_wakes.register(waker);
    }

    pub(crate) fn has_foreign_wakes(&self) -> bool {
        !self.foreign_wakes.is_empty()
    }

    /// The next run that had one.
    pub(crate) fn next_foreign_wake(&self) -> Option<RunKey> {
        self.foreign_wakes.take()
    }
}

/// Wakers of workflow tasks ask the gate whether their run is being polled.
impl dacapo_executor::raw::Gate for Gate {
    fn owner(&self) -> u64 {
        self.open_for().0
    }

    fn admits(&self, owner: u64) -> bool {
        self.is_open_for(RunKey(owner))
    }

    fn refused(&self, owner: u64) {
        self.note_foreign_wake(RunKey(owner));
    }
}

fn halves(run: RunKey) -> [u32; 2] {
    [run.0 as u32, (run.0 >> 32) as u32]
}

/// Puts the gate back as it was, also when a poll panics.
struct Restore<'a> {
    gate: &'a Gate,
    before: RunKey,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        self.gate.set_open_for(self.before);
    }
}

/// The thread one is on. Without `std` there are no threads to tell apart.
#[derive(PartialEq, Eq)]
struct Thread(usize);

impl Thread {
    #[cfg(feature = "std")]
    fn current() -> Self {
        // The address of a thread-local differs between any two threads that live at once.
        std::thread_local!(static MARK: u8 = const { 0 });
        MARK.with(|mark| Self(core::ptr::from_ref(mark).addr()))
    }

    #[cfg(not(feature = "std"))]
    fn current() -> Self {
        Self(0)
    }
}
