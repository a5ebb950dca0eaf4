//! `dacapo check`.

use std::collections::HashMap;

use dacapo::store::Options;
use dacapo_inspect::{Damage, Parked};

use super::parked::about;
use crate::file::{Files, Purpose};
use crate::out::{Out, Paint};
use crate::place::Place;
use crate::text::{counted, cut, safe};
use crate::trouble::{Kind, Trouble};

/// So many ids are shown of those with whom it is the same; more have no room in a line.
const SHOWN: usize = 20;

/// Reads every page, row, record and value, and tells what is damaged. Of a file that a process has open, every
/// row, record and value.
pub(crate) fn check(files: Files, out: &mut Out) -> Result<u8, Trouble> {
    match files.at_rest(Options::new().check_all_pages()) {
        Ok(Some(file)) => read(&Place::Rest(file), 0, out),
        Ok(None) => read(&files.place(Purpose::Look)?, 0, out),
        Err(trouble) if trouble.is(Kind::Damaged) => {
            told(&Damage::of_file(trouble.message()), out)?;
            // Perhaps it can be told whom that concerns.
            match files.at_rest(Options::new()) {
                Ok(Some(file)) => read(&Place::Rest(file), 1, out),
                Ok(None) | Err(_) => Ok(4),
            }
        }
        Err(trouble) => Err(trouble),
    }
}

/// Reads all runs of a file of which so much is known to be damaged.
fn read(place: &Place, damaged: u64, out: &mut Out) -> Result<u8, Trouble> {
    let mut damages = Vec::new();
    let checked = place.check(|damage| damages.push(damage));
    for damage in &damages {
        told(damage, out)?;
    }
    let checked = match checked {
        Ok(checked) => checked,
        Err(trouble) if place.is_live() => return Err(trouble),
        Err(trouble) => {
            told(&Damage::of_file(trouble.message()), out)?;
            return Ok(4);
        }
    };
    if out.is_json {
        out.json(&checked)?;
    } else {
        let (runs, records) = (counted(checked.runs, "run"), counted(checked.records, "record"));
        let found = match (damaged, checked.damaged) {
            (0, 0) => Paint::Good.on("nothing is damaged"),
            (_, 0) => Paint::Bad.on("every record can be read, and the file is damaged elsewhere"),
            (_, some) => Paint::Bad.on(&format!("{} damaged", counted(some, "record"))),
        };
        out.line(&format!("{}: {runs}, {records}: {found}", safe(place.name())))?;
    }
    Ok(if checked.damaged + damaged == 0 { 0 } else { 4 })
}

/// Replays the unfinished runs, and tells which of them this build would park.
pub(crate) fn code(place: &Place, out: &mut Out) -> Result<u8, Trouble> {
    let mut parked = Vec::new();
    let verified = place.verify(|run| parked.push(run))?;
    if out.is_json {
        parked.iter().try_for_each(|run| out.json(run))?;
        out.json(&verified)?;
    } else {
        for same in alike(&parked) {
            let [run, others @ ..] = &same[..] else { continue };
            let (sign, id) = (Paint::Bad.on("✗"), Paint::Bold.on(&safe(&run.id)));
            out.line(&format!("{sign} {id} · {} · {}", safe(&run.workflow), run.reason))?;
            about(run, false, out)?;
            if !others.is_empty() {
                let ids: Vec<_> = others.iter().take(SHOWN).map(|run| safe(&run.id)).collect();
                let count = counted(others.len() as u64, "other");
                let line = format!(" and the same with {count}: {}", ids.join(", "));
                out.line(&cut(&line, out.columns))?;
            }
        }
        let runs = counted(verified.runs as u64, "run");
        let found = match parked.len() {
            0 => Paint::Good.on("this build repeats all of them"),
            some => Paint::Bad.on(&format!("{} would be parked", counted(some as u64, "run"))),
        };
        let others = match verified.unregistered {
            0 => String::new(),
            some => format!("; {} of workflows that it does not have", counted(some as u64, "run")),
        };
        out.line(&format!("{}: {runs} replayed: {found}{others}", safe(place.name())))?;
    }
    Ok(if parked.is_empty() { 0 } else { 4 })
}

/// Runs that would be parked for one and the same, together, in the order of their firsts: a bug of a build concerns
/// many.
fn alike(parked: &[Parked]) -> Vec<Vec<&Parked>> {
    let mut places = HashMap::new();
    let mut alike: Vec<Vec<&Parked>> = Vec::new();
    for run in parked {
        let message = run.message.replace(&format!("{:?}", run.id), "");
        // What lies behind was not reached, and is another thing with each.
        let divergence = run.divergence.as_ref().map(|of| (of.record, &of.history, &of.code));
        let why = (&run.workflow, &run.reason, message, divergence, &run.source);
        let place = *places.entry(why).or_insert(alike.len());
        match alike.get_mut(place) {
            Some(same) => same.push(run),
            None => alike.push(vec![run]),
        }
    }
    alike
}

fn told(damage: &Damage, out: &mut Out) -> Result<(), Trouble> {
    if out.is_json {
        return Ok(out.json(damage)?);
    }
    let message = safe(&damage.message);
    let line = match (&damage.run, damage.record) {
        (Some(run), Some(record)) => format!("{} record {record}: {message}", safe(run)),
        (Some(run), None) => format!("{}: {message}", safe(run)),
        (None, _) => message,
    };
    Ok(out.line(&format!("{} {line}", Paint::Bad.on("✗")))?)
}
