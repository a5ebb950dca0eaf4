//! `dacapo watch`.

use dacapo_inspect::{Activity, Operation, Outcome, Progress, Row, Shown};

use super::list::{now, sign};
use crate::out::{Out, Paint};
use crate::place::Place;
use crate::text::{cut, of, safe, width};
use crate::time::duration;
use crate::trouble::{Kind, Trouble};

/// How a line begins that says how much was left out.
const SKIPPED: &str = "{\"kind\":\"skipped\"";

/// Follows a run, and says by the code how it ended; or the newest runs for ever.
pub(crate) fn watch(place: &Place, id: Option<&str>, out: &mut Out) -> Result<u8, Trouble> {
    let mut last = None;
    for line in place.watch(id)? {
        let line = line?;
        if out.is_json {
            out.text_of_json(&line)?;
        }
        if line.starts_with(SKIPPED) {
            if !out.is_json {
                out.line(&Paint::Faint.on("… more at once than is told: see dacapo show"))?;
            }
            continue;
        }
        match Shown::read(&line) {
            Ok(Shown::One(operation)) if !out.is_json => told(&operation, out)?,
            Ok(_) => {}
            Err(_) => {
                let row = Row::read(&line);
                let row = row.map_err(|why| Trouble::new(Kind::Version, why.to_string()))?;
                if !out.is_json {
                    about(&row, out)?;
                }
                last = Some(row);
            }
        }
        out.flush()?;
    }
    Ok(match last.as_ref().map(|row| &*row.state) {
        Some("failed" | "cancelled" | "parked") => 4,
        _ => 0,
    })
}

fn about(row: &Row, out: &mut Out) -> Result<(), Trouble> {
    let (sign, paint) = sign(row);
    let time = out.zone.clock(row.changed_at);
    let head = format!("{time} {} {} ", paint.on(sign), Paint::Bold.on(&safe(&row.id)));
    let shown = width(&time) + 4 + width(&safe(&row.id));
    let what = match &row.now {
        Activity::Returned { .. } | Activity::Failed { .. } | Activity::Parked { .. } => {
            format!("{}: {}", row.word(), now(row, out))
        }
        _ => format!("{}, {}", row.word(), now(row, out)),
    };
    Ok(out.line(&format!("{head}{}", cut(&safe(&what), out.columns.saturating_sub(shown))))?)
}

fn told(operation: &Operation, out: &mut Out) -> Result<(), Trouble> {
    let at = operation.ended_at.map_or_else(|| out.zone.clock_now(), |at| out.zone.clock(at));
    let number = operation.number.as_deref().unwrap_or("·");
    let head = format!("{at} {number} {}", safe(&operation.title()));
    let after = operation.took.map(|took| format!(" after {}", duration(took)));
    let after = after.unwrap_or_default();
    let failed = operation.failed_attempts.last();
    let (what, paint) = match (&operation.outcome, operation.state) {
        (Some(Outcome::Error { error }), _) => {
            (format!("{}{after}", error.line()), Some(Paint::Bad))
        }
        (Some(Outcome::Value(value)), _) => {
            (format!("{}{after}", value.unreadable.as_deref().unwrap_or(value.json())), None)
        }
        (_, Progress::Retrying) => {
            let attempts = format!("{}{}", operation.attempts, of(operation.attempts_max));
            let why = failed.map(|last| last.error.line()).unwrap_or_default();
            let next =
                failed.map(|last| format!("; the next {}", out.zone.distance_now(last.next_at)));
            (
                format!("attempt {attempts} failed: {why}{}", next.unwrap_or_default()),
                Some(Paint::Busy),
            )
        }
        (_, Progress::Interrupted) => ("was interrupted".to_owned(), Some(Paint::Busy)),
        (_, Progress::Begun | Progress::Awaited) => match operation.attempts {
            0 | 1 => ("is awaited".to_owned(), Some(Paint::Faint)),
            attempts => {
                let attempts = format!("{attempts}{}", of(operation.attempts_max));
                (format!("attempt {attempts} is awaited"), Some(Paint::Faint))
            }
        },
        (_, _) => (format!("done{after}"), None),
    };
    let what = cut(&safe(&what), out.columns.saturating_sub(width(&head) + 2).max(10));
    let what = paint.map_or_else(|| what.clone(), |paint| paint.on(&what));
    Ok(out.line(&format!("{head}  {what}"))?)
}
