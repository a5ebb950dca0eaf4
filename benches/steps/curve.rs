//! Throughput and latency over the number of concurrent runs.

use std::time::Duration;

use super::Options;
use super::latency::{percentile, take};
use super::report::{Report, micros, per_second};

/// What one engine does with more and more runs.
pub(crate) struct Curve {
    pub(crate) legend: String,
    pub(crate) points: Vec<Point>,
}

/// What it does with so many.
pub(crate) struct Point {
    pub(crate) runs: u32,
    pub(crate) steps_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Point {
    /// So many runs of so many steps each took so long, and their stopwatches saw the rest.
    pub(crate) fn new((runs, steps): (u32, u32), took: Duration) -> Self {
        let times = take();
        assert_eq!(times.len() as u64, u64::from(runs) * u64::from(steps), "each step is timed");
        Self {
            runs,
            steps_per_second: per_second(took, u64::from(runs) * u64::from(steps)),
            p50_us: micros(percentile(&times, 50)),
            p99_us: micros(percentile(&times, 99)),
        }
    }
}

/// How long so many runs of so many steps will take, if once more the throughput grows as it did
/// the last time. After one run alone nobody knows, so it is taken to grow with the runs.
fn expected_s(points: &[Point], (runs, steps): (u32, u32)) -> f64 {
    let count = f64::from(runs) * f64::from(steps);
    match points {
        [] => 0.0,
        [only] => f64::from(steps) / only.steps_per_second,
        [.., before, last] => {
            let growth = (last.steps_per_second / before.steps_per_second).max(1.0);
            count / (last.steps_per_second * growth)
        }
    }
}

impl Report {
    /// Measures and prints what an engine does with so many runs of so many steps each.
    ///
    /// An engine whose throughput does not grow with the runs would keep everybody waiting: a size
    /// that would take much longer than the others is left out.
    pub(crate) fn curve(
        &mut self,
        options: &Options,
        prefix: &str,
        legend: &str,
        sizes: &[(u32, u32)],
        mut measure: impl FnMut((u32, u32)) -> Point,
    ) {
        let longest_s = options.size(5.0, 30.0);
        let mut points: Vec<Point> = Vec::new();
        for &(runs, steps) in sizes {
            let throughput = format!("{prefix}concurrent_{runs}x{steps}");
            let p50 = format!("{prefix}step_p50_{runs}");
            let p99 = format!("{prefix}step_p99_{runs}");
            let sequential =
                if runs == 1 { format!("{prefix}sequential_step") } else { p50.clone() };
            if ![&throughput, &p50, &p99, &sequential].iter().any(|name| self.wants(name)) {
                continue;
            }
            let expected_s = expected_s(&points, (runs, steps));
            if expected_s > longest_s {
                eprintln!("{throughput} is left out: it would take {expected_s:.0} s");
                break;
            }
            // Replays look at their stopwatches, too.
            take();
            let point = measure((runs, steps));
            if runs == 1 {
                self.row(&sequential, "us", || point.p50_us);
            }
            self.row(&throughput, "steps/s", || point.steps_per_second);
            self.row(&p50, "us", || point.p50_us);
            self.row(&p99, "us", || point.p99_us);
            points.push(point);
        }
        if !points.is_empty() {
            self.curves.push(Curve { legend: legend.into(), points });
        }
    }
}
