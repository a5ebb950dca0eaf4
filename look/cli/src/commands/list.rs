//! `dacapo list`.

use std::io::{IsTerminal, Write};

use dacapo::store::RunState;
use dacapo_inspect::{Activity, Listing, Row, Time};

use super::parked::with_commands;
use super::stats::unusual;
use crate::args::{List, State};
use crate::out::{Out, Paint};
use crate::place::Place;
use crate::text::{count, counted, cut, left, lines, of, right, safe, width};
use crate::trouble::Trouble;

pub(crate) fn list(place: &Place, list: &List, out: &mut Out) -> Result<u8, Trouble> {
    let ago = |time| Time::from_nanos(out.zone.now().saturating_sub(time));
    let listing = Listing {
        states: states(&list.state),
        workflow: list.workflow.clone(),
        prefix: list.prefix.clone(),
        attributes: list.attribute.clone(),
        since: list.since.map(ago),
        until: list.until.map(ago),
        before: list.before.clone(),
        grep: list.grep.clone(),
    };
    let mut looked_at = 0;
    let rows = place.list(&listing, list.limit, |more| {
        looked_at += more;
        progress(&format!("{} looked at", counted(looked_at, "run")));
    })?;
    if looked_at > 0 {
        progress("");
    }
    if out.is_json {
        rows.iter().try_for_each(|row| out.json(row))?;
        return Ok(0);
    }
    let (name, zone) = (safe(place.name()), out.zone.name());
    out.line(&format!("{name} · {} · times {zone} · newest first", place.standing()))?;
    table(&rows, out)?;
    foot(place, list, &rows, out)?;
    Ok(0)
}

/// Those that are named.
pub(super) fn states(asked: &[State]) -> Vec<RunState> {
    let of = |state: &State| match state {
        State::Running => vec![RunState::Running],
        State::Parked => vec![RunState::Parked],
        State::Queued => vec![RunState::Queued],
        State::Delayed => vec![RunState::Delayed],
        State::Completed => vec![RunState::Completed],
        State::Failed => vec![RunState::Failed],
        State::Cancelled => vec![RunState::Cancelled],
        State::Continued => vec![RunState::Continued],
        State::Unfinished => RunState::UNFINISHED.to_vec(),
        State::Ended => vec![RunState::Completed, RunState::Failed, RunState::Cancelled],
    };
    asked.iter().flat_map(of).collect()
}

/// Said to a person who waits, in one line that is written over.
fn progress(line: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        // It is nobody's loss if it is not seen.
        let _ = write!(stderr, "\r{line:50}\r");
    }
}

fn table(rows: &[Row], out: &mut Out) -> Result<(), Trouble> {
    let zone = &out.zone;
    let cells: Vec<[String; 5]> = rows
        .iter()
        .map(|row| {
            let started = zone.short(row.started_at);
            [safe(&row.id), safe(&row.workflow), row.word().into(), started, count(row.records)]
        })
        .collect();
    let titles = ["ID", "WORKFLOW", "STATE", "STARTED", "RECORDS"];
    let widths: Vec<_> = (0..titles.len())
        .map(|place| {
            let widest = cells.iter().map(|row| width(&row[place])).max().unwrap_or_default();
            widest.max(width(titles[place]))
        })
        .collect();
    let line = |cells: [&str; 5]| {
        let [id, workflow, state, started, records] = cells;
        format!(
            "{}  {}  {}  {}  {}",
            left(id, widths[0]),
            left(workflow, widths[1]),
            left(state, widths[2]),
            left(started, widths[3]),
            right(records, widths[4])
        )
    };
    let room = out.columns.saturating_sub(widths.iter().sum::<usize>() + 3 + 4 * 2 + 2);
    if !rows.is_empty() {
        out.line(&Paint::Faint.on(&format!("   {}  NOW", line(titles))))?;
    }
    for (row, cells) in rows.iter().zip(&cells) {
        let (sign, paint) = sign(row);
        let now = cut(&safe(&now(row, out)), room);
        let text = line(std::array::from_fn(|place| cells[place].as_str()));
        out.line(&format!(" {} {text}  {now}", paint.on(sign)))?;
    }
    Ok(())
}

pub(super) fn sign(row: &Row) -> (&'static str, Paint) {
    match (row.word(), &*row.state) {
        ("asleep" | "waiting", _) => ("⧖", Paint::Faint),
        ("retrying", _) => ("↻", Paint::Busy),
        (_, "running") => ("▶", Paint::Busy),
        (_, "completed") => ("✓", Paint::Good),
        (_, "failed" | "cancelled") => ("✗", Paint::Bad),
        (_, "parked") => ("‖", Paint::Bad),
        _ => ("·", Paint::Faint),
    }
}

/// What the last column says.
pub(super) fn now(row: &Row, out: &Out) -> String {
    match &row.now {
        Activity::Queued { queue, until } => match (queue, until.as_nanos() > out.zone.now()) {
            (_, true) => format!("begins {}", out.zone.short(*until)),
            (Some(queue), false) => format!("waits for room in {queue}"),
            (None, false) => "is due".into(),
        },
        Activity::Asleep { until } => format!("until {}", out.zone.short(*until)),
        Activity::Waiting => "a message, a child or a cancel".into(),
        Activity::Awaiting { what, until } => match until {
            Some(until) => format!("{what}, until {}", out.zone.short(*until)),
            None => what.clone(),
        },
        Activity::Steps { steps, what } => {
            format!("{}: {what}", counted((*steps).into(), "step"))
        }
        Activity::Retrying { number, attempts, attempts_max, error, .. } => {
            let of = of(*attempts_max);
            format!("step {number}, attempt {attempts}{of}: {}", error.message)
        }
        Activity::UnderWay { after } => format!("after {after}"),
        Activity::Parked { message, .. } => with_commands(message, &row.id),
        Activity::Returned { output } => {
            output.unreadable.as_ref().unwrap_or(&output.json().into()).clone()
        }
        Activity::Failed { error } => error.line(),
        Activity::Continued => "went on in its next pass".into(),
        Activity::Unreadable { why } => why.clone(),
        _ => String::new(),
    }
}

fn foot(place: &Place, list: &List, rows: &[Row], out: &mut Out) -> Result<(), Trouble> {
    let statistics = place.statistics()?;
    let all = statistics.unfinished + statistics.ended;
    if rows.is_empty() {
        let line = match all {
            0 => "No runs.".to_owned(),
            _ => format!("No run passes this filter; the file holds {}.", counted(all, "run")),
        };
        return Ok(out.line(&line)?);
    }
    let number = |state| statistics.runs.get(state).copied().unwrap_or_default();
    let mut line = format!(
        "{} unfinished, {} parked, {} failed.",
        count(statistics.unfinished),
        count(number("parked")),
        count(number("failed"))
    );
    if let Some(last) = rows.last().filter(|_| rows.len() == list.limit) {
        line.push_str(&format!(" More: --before {}.", safe(&last.id)));
    }
    if rows.iter().any(|row| matches!(row.now, Activity::Parked { .. } | Activity::Failed { .. })) {
        line.push_str(" Reasons: dacapo why ID");
    }
    for line in lines(&line, out.columns) {
        out.line(&Paint::Faint.on(&line))?;
    }
    for line in unusual(&statistics) {
        for line in lines(&format!("Unusual: {line}"), out.columns) {
            out.line(&Paint::Bad.on(&line))?;
        }
    }
    Ok(())
}
