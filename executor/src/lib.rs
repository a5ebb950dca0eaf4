//! A single-threaded executor that runs tasks first in, first out, and promises it.
//!
//! Most executors leave open which task runs next. Here the order of polls is part of the
//! interface: a program whose tasks are deterministic runs the same way every time, poll for
//! poll, and on every machine.
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//!
//! use dacapo_executor::{FifoExecutor, yield_now};
//!
//! let executor = FifoExecutor::new();
//! let trace = Rc::new(RefCell::new(Vec::new()));
//! for name in ["tea", "cup"] {
//!     let trace = trace.clone();
//!     executor
//!         .spawn(async move {
//!             for turn in 1..=2 {
//!                 trace.borrow_mut().push(format!("{name} {turn}"));
//!                 yield_now().await;
//!             }
//!         })
//!         .detach();
//! }
//! executor.run_until_stalled();
//! assert_eq!(*trace.borrow(), ["tea 1", "cup 1", "tea 2", "cup 2"]);
//! ```
//!
//! # Promises
//!
//! The model is Python's asyncio event loop; what there is an accident of the implementation, or
//! the order of a set, is a promise here. Each has tests that bear its number.
//!
//! 1. **Spawn.** A new task goes to the tail of the queue and is never run inline, so tasks are
//!    first polled in spawn order (`call_soon`). The main future of
//!    [`block_on`](FifoExecutor::block_on) or [`run`](FifoExecutor::run) is a task like any other
//!    and waits for its turn.
//! 2. **Wake.** A wake puts a task at the tail, once until it is polled. A task that wakes itself
//!    goes there when its poll has returned, behind all that this poll woke or spawned
//!    (`sleep(0)`).
//! 3. **Completion.** When a task ends, its future is dropped first; then whoever awaits it goes
//!    to the tail, behind all that its last poll and that drop queued. Awaiting a task that has
//!    ended does not suspend. Wakers that a future wakes in some order get their turns in that
//!    order, so those who wait for one completion go on as they began to wait.
//! 4. **Rounds.** A round is what is queued when it begins; what is queued meanwhile, by other
//!    threads, too, has its turn in a later one. Wakes from other threads take a lock-free way in.
//! 5. **Cancelling.** Dropping a [`Task`] drops its future there and then, and with it the tasks
//!    whose handles it holds: nothing of them runs again. A task that cancels itself, or an
//!    ancestor that awaits it, finishes its poll first. Dropping wakes nobody. Wakers, ids and
//!    queue entries of ended tasks are void, also when their place is used again. In teardown
//!    (the executor is dropped) tasks are dropped in spawn order, and their drops spawn, wake and
//!    abort in vain. (asyncio throws an exception into a cancelled task at that task's
//!    next turn; Rust drops it, and cannot wait.)
//! 6. **Everywhere.** The crate is `no_std` and needs `alloc`; the feature `std` (default) adds
//!    [`block_on`](FifoExecutor::block_on), parking, and catches panics of wakers. There is no unsafe code in it.
//!
//! # Panics in tasks
//!
//! A panic of a task leaves the tick that polled it; the task is ended and its future dropped,
//! and the executor goes on with the others when it is ticked again. A task that panicked gives
//! no output: whoever awaits it waits for ever.
//!
//! A loop that waits has its waker called by whoever wakes a task, on any thread. A panic of that waker, when it
//! is woken or dropped, is caught (with `std`), and the others are woken all the same.
//!
//! # Memory
//!
//! A task has a waker of its own only while somebody holds a clone of it, so one that waits for
//! another by id, or for nothing, takes little more memory than its future.
//!
//! # Engines
//!
//! Who builds an engine on this executor finds tasks by id, loops of his own and gates that keep
//! wakes out in [`raw`].
//!
//! # Combinators
//!
//! [`join`], [`try_join`], [`join_all`], [`try_join_all`], [`race`] and [`select`] run futures inside one
//! task, in a fixed order and with a waker for each: the first time all are polled in the order
//! given, later those that were woken, in the same order. A branch is dropped as soon as it is
//! ready, and 100,000 of them cost as much each as ten do.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
mod readme {}

mod combine;
mod yield_now;

mod executor;
mod task;
pub mod raw;

mod guest;
mod tasks;
mod turn;
mod abort;
mod register;
mod aside;
mod slots;

mod task_waker;
mod waker_state;
mod inbox;
mod gate;
#[cfg(feature = "std")]
mod park;
mod id;
mod sync;

pub use combine::{
    Either, JoinAll, TryJoinAll, join, join_all, race, select, try_join, try_join_all,
};
pub use executor::FifoExecutor;
pub use task::Task;
pub use yield_now::{YieldNow, yield_now};
