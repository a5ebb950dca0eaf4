//! `dacapo list`.

use std::io::{IsTerminal, Write};

use dacapo::store::{Filter, RunKey, RunState};
use dacapo_inspect::{Activity, Row};

use crate::args::{List, State};
use crate::file::Opened;
use crate::out::{Out, Paint};
use crate::text::{count, counted, cut, left, right, safe, width};
use crate::trouble::Trouble;

pub(crate) fn list(file: &Opened, list: &List, out: &mut Out) -> Result<u8, Trouble> {
    let filter = filter(file, list, out)?;
    let rows = match &list.grep {
        None => file.source().rows(&filter.limit(list.limit))?,
        Some(text) => {
            let found = found(file, filter, text, list.limit)?;
            progress("");
            found
        }
    };
    if out.is_json {
        rows.iter().try_for_each(|row| out.json(row))?;
        return Ok(0);
    }
    let zone = out.zone.name();
    out.line(&format!("{} · at rest · times {zone} · newest first", safe(&file.name)))?;
    table(&rows, out)?;
    foot(file, list, &rows, out)?;
    Ok(0)
}

fn filter(file: &Opened, list: &List, out: &Out) -> Result<Filter, Trouble> {
    let mut filter = Filter::new().newest_first().states(&states(&list.state));
    if let Some(workflow) = &list.workflow {
        filter = filter.workflow(workflow);
    }
    if let Some(prefix) = &list.prefix {
        filter = filter.id_prefix(prefix);
    }
    if let Some(since) = list.since {
        filter = filter.started(out.zone.now().saturating_sub(since)..);
    }
    if let Some(id) = &list.before {
        filter = filter.before(file.executor.info(id)?.key);
    }
    Ok(list.attribute.iter().fold(filter, |filter, (name, value)| filter.attribute(name, value)))
}

/// Each run once: not the passes before its last one, unless somebody asks for them.
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
    match asked {
        [] => RunState::ALL.into_iter().filter(|state| *state != RunState::Continued).collect(),
        asked => asked.iter().flat_map(of).collect(),
    }
}

/// Those that mention a text, page by page until there are enough.
fn found(file: &Opened, filter: Filter, text: &str, most: usize) -> Result<Vec<Row>, Trouble> {
    const AT_ONCE: usize = 1_000;
    let (mut found, mut before) = (Vec::new(), None::<RunKey>);
    let (source, mut looked_at) = (file.source(), 0);
    loop {
        let page = before.into_iter().fold(filter.clone(), Filter::before).limit(AT_ONCE);
        let runs = file.executor.runs(&page)?;
        for run in &runs {
            if found.len() == most {
                return Ok(found);
            }
            if run.id.contains(text) || source.mentions(run.key, text)? {
                found.push(source.row(run)?);
            }
        }
        looked_at += runs.len() as u64;
        match runs.last() {
            Some(last) => before = Some(last.key),
            None => return Ok(found),
        }
        progress(&format!("{} looked at, {} found", counted(looked_at, "run"), found.len()));
    }
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

fn sign(row: &Row) -> (&'static str, Paint) {
    match (row.word(), row.state) {
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
fn now(row: &Row, out: &Out) -> String {
    match &row.now {
        Activity::Asleep { until } => format!("until {}", out.zone.short(*until)),
        Activity::Waiting => "a message, a child or a cancel".into(),
        Activity::Retrying { number, attempts, error, .. } => {
            format!("step {number}, attempt {attempts}: {}", error.message)
        }
        Activity::UnderWay { after } => format!("after {after}"),
        Activity::Parked { message, .. } => message.clone(),
        Activity::Returned { output } => {
            output.unreadable.as_ref().unwrap_or(&output.json().into()).clone()
        }
        Activity::Failed { error } => error.line(),
        Activity::Continued => "went on in its next pass".into(),
        Activity::Unreadable { why } => why.clone(),
        _ => String::new(),
    }
}

fn foot(file: &Opened, list: &List, rows: &[Row], out: &mut Out) -> Result<(), Trouble> {
    let statistics = file.source().statistics()?;
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
    Ok(out.line(&Paint::Faint.on(&line))?)
}
