//! Points in time, as JSON has them.

use std::fmt;

use dacapo::Timestamp;
use serde::{Serialize, Serializer};

/// A point in time: it serializes as RFC 3339 has it, in UTC.
///
/// ```
/// use dacapo_inspect::Time;
///
/// let time = Time::from_nanos(1_795_608_247_120_000_000);
/// assert_eq!(time.to_string(), "2026-11-25T12:04:07.120Z");
/// assert_eq!(serde_json::to_string(&time).expect("it is JSON"), r#""2026-11-25T12:04:07.120Z""#);
/// assert_eq!(Time::from_nanos(951_782_400_000_000_001).to_string(), "2000-02-29T00:00:00.000000001Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Time(u64);

impl Time {
    /// So many nanoseconds after the start of 1970.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start of 1970.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time.as_nanos())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: u64 = 86_400;
        let (seconds, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let (year, month, day) = date(seconds / DAY);
        let of_day = seconds % DAY;
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.")?;
        match nanos % 1_000_000 {
            0 => write!(f, "{:03}Z", nanos / 1_000_000),
            _ => write!(f, "{nanos:09}Z"),
        }
    }
}

/// The date so many days after the start of 1970, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from the 1st of March of the year 0, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
