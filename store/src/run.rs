use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Bound, RangeBounds};

use serde::{Deserialize, Serialize};

/// A run within one store: keys are given out in order of creation, and never twice.
///
/// ```
/// use dacapo_store::RunKey;
///
/// assert!(RunKey(1) < RunKey(2));
/// assert_eq!(RunKey(7).to_string(), "7");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
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
/// assert!(RunState::Failed.has_ended());
/// assert!(!RunState::Parked.has_ended());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum RunState {
    /// It goes on, or will when the store is opened next.
    Running,
    /// It was stopped without having ended; its row's note says why.
    Parked,
    /// It ended with its result.
    Completed,
    /// It ended with an error of its own.
    Failed,
    /// It ended because it was told to.
    Cancelled,
}

impl RunState {
    /// All states, in the order in which they are declared.
    pub const ALL: [RunState; 5] = [
        RunState::Running,
        RunState::Parked,
        RunState::Completed,
        RunState::Failed,
        RunState::Cancelled,
    ];

    /// True of completed, failed and cancelled runs: nothing will be added to their history.
    pub fn has_ended(self) -> bool {
        matches!(self, RunState::Completed | RunState::Failed | RunState::Cancelled)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What is known of a run without reading its history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunRow {
    /// The run's key in this store.
    pub key: RunKey,
    /// The id its caller chose. No two runs of a store have the same; it never changes.
    pub id: String,
    /// The name of its workflow.
    pub workflow: String,
    /// Where it stands.
    pub state: RunState,
    /// When it was started, in nanoseconds since 1970.
    pub started_at: u64,
    /// When this row was last changed, in nanoseconds since 1970.
    pub changed_at: u64,
    /// Anything the engine wants to find beside the state, such as why a run is parked. The store
    /// does not look into it.
    pub note: Vec<u8>,
}

/// Which runs [`Store::list`](crate::Store::list) returns: all of them, less what is ruled out.
///
/// ```
/// use dacapo_store::{Filter, RunKey, RunRow, RunState};
///
/// let row = RunRow {
///     key: RunKey(4),
///     id: "order-7".into(),
///     workflow: "order".into(),
///     state: RunState::Running,
///     started_at: 100,
///     changed_at: 100,
///     note: vec![],
/// };
/// assert!(Filter::new().unfinished().workflow("order").admits(&row));
/// assert!(!Filter::new().started(..100).admits(&row));
/// assert!(!Filter::new().after(RunKey(4)).admits(&row));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    states: u8,
    workflow: Option<String>,
    id_prefix: String,
    started: (Bound<u64>, Bound<u64>),
    after: Option<RunKey>,
    limit: usize,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            states: u8::MAX,
            workflow: None,
            id_prefix: String::new(),
            started: (Bound::Unbounded, Bound::Unbounded),
            after: None,
            limit: usize::MAX,
        }
    }
}

impl Filter {
    /// Rules nothing out.
    pub fn new() -> Filter {
        Filter::default()
    }

    /// Keeps the runs in one of `states`.
    pub fn states(mut self, states: &[RunState]) -> Filter {
        self.states = states.iter().fold(0, |bits, state| bits | state.bit());
        self
    }

    /// Keeps the running and the parked runs.
    pub fn unfinished(self) -> Filter {
        self.states(&[RunState::Running, RunState::Parked])
    }

    /// Keeps the runs that have ended.
    pub fn ended(self) -> Filter {
        self.states(&[RunState::Completed, RunState::Failed, RunState::Cancelled])
    }

    /// Keeps the runs of one workflow.
    pub fn workflow(mut self, name: impl Into<String>) -> Filter {
        self.workflow = Some(name.into());
        self
    }

    /// Keeps the runs whose id begins with `prefix`.
    pub fn id_prefix(mut self, prefix: impl Into<String>) -> Filter {
        self.id_prefix = prefix.into();
        self
    }

    /// Keeps the runs started within a range of times, in nanoseconds since 1970.
    pub fn started(mut self, times: impl RangeBounds<u64>) -> Filter {
        self.started = (times.start_bound().cloned(), times.end_bound().cloned());
        self
    }

    /// Keeps the runs behind `key`: with the last key of one page, this gives the next page.
    pub fn after(mut self, key: RunKey) -> Filter {
        self.after = Some(key);
        self
    }

    /// Ends the list after so many runs.
    pub fn limit(mut self, runs: usize) -> Filter {
        self.limit = runs;
        self
    }

    /// Whether a run is kept; the limit is the caller's to apply. For those who write a store.
    pub fn admits(&self, row: &RunRow) -> bool {
        self.admits_state(row.state)
            && self.after.is_none_or(|after| row.key > after)
            && self.workflow.as_ref().is_none_or(|name| *name == row.workflow)
            && row.id.starts_with(&self.id_prefix)
            && self.started.contains(&row.started_at)
    }

    /// Whether runs in this state are kept: a store need not read the others at all.
    pub fn admits_state(&self, state: RunState) -> bool {
        self.states & state.bit() != 0
    }

    /// The first key that can be in the list, or `None` if there can be none.
    pub fn first_key(&self) -> Option<RunKey> {
        match self.after {
            Some(after) => after.0.checked_add(1).map(RunKey),
            None => Some(RunKey(0)),
        }
    }

    /// How many runs the list may hold.
    pub fn max_runs(&self) -> usize {
        self.limit
    }
}
