//! `dacapo check`.

use std::path::Path;

use dacapo::Builder;
use dacapo::store::Options;
use dacapo_inspect::Damage;

use crate::file;
use crate::out::{Out, Paint};
use crate::text::{counted, safe};
use crate::trouble::{Kind, Trouble};

/// Reads every page, row, record and value. What is damaged is told on the way.
pub(crate) fn check(builder: Builder, path: Option<&Path>, out: &mut Out) -> Result<u8, Trouble> {
    let opened = match file::open_with(builder, path, Options::new().check_all_pages()) {
        Err(trouble) if trouble.is(Kind::Damaged) => return unopened(trouble.message(), out),
        opened => opened?,
    };
    let mut damages = Vec::new();
    let checked = opened.source.check(|damage| damages.push(damage));
    for damage in &damages {
        told(damage, out)?;
    }
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => return unopened(&error.to_string(), out),
    };
    if out.is_json {
        out.json(&checked)?;
    } else {
        let (runs, records) = (counted(checked.runs, "run"), counted(checked.records, "record"));
        let damaged = match checked.damaged {
            0 => Paint::Good.on("nothing is damaged"),
            some => Paint::Bad.on(&format!("{} damaged", counted(some, "record"))),
        };
        out.line(&format!("{}: {runs}, {records}: {damaged}", safe(&opened.name)))?;
    }
    Ok(if checked.damaged == 0 { 0 } else { 4 })
}

/// The file as a whole, or a list in it.
fn unopened(message: &str, out: &mut Out) -> Result<u8, Trouble> {
    told(&Damage::of_file(message), out)?;
    Ok(4)
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
