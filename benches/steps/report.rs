//! Rows, for people or for programs.

use std::time::Duration;

use super::curve::Curve;
use super::raw::Limits;

/// Where rows go, and what a plot is drawn from.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) is_json: bool,
    pub(crate) only: String,
    pub(crate) limits: Limits,
    pub(crate) curves: Vec<Curve>,
}

impl Report {
    /// Whether a row is asked for; measuring costs time.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.starts_with(&self.only)
    }

    /// Measures and prints a row, and gives its value.
    pub(crate) fn row(&self, name: &str, unit: &str, measure: impl FnOnce() -> f64) -> Option<f64> {
        self.wants(name).then(|| {
            let value = measure();
            self.print(name, value, unit);
            value
        })
    }

    /// Prints a row.
    pub(crate) fn print(&self, name: &str, value: f64, unit: &str) {
        if self.is_json {
            println!(r#"{{"name":"{name}","value":{value:.3},"unit":"{unit}"}}"#);
        } else {
            println!("{name:40} {:>16} {unit}", grouped(value));
        }
    }
}

/// Three digits at a time, with decimals where they say something.
fn grouped(value: f64) -> String {
    if value < 1_000.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// The median of some measurements.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Nanoseconds for each of `count`.
pub(crate) fn nanos_each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e9 / count as f64
}

/// How many of `count` in a second.
pub(crate) fn per_second(time: Duration, count: u64) -> f64 {
    count as f64 / time.as_secs_f64()
}
