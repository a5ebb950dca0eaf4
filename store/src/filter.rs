use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::ops::{Bound, RangeBounds};

use crate::{RunKey, RunRow, RunState};

/// Which runs [`Store::scan`](crate::Store::scan) visits, and in which order: all of them, less
/// what is ruled out, by their keys.
///
/// ```
/// use dacapo_store::{Filter, RunKey, RunRow};
///
/// let mut row = RunRow::new(RunKey(4), "order-7", "order");
/// row.started_at = 100;
/// assert!(Filter::new().unfinished().workflow("order").admits(&row));
/// assert!(!Filter::new().started(..100).admits(&row));
/// assert!(!Filter::new().after(RunKey(4)).admits(&row));
/// assert!(Filter::new().newest_first().before(RunKey(5)).admits(&row));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    states: u8,
    workflow: Option<String>,
    id_prefix: String,
    /// A run has all of them.
    attributes: Vec<(String, String)>,
    started: Times,
    changed: Times,
    after: Option<RunKey>,
    before: Option<RunKey>,
    limit: usize,
    is_newest_first: bool,
}

type Times = (Bound<u64>, Bound<u64>);

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            states: u8::MAX,
            workflow: None,
            id_prefix: String::new(),
            attributes: Vec::new(),
            started: (Bound::Unbounded, Bound::Unbounded),
            changed: (Bound::Unbounded, Bound::Unbounded),
            after: None,
            before: None,
            limit: usize::MAX,
            is_newest_first: false,
        }
    }
}

impl Filter {
    /// Rules nothing out.
    pub fn new() -> Filter {
        Filter::default()
    }

    /// Only the runs in one of `states`.
    pub fn states(mut self, states: &[RunState]) -> Filter {
        self.states = states.iter().fold(0, |bits, state| bits | state.bit());
        self
    }

    /// Only the runs that have not ended.
    pub fn unfinished(self) -> Filter {
        self.states(&RunState::UNFINISHED)
    }

    /// Only the runs that have ended.
    pub fn ended(self) -> Filter {
        self.states(&RunState::ENDED)
    }

    /// Only the runs of one workflow.
    pub fn workflow(mut self, name: impl Into<String>) -> Filter {
        self.workflow = Some(name.into());
        self
    }

    /// Only the runs whose id begins with `prefix`.
    pub fn id_prefix(mut self, prefix: impl Into<String>) -> Filter {
        self.id_prefix = prefix.into();
        self
    }

    /// Only the runs that have an attribute of this name, with this value. After several calls, those
    /// that have all of them.
    ///
    /// There is no index of attributes: all rows that the rest of the filter leaves are read.
    ///
    /// ```
    /// use dacapo_store::{Filter, RunKey, RunRow};
    ///
    /// let mut row = RunRow::new(RunKey(4), "order-7", "order");
    /// row.attributes = vec![("city".into(), "oslo".into()), ("customer".into(), "ada".into())];
    /// let of_ada = Filter::new().attribute("customer", "ada");
    /// assert!(of_ada.admits(&row));
    /// assert!(of_ada.clone().attribute("city", "oslo").admits(&row));
    /// assert!(!of_ada.attribute("city", "rome").admits(&row));
    /// ```
    pub fn attribute(mut self, name: impl Into<String>, value: impl Display) -> Filter {
        self.attributes.push((name.into(), value.to_string()));
        self
    }

    /// Only the runs started within a range of times, in nanoseconds since 1970.
    pub fn started(mut self, times: impl RangeBounds<u64>) -> Filter {
        self.started = bounds(times);
        self
    }

    /// Only the runs whose row was last changed within a range of times, in nanoseconds since
    /// 1970.
    pub fn changed(mut self, times: impl RangeBounds<u64>) -> Filter {
        self.changed = bounds(times);
        self
    }

    /// Only the runs with keys above `key`: with the last key of one page, this gives the next.
    pub fn after(mut self, key: RunKey) -> Filter {
        self.after = Some(key);
        self
    }

    /// Only the runs with keys below `key`: the next page if the newest come first.
    pub fn before(mut self, key: RunKey) -> Filter {
        self.before = Some(key);
        self
    }

    /// Visits the runs in the opposite order: those with the largest keys first.
    pub fn newest_first(mut self) -> Filter {
        self.is_newest_first = true;
        self
    }

    /// Ends after so many runs.
    pub fn limit(mut self, runs: usize) -> Filter {
        self.limit = runs;
        self
    }

    /// Whether a run passes; the limit is the caller's to apply. For those who write a store.
    pub fn admits(&self, row: &RunRow) -> bool {
        let RunRow { key, state, id, workflow, started_at, changed_at, attributes, .. } = row;
        self.admits_values((*key, *state), [id, workflow], [*started_at, *changed_at])
            && self.attributes().iter().all(|wanted| attributes.contains(wanted))
    }

    /// The attributes that a run has to have.
    pub(crate) fn attributes(&self) -> &[(String, String)] {
        &self.attributes
    }

    /// Whether the id and the workflow pass, and when the run was started and changed.
    pub(crate) fn admits_values(
        &self,
        (key, state): (RunKey, RunState),
        [id, workflow]: [&str; 2],
        [started_at, changed_at]: [u64; 2],
    ) -> bool {
        self.admits_state(state)
            && self.after.is_none_or(|after| key > after)
            && self.before.is_none_or(|before| key < before)
            && self.workflow.as_ref().is_none_or(|name| name == workflow)
            && (self.id_prefix.is_empty() || id.starts_with(&self.id_prefix))
            && self.started.contains(&started_at)
            && self.changed.contains(&changed_at)
    }

    /// Whether runs in this state may pass: a store need not read the others at all.
    pub fn admits_state(&self, state: RunState) -> bool {
        self.states & state.bit() != 0
    }

    /// The first and the last key that can pass, or `None` if there can be none.
    pub fn keys(&self) -> Option<(RunKey, RunKey)> {
        let first = self.after.map_or(Some(0), |after| after.0.checked_add(1))?;
        let last = self.before.map_or(Some(u64::MAX), |before| before.0.checked_sub(1))?;
        (first <= last).then_some((RunKey(first), RunKey(last)))
    }

    /// How many runs may be visited.
    pub fn max_runs(&self) -> usize {
        self.limit
    }

    /// Whether the runs with the largest keys come first.
    pub fn is_newest_first(&self) -> bool {
        self.is_newest_first
    }
}

fn bounds(times: impl RangeBounds<u64>) -> Times {
    (times.start_bound().cloned(), times.end_bound().cloned())
}
