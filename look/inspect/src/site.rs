//! Operations of one kind and name, together: a run may have a million of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::operation::{Operation, Progress, Type};
use crate::time::Time;

/// Many operations of one kind and one name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "site")]
#[non_exhaustive]
pub struct Site {
    /// The id of their run.
    pub run: String,
    /// What they are.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Their name.
    pub name: String,
    /// The number of the first one, if they have numbers.
    pub first: Option<String>,
    /// The line that makes the first one: `src/order.rs:41`. Known of a run whose code was rehearsed to look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The record of the first one.
    pub record: u64,
    /// How they fared.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// When the first began, as far as that is recorded.
    pub began_at: Option<Time>,
    /// When the last ended.
    pub ended_at: Option<Time>,
    /// From when to when each of them took, in nanoseconds since 1970; of many, some. Only if it is to be
    /// [drawn](crate::View::drawn).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<(u64, u64)>,
    /// Five of those that failed, that were retried, and that took longest. Only if it is to be drawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notable: Vec<Operation>,
}

/// How the operations of a site fared.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Numbers {
    /// How many there are.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many needed more than one attempt.
    pub retried: u64,
    /// How many were under way at once, at most.
    pub at_once: usize,
    /// Half of them took no longer, in nanoseconds.
    pub p50: Option<u64>,
    /// 99 of 100 took no longer.
    pub p99: Option<u64>,
}

/// So many in one place are shown together.
const TOGETHER: u64 = 8;

/// So many are named of those that failed, and so on.
const NAMED: usize = 5;

/// All operations of a run, by what they are and their names.
#[derive(Default)]
pub(crate) struct Sites(BTreeMap<(Type, String), Gathered>);

/// Those of one name. They are kept until there are too many of them.
#[derive(Default)]
struct Gathered {
    count: u64,
    failed: u64,
    retried: u64,
    few: Vec<Operation>,
    spans: Vec<(u64, u64)>,
    first: Option<Operation>,
    failures: Vec<Operation>,
    retries: Vec<Operation>,
    slowest: Vec<Operation>,
}

/// One operation, or many of one name together.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Shown {
    /// One.
    One(Box<Operation>),
    /// Many of one name.
    Many(Box<Site>),
}

impl Shown {
    /// Without what it takes to draw it.
    pub(crate) fn undraw(&mut self) {
        if let Self::Many(site) = self {
            (site.spans, site.notable) = (Vec::new(), Vec::new());
        }
    }

    /// What comes first is shown first: by the beginning, then by the records. Where no beginning is known, it goes
    /// on, and stands last.
    pub(crate) fn order(&self) -> (bool, Option<Time>, u64) {
        let (began_at, record) = match self {
            Self::One(operation) => (operation.since(), operation.record),
            Self::Many(site) => (site.began_at, site.record),
        };
        (began_at.is_none(), began_at, record)
    }
}

impl Sites {
    pub(crate) fn add(&mut self, operation: Operation) {
        let key = (operation.kind, operation.name.clone());
        self.0.entry(key).or_default().add(operation);
    }

    /// Those that are few one by one, the others together.
    pub(crate) fn into_shown(self) -> Vec<Shown> {
        let mut shown = Vec::new();
        for gathered in self.0.into_values() {
            if gathered.count < TOGETHER {
                let few = gathered.few.into_iter();
                shown.extend(few.map(|few| Shown::One(Box::new(few))));
            } else {
                shown.extend(gathered.into_site());
            }
        }
        shown
    }
}

impl Gathered {
    fn add(&mut self, operation: Operation) {
        let is_failed = operation.state == Progress::Failed;
        let is_retried = operation.attempts > 1;
        self.count += 1;
        self.failed += u64::from(is_failed);
        self.retried += u64::from(is_retried);
        if let (Some(began), Some(ended)) = (operation.began_at, operation.ended_at) {
            self.spans.push((began.as_nanos(), ended.as_nanos()));
        }
        if is_failed && self.failures.len() < NAMED {
            self.failures.push(operation.clone());
        } else if is_retried && self.retries.len() < NAMED {
            self.retries.push(operation.clone());
        }
        self.keep_slow(&operation);
        self.first.get_or_insert_with(|| operation.clone());
        if self.count < TOGETHER {
            self.few.push(operation);
        } else {
            self.few = Vec::new();
        }
    }

    fn keep_slow(&mut self, operation: &Operation) {
        let is_slow = |slow: &Operation| slow.took < operation.took;
        if operation.took.is_none()
            || self.slowest.len() >= NAMED && !self.slowest.last().is_some_and(is_slow)
        {
            return;
        }
        let place = self.slowest.partition_point(|slow| slow.took >= operation.took);
        self.slowest.insert(place, operation.clone());
        self.slowest.truncate(NAMED);
    }

    fn into_site(self) -> Option<Shown> {
        let first = self.first?;
        let mut took: Vec<_> =
            self.spans.iter().map(|(from, to)| to.saturating_sub(*from)).collect();
        took.sort_unstable();
        let percentile = |hundredths: usize| {
            let place = (took.len() * hundredths).div_ceil(100).saturating_sub(1);
            took.get(place).copied()
        };
        let numbers = Numbers {
            count: self.count,
            failed: self.failed,
            retried: self.retried,
            at_once: at_once(&self.spans),
            p50: percentile(50),
            p99: percentile(99),
        };
        let mut notable = self.failures;
        for other in self.retries.into_iter().chain(self.slowest) {
            if notable.iter().all(|known| known.record != other.record) {
                notable.push(other);
            }
        }
        notable.sort_by_key(|operation| operation.record);
        let site = Site {
            run: first.run,
            kind: first.kind,
            name: first.name,
            first: first.number,
            source: first.source,
            record: first.record,
            numbers,
            began_at: self.spans.iter().map(|span| span.0).min().map(Time::from_nanos),
            ended_at: self.spans.iter().map(|span| span.1).max().map(Time::from_nanos),
            spans: some_of(self.spans),
            notable,
        };
        Some(Shown::Many(Box::new(site)))
    }
}

/// So many spans are enough to draw.
const SPANS: usize = 12_000;

/// Some of very many, evenly, with the last one.
fn some_of(spans: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    let each = spans.len().div_ceil(SPANS).max(1);
    let last = spans.last().copied().filter(|_| !(spans.len() - 1).is_multiple_of(each));
    spans.iter().step_by(each).copied().chain(last).collect()
}

/// How many of these overlap, at most.
fn at_once(spans: &[(u64, u64)]) -> usize {
    let mut ends: Vec<_> = spans.iter().flat_map(|&(from, to)| [(from, 1), (to, -1)]).collect();
    // Where one ends as another begins, they do not overlap.
    ends.sort_unstable();
    let mut now = 0;
    let counts = ends.into_iter().map(|(_, change)| {
        now += change;
        now
    });
    counts.max().and_then(|most: i64| usize::try_from(most).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_follow_each_other_do_not_overlap() {
        assert_eq!(at_once(&[]), 0);
        assert_eq!(at_once(&[(0, 5), (5, 9), (9, 12)]), 1);
        assert_eq!(at_once(&[(0, 5), (1, 9), (2, 3), (4, 6)]), 3);
    }
}
