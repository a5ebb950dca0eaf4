//! `dacapo show`.

use dacapo_inspect::{Activity, Outcome, Run, Value, View, Which};

use crate::args::{Only, Show};
use crate::out::{Out, Paint};
use crate::place::Place;
use crate::text::{count, cut, safe};
use crate::time::duration;
use crate::timeline;
use crate::trouble::Trouble;

pub(crate) fn show(place: &Place, show: &Show, out: &mut Out) -> Result<u8, Trouble> {
    let which = match (show.only, show.all) {
        (Some(Only::Failed), _) => Which::Failed,
        (None, true) => Which::All,
        (None, false) => Which::Together,
    };
    let view = View::default().only(which);
    let view = show.at.map_or(view, |at| view.up_to(at.saturating_add(1)));
    let view = if out.is_json { view } else { view.drawn() };
    let run = place.run(&dacapo_control::Show { id: show.id.clone(), pass: show.pass, view })?;
    if out.is_json {
        out.json(&run)?;
        run.shown.iter().try_for_each(|shown| out.json(shown))?;
        return Ok(0);
    }
    out.line(&head(&run, out))?;
    let room = out.columns.saturating_sub(9);
    let id = safe(&show.id);
    if let Some(input) = &run.input {
        out.line(&format!(" input   {}", value(input, room, &id, "input")))?;
    }
    match &run.outcome {
        Some(Outcome::Value(output)) => {
            out.line(&format!(" output  {}", value(output, room, &id, "output")))?;
        }
        Some(Outcome::Error { error }) => {
            out.line(&format!(" error   {}", Paint::Bad.on(&safe(&error.line()))))?;
        }
        Some(_) | None => {}
    }
    if let Activity::Parked { message, .. } = &run.row.now {
        let whole = format!(" dacapo parked {id}");
        let room = room.saturating_sub(crate::text::width(&whole));
        let message = Paint::Bad.on(&cut(&safe(message), room.max(10)));
        out.line(&format!(" parked  {message}{}", Paint::Faint.on(&whole)))?;
    }
    for line in timeline::lines(&run, which, out, show.values) {
        out.line(&line)?;
    }
    Ok(0)
}

fn head(run: &Run, out: &Out) -> String {
    let row = &run.row;
    let mut parts = vec![Paint::Bold.on(&safe(&row.id)), safe(&row.workflow)];
    if row.pass > 1 {
        parts.push(format!("pass {}", count(row.pass.into())));
    }
    parts.push(match run.ended_at {
        _ if run.to < row.records => {
            format!("at record {} of {}", count(run.to.saturating_sub(1)), count(row.records - 1))
        }
        Some(ended) => {
            let took = ended.as_nanos().saturating_sub(row.started_at.as_nanos());
            format!("{} after {}", row.state, duration(took))
        }
        None => row.word().to_owned(),
    });
    parts.push(format!("from {}", out.zone.full(row.started_at)));
    parts.join(" · ")
}

/// In one line, and the command that shows all of it.
fn value(value: &Value, room: usize, id: &str, which: &str) -> String {
    let shown = safe(value.unreadable.as_deref().unwrap_or(value.json()));
    if value.whole && crate::text::width(&shown) <= room {
        return shown;
    }
    let command = format!(" dacapo value {id} {which}");
    let room = room.saturating_sub(crate::text::width(&command));
    format!("{}{}", cut(&(shown + "…"), room.max(10)), Paint::Faint.on(&command))
}
