//! What the clones of one waker share, and how it changes.
//!
//! Two bits tell the life of a task, a third that it is over:
//!
//! ```text
//!                   1 assign
//!                      |
//!                      v      3 wake
//!        +----------> POLLED -----------> POLLED WOKEN <--+
//!        |            |    ^                |             | 5 pause
//!        |            |    |   6 begin      |             | (to the tail of the queue)
//!        |    4 pause |    +----------------+-------------+
//!        |            v
//!        |          (none): idle
//!        |            |
//!        | 6 begin    | 2 wake (to the tail of the queue)
//!        |            v
//!        +--------- WOKEN                   7 end: from everywhere to ENDED
//! ```
//!
//! | step | by whom | what it does |
//! |---|---|---|
//! | 1 [`assign`](WakerState::assign) | the executor, with no clone about | a task without a waker of its own is about to be polled and borrows the spare one, whatever state it was left in |
//! | 2, 3 [`wake`](WakerState::wake) | any thread | the first wake of an idle task puts it into the inbox, all others only leave their bit |
//! | 2, 3 [`wake_by_id`](WakerState::wake_by_id) | the executor | likewise, but its caller queues the task |
//! | 4, 5 [`pause`](WakerState::pause) | the executor | the poll was pending; in step 5 its caller queues the task |
//! | 6 [`begin`](WakerState::begin) | the executor | a queued task is about to be polled |
//! | 7 [`end`](WakerState::end) | the executor | wakes are void from now on |

use crate::id::TaskId;
use crate::inbox::Inbox;
use crate::sync::{Arc, AtomicU8, AtomicU32, Ordering, fence};

/// Set while the task is in a queue, or is to be put into one when its present poll returns.
///
/// Every wake that the gate admits sets it, on whatever thread; so the executor does for a wake by
/// id. It is cleared when a turn begins, and by nothing else while the task lives. Who sets it when
/// no other bit but `REFUSED` is set owes the task its place in the queue. It can be set at any time,
/// but on an ended task it means nothing.
const WOKEN: u8 = 1;

/// Set while the task is being polled, and until its next turn if it was woken in that poll.
///
/// Only the executor sets and clears it. A task that pauses with `WOKEN` set keeps it: no wake can
/// tell, since the first bit alone keeps it from queueing the task again. It cannot be set together
/// with `ENDED`.
const POLLED: u8 = 2;

/// Set when the task is no more, and before the waker has had a task.
///
/// The executor sets it, once for each task, and clears it only by giving the waker to another one
/// when nobody holds a clone. Wakes may add their bits to it. It is in the way of none of them: a
/// state that is not idle queues nothing.
const ENDED: u8 = 4;

/// Set when the gate kept a wake out and was told so, until the task's next turn begins.
///
/// Any thread sets it. When it comes while another thread has its wake written by
/// [`wake`](WakerState::wake) without a read-modify-write it may get lost: then the gate is told
/// twice. It changes nothing in what the other bits mean.
const REFUSED: u8 = 8;

/// The state of one waker.
///
/// The other fields say for whom it is. They are written by [`assign`](WakerState::assign) only, when no
/// other thread has access.
pub(crate) struct WakerState {
    bits: AtomicU8,
    number: Halves,
    index: AtomicU32,
    /// For whom the gate was open when the waker was assigned.
    owner: Halves,
    inbox: Arc<Inbox>,
}

impl WakerState {
    /// That of a waker without a task.
    pub(crate) fn new(inbox: Arc<Inbox>) -> WakerState {
        WakerState {
            bits: AtomicU8::new(ENDED),
            number: Halves::default(),
            index: AtomicU32::new(0),
            owner: Halves::default(),
            inbox,
        }
    }

    /// Step 1: the waker is for a task whose turn begins. Nobody else may hold it.
    pub(crate) fn assign(&self, id: TaskId) {
        self.number.set(id.number);
        self.index.store(id.index, Ordering::Relaxed);
        if let Some(gate) = &self.inbox.gate {
            self.owner.set(gate.owner());
        }
        self.bits.store(POLLED, Ordering::Relaxed);
    }

    /// Steps 2 and 3, through a waker: on any thread.
    pub(crate) fn wake(this: &Arc<WakerState>) {
        if !this.is_admitted() {
            return;
        }
        if is_unshared(this) {
            // Whoever wakes by reference got it in the present poll, and gives it back before the
            // poll returns: nobody reads what is written here before that. Whoever else writes
            // meanwhile has it from the same poll, and sets the same bit.
            let before = this.bits.load(Ordering::Relaxed);
            return this.bits.store(before | WOKEN, Ordering::Relaxed);
        }
        if this.wake_by_id() {
            let index = this.index.load(Ordering::Relaxed);
            this.inbox.push(TaskId { number: this.number.get(), index });
        }
    }

    /// Steps 2 and 3, by the executor; whether the task was idle, and is to be queued.
    pub(crate) fn wake_by_id(&self) -> bool {
        // A read-modify-write even if the task is queued already: the poll to come must see all
        // that happened before this wake.
        self.bits.fetch_or(WOKEN, Ordering::AcqRel) & !REFUSED == 0
    }

    /// Steps 4 and 5: the poll was pending; whether the task was woken in it, and is to be queued.
    pub(crate) fn pause(&self) -> bool {
        // Without a read-modify-write in step 5: it is the second most expensive thing of a yield.
        self.was_woken() || self.bits.fetch_and(!POLLED, Ordering::AcqRel) & WOKEN != 0
    }

    /// Step 6: a wake from now on asks for another turn.
    pub(crate) fn begin(&self) {
        let before = self.bits.swap(POLLED, Ordering::AcqRel);
        debug_assert!(before & WOKEN != 0, "only queued tasks are polled");
    }

    /// Step 7: the task is no more.
    pub(crate) fn end(&self) {
        self.bits.store(ENDED, Ordering::Release);
    }

    /// Whether the task was woken since its turn began. If nobody else holds the waker it is settled.
    pub(crate) fn was_woken(&self) -> bool {
        self.bits.load(Ordering::Relaxed) & WOKEN != 0
    }

    fn is_admitted(&self) -> bool {
        let Some(gate) = &self.inbox.gate else { return true };
        let owner = self.owner.get();
        let admitted = gate.admits(owner);
        // Once is enough, and what has ended is nobody's.
        if !admitted && self.bits.fetch_or(REFUSED, Ordering::AcqRel) & (REFUSED | ENDED) == 0 {
            gate.refused(owner);
        }
        admitted
    }
}

/// Whether nobody holds a clone of the waker: the executor has the state twice, as it is and in
/// the waker that it hands out by reference.
pub(crate) fn is_unshared(state: &Arc<WakerState>) -> bool {
    let unshared = Arc::strong_count(state) == 2;
    if unshared {
        // What other threads did with their clones comes before what is done next.
        fence(Ordering::Acquire);
    }
    unshared
}

/// A number of 64 bits, for machines whose atomics have fewer.
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
