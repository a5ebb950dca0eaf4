//! Points in time, as JSON has them.

use std::fmt;
use std::str::FromStr;

use dacapo::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

    /// What the clock of this machine shows.
    pub(crate) fn now() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self(now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)))
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

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| D::Error::custom(format_args!("{text:?} is no time in UTC")))
    }
}

impl FromStr for Time {
    type Err = ();

    /// As it is shown, and no other form.
    fn from_str(text: &str) -> Result<Self, ()> {
        let fields: Vec<&str> = text.split(['-', 'T', ':', '.', 'Z']).collect();
        let [year, month, day, hour, minute, second, part, ""] = fields[..] else { return Err(()) };
        let number = |text: &str| text.parse::<u64>().map_err(|_| ());
        let (year, month, day) = (number(year)?, number(month)?, number(day)?);
        let of_day = number(hour)? * 3_600 + number(minute)? * 60 + number(second)?;
        let within = (1_970..2_555).contains(&year) && (1..13).contains(&month) && day < 32;
        let scale = 9_u32.checked_sub(part.len() as u32).ok_or(())?;
        let nanos = number(part)? * 10_u64.pow(scale);
        let seconds = within.then(|| days(year, month, day) * 86_400 + of_day).ok_or(())?;
        let time =
            Self(seconds.checked_mul(1_000_000_000).ok_or(())?.checked_add(nanos).ok_or(())?);
        if time.to_string() == text { Ok(time) } else { Err(()) }
    }
}

/// How many days after the start of 1970 a date is; the inverse of [`date`].
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month > 2 { year } else { year - 1 };
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day.max(1) - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        for time in [0, 1, 951_782_400_000_000_001, 1_795_608_247_120_000_000, u64::MAX] {
            assert_eq!(Time(time).to_string().parse(), Ok(Time(time)));
        }
        for day in 0..40_000 {
            let time = Time(day * 86_400_000_000_000);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        for wrong in ["", "2026-13-01T00:00:00.000Z", "2026-02-30T00:00:00.000Z", "2026-01-01", "x"]
        {
            assert_eq!(wrong.parse::<Time>(), Err(()), "{wrong}");
        }
    }
}
