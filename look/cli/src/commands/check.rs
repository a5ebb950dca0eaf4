//! `dacapo check`.

use std::path::Path;

use dacapo::Executor;
use dacapo::store::Options;
use dacapo_inspect::Damage;

use crate::file::{self, Opened};
use crate::out::{Out, Paint};
use crate::text::{counted, safe};
use crate::trouble::{Kind, Trouble};

/// Reads every page, row, record and value, and tells what is damaged.
pub(crate) fn check(path: Option<&Path>, out: &mut Out) -> Result<u8, Trouble> {
    let whole = file::open_with(Executor::builder(), path, Options::new().check_all_pages());
    let opened = match whole {
        Err(trouble) if trouble.is(Kind::Damaged) => {
            told(&Damage::of_file(trouble.message()), out)?;
            // Perhaps it can be told whom that concerns.
            match file::open_with(Executor::builder(), path, Options::new()) {
                Ok(opened) => opened,
                Err(_) => return Ok(4),
            }
        }
        whole => return read(&whole?, 0, out),
    };
    read(&opened, 1, out)
}

/// Reads all runs of a file of which so much is known to be damaged.
fn read(opened: &Opened, damaged: u64, out: &mut Out) -> Result<u8, Trouble> {
    let mut damages = Vec::new();
    let checked = opened.source().check(|damage| damages.push(damage));
    for damage in &damages {
        told(damage, out)?;
    }
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => {
            told(&Damage::of_file(&error.to_string()), out)?;
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
        out.line(&format!("{}: {runs}, {records}: {found}", safe(&opened.name)))?;
    }
    Ok(if checked.damaged + damaged == 0 { 0 } else { 4 })
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
