//! `dacapo queues` and `dacapo schedules`.

use dacapo_control::{Turn, Turned};

use crate::args::{Queues, Schedules};
use crate::out::{Out, Paint};
use crate::place::Place;
use crate::text::{count, cut, left, right, safe, width};
use crate::trouble::Trouble;

impl From<Queues> for Turn {
    fn from(act: Queues) -> Self {
        match act {
            Queues::Pause { name } => Self::PauseQueue(name),
            Queues::Resume { name } => Self::ResumeQueue(name),
        }
    }
}

impl From<Schedules> for Turn {
    fn from(act: Schedules) -> Self {
        match act {
            Schedules::Pause { name, why } => Self::PauseSchedule(name, why),
            Schedules::Resume { name } => Self::ResumeSchedule(name),
            Schedules::Trigger { name } => Self::Trigger(name),
        }
    }
}

pub(crate) fn queues(place: &Place, out: &mut Out) -> Result<u8, Trouble> {
    let queues = place.queues()?;
    if out.is_json {
        queues.iter().try_for_each(|queue| out.json(queue))?;
        return Ok(0);
    }
    if queues.is_empty() {
        out.line("No queues.")?;
        return Ok(0);
    }
    header(place, out)?;
    let mut table = vec![["QUEUE", "WAITING", "DELAYED", "RUNNING", ""].map(str::to_owned)];
    table.extend(queues.iter().map(|queue| {
        let state = match (queue.paused, queue.defined) {
            (_, Some(false)) => "not defined by this program: nothing is admitted",
            (true, _) => "paused",
            (false, _) => "",
        };
        let [queued, delayed, running] = [queue.waiting, queue.delayed, queue.running].map(count);
        [safe(&queue.name), queued, delayed, running, state.to_owned()]
    }));
    let is_still = |at: usize| {
        let queue = &queues[at];
        if queue.paused || queue.defined == Some(false) { "‖" } else { "▶" }
    };
    show(&table, [false, true, true, true, false], is_still, out)?;
    Ok(0)
}

pub(crate) fn schedules(place: &Place, out: &mut Out) -> Result<u8, Trouble> {
    let schedules = place.schedules()?;
    if out.is_json {
        schedules.iter().try_for_each(|schedule| out.json(schedule))?;
        return Ok(0);
    }
    if schedules.is_empty() {
        out.line("No schedules.")?;
        return Ok(0);
    }
    header(place, out)?;
    let mut table = vec![["SCHEDULE", "STARTS", "LAST", "NEXT", ""].map(str::to_owned)];
    table.extend(schedules.iter().map(|schedule| {
        let short = |at: Option<_>| at.map_or_else(|| "-".into(), |at| out.zone.short(at));
        let paused = schedule.paused.as_ref().map(|why| format!("paused: {}", safe(why)));
        [
            safe(&schedule.name),
            safe(schedule.workflow.as_deref().unwrap_or("?")),
            short(schedule.started_at),
            short(schedule.next_at),
            paused.unwrap_or_default(),
        ]
    }));
    let sign = |at: usize| if schedules[at].paused.is_some() { "‖" } else { "⧖" };
    show(&table, [false; 5], sign, out)?;
    Ok(0)
}

fn header(place: &Place, out: &mut Out) -> Result<(), Trouble> {
    let (name, zone) = (safe(place.name()), out.zone.name());
    Ok(out.line(&format!("{name} · {} · times {zone}", place.standing()))?)
}

/// A table: the first row has the titles, and the last column takes what room is left.
fn show(
    table: &[[String; 5]],
    is_number: [bool; 5],
    sign: impl Fn(usize) -> &'static str,
    out: &mut Out,
) -> Result<(), Trouble> {
    let widest = |at: usize| table.iter().map(|row| width(&row[at])).max().unwrap_or_default();
    let widths: [_; 5] = std::array::from_fn(widest);
    let room = out.columns.saturating_sub(widths[..4].iter().sum::<usize>() + 3 + 4 * 2);
    for (at, row) in table.iter().enumerate() {
        let cell = |at: usize| match is_number[at] {
            true => right(&row[at], widths[at]),
            false => left(&row[at], widths[at]),
        };
        let cells: Vec<_> = (0..4).map(cell).collect();
        let line = format!("{}  {}", cells.join("  "), cut(&row[4], room));
        match at.checked_sub(1).map(&sign) {
            None => out.line(&Paint::Faint.on(&format!("   {}", line.trim_end())))?,
            Some(sign) => {
                let paint = if sign == "‖" { Paint::Bad } else { Paint::Good };
                out.line(&format!(" {} {}", paint.on(sign), line.trim_end()))?;
            }
        }
    }
    Ok(())
}

/// Does something to a queue or a schedule.
pub(crate) fn turn(place: &Place, turn: &Turn, out: &mut Out) -> Result<u8, Trouble> {
    let turned = place.turn(turn)?;
    if out.is_json {
        out.json(&turned)?;
        return Ok(0);
    }
    let Turned { name, act, id, .. } = &turned;
    let name = safe(name);
    let line = match (id, &**act) {
        (Some(id), _) => format!("{name} has started {}", safe(id)),
        (None, "pause") => format!("{name} is paused until: dacapo {} resume {name}", kind(turn)),
        (None, _) => format!("{name} goes on"),
    };
    out.line(&line)?;
    Ok(0)
}

fn kind(turn: &Turn) -> &'static str {
    match turn {
        Turn::PauseQueue(_) | Turn::ResumeQueue(_) => "queues",
        Turn::PauseSchedule(..) | Turn::ResumeSchedule(_) | Turn::Trigger(_) => "schedules",
    }
}
