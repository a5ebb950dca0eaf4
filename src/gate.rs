//! The gate in front of workflow tasks: they are woken by deliveries, and by nothing else.
//!
//! A run's tasks may be woken only while the executor polls that run, on its thread. Every other
//! wake comes of something that no history holds. It is not passed on: the run is noted as a
//! stray, and parked.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::Waker;

use crossbeam_queue::SegQueue;
use dacapo_store::RunKey;
use futures::task::AtomicWaker;

/// The one gate of an executor.
pub(crate) struct Gate {
    /// The instance that is polled right now, or [`SHUT`]. Written on the executor's thread only.
    open_for: AtomicUsize,
    /// Runs that something outside touched.
    strays: SegQueue<Stray>,
    /// Whoever sleeps until something happens: a stray must be parked soon.
    sleeper: AtomicWaker,
    home: Here,
}

/// A run that something outside touched, in one of its stays in memory.
pub(crate) struct Stray {
    pub(crate) run: RunKey,
    pub(crate) instance: InstanceId,
}

/// One stay of a run in memory; they are numbered from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct InstanceId(pub(crate) usize);

const SHUT: usize = 0;

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            open_for: AtomicUsize::new(SHUT),
            strays: SegQueue::new(),
            sleeper: AtomicWaker::new(),
            home: Here::now(),
        })
    }

    /// Runs `poll` with the gate open for the tasks of `instance`.
    pub(crate) fn open<T>(&self, instance: InstanceId, poll: impl FnOnce() -> T) -> T {
        self.set(instance.0, poll)
    }

    /// Runs `drop` with the gate shut: for user code that runs live and not in a replay.
    pub(crate) fn shut<T>(&self, drop: impl FnOnce() -> T) -> T {
        self.set(SHUT, drop)
    }

    fn set<T>(&self, open_for: usize, call: impl FnOnce() -> T) -> T {
        let restore = Restore { gate: self, before: self.open_for.load(Ordering::Relaxed) };
        self.open_for.store(open_for, Ordering::Relaxed);
        let result = call();
        drop(restore);
        result
    }

    /// Whether the tasks of `instance` are being polled, on this very thread.
    pub(crate) fn admits(&self, instance: InstanceId) -> bool {
        self.open_for.load(Ordering::Relaxed) == instance.0 && self.home == Here::now()
    }

    /// Notes that something outside touched a run.
    pub(crate) fn note_stray(&self, run: RunKey, instance: InstanceId) {
        self.strays.push(Stray { run, instance });
        self.sleeper.wake();
    }

    /// Has `waker` woken when a stray is noted.
    pub(crate) fn register(&self, waker: &Waker) {
        self.sleeper.register(waker);
    }

    pub(crate) fn has_strays(&self) -> bool {
        !self.strays.is_empty()
    }

    /// The next run that something outside touched.
    pub(crate) fn next_stray(&self) -> Option<Stray> {
        // `pop` on an empty queue costs a fence, `is_empty` two loads.
        if self.strays.is_empty() { None } else { self.strays.pop() }
    }
}

/// Puts the gate back as it was, also when a poll panics.
struct Restore<'a> {
    gate: &'a Gate,
    before: usize,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        self.gate.open_for.store(self.before, Ordering::Relaxed);
    }
}

/// The thread one is on. Without `std` there are no threads to tell apart.
#[derive(PartialEq, Eq)]
struct Here(usize);

impl Here {
    #[cfg(feature = "std")]
    fn now() -> Self {
        // The address of a thread-local differs between any two threads that live at once.
        std::thread_local!(static MARK: u8 = const { 0 });
        MARK.with(|mark| Self(core::ptr::from_ref(mark).addr()))
    }

    #[cfg(not(feature = "std"))]
    fn now() -> Self {
        Self(0)
    }
}

/// What a workflow task shows to be let in. What it awaits gets wakers that ask the gate first.
pub(crate) struct Pass {
    gate: Arc<Gate>,
    instance: InstanceId,
    run: RunKey,
    /// Made at the first poll; a task's own waker is the same for all its polls.
    waker: Option<(Arc<GateWaker>, Waker)>,
}

/// Passes a wake on to `task` if the gate admits it.
struct GateWaker {
    task: Waker,
    gate: Arc<Gate>,
    instance: InstanceId,
    run: RunKey,
    /// False once the task has ended: then its wakers are void.
    alive: AtomicBool,
}

impl Pass {
    pub(crate) fn new(gate: Arc<Gate>, instance: InstanceId, run: RunKey) -> Self {
        Self { gate, instance, run, waker: None }
    }

    /// The waker to poll with instead of `task`'s own.
    pub(crate) fn waker(&mut self, task: &Waker) -> &Waker {
        let (_, waker) = self.waker.get_or_insert_with(|| {
            let waker = Arc::new(GateWaker {
                task: task.clone(),
                gate: self.gate.clone(),
                instance: self.instance,
                run: self.run,
                alive: AtomicBool::new(true),
            });
            (waker.clone(), waker.into())
        });
        waker
    }
}

/// A task ends while its run is polled, or in a teardown. If something outside dropped its handle
/// (a body that owns it, another run), that is as foreign as a wake.
impl Drop for Pass {
    fn drop(&mut self) {
        if !self.gate.admits(self.instance) {
            self.gate.note_stray(self.run, self.instance);
        }
        if let Some((waker, _)) = &self.waker {
            waker.alive.store(false, Ordering::Release);
        }
    }
}

impl Wake for GateWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.gate.admits(self.instance) {
            self.task.wake_by_ref();
        } else if self.alive.swap(false, Ordering::AcqRel) {
            // Once is enough: the run is parked for it.
            self.gate.note_stray(self.run, self.instance);
        }
    }
}
