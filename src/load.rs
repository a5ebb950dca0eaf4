//! How an executor spent the last minute: how long its loop slept, and how its commits went.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use crate::histogram::Histogram;

/// The last minute is kept in so many parts, of which the oldest is dropped when the next begins.
const PARTS: u64 = 6;
const PART: Duration = Duration::from_secs(10);

/// Of one executor. All times are monotonic ones.
pub(crate) struct Load {
    /// A commit without a disk is so short that to measure it would cost more than a step may.
    measures_commits: bool,
    /// When the commit began that is measured.
    commit_began: Cell<Duration>,
    /// When it was driven first.
    began: Cell<Option<Duration>>,
    /// Since when the loop sleeps.
    sleeps_since: Cell<Option<Duration>>,
    /// By the times of the parts, one after the other; nothing before the first is needed.
    parts: RefCell<Vec<Part>>,
}

#[derive(Clone, Default)]
struct Part {
    /// Which one it is, counted from the beginning of time.
    index: u64,
    slept: Duration,
    records: u64,
    took: Histogram,
}

/// What there was in the last minute.
pub(crate) struct LastMinute {
    /// So long ago it begins.
    pub(crate) within: Duration,
    pub(crate) slept: Duration,
    pub(crate) records: u64,
    /// How long commits took.
    pub(crate) took: Histogram,
}

impl Load {
    pub(crate) fn new(measures_commits: bool) -> Self {
        let (commit_began, began, sleeps_since, parts) = Default::default();
        Self { measures_commits, commit_began, began, sleeps_since, parts }
    }

    /// Whether commits are measured.
    #[inline]
    pub(crate) fn measures_commits(&self) -> bool {
        self.measures_commits
    }

    /// Somebody drives it.
    pub(crate) fn drive(&self, now: Duration) {
        self.began.set(self.began.get().or(Some(now)));
    }

    /// The loop is about to sleep.
    pub(crate) fn sleep(&self, now: Duration) {
        self.sleeps_since.set(Some(now));
    }

    /// The loop is awake, if it slept.
    pub(crate) fn wake(&self, now: impl FnOnce() -> Duration) {
        let Some(since) = self.sleeps_since.take() else { return };
        let now = now();
        let (first, last) = (index(since), index(now));
        for index in first.max((last + 1).saturating_sub(PARTS))..=last {
            let (from, to) = (start(index).max(since), start(index + 1).min(now));
            self.change(index, |part| part.slept += to.saturating_sub(from));
        }
    }

    /// A commit is about to go to the disk.
    pub(crate) fn begin_commit(&self, now: Duration) {
        self.commit_began.set(now);
    }

    /// It is there, with so many records.
    pub(crate) fn commit(&self, records: usize, now: Duration) {
        let took = now.saturating_sub(self.commit_began.get());
        self.change(index(now), |part| {
            part.records += records as u64;
            part.took.add(took);
        });
    }

    fn change(&self, index: u64, change: impl FnOnce(&mut Part)) {
        let parts = &mut *self.parts.borrow_mut();
        if parts.is_empty() {
            parts.resize_with(PARTS as usize, Part::default);
        }
        let part = &mut parts[(index % PARTS) as usize];
        if part.index != index {
            part.took.clear();
            (part.index, part.slept, part.records) = (index, Duration::ZERO, 0);
        }
        change(part);
    }

    /// For how long it has been there, since it was driven first; `None` if it never was.
    pub(crate) fn up(&self, now: Duration) -> Option<Duration> {
        self.began.get().map(|began| now.saturating_sub(began))
    }

    /// What there was in the last minute; `None` if it was never driven.
    pub(crate) fn last_minute(&self, now: Duration) -> Option<LastMinute> {
        let oldest = (index(now) + 1).saturating_sub(PARTS);
        let since = self.began.get()?.max(start(oldest));
        let within = now.saturating_sub(since);
        let mut sum =
            LastMinute { within, slept: Duration::ZERO, records: 0, took: Histogram::default() };
        for part in self.parts.borrow().iter().filter(|part| part.index >= oldest) {
            sum.slept += part.slept;
            sum.records += part.records;
            sum.took.add_all(&part.took);
        }
        Some(sum)
    }
}

fn index(time: Duration) -> u64 {
    time.as_secs() / PART.as_secs()
}

fn start(index: u64) -> Duration {
    Duration::from_secs(index.saturating_mul(PART.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn slept(load: &Load, from: u64, to: u64) {
        load.sleep(seconds(from));
        load.wake(|| seconds(to));
    }

    /// What is told at a time: how long ago it begins, and how much of that the loop slept.
    #[track_caller]
    fn check(load: &Load, now: u64, expected: (u64, u64)) {
        let told = load.last_minute(seconds(now)).expect("it was driven");
        assert_eq!((told.within, told.slept), (seconds(expected.0), seconds(expected.1)));
    }

    #[test]
    fn sleep_counts_for_the_minute_in_which_it_was() {
        let load = Load::new(true);
        assert!(load.last_minute(seconds(1_000)).is_none());
        load.drive(seconds(1_003));
        slept(&load, 1_004, 1_009);
        check(&load, 1_010, (7, 5));
        // Over the end of a part.
        slept(&load, 1_018, 1_023);
        check(&load, 1_024, (21, 10));
        // The first part has left.
        check(&load, 1_060, (50, 5));
        check(&load, 1_069, (59, 5));
        check(&load, 1_070, (50, 3));
        check(&load, 5_000, (50, 0));
        // Longer than a minute: only so much of it.
        slept(&load, 5_000, 9_005);
        check(&load, 9_005, (55, 55));
        check(&load, 9_009, (59, 55));
        load.drive(seconds(9_010));
        assert_eq!(load.up(seconds(9_013)), Some(seconds(8_010)));
        load.wake(|| panic!("nobody asks for the time unless it slept"));
    }

    #[test]
    fn commits_are_those_of_the_last_minute() {
        let load = Load::new(true);
        load.drive(seconds(10));
        for second in 10..100 {
            load.begin_commit(seconds(second) - Duration::from_millis(second));
            load.commit(2, seconds(second));
        }
        let told = load.last_minute(seconds(99)).expect("it was driven");
        assert_eq!((told.took.count(), told.records), (60, 120));
        let median = told.took.percentile(50).expect("there are some");
        assert!(
            Duration::from_millis(69) < median && median < Duration::from_millis(79),
            "{median:?}"
        );
    }
}
