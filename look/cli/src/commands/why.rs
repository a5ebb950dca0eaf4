//! `dacapo why`.

use dacapo_control::Show;
use dacapo_inspect::{Activity, Operation, Progress, Row, Shown, Time, View, Which};
use serde::Serialize;

use super::parked;
use super::stats::unusual;
use crate::out::{Out, Paint};
use crate::place::Place;
use crate::text::{counted, of, safe};
use crate::time::duration;
use crate::trouble::Trouble;

pub(crate) fn why(place: &Place, id: &str, out: &mut Out) -> Result<u8, Trouble> {
    let view = View::default().only(Which::Failed);
    let run = place.run(&Show { id: id.to_owned(), pass: None, view })?;
    let open: Vec<_> = run.shown.iter().filter_map(open).collect();
    if out.is_json {
        let (id, state, now) = (&run.row.id, &*run.row.state, &run.row.now);
        out.json(&Why { kind: "why", id, state, now, open })?;
        return Ok(0);
    }
    let id = Paint::Bold.on(&safe(id));
    out.line(&format!("{id} {}", headline(&run.row, place.is_live(), out)))?;
    if matches!(run.row.now, Activity::Parked { .. }) {
        // It may have been taken up since.
        for parked in place.parked(Some(&run.row.id))? {
            parked::about(&parked, true, out)?;
        }
        let more = format!("All of it: dacapo parked {}", safe(&run.row.id));
        out.line(&Paint::Faint.on(&more))?;
    }
    for line in details(&run.row, place.is_live(), out) {
        out.line(&format!(" {line}"))?;
    }
    for operation in open {
        about(operation, out)?;
    }
    if run.ended_at.is_none() {
        for line in unusual(&place.statistics()?) {
            out.line(&format!(" Unusual: {}", Paint::Bad.on(&line)))?;
        }
    }
    Ok(0)
}

/// As JSON has it.
#[derive(Serialize)]
struct Why<'a> {
    kind: &'static str,
    id: &'a str,
    state: &'a str,
    #[serde(flatten)]
    now: &'a Activity,
    open: Vec<&'a Operation>,
}

/// An operation that has no outcome yet.
fn open(shown: &Shown) -> Option<&Operation> {
    match shown {
        Shown::One(one) if matches!(one.state, Progress::Done | Progress::Failed) => None,
        Shown::One(one) => Some(one),
        _ => None,
    }
}

fn headline(row: &Row, is_live: bool, out: &Out) -> String {
    match &row.now {
        Activity::Queued { until, .. } if until.as_nanos() > out.zone.now() => {
            format!("begins at {}, {}", out.zone.full(*until), out.zone.distance(*until))
        }
        Activity::Queued { queue: Some(queue), .. } => {
            format!("waits for room in the queue {}: see \"dacapo queues\"", safe(queue))
        }
        Activity::Queued { queue: None, .. } => "is due to begin".into(),
        Activity::Asleep { until } => {
            format!("sleeps until {}, {}", out.zone.full(*until), out.zone.distance(*until))
        }
        Activity::Waiting => "waits for others alone: no sleep, no time limit, no deadline".into(),
        Activity::Awaiting { what, until: None } => format!("waits for {}", safe(what)),
        Activity::Awaiting { what, until: Some(until) } => {
            let (what, at) = (safe(what), out.zone.full(*until));
            format!("waits for {what} until {at}, {}", out.zone.distance(*until))
        }
        Activity::Steps { steps, what } => {
            format!("carries out {}: {}", counted((*steps).into(), "step"), safe(what))
        }
        Activity::Retrying { number, .. } => format!("waits for the next attempt of {number}"),
        Activity::UnderWay { after } if is_live => format!("is under way, after {}", safe(after)),
        Activity::UnderWay { after } => {
            format!("was under way when this file was written last, after {}", safe(after))
        }
        Activity::Parked { reason, .. } => {
            format!("is parked: {reason}, since {}", out.zone.full(row.changed_at))
        }
        Activity::Returned { .. } => format!("completed at {}", out.zone.full(row.changed_at)),
        Activity::Failed { .. } if row.state == "cancelled" => {
            format!("was cancelled at {}", out.zone.full(row.changed_at))
        }
        Activity::Failed { .. } => format!("failed at {}", out.zone.full(row.changed_at)),
        Activity::Continued => "went on in its next pass".into(),
        Activity::Unreadable { .. } => "has a history that cannot be read at its end".into(),
        _ => row.state.clone().into_owned(),
    }
}

fn details(row: &Row, is_live: bool, out: &Out) -> Vec<String> {
    match &row.now {
        Activity::Failed { error } => {
            let mut lines = vec![Paint::Bad.on(&safe(&error.line()))];
            if row.state == "failed" {
                lines.push(format!(
                    "Taken up from what it achieved: dacapo retry {}",
                    safe(&row.id)
                ));
            }
            if error.interrupted {
                lines.extend(
                    [
                        "It runs no step again that may run at most once: find out what that one did,",
                        "and have the workflow go on by Error::is_interrupted first.",
                    ]
                    .map(String::from),
                );
            }
            lines
        }
        Activity::Unreadable { why } => vec![safe(why)],
        Activity::UnderWay { .. } if !is_live => vec!["It goes on when its program runs.".into()],
        Activity::Asleep { .. } | Activity::Waiting | Activity::Awaiting { .. } => {
            let deadline = |at| format!("It is asked to end at {}.", out.zone.full(at));
            row.deadline.map(deadline).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn about(operation: &Operation, out: &mut Out) -> Result<(), Trouble> {
    let number = operation.number.as_deref().unwrap_or("·");
    let source = operation.source.as_ref().map(|source| format!(", at {}", safe(source)));
    let what = format!("{number} {}{}", safe(&operation.title()), source.unwrap_or_default());
    let state = match operation.state {
        Progress::Retrying => format!("{} failed", counted(operation.attempts.into(), "attempt")),
        Progress::Interrupted => {
            format!("interrupted, {} so far", counted(operation.attempts.into(), "attempt"))
        }
        _ => match operation.began_at {
            Some(at) => format!("began {}", out.zone.distance(at)),
            None => "has begun".into(),
        },
    };
    out.line(&format!(" {what}: {state}"))?;
    if let Some(last) = operation.failed_attempts.last() {
        out.line(&format!(
            "   attempt {}{}: {}",
            last.attempt,
            of(operation.attempts_max),
            Paint::Bad.on(&safe(&last.error.line()))
        ))?;
        let at = out.zone.full(last.next_at);
        let waits = |failed: Time| last.next_at.as_nanos().saturating_sub(failed.as_nanos());
        let later = last.at.map(|failed| format!("{} later, ", duration(waits(failed))));
        out.line(&format!("   the next one was due {}at {at}", later.unwrap_or_default()))?;
    }
    Ok(())
}
