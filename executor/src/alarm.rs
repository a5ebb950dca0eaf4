//! The waker of a task, and what it knows of the task.
//!
//! A task has an alarm of its own only while somebody holds a clone of its waker. For other polls
//! it is lent one.
//!
//! | state          | wake             | turn begins | poll is pending     | task ends |
//! |----------------|------------------|-------------|---------------------|-----------|
//! | 0: idle        | woken, to the inbox |          |                     | ended     |
//! | woken: queued  | -                | polled      |                     | ended     |
//! | polled         | polled and woken |             | idle                | ended     |
//! | polled and woken | -              | polled      | same, to the tail: queued | ended |
//! | ended          | -                |             |                     |           |

use alloc::sync::Arc;
use alloc::task::Wake;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering, fence};
use core::task::Waker;

use crate::id::TaskId;
use crate::inbox::Inbox;

/// In a queue, or to be put into one when the present poll returns.
const WOKEN: u8 = 1;
/// Its turn is now.
const POLLED: u8 = 2;
/// Its task is no more, wakes are void.
const ENDED: u8 = 4;
/// The gate did not let a wake in since the last turn, and knows.
const REFUSED: u8 = 8;

/// A number that is written while nobody else holds the bell: 64-bit atomics are not everywhere.
#[derive(Default)]
struct Halves {
    low: AtomicU32,
    high: AtomicU32,
}

impl Halves {
    fn get(&self) -> u64 {
        let low = u64::from(self.low.load(Ordering::Relaxed));
        u64::from(self.high.load(Ordering::Relaxed)) << 32 | low
    }

    fn set(&self, number: u64) {
        self.low.store(number as u32, Ordering::Relaxed);
        self.high.store((number >> 32) as u32, Ordering::Relaxed);
    }
}

/// What the clones of one waker share.
struct Bell {
    state: AtomicU8,
    number: Halves,
    index: AtomicU32,
    /// For whom the gate was open when the alarm was lent.
    owner: Halves,
    inbox: Arc<Inbox>,
}

impl Bell {
    fn id(&self) -> TaskId {
        TaskId { number: self.number.get(), index: self.index.load(Ordering::Relaxed) }
    }

    /// Notes a wake, and says whether the task was idle.
    fn ring(&self) -> bool {
        self.state.fetch_or(WOKEN, Ordering::AcqRel) & !REFUSED == 0
    }

    fn is_let_in(&self) -> bool {
        let Some(gate) = &self.inbox.gate else { return true };
        let owner = self.owner.get();
        let admitted = gate.admits(owner);
        // Once is enough, and what has ended is nobody's.
        if !admitted && self.state.fetch_or(REFUSED, Ordering::AcqRel) & (REFUSED | ENDED) == 0 {
            gate.refused(owner);
        }
        admitted
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_let_in() {
            return;
        }
        if is_alone(self) {
            // Whoever rings holds a reference from the present poll, and it ends before the poll
            // does: nobody reads what is written here before that, or writes anything else.
            let before = self.state.load(Ordering::Relaxed);
            return self.state.store(before | WOKEN, Ordering::Relaxed);
        }
        // A read-modify-write even if the task is queued already: the poll to come must see all
        // that happened before this wake.
        if self.ring() {
            self.inbox.put(self.id());
        }
    }
}

/// Whether there is no clone of the waker beside the executor's own.
fn is_alone(bell: &Arc<Bell>) -> bool {
    // One for the bell, one for the waker.
    let alone = Arc::strong_count(bell) == 2;
    if alone {
        // What other threads did with their clones comes before what is done next.
        fence(Ordering::Acquire);
    }
    alone
}

/// One task's bell as its executor holds it, with a waker ready made: a poll clones nothing.
pub(crate) struct Alarm {
    bell: Arc<Bell>,
    waker: Waker,
}

impl Alarm {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Alarm {
        let bell = Arc::new(Bell {
            state: AtomicU8::new(ENDED),
            number: Halves::default(),
            index: AtomicU32::new(0),
            owner: Halves::default(),
            inbox,
        });
        Alarm { waker: Waker::from(bell.clone()), bell }
    }

    /// Whether there is no clone of the waker, so that another task may have it.
    pub(crate) fn is_free(&self) -> bool {
        is_alone(&self.bell)
    }

    /// Lends a free alarm to a task whose turn begins.
    pub(crate) fn lend(&self, id: TaskId) {
        debug_assert!(self.is_free(), "an alarm goes to another task only when nobody holds it");
        self.bell.number.set(id.number);
        self.bell.index.store(id.index, Ordering::Relaxed);
        if let Some(gate) = &self.bell.inbox.gate {
            self.bell.owner.set(gate.owner());
        }
        self.bell.state.store(POLLED, Ordering::Relaxed);
    }

    /// Whether the task was woken in its poll. Nobody else holds a free alarm, so that is settled.
    pub(crate) fn was_rung(&self) -> bool {
        debug_assert!(self.is_free(), "whoever holds the alarm may still ring it");
        self.bell.state.load(Ordering::Relaxed) & WOKEN != 0
    }

    /// Notes a wake by the executor itself; whether the task is to be queued for it.
    pub(crate) fn ring(&self) -> bool {
        self.bell.ring()
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// The task's turn begins: a wake from now on asks for another one.
    pub(crate) fn begin(&self) {
        let before = self.bell.state.swap(POLLED, Ordering::AcqRel);
        debug_assert!(before & WOKEN != 0, "only queued tasks are polled");
    }

    /// The task's poll returned and it goes on; whether it was woken meanwhile. It then counts as
    /// queued, and the caller puts it there.
    pub(crate) fn pause(&self) -> bool {
        // A task that was woken stays so until its next turn, whatever others do: no need to take
        // `POLLED` away, and a yield saves the second most expensive thing it does.
        let woken = self.bell.state.load(Ordering::Relaxed) & WOKEN != 0;
        woken || self.bell.state.fetch_and(!POLLED, Ordering::AcqRel) & WOKEN != 0
    }

    /// The task is no more: its wakes are void.
    pub(crate) fn end(&self) {
        self.bell.state.store(ENDED, Ordering::Release);
    }
}
