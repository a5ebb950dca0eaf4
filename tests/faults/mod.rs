//! What happens when things go wrong: each row of the table in docs/semantics.md, with its
//! message.

mod aside;
mod attempts;
mod attended;
mod builds;
mod callers;
mod clocks;
mod commits;
#[cfg(target_os = "linux")]
mod copied;
mod deletion;
mod divergence;
mod foreign_wake;
mod exported;
mod forked;
mod handles;
mod held;
mod held_anywhere;
mod misuse;
mod noticed;
mod panics;
mod parking;
mod poisoned;
mod processes;
mod rehearsed;
mod rejoined;
mod retained;
mod queued;
mod retried;
mod retries;
mod storage;
mod wrapped;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use dacapo::sim::{Snapshots, VirtualClock};
use dacapo::store::{History, Hooked, MemoryStore, Operation, Store};
use dacapo::{Builder, Error, Event, Executor, Notice, Observer, Timestamp};

/// What observers are told, as text.
#[derive(Clone, Default)]
pub(crate) struct Told(pub(crate) Rc<RefCell<Vec<String>>>);

impl Observer for Told {
    fn observe(&self, _: &str, _: Event<'_>) {}

    fn notify(&self, notice: &Notice<'_>) {
        self.0.borrow_mut().push(notice.to_string());
    }
}

/// Opens an executor in virtual time over `stored`, and gives the store to look into.
fn open(builder: Builder, stored: MemoryStore) -> (Executor, Snapshots) {
    let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()));
    open_at(builder, stored, clock)
}

fn open_at(builder: Builder, stored: MemoryStore, clock: VirtualClock) -> (Executor, Snapshots) {
    let store = Snapshots::new(stored);
    let executor = builder.clock(clock).open_with(store.clone());
    (executor.expect("a store in memory opens"), store)
}

/// The history of a run.
pub(super) fn history(store: &MemoryStore, id: &str) -> History {
    let row = store.find(id).expect("memory can be read").expect("the run is stored");
    store.history(row.key).expect("memory can be read")
}

/// The one parked run must be `id`, with this reason and message; the handle must say the same.
fn assert_parked(executor: &Executor, id: &str, error: &Error, message: &str) {
    assert!(error.is_parked(), "{error:?}");
    assert_eq!(error.to_string(), format!("run {id:?} is parked: {message}"));
    let parked = executor.parked().expect("memory can be read");
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!((parked[0].id.as_str(), parked[0].message.as_str()), (id, message));
}

/// A store of which so many reads go well before one is refused. `None`: all do, as from then on.
fn refusing_one_read(memory: &MemoryStore, left: Rc<Cell<Option<u32>>>) -> impl Store + 'static {
    Hooked::new(memory.shared(), move |operation: &Operation<'_>| {
        let is_read = matches!(
            operation,
            Operation::Find(_)
                | Operation::Row(_)
                | Operation::History(_)
                | Operation::Entries(..)
                | Operation::Last(_)
        );
        let Some(reads_left) = left.get().filter(|_| is_read) else { return Ok(()) };
        left.set(reads_left.checked_sub(1));
        match reads_left {
            0 => Err(dacapo::store::Error::refused("the disk does not answer")),
            _ => Ok(()),
        }
    })
}
