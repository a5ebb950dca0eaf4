use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// A run within one store: keys are given out in order of creation, and never twice.
///
/// ```
/// use dacapo_store::RunKey;
///
/// assert!(RunKey(1) < RunKey(2));
/// assert_eq!(RunKey(7).to_string(), "7");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RunKey(pub u64);

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a run stands.
///
/// ```
/// use dacapo_store::RunState;
///
/// assert!(RunState::Failed.has_ended() && RunState::Continued.has_ended());
/// assert!(!RunState::Parked.has_ended() && !RunState::Queued.has_ended());
/// assert!(RunState::Queued.is_waiting() && !RunState::Running.is_waiting());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RunState {
    /// It goes on, or will when the store is opened next.
    Running = 0,
    /// It was stopped without having ended; its row's note says why.
    Parked = 1,
    /// It was submitted to a queue, which has not admitted it yet.
    Queued = 2,
    /// It was submitted, to begin at a later time.
    Delayed = 3,
    /// It ended with its result.
    Completed = 4,
    /// It ended with an error of its own.
    Failed = 5,
    /// It ended because it was told to, and its code was dropped. A run that was told, cleaned up and
    /// returned is completed or failed.
    Cancelled = 6,
    /// This pass of it ended, and the run goes on in another row under the same id, which belongs
    /// to that row from then on.
    Continued = 7,
}

impl RunState {
    /// All states, in the order in which they are declared.
    pub const ALL: [RunState; 8] = [
        RunState::Running,
        RunState::Parked,
        RunState::Queued,
        RunState::Delayed,
        RunState::Completed,
        RunState::Failed,
        RunState::Cancelled,
        RunState::Continued,
    ];

    /// The state as one word, for people and exports.
    ///
    /// ```
    /// assert_eq!(dacapo_store::RunState::Parked.name(), "parked");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Parked => "parked",
            RunState::Queued => "queued",
            RunState::Delayed => "delayed",
            RunState::Completed => "completed",
            RunState::Failed => "failed",
            RunState::Cancelled => "cancelled",
            RunState::Continued => "continued",
        }
    }

    /// The states of runs that have not ended.
    pub const UNFINISHED: [RunState; 4] =
        [RunState::Running, RunState::Parked, RunState::Queued, RunState::Delayed];

    /// The states of runs that have ended.
    pub const ENDED: [RunState; 4] =
        [RunState::Completed, RunState::Failed, RunState::Cancelled, RunState::Continued];

    /// True of completed, failed, cancelled and continued runs: nothing will be added to their
    /// history.
    pub fn has_ended(self) -> bool {
        self as u8 >= RunState::Completed as u8
    }

    /// Whether a run in this state may be deleted: one that has ended, is parked, or has not begun.
    pub fn may_be_deleted(self) -> bool {
        self != RunState::Running
    }

    /// True of queued and delayed runs: none of their code has run.
    pub fn is_waiting(self) -> bool {
        matches!(self, RunState::Queued | RunState::Delayed)
    }

    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What is known of a run without reading its history.
///
/// Most runs need no more than [`new`](RunRow::new) gives; the other fields are public.
///
/// ```
/// use dacapo_store::{RunKey, RunRow, RunState};
///
/// let mut row = RunRow::new(RunKey(4), "order-7", "order");
/// assert_eq!((row.state, row.pass, row.wake_at), (RunState::Running, 1, None));
/// (row.started_at, row.changed_at) = (1_000, 1_000);
/// row.wake_at = Some(5_000);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RunRow {
    /// The run's key in this store.
    pub key: RunKey,
    /// The id its caller chose, which never changes. Of the runs with one id, all are
    /// [continued](RunState::Continued) but one.
    pub id: String,
    /// The name of its workflow.
    pub workflow: String,
    /// Where it stands.
    pub state: RunState,
    /// When it was started, in nanoseconds since 1970.
    pub started_at: u64,
    /// When this row was last changed, in nanoseconds since 1970.
    pub changed_at: u64,
    /// Nothing happens to the run by itself before this time, so that it need not be in memory;
    /// [`u64::MAX`] if only something from outside wakes it. `None` if it is not known: then the
    /// run must be replayed to find out.
    pub wake_at: Option<u64>,
    /// Which pass of the run this is: 1 for the first.
    pub pass: u32,
    /// The operation of another run that waits for the end of this one.
    pub link: Option<Link>,
    /// When the run is cancelled if it has not ended, in nanoseconds since 1970.
    pub deadline: Option<u64>,
    /// What its caller wants to find it by: names and values.
    pub attributes: Vec<(String, String)>,
    /// Its place in a queue, also when it was admitted.
    pub queue: Option<Box<Queued>>,
    /// Anything the engine wants to find beside the state, such as why a run is parked. The store
    /// does not look into it.
    pub note: Vec<u8>,
}

impl RunRow {
    /// The row of a running run, started and changed at time 0: its first pass, without anything
    /// that not every run has.
    pub fn new(key: RunKey, id: impl Into<String>, workflow: impl Into<String>) -> RunRow {
        RunRow {
            key,
            id: id.into(),
            workflow: workflow.into(),
            state: RunState::Running,
            started_at: 0,
            changed_at: 0,
            wake_at: None,
            pass: 1,
            link: None,
            deadline: None,
            attributes: Vec::new(),
            queue: None,
            note: Vec::new(),
        }
    }
}

/// Which operation started a run and waits for its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// The run it belongs to.
    pub parent: RunKey,
    /// The operation's number: its task,
    pub task: u32,
    /// and which of that task's operations it is.
    pub local: u32,
}

/// A run's place in a queue.
///
/// ```
/// use dacapo_store::{Queued, RunKey, RunRow, RunState};
///
/// let mut row = RunRow::new(RunKey(4), "order-7", "order");
/// let mut queued = Queued::new("carrier");
/// queued.priority = -1;
/// row.state = RunState::Queued;
/// row.queue = Some(Box::new(queued));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Queued {
    /// The queue's name; empty if there is none, and the run is only delayed or unique.
    pub name: String,
    /// The part of the queue that has limits of its own.
    pub partition: Option<String>,
    /// Smaller ones are admitted first.
    pub priority: i32,
    /// No two unended runs of a queue have the same.
    pub unique: Option<String>,
    /// Whether the unique key is free when the run is admitted.
    pub is_debounced: bool,
    /// When it may be admitted, in nanoseconds since 1970.
    pub eligible_at: u64,
    /// When it was admitted.
    pub admitted_at: Option<u64>,
}

impl Queued {
    /// A place in a queue, without partition and unique key, of priority 0 and eligible at time 0.
    pub fn new(name: impl Into<String>) -> Queued {
        Queued {
            name: name.into(),
            partition: None,
            priority: 0,
            unique: None,
            is_debounced: false,
            eligible_at: 0,
            admitted_at: None,
        }
    }
}
