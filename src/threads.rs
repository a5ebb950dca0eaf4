//! Threads for bodies that block: a pool that begins with the first of them.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::sync::Arc;
use core::cell::{Cell, OnceCell};
use core::time::Duration;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use dacapo_store::RunKey;

use crate::panics;
use crate::record::Number;

/// Whose work it is. Two pieces of one operation never run at once.
pub(crate) type Owner = (RunKey, Number);

type Work = Box<dyn FnOnce() + Send>;

/// The threads of one executor. Dropping it ends those that are idle; the others end with what they
/// are doing.
#[derive(Default)]
pub(crate) struct Threads {
    pool: OnceCell<Arc<Pool>>,
    /// How many bodies wait for what a thread is doing.
    waiting: Cell<usize>,
}

/// That a body waits for a thread, until it is dropped.
pub(crate) struct Waits<'a>(&'a Threads);

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Owner, Work)>,
    /// Whose work is being done.
    busy: BTreeSet<Owner>,
    threads: usize,
    idle: usize,
    is_closed: bool,
}

impl Threads {
    /// Work that blocks more threads than this waits for one of them.
    const MAX: usize = 512;

    /// A thread that has had nothing to do for so long ends.
    const IDLE: Duration = Duration::from_secs(10);

    /// Has a thread do `work`, behind all earlier work of the same owner.
    ///
    /// # Errors
    ///
    /// If there is no thread and the system gives none.
    pub(crate) fn post(&self, owner: Owner, work: Work) -> io::Result<()> {
        let pool = self.pool.get_or_init(Arc::default);
        let mut state = pool.lock();
        let needs_thread = state.idle <= state.queue.len() && state.threads < Self::MAX;
        if needs_thread {
            let begun = pool.begin_thread();
            match begun {
                Ok(()) => state.threads += 1,
                // Those that there are will come to it.
                Err(_) if state.threads > 0 => {}
                Err(error) => return Err(error),
            }
        }
        state.queue.push_back((owner, work));
        pool.changed.notify_one();
        Ok(())
    }

    /// Notes that a body waits for a thread from now on.
    pub(crate) fn wait(&self) -> Waits<'_> {
        self.waiting.set(self.waiting.get() + 1);
        Waits(self)
    }

    /// Whether a body waits for a thread: no virtual time passes meanwhile.
    pub(crate) fn are_awaited(&self) -> bool {
        self.waiting.get() > 0
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.get() {
            let mut state = pool.lock();
            state.is_closed = true;
            // Nobody waits for what has not begun.
            let queue = core::mem::take(&mut state.queue);
            drop(state);
            pool.changed.notify_all();
            let _ = panics::catch_drop(queue);
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        // It is never held while user code runs, so nothing in it is half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_thread(self: &Arc<Self>) -> io::Result<()> {
        let pool = self.clone();
        let builder = thread::Builder::new().name("dacapo-blocking".into());
        let begun = builder.spawn(move || pool.run());
        begun.map(drop).map_err(|error| {
            let why = format!(
                "there is no thread for a body that blocks, raise the limit of threads: {error}"
            );
            io::Error::new(error.kind(), why)
        })
    }

    /// What a thread does.
    fn run(&self) {
        let mut state = self.lock();
        loop {
            while let Some((owner, work)) = state.take() {
                state.busy.insert(owner);
                drop(state);
                // What it panics with, and drops, is told to whoever waits for it, if anybody does.
                let _ = panics::catch(work);
                state = self.lock();
                state.busy.remove(&owner);
            }
            if state.is_closed {
                break;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, Threads::IDLE);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && !state.has_work() {
                break;
            }
        }
        state.threads -= 1;
    }
}

impl State {
    /// The oldest work whose owner's earlier work is done.
    fn take(&mut self) -> Option<(Owner, Work)> {
        let place = self.place()?;
        self.queue.remove(place)
    }

    fn has_work(&self) -> bool {
        self.place().is_some()
    }

    fn place(&self) -> Option<usize> {
        self.queue.iter().position(|(owner, _)| !self.busy.contains(owner))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use std::sync::mpsc;

    use super::*;

    fn owner(local: u32) -> Owner {
        (RunKey(1), Number { task: 0, local })
    }

    /// Two owners work at once; what one of them posts is done in its order, one after the other.
    #[test]
    fn work_of_one_owner_is_done_one_by_one() {
        let threads = Threads::default();
        let (gate, opened) = mpsc::channel::<()>();
        let (told, heard) = mpsc::channel();
        let tell = |what: &'static str| {
            let told = told.clone();
            move || told.send(what).expect("somebody hears it")
        };
        let first = tell("first of 1");
        let waits = move || {
            opened.recv().expect("it is opened");
            first();
        };
        threads.post(owner(1), Box::new(waits)).expect("a thread");
        threads.post(owner(1), Box::new(tell("second of 1"))).expect("a thread");
        threads.post(owner(2), Box::new(tell("first of 2"))).expect("a thread");
        assert_eq!(heard.recv(), Ok("first of 2"));
        gate.send(()).expect("it waits");
        assert_eq!(heard.iter().take(2).collect::<Vec<_>>(), ["first of 1", "second of 1"]);
    }

    #[test]
    fn a_thread_outlives_a_panic_and_its_pool() {
        let threads = Threads::default();
        threads.post(owner(1), Box::new(|| panic!("no tea"))).expect("a thread");
        let (told, heard) = mpsc::channel();
        let (gate, opened) = mpsc::channel::<()>();
        let waits = move || {
            told.send("begun").expect("somebody hears it");
            let _ = opened.recv();
            told.send("ended").expect("somebody hears it");
        };
        threads.post(owner(1), Box::new(waits)).expect("a thread");
        assert_eq!(heard.recv(), Ok("begun"));
        let (never, is_dropped) = mpsc::channel::<()>();
        threads.post(owner(1), Box::new(move || drop(never))).expect("a thread");
        drop(threads);
        assert!(is_dropped.recv().is_err(), "what has not begun is dropped");
        gate.send(()).expect("it waits");
        assert_eq!(heard.recv(), Ok("ended"));
    }
}
