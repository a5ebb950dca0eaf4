//! Cron lines: read by `cronexpr`, in the time zones that the system knows, by `jiff`.
//!
//! A line speaks of what clocks on the wall show. So its times are found as if there were no zones, and then
//! each is looked up in its zone: where clocks are set forward it may not exist, and where they are set
//! back it comes twice.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use cronexpr::{Crontab, MakeTimestamp, parse_crontab};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::{Missed, Overlap, Schedule};
use crate::clock::Timestamp;

/// Ticks by a line of cron: minute, hour, day of month, month, day of week.
///
/// `*/15 9-17 * * MON-FRI` is each quarter of an hour of a working day, `0 3 1 * *` at three on the first of
/// each month, `0 0 L * *` at the beginning of the last day of each month. If both a day of the month and a day of the
/// week are given, either will do.
///
/// Times are in UTC, or in a [zone](Self::zone). There are two days a year on which clocks are set:
///
/// - a time that does not exist, as clocks are set forward over it, is the moment at which they are;
/// - one that comes twice, as clocks are set back, is the first of the two.
///
/// So each day has its tick, and none has two. Ticks that fall onto one moment are one.
///
/// ```
/// use dacapo::{Cron, Ctx, Error, Executor, Workflow};
///
/// const REPORT: Workflow<(), ()> = Workflow::new("report");
/// let nightly = Cron::new("30 2 * * *").zone("Europe/Oslo");
/// let executor = Executor::builder()
///     .workflow(REPORT, async |_: &Ctx, ()| Ok::<_, Error>(()))
///     .schedule("nightly", nightly, REPORT, |_| ())
///     .in_memory();
/// assert!(executor.schedules()?[0].next_at.is_some());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "it says when, and Builder::schedule what"]
pub struct Cron {
    line: &'static str,
    zone: &'static str,
}

impl Cron {
    /// By this line. What is wrong with it is said when the executor is opened.
    pub const fn new(line: &'static str) -> Self {
        Self { line, zone: "UTC" }
    }

    /// In this time zone, by its name in the system's database: `Europe/Oslo`.
    pub const fn zone(self, zone: &'static str) -> Self {
        Self { zone, ..self }
    }

    /// See [`Schedule::missed`].
    pub fn missed(self, missed: Missed) -> Schedule {
        Schedule::from(self).missed(missed)
    }

    /// See [`Schedule::overlap`].
    pub fn overlap(self, overlap: Overlap) -> Schedule {
        Schedule::from(self).overlap(overlap)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}", self.line, self.zone)
    }
}

/// A line that was read.
pub(crate) struct Line {
    /// As if all of it were in UTC.
    crontab: Crontab,
    zone: TimeZone,
}

impl Line {
    pub(super) fn new(cron: &Cron) -> Result<Self, String> {
        let Cron { line, zone } = cron;
        let fields = line.split_whitespace().count();
        if fields != 5 {
            return Err(format!(
                "its line {line:?} has {fields} fields, and a line has five: minute, hour, day of month, \
                 month, day of week; a zone is given by Cron::zone"
            ));
        }
        let crontab = parse_crontab(&format!("{line} UTC"));
        let crontab =
            crontab.map_err(|why| format!("its line {line:?} {}", fault(&why.to_string())))?;
        let zone = TimeZone::get(zone).map_err(|why| {
            format!(
                "the system knows no time zone {zone:?}: {why}; take a name such as \"Europe/Oslo\", and \
                 install the system's zones (tzdata) if they are missing"
            )
        })?;
        let read = Self { crontab, zone };
        match read.next_civil(DateTime::constant(2_026, 1, 1, 0, 0, 0, 0)) {
            Some(_) => Ok(read),
            None => Err(format!("its line {line:?} never comes: no year has such a day")),
        }
    }

    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = jiff::Timestamp::from_nanosecond(after.as_nanos().into()).ok()?;
        let mut civil = self.zone.to_datetime(after);
        loop {
            civil = self.next_civil(civil)?;
            let time = self.moment(civil)?;
            // Where clocks were set back it may be a time that has been.
            if time > after {
                return u64::try_from(time.as_nanosecond()).ok().map(Timestamp::from_nanos);
            }
        }
    }

    /// What clocks show at the next tick.
    fn next_civil(&self, after: DateTime) -> Option<DateTime> {
        let mut after = TimeZone::UTC.to_timestamp(after).ok()?;
        // It looks for four years, and there may be eight between two leap days.
        for _ in 0..3 {
            if let Ok(next) = self.crontab.find_next(MakeTimestamp(after)) {
                return Some(next.datetime());
            }
            after += jiff::SignedDuration::from_hours(4 * 365 * 24);
        }
        None
    }

    /// When clocks show this, for the first time.
    fn moment(&self, civil: DateTime) -> Option<jiff::Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(civil);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                ambiguous.earlier().ok()
            }
            AmbiguousOffset::Gap { after, .. } => {
                // With the later offset it is before they are set, by less than the gap.
                let before = after.to_timestamp(civil).ok()?;
                self.zone.following(before).next().map(|set| set.timestamp())
            }
        }
    }
}

/// What is wrong with a line, from a message that points to it from below.
fn fault(message: &str) -> String {
    let pointed = message.rsplit('\n').next().unwrap_or_default();
    match pointed.split_once("^ ") {
        Some((before, what)) if before.trim().is_empty() => {
            format!("is wrong at character {}: {what}", before.len() + 1)
        }
        _ => format!("is wrong: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::rfc3339;
    use super::*;

    fn at(time: &str) -> Timestamp {
        let time: jiff::Timestamp = time.parse().expect("a time");
        Timestamp::from_nanos(time.as_nanosecond().try_into().expect("after 1970"))
    }

    fn ticks(line: &'static str, zone: &'static str, from: &str, count: usize) -> Vec<String> {
        let line = Line::new(&Cron::new(line).zone(zone)).expect("a line");
        let next = |time: &Timestamp| line.next(*time);
        core::iter::successors(line.next(at(from)), next).take(count).map(rfc3339).collect()
    }

    /// Clocks are set forward from two to three: on that day there is no half past two.
    #[test]
    fn a_time_that_does_not_exist_is_the_end_of_the_gap() {
        for zone in ["Europe/Oslo", "Europe/Berlin"] {
            assert_eq!(
                ticks("30 2 * * *", zone, "2026-03-28T00:00:00Z", 3),
                ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
            );
            // All that fall into the gap are one, and so is the one at its end.
            assert_eq!(
                ticks("*/20 1-3 * * *", zone, "2026-03-29T00:30:00Z", 4),
                [
                    "2026-03-29T00:40:00Z",
                    "2026-03-29T01:00:00Z",
                    "2026-03-29T01:20:00Z",
                    "2026-03-29T01:40:00Z"
                ]
            );
        }
    }

    /// Clocks are set back from three to two: there are two times half past two.
    #[test]
    fn a_time_that_comes_twice_is_the_first() {
        for zone in ["Europe/Oslo", "Europe/Berlin"] {
            let expected = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
            assert_eq!(ticks("30 2 * * *", zone, "2026-10-24T00:00:00Z", 3), expected);
            // From wherever it is looked for: also from within the hour that comes again.
            assert_eq!(ticks("30 2 * * *", zone, "2026-10-25T00:45:00Z", 1), expected[2..]);
            assert_eq!(ticks("30 2 * * *", zone, "2026-10-25T01:15:00Z", 1), expected[2..]);
            assert_eq!(
                ticks("0 2,3 * * *", zone, "2026-10-24T23:00:00Z", 2),
                ["2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"]
            );
        }
    }

    #[test]
    fn lines_are_read_as_cron_reads_them() {
        let from = "2026-11-27T10:00:00Z"; // A Friday.
        for (line, expected) in [
            ("0 3 * * *", "2026-11-28T03:00:00Z"),
            ("*/15 9-17 * * MON-FRI", "2026-11-27T10:15:00Z"),
            ("0 9 * * 1", "2026-11-30T09:00:00Z"),
            ("0 0 L * *", "2026-11-30T00:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("0 0 13 * 5", "2026-12-04T00:00:00Z"),
        ] {
            assert_eq!(ticks(line, "UTC", from, 1), [expected], "{line}");
        }
        // There is no leap day in 2100.
        assert_eq!(ticks("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1), ["2104-02-29T00:00:00Z"]);
        assert_eq!(ticks("0 12 * * *", "Asia/Kolkata", from, 1), ["2026-11-28T06:30:00Z"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let wrong = |line, zone| Line::new(&Cron::new(line).zone(zone)).err().expect("it is wrong");
        assert_eq!(
            wrong("61 3 * * *", "UTC"),
            r#"its line "61 3 * * *" is wrong at character 1: value must be in range 0..=59; found 61"#
        );
        assert_eq!(
            wrong("0 3 1 jam *", "UTC"),
            r#"its line "0 3 1 jam *" is wrong at character 7: malformed expression"#
        );
        assert!(wrong("0 3 * *", "UTC").contains("has 4 fields, and a line has five"));
        assert!(wrong("0 3 * * * Europe/Oslo", "UTC").contains("a zone is given by Cron::zone"));
        assert!(wrong("", "UTC").contains("has 0 fields"));
        assert_eq!(
            wrong("0 0 30 2 *", "UTC"),
            r#"its line "0 0 30 2 *" never comes: no year has such a day"#
        );
        let zone = wrong("0 3 * * *", "Mars/Base");
        assert!(zone.starts_with(r#"the system knows no time zone "Mars/Base": "#), "{zone}");
        assert!(zone.contains("Europe/Oslo"), "{zone}");
    }
}
