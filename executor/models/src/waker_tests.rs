//! The state of a task's waker: threads wake, one executor polls, pauses and ends.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{self, AtomicUsize};

use loom::thread;

use crate::gate::Gate;
use crate::id::TaskId;
use crate::inbox::Inbox;
use crate::support::{Done, OTHER, TASK, check, check_three, join};
use crate::sync::Arc;
use crate::waker_state::{WakerState, is_unshared};

/// An executor with one task, which is being polled: `TaskWaker` and `Turn`, as far as they are
/// about the waker.
struct Executor {
    inbox: Arc<Inbox>,
    state: Arc<WakerState>,
    /// The second reference that a `TaskWaker` has.
    waker: Arc<WakerState>,
    queue: VecDeque<TaskId>,
    /// Nobody held a clone when the task paused.
    is_spare: Cell<bool>,
}

impl Executor {
    fn new(gate: Option<std::sync::Arc<dyn Gate>>) -> Executor {
        let inbox = Inbox::new(gate);
        let state = Arc::new(WakerState::new(inbox.clone()));
        let waker = state.clone();
        state.assign(TASK);
        Executor { inbox, state, waker, queue: VecDeque::new(), is_spare: Cell::new(false) }
    }

    fn pause(&mut self) {
        self.is_spare.set(is_unshared(&self.state));
        let is_woken =
            if self.is_spare.get() { self.state.was_woken() } else { self.state.pause() };
        if is_woken {
            self.queue.push_back(TASK);
        }
    }

    /// Whether there is a turn.
    fn begin(&mut self) -> bool {
        self.inbox.drain_into(&mut self.queue);
        assert!(self.queue.len() <= 1, "a task is queued once");
        let begins = self.queue.pop_front().is_some();
        if begins && self.is_spare.get() {
            self.state.assign(TASK);
        } else if begins {
            self.state.begin();
        }
        begins
    }
}

/// A thread that does something, wakes the task through a clone, and drops it.
fn wake_elsewhere(executor: &Executor, done: &Done) -> thread::JoinHandle<()> {
    let (clone, done) = (executor.waker.clone(), done.clone());
    thread::spawn(move || {
        done.set();
        WakerState::wake(&clone);
    })
}

#[test]
fn a_wake_is_followed_by_a_poll_that_sees_what_came_before_it() {
    check(|| {
        let (mut executor, done) = (Executor::new(None), Done::new());
        let thread = wake_elsewhere(&executor, &done);
        executor.pause();
        let polled = executor.begin();
        if polled {
            assert!(done.is_seen());
            executor.pause();
        }
        join([thread]);
        assert_ne!(polled, executor.begin(), "there is one turn for one wake");
    });
}

#[test]
fn no_wake_of_two_is_lost() {
    check_three(|| {
        let (mut executor, done) = (Executor::new(None), [Done::new(), Done::new()]);
        let threads = [&done[0], &done[1]].map(|done| wake_elsewhere(&executor, done));
        executor.pause();
        let mut seen = false;
        if executor.begin() {
            seen = done.iter().all(Done::is_seen);
            executor.pause();
        }
        join(threads);
        assert!(executor.begin() || seen, "a wake after the last poll asks for another one");
    });
}

#[test]
fn threads_that_wake_by_reference_in_a_poll_lose_nothing() {
    check_three(|| {
        let executor = Executor::new(None);
        let waker = std::sync::Arc::new(executor.waker.clone());
        // Borrowed, as by threads that end before the poll does: the count is that of a `TaskWaker`.
        let Executor { inbox, state, waker: kept, .. } = executor;
        drop(kept);
        let threads = [false, true].map(|clones| {
            let waker = waker.clone();
            thread::spawn(move || match clones {
                true => WakerState::wake(&Arc::clone(&waker)),
                false => WakerState::wake(&waker),
            })
        });
        join(threads);
        assert!(is_unshared(&state) && state.was_woken());
        assert!(inbox.is_clear(), "a task that is being polled is queued when it pauses");
    });
}

#[test]
fn a_clone_that_outlives_its_task_does_not_wake_another() {
    check(|| {
        let (mut executor, done) = (Executor::new(None), Done::new());
        let thread = wake_elsewhere(&executor, &done);
        executor.pause();
        executor.state.end();
        let is_unshared = is_unshared(&executor.state);
        if is_unshared {
            executor.state.assign(OTHER);
        }
        join([thread]);
        assert!(!is_unshared || !executor.state.was_woken());
        executor.inbox.drain_into(&mut executor.queue);
        assert!(executor.queue.iter().all(|id| *id == TASK), "{:?}", executor.queue);
    });
}

#[test]
fn what_is_woken_after_its_end_is_not_queued() {
    check_three(|| {
        let (mut executor, done) = (Executor::new(None), Done::new());
        let clone = executor.waker.clone();
        executor.pause();
        executor.state.end();
        let Executor { inbox, state, waker, mut queue, .. } = executor;
        let threads = [0, 1].map(|_| {
            let (clone, done) = (clone.clone(), done.clone());
            thread::spawn(move || {
                done.set();
                WakerState::wake(&clone);
            })
        });
        // As the slot does when a task is aborted: the count of a shared waker falls to two.
        drop((clone, state, waker));
        join(threads);
        inbox.drain_into(&mut queue);
        assert!(queue.is_empty());
    });
}

/// Keeps all wakes out, and counts how often it is told.
#[derive(Default)]
struct Shut(AtomicUsize);

impl Gate for Shut {
    fn owner(&self) -> u64 {
        1 << 40
    }

    fn admits(&self, owner: u64) -> bool {
        assert_eq!(owner, 1 << 40);
        false
    }

    fn refused(&self, _: u64) {
        self.0.fetch_add(1, atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_gate_is_told_once_of_all_wakes_that_it_kept_out() {
    check_three(|| {
        let gate = std::sync::Arc::new(Shut::default());
        let mut executor = Executor::new(Some(gate.clone()));
        let threads = [0, 1].map(|_| wake_elsewhere(&executor, &Done::new()));
        executor.pause();
        join(threads);
        assert!(!executor.begin(), "what is kept out has no effect");
        assert_eq!(gate.0.load(atomic::Ordering::Relaxed), 1);
    });
}
