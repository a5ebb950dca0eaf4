//! The waker of a task, and what it knows of the task.
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

/// What the clones of one waker share.
struct Bell {
    state: AtomicU8,
    /// Half of the task's number each: 64-bit atomics are not everywhere. They change only while
    /// nobody else holds the bell.
    number_low: AtomicU32,
    number_high: AtomicU32,
    index: AtomicU32,
    inbox: Arc<Inbox>,
}

impl Bell {
    fn id(&self) -> TaskId {
        let low = u64::from(self.number_low.load(Ordering::Relaxed));
        let high = u64::from(self.number_high.load(Ordering::Relaxed));
        TaskId { number: high << 32 | low, index: self.index.load(Ordering::Relaxed) }
    }

    fn set_id(&self, id: TaskId) {
        self.number_low.store(id.number as u32, Ordering::Relaxed);
        self.number_high.store((id.number >> 32) as u32, Ordering::Relaxed);
        self.index.store(id.index, Ordering::Relaxed);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A read-modify-write even if the task is queued already: the poll to come must see all
        // that happened before this wake.
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) == 0 {
            self.inbox.put(self.id());
        }
    }
}

/// One task's bell as its executor holds it, with a waker ready made: a poll clones nothing.
pub(crate) struct Alarm {
    bell: Arc<Bell>,
    waker: Waker,
}

impl Alarm {
    /// The alarm of a new task, which is put into the queue by whoever spawns it.
    pub(crate) fn new(id: TaskId, inbox: Arc<Inbox>) -> Alarm {
        let bell = Arc::new(Bell {
            state: AtomicU8::new(WOKEN),
            number_low: AtomicU32::new(0),
            number_high: AtomicU32::new(0),
            index: AtomicU32::new(0),
            inbox,
        });
        bell.set_id(id);
        Alarm { waker: Waker::from(bell.clone()), bell }
    }

    /// Whether no clone of an ended task's waker is left, so that another task may have it.
    pub(crate) fn is_free(&self) -> bool {
        // One for the bell, one for the waker.
        let free = Arc::strong_count(&self.bell) == 2;
        if free {
            // What other threads did with their clones comes before what is done next.
            fence(Ordering::Acquire);
        }
        free
    }

    /// Gives a free alarm to a new task.
    pub(crate) fn reuse(&self, id: TaskId) {
        debug_assert!(self.is_free(), "an alarm goes to another task only when nobody holds it");
        self.bell.set_id(id);
        self.bell.state.store(WOKEN, Ordering::Relaxed);
    }

    /// Notes a wake by the executor itself; whether the task is to be queued for it.
    pub(crate) fn ring(&self) -> bool {
        self.bell.state.fetch_or(WOKEN, Ordering::AcqRel) == 0
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
