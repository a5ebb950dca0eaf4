//! Which of the runs that have ended are kept, and for how long.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use dacapo_store::{RunRow, RunState};

use crate::clock::Timestamp;

/// How long runs are kept that have ended; for [`Builder::retention`](crate::Builder::retention) and
/// [`Executor::prune`](crate::Executor::prune).
///
/// A run goes when it is older than the [`age`](Self::age), or when [`count`](Self::count) others were
/// started after it that are kept. Without either, what the rule is about is kept for good.
///
/// ```
/// use std::time::Duration;
/// use dacapo::Retention;
/// use dacapo::store::RunState;
///
/// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// // Failures for three months; of the rest a week, and 100,000 at most.
/// let failed = Retention::new().states(&[RunState::Failed]).age(90 * DAY);
/// let rest = Retention::new().age(7 * DAY).count(100_000);
/// let builder = dacapo::Executor::builder().retention(failed).retention(rest);
/// # drop(builder.in_memory());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a rule does nothing until a builder or `Executor::prune` has it"]
pub struct Retention {
    workflow: Option<String>,
    states: Vec<RunState>,
    age: Option<Duration>,
    count: Option<usize>,
}

impl Default for Retention {
    fn default() -> Self {
        Self::new()
    }
}

impl Retention {
    /// Of all runs that have completed, failed or were cancelled. The passes of a run
    /// ([`Ctx::again`](crate::Ctx::again)) go with the run.
    pub fn new() -> Self {
        let states = [RunState::Completed, RunState::Failed, RunState::Cancelled].into();
        Self { workflow: None, states, age: None, count: None }
    }

    /// Only of the runs of one workflow, by its name.
    pub fn workflow(self, name: impl Into<String>) -> Self {
        Self { workflow: Some(name.into()), ..self }
    }

    /// Only of the runs in one of these states. Those in which a run has not ended are passed over. With
    /// [`RunState::Continued`] passes of runs that go on are deleted, too: those before each go with it.
    pub fn states(self, states: &[RunState]) -> Self {
        let ended = states.iter().copied().filter(|state| state.has_ended());
        Self { states: ended.collect(), ..self }
    }

    /// They are kept for so long after they ended.
    pub fn age(self, age: Duration) -> Self {
        Self { age: Some(age), ..self }
    }

    /// So many of them are kept: those that were started last.
    pub fn count(self, runs: usize) -> Self {
        Self { count: Some(runs), ..self }
    }

    fn is_about(&self, row: &RunRow) -> bool {
        self.states.contains(&row.state)
            && self.workflow.as_ref().is_none_or(|workflow| *workflow == row.workflow)
    }
}

/// Rules, of which the first that is about a run decides.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rules(Vec<Retention>);

/// What becomes of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is kept, and is looked at again at this time.
    Kept(Timestamp),
    Deleted,
}

impl Rules {
    pub(crate) fn add(&mut self, rule: Retention) {
        self.0.push(rule);
    }

    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What becomes of the next row, the last started first; `seen` has how many each rule was about.
    pub(crate) fn fate(&self, row: &RunRow, seen: &mut [usize], now: Timestamp) -> Fate {
        let mut rules = self.0.iter().zip(seen);
        let Some((rule, seen)) = rules.find(|(rule, _)| rule.is_about(row)) else {
            return Fate::Kept(Timestamp::NEVER);
        };
        *seen += 1;
        let ended_at = Timestamp::from_nanos(row.changed_at);
        let due = rule.age.map_or(Timestamp::NEVER, |age| ended_at + age);
        match due <= now || rule.count.is_some_and(|count| *seen > count) {
            true => Fate::Deleted,
            false => Fate::Kept(due),
        }
    }

    pub(crate) fn shortest_age(&self) -> Option<Duration> {
        self.0.iter().filter_map(|rule| rule.age).min()
    }

    pub(crate) fn smallest_count(&self) -> Option<usize> {
        self.0.iter().filter_map(|rule| rule.count).min()
    }
}

impl From<Retention> for Rules {
    fn from(rule: Retention) -> Self {
        Self([rule].into())
    }
}
