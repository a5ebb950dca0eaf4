//! The operations of a run, each in a line, with a bar that says when.

use dacapo_inspect::{Attempt, Operation, Outcome, Progress, Run, Shown, Site, Type, Which};

use crate::axis::Axis;
use crate::bars::{bar, density, paint};
use crate::out::{Out, Paint};
use crate::text::{count, counted, cut, left, of, right, safe, width};
use crate::time::{Zone, duration};

/// What stands before and behind the bar.
struct Line {
    number: String,
    title: String,
    bar: String,
    took: String,
    paint: Option<Paint>,
}

/// The lines of a timeline.
pub(crate) fn lines(run: &Run, which: Which, out: &Out, has_values: bool) -> Vec<String> {
    const TOOK: usize = 9;
    let columns = out.columns;
    let titles = run.shown.iter().map(|shown| width(&title(shown)));
    let widest = titles.max().unwrap_or_default().clamp(9, (columns / 3).max(16));
    let number = run.shown.iter().map(|shown| width(&number_of(shown))).max().unwrap_or(0).max(4);
    let axis = Axis::new(&spans(run), columns.saturating_sub(number + widest + TOOK + 5).max(8));
    let frame = Frame { number, title: widest, took: TOOK, zone: &out.zone };
    if run.shown.is_empty() && which == Which::Failed {
        return vec![Paint::Faint.on("No operation has failed.")];
    }
    let mut lines = vec![frame.header(&axis, run.row.started_at.as_nanos())];
    for shown in &run.shown {
        match shown {
            Shown::One(operation) => frame.one(operation, &axis, columns, has_values, &mut lines),
            Shown::Many(site) => frame.many(site, &axis, columns, &mut lines),
            _ => {}
        }
    }
    lines.push(foot(run, &axis));
    lines
}

/// The widths of the columns beside the bar, and how times are written.
struct Frame<'a> {
    number: usize,
    title: usize,
    took: usize,
    zone: &'a Zone,
}

impl Frame<'_> {
    fn header(&self, axis: &Axis, started_at: u64) -> String {
        let mut labels = String::new();
        for (column, time) in axis.marks() {
            let label = match time.saturating_sub(started_at) {
                0 => "0 s".into(),
                since => format!("+{}", crate::time::rough(since)),
            };
            let fits = column + width(&label) <= axis.columns();
            if fits && (column == 0 || width(&labels) < column) {
                labels = left(&labels, column) + &label;
            }
        }
        let bar = left(&labels, axis.columns());
        let took = String::from("took");
        Paint::Faint.on(&self.text(&Line {
            number: "#".into(),
            title: "operation".into(),
            bar,
            took,
            paint: None,
        }))
    }

    fn text(&self, line: &Line) -> String {
        let Line { number, title, bar, took, paint } = line;
        let bar = paint.map_or_else(|| bar.clone(), |paint| paint.on(bar));
        let (number, title) =
            (right(number, self.number), left(&cut(title, self.title), self.title));
        format!("{number}  {title} {bar} {}", right(took, self.took))
    }

    fn one(
        &self,
        operation: &Operation,
        axis: &Axis,
        columns: usize,
        has_values: bool,
        lines: &mut Vec<String>,
    ) {
        let took = match (operation.took, operation.at_least) {
            (Some(took), _) => duration(took),
            (None, Some(least)) => format!("≥ {}", duration(least)),
            (None, None) => String::new(),
        };
        lines.push(self.text(&Line {
            number: operation.number.clone().unwrap_or_else(|| "·".into()),
            title: titled(operation),
            bar: bar(operation, axis),
            took,
            paint: paint(operation),
        }));
        let indent = self.number + 2;
        let room = columns.saturating_sub(indent + 2);
        self.attempts(&operation.failed_attempts, indent, room, lines);
        if let Some(Outcome::Error { error }) = &operation.outcome {
            let line = format!("✗ {}", cut(&safe(&error.line()), room));
            lines.push(format!("{}{}", " ".repeat(indent), Paint::Bad.on(&line)));
        }
        if let Some(Outcome::Value(value)) = operation.outcome.as_ref().filter(|_| has_values) {
            let shown = value.unreadable.as_deref().unwrap_or(value.json());
            lines.push(format!("{}= {}", " ".repeat(indent), cut(&safe(shown), room)));
        }
    }

    /// The last attempts that failed, each with when the next one was due.
    fn attempts(&self, all: &[Attempt], indent: usize, room: usize, lines: &mut Vec<String>) {
        const SHOWN: usize = 3;
        let indent = " ".repeat(indent);
        let (before, shown) = all.split_at(all.len().saturating_sub(SHOWN));
        if !before.is_empty() {
            let before = format!("{} that failed before", counted(before.len() as u64, "attempt"));
            lines.push(format!("{indent}{}", Paint::Faint.on(&before)));
        }
        for Attempt { attempt, error, next_at, .. } in shown {
            let next = format!(", the next one at {}", self.zone.full(*next_at));
            let error = format!("attempt {attempt}: {}", safe(&error.line()));
            let error = cut(&error, room.saturating_sub(width(&next)).max(20));
            lines.push(format!(
                "{indent}{}{}",
                Paint::Bad.on(&format!("✗ {error}")),
                Paint::Faint.on(&next)
            ));
        }
    }

    fn many(&self, site: &Site, axis: &Axis, columns: usize, lines: &mut Vec<String>) {
        let numbers = &site.numbers;
        let number = site.first.as_ref().map_or_else(|| "·".into(), |first| format!("{first}…"));
        let took = match (site.began_at, site.ended_at) {
            (Some(began), Some(ended)) => duration(ended.as_nanos() - began.as_nanos()),
            _ => String::new(),
        };
        let (bar, paint) = (density(site, axis), Some(Paint::Good));
        lines.push(self.text(&Line { number, title: of_site(site), bar, took, paint }));
        let mut about = Vec::new();
        if numbers.at_once > 1 {
            about.push(format!("≤ {} at once", count(numbers.at_once as u64)));
        }
        if let (Some(p50), Some(p99)) = (numbers.p50, numbers.p99) {
            about.push(format!("p50 {}, p99 {}", duration(p50), duration(p99)));
        }
        if numbers.retried > 0 {
            about.push(format!("{} tried again", count(numbers.retried)));
        }
        if numbers.failed > 0 {
            about.push(format!("{} failed: --only failed", count(numbers.failed)));
        }
        let indent = self.number + 2;
        if !about.is_empty() {
            let about = cut(&about.join(" · "), columns.saturating_sub(indent));
            lines.push(format!("{}{}", " ".repeat(indent), Paint::Faint.on(&about)));
        }
        let is_notable = |operation: &&Operation| operation.state != Progress::Done;
        for operation in site.notable.iter().filter(is_notable) {
            self.one(operation, axis, columns, false, lines);
        }
    }
}

fn number_of(shown: &Shown) -> String {
    match shown {
        Shown::One(operation) => operation.number.clone().unwrap_or_default(),
        Shown::Many(site) => site.first.as_ref().map_or(String::new(), |first| format!("{first}…")),
        _ => String::new(),
    }
}

fn title(shown: &Shown) -> String {
    match shown {
        Shown::One(operation) => titled(operation),
        Shown::Many(site) => of_site(site),
        _ => String::new(),
    }
}

/// What it is, with how often it was tried and what is not done.
fn titled(operation: &Operation) -> String {
    let mut title = safe(&operation.title());
    let may_have_more = operation.state == Progress::Retrying && operation.attempts_max.is_some();
    if operation.attempts > 1 || may_have_more {
        title.push_str(&format!(" ×{}{}", operation.attempts, of(operation.attempts_max)));
    }
    match operation.state {
        Progress::Retrying => title + " ↻",
        Progress::Interrupted | Progress::Begun | Progress::Awaited => title + " ▷",
        _ => title,
    }
}

fn of_site(site: &Site) -> String {
    let name = match (site.kind, site.name.is_empty()) {
        (Type::Step, false) => site.name.clone(),
        (kind, true) => kind.word().to_owned(),
        (kind, false) => format!("{} {:?}", kind.word(), site.name),
    };
    format!("{} ×{}", safe(&name), count(site.numbers.count))
}

/// When something took place, of everything that is drawn.
fn spans(run: &Run) -> Vec<(u64, u64)> {
    let started = run.row.started_at.as_nanos();
    let mut spans = vec![(started, started)];
    for shown in &run.shown {
        match shown {
            Shown::One(operation) => spans.extend(span(operation)),
            Shown::Many(site) => spans.extend(&site.spans),
            _ => {}
        }
    }
    spans.extend(run.ended_at.map(|at| (at.as_nanos(), at.as_nanos())));
    spans
}

/// A wait is idle time: of it the end alone.
fn span(operation: &Operation) -> Option<(u64, u64)> {
    let ended = operation.ended_at.map(|at| at.as_nanos());
    let began = operation.began_at.map(|at| at.as_nanos());
    match operation.kind {
        Type::Step => Some((began.or(ended)?, ended.or(began)?)),
        _ => ended.or(began).map(|at| (at, at)),
    }
}

fn foot(run: &Run, axis: &Axis) -> String {
    let records = match run.to < run.row.records {
        true => format!("{} of {}", count(run.to), counted(run.row.records, "record")),
        false => counted(run.row.records, "record"),
    };
    let operations = counted(run.operations, "operation");
    let idle = if axis.left_out().next().is_some() { " ╎ idle time left out." } else { "" };
    let is_restarted = |shown: &Shown| match shown {
        Shown::One(operation) => !operation.restarted_at.is_empty(),
        _ => false,
    };
    let restarted = match run.shown.iter().any(is_restarted) {
        true => " R process restarted.",
        false => "",
    };
    Paint::Faint.on(&format!("{operations}, {records}.{idle}{restarted}"))
}
