//! Throughput and latency over the number of concurrent runs, as a picture: two panels with
//! logarithmic axes, and the raw limits dashed.

use std::fmt::Write;

use super::curve::{Curve, Point};
use super::raw::Limits;

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 300.0;
const LEFT: [f64; 2] = [92.0, 638.0];
const TOP: f64 = 40.0;

/// Colours that the colour-blind can tell apart, on white and on black; the project's own is first.
const COLORS: [&str; 7] =
    ["#d55e00", "#0090d0", "#009e73", "#cc79a7", "#c79a00", "#8878d8", "#888888"];

/// A logarithmic axis, from one power of ten to another.
struct Axis {
    first: i32,
    last: i32,
}

impl Axis {
    fn around(values: &[f64]) -> Self {
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(1.0, f64::max);
        let first = min.min(max).log10().floor() as i32;
        Self { first, last: (max.log10().ceil() as i32).max(first + 1) }
    }

    /// Where a value lies, from 0 to 1.
    fn share(&self, value: f64) -> f64 {
        (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first)
    }
}

struct Panel {
    left: f64,
    x: Axis,
    y: Axis,
}

impl Panel {
    fn at(&self, runs: f64, value: f64) -> (f64, f64) {
        let x = self.left + WIDTH * self.x.share(runs);
        (x, TOP + HEIGHT * (1.0 - self.y.share(value)))
    }

    fn grid(&self, svg: &mut String, title: &str, label: fn(i32) -> String) {
        let (left, right, bottom) = (self.left, self.left + WIDTH, TOP + HEIGHT);
        text(svg, "title", left, TOP - 16.0, title);
        for exponent in self.y.first..=self.y.last {
            let (_, y) = self.at(1.0, 10_f64.powi(exponent));
            line(svg, "grid", &[(left, y), (right, y)]);
            text(svg, "end", left - 8.0, y + 4.0, &label(exponent));
        }
        for exponent in self.x.first..=self.x.last {
            let (x, _) = self.at(10_f64.powi(exponent), 10_f64.powi(self.y.first));
            line(svg, "grid", &[(x, TOP), (x, bottom)]);
            text(svg, "middle", x, bottom + 18.0, &grouped(exponent));
        }
        text(svg, "middle", left + WIDTH / 2.0, bottom + 38.0, "concurrent runs");
    }

    fn line(&self, svg: &mut String, class: &str, values: &[(f64, f64)]) {
        let points: Vec<_> = values.iter().map(|&(runs, value)| self.at(runs, value)).collect();
        line(svg, class, &points);
    }

    fn curve(&self, svg: &mut String, class: &str, curve: &Curve, value: fn(&Point) -> f64) {
        let point = |point: &Point| (f64::from(point.runs), value(point));
        let values: Vec<_> = curve.points.iter().map(point).collect();
        self.line(svg, class, &values);
        for (runs, value) in values {
            let (x, y) = self.at(runs, value);
            let _ = writeln!(svg, r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="3"/>"#);
        }
    }
}

pub(crate) fn svg(limits: &Limits, curves: &[Curve]) -> String {
    let mut svg = head(curves.len());
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let runs: Vec<_> = points().map(|point| f64::from(point.runs)).chain([1.0]).collect();
    let most = runs.iter().copied().fold(1.0, f64::max);
    // With one sync for each round of steps: so many steps/s at most, until the bytes are the limit.
    let sync_s = limits.fdatasync_us.map(|us| us / 1e6);
    let packed = limits.packed_per_second;
    let knee =
        sync_s.zip(packed).map_or(most, |(sync_s, packed)| (sync_s * packed).clamp(1.0, most));

    let mut values: Vec<_> = points().map(|point| point.steps_per_second).collect();
    values.extend(sync_s.map(|sync_s| 1.0 / sync_s).into_iter().chain(packed));
    let panel = Panel { left: LEFT[0], x: Axis::around(&runs), y: Axis::around(&values) };
    panel.grid(&mut svg, "steps per second", grouped);
    sync_s.inspect(|s| panel.line(&mut svg, "sync", &[(1.0, 1.0 / s), (knee, knee / s)]));
    packed.inspect(|packed| panel.line(&mut svg, "packed", &[(1.0, *packed), (most, *packed)]));
    // The first one lies on top.
    for (index, curve) in curves.iter().enumerate().rev() {
        panel.curve(&mut svg, &format!("c{index}"), curve, |point| point.steps_per_second);
    }

    let mut values: Vec<_> = points().flat_map(|point| [point.p50_us, point.p99_us]).collect();
    values.extend(limits.fdatasync_us.into_iter().chain(packed.map(|packed| most / packed * 1e6)));
    let panel = Panel { left: LEFT[1], x: Axis::around(&runs), y: Axis::around(&values) };
    panel.grid(&mut svg, "time of a step: median, and 99th percentile (thin)", time);
    limits.fdatasync_us.inspect(|us| panel.line(&mut svg, "sync", &[(1.0, *us), (most, *us)]));
    packed.inspect(|packed| {
        let us = |runs: f64| runs / packed * 1e6;
        panel.line(&mut svg, "packed", &[(knee, us(knee)), (most, us(most))]);
    });
    for (index, curve) in curves.iter().enumerate().rev() {
        panel.curve(&mut svg, &format!("c{index} thin"), curve, |point| point.p99_us);
        panel.curve(&mut svg, &format!("c{index}"), curve, |point| point.p50_us);
    }
    legend(&mut svg, curves);
    svg + "</svg>\n"
}

/// The picture takes the colours of its reader's screen, with a ground of its own to be sure.
fn head(curves: usize) -> String {
    let height = TOP + HEIGHT + 70.0 + 22.0 * (curves + 2).div_ceil(3) as f64;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1110 {height}">
<title>Throughput and latency over the number of concurrent runs</title>
<style>
.ground {{ fill: #fff }} text {{ fill: #333; font: 13px sans-serif }} .grid {{ stroke: #ddd }}
.sync, .packed {{ stroke: #333; stroke-width: 1.5 }}
@media (prefers-color-scheme: dark) {{
.ground {{ fill: #14181d }} text {{ fill: #ccc }} .grid {{ stroke: #333a42 }}
.sync, .packed {{ stroke: #ccc }}
}}
polyline {{ fill: none; stroke-width: 2 }} .c0 {{ stroke-width: 3 }} .title {{ font-weight: bold }}
.sync {{ stroke-dasharray: 7 5 }} .packed {{ stroke-dasharray: 2 4 }}
polyline.thin {{ stroke-width: 1; opacity: .6 }} circle.thin {{ display: none }}
.middle {{ text-anchor: middle }} .end {{ text-anchor: end }}
"##
    );
    for (index, color) in COLORS.iter().enumerate() {
        let _ =
            writeln!(svg, ".c{index} {{ stroke: {color} }} circle.c{index} {{ fill: {color} }}");
    }
    svg + r#"</style>
<rect class="ground" width="100%" height="100%"/>
"#
}

fn legend(svg: &mut String, curves: &[Curve]) {
    let top = TOP + HEIGHT + 66.0;
    let limits = [
        ("sync".to_owned(), "limit: one fdatasync for each round of steps"),
        ("packed".to_owned(), "limit: records packed into redb"),
    ];
    let curves = curves.iter().enumerate();
    let curves = curves.map(|(index, curve)| (format!("c{index}"), curve.legend.as_str()));
    for (index, (class, legend)) in curves.chain(limits).enumerate() {
        let (x, y) = (LEFT[0] + 345.0 * (index % 3) as f64, top + 22.0 * (index / 3) as f64);
        line(svg, &class, &[(x, y), (x + 30.0, y)]);
        text(svg, "", x + 38.0, y + 4.0, legend);
    }
}

fn line(svg: &mut String, class: &str, points: &[(f64, f64)]) {
    let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(svg, r#"<polyline class="{class}" points="{}"/>"#, points.join(" "));
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let _ = writeln!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#);
}

/// A power of ten, as a person writes it.
fn grouped(exponent: i32) -> String {
    let whole = exponent.max(0);
    let groups = "\u{202f}000".repeat((whole / 3) as usize);
    format!("1{}{groups}", "0".repeat((whole % 3) as usize))
}

/// A power of ten of microseconds.
fn time(exponent: i32) -> String {
    let unit = exponent.div_euclid(3).clamp(-1, 2);
    let name = ["ns", "µs", "ms", "s"][(unit + 1) as usize];
    format!("{} {name}", grouped(exponent - 3 * unit))
}
