//! Times and durations as people read them.

use dacapo_inspect::Time;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// The zone in which times are shown.
#[derive(Debug)]
pub(crate) struct Zone {
    zone: TimeZone,
    now: Timestamp,
}

impl Zone {
    pub(crate) fn new(is_utc: bool) -> Self {
        let zone = if is_utc { TimeZone::UTC } else { TimeZone::system() };
        Self { zone, now: Timestamp::now() }
    }

    /// Nanoseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.now.as_nanosecond()).unwrap_or_default()
    }

    fn at(&self, time: Time) -> jiff::Zoned {
        let time = Timestamp::from_nanosecond(time.as_nanos().into());
        time.unwrap_or(Timestamp::MAX).to_zoned(self.zone.clone())
    }

    /// "UTC", or as "+01:00".
    pub(crate) fn name(&self) -> String {
        let offset = self.zone.to_offset(self.now);
        if offset == Offset::UTC { "UTC".into() } else { shown_offset(offset) }
    }

    /// All of it, with the zone.
    pub(crate) fn full(&self, time: Time) -> String {
        let at = self.at(time);
        let offset = at.offset();
        let zone = if offset == Offset::UTC { "UTC".into() } else { shown_offset(offset) };
        format!("{} {zone}", at.strftime("%Y-%m-%d %H:%M:%S"))
    }

    /// As short as it is clear: of today the time, of this week the day with it, else the date.
    pub(crate) fn short(&self, time: Time) -> String {
        const WEEK: u64 = 6 * 86_400_000_000_000;
        let (at, now) = (self.at(time), self.now.to_zoned(self.zone.clone()));
        let distance = self.now().abs_diff(time.as_nanos());
        match () {
            () if at.date() == now.date() => at.strftime("%H:%M:%S").to_string(),
            () if distance < WEEK => at.strftime("%a %H:%M").to_string(),
            () => at.strftime("%Y-%m-%d").to_string(),
        }
    }

    /// The time of day.
    pub(crate) fn clock(&self, time: Time) -> String {
        self.at(time).strftime("%H:%M:%S.%3f").to_string()
    }

    /// That of this moment: the program may go on for long.
    pub(crate) fn clock_now(&self) -> String {
        Timestamp::now().to_zoned(self.zone.clone()).strftime("%H:%M:%S.%3f").to_string()
    }

    /// How far it is from this moment.
    pub(crate) fn distance_now(&self, time: Time) -> String {
        Self { zone: self.zone.clone(), now: Timestamp::now() }.distance(time)
    }

    /// "in 14 s", "25 m ago".
    pub(crate) fn distance(&self, time: Time) -> String {
        let (time, now) = (time.as_nanos(), self.now());
        match time > now {
            false if now - time > 365 * DAY => "more than a year ago".into(),
            true => format!("in {}", rough(time - now)),
            false => format!("{} ago", rough(now - time)),
        }
    }
}

fn shown_offset(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// So many nanoseconds, in two parts at most: "380 ms", "3 m 12 s".
pub(crate) fn duration(nanos: u64) -> String {
    let two = |(large, of_large), (small, of_small): (&str, u64)| {
        let rest = nanos % of_large / of_small;
        format!("{} {large} {rest} {small}", nanos / of_large)
    };
    match nanos {
        0 => "0 s".into(),
        1..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..10_000_000 => format!("{:.1} ms", nanos as f64 / 1e6),
        10_000_000..SECOND => format!("{} ms", nanos / 1_000_000),
        SECOND..MINUTE => format!("{:.1} s", (nanos / 100_000_000) as f64 / 10.0),
        MINUTE..HOUR => two(("m", MINUTE), ("s", SECOND)),
        HOUR..DAY => two(("h", HOUR), ("m", MINUTE)),
        DAY.. => two(("d", DAY), ("h", HOUR)),
    }
}

/// The same in its largest part.
pub(crate) fn rough(nanos: u64) -> String {
    match nanos {
        0..SECOND => duration(nanos),
        SECOND..MINUTE => format!("{} s", nanos / SECOND),
        MINUTE..HOUR => format!("{} m", nanos / MINUTE),
        HOUR..DAY => format!("{} h", nanos / HOUR),
        DAY.. => format!("{} d", nanos / DAY),
    }
}

/// "90s", "5m", "2h", "3d" in nanoseconds.
pub(crate) fn ago(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return Err("write it as 90s, 5m, 2h or 3d".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "write it as 90s, 5m, 2h or 3d")?;
    number.checked_mul(unit).ok_or_else(|| "that is too long".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_parts_at_most() {
        for (nanos, shown) in [
            (0, "0 s"),
            (999, "999 ns"),
            (1_500, "1 µs"),
            (1_500_000, "1.5 ms"),
            (380_400_000, "380 ms"),
            (1_999_999_999, "1.9 s"),
            (59_999_999_999, "59.9 s"),
            (192 * SECOND, "3 m 12 s"),
            (DAY, "1 d 0 h"),
        ] {
            assert_eq!(duration(nanos), shown);
        }
    }

    #[test]
    fn times_are_as_short_as_they_are_clear() {
        let at = |text: &str| -> Timestamp { text.parse().expect("it is a time") };
        let zone =
            Zone { zone: TimeZone::fixed(Offset::constant(1)), now: at("2026-11-26T11:05Z") };
        for (time, short, distance) in [
            ("2026-11-26T11:04:07Z", "12:04:07", "53 s ago"),
            ("2026-11-26T23:30:00Z", "Fri 00:30", "in 12 h"),
            ("2026-11-24T08:12:00Z", "Tue 09:12", "2 d ago"),
            ("2026-11-19T08:12:00Z", "2026-11-19", "7 d ago"),
            ("2020-02-29T23:12:00Z", "2020-03-01", "more than a year ago"),
        ] {
            let time = u64::try_from(at(time).as_nanosecond()).expect("it is after 1970");
            let time = Time::from_nanos(time);
            assert_eq!(
                (zone.short(time).as_str(), zone.distance(time).as_str()),
                (short, distance)
            );
        }
        assert_eq!(zone.name(), "+01:00");
        assert_eq!(zone.full(Time::from_nanos(0)), "1970-01-01 01:00:00 +01:00");
    }

    /// Those of JSON are written without a calendar of others.
    #[test]
    fn times_of_json_are_those_of_the_calendar() {
        for day in 0..200_000_u64 {
            let nanos = day * 86_400_000_000_000 + day * 7_919 % 86_400 * 1_000_000_000;
            let Ok(time) = Timestamp::from_nanosecond(nanos.into()) else { break };
            let expected = time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
            assert_eq!(Time::from_nanos(nanos).to_string(), expected);
        }
    }

    #[test]
    fn times_that_are_past_are_written_with_a_unit() {
        assert_eq!(ago("2h"), Ok(2 * HOUR));
        for wrong in ["", "2", "h", "2 h", "-1h", "99999999999d"] {
            assert!(ago(wrong).is_err(), "{wrong}");
        }
    }
}
