//! `dacapo export` and `dacapo import`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::Serialize;

use crate::file::Files;
use crate::out::Out;
use crate::place::Place;
use crate::text::{json_safe, safe};
use crate::trouble::{Kind, Trouble};

/// What was written to a file.
#[derive(Serialize)]
struct Exported<'a> {
    kind: &'static str,
    ids: &'a [String],
    file: &'a str,
}

/// Writes runs as lines of JSON.
pub(crate) fn export(
    place: &Place,
    ids: &[String],
    output: Option<&Path>,
    out: &mut Out,
) -> Result<u8, Trouble> {
    let lines = place.export(ids)?;
    // Checksums are those of what a text says, however it is escaped; and somebody may look at the lines.
    let lines = String::from_utf8_lossy(&lines);
    let lines: Vec<_> = lines.lines().map(|line| json_safe(line) + "\n").collect();
    let lines = lines.concat();
    let Some(path) = output else {
        out.raw(lines.as_bytes())?;
        return Ok(0);
    };
    let mut created = File::create_new(path).map_err(|error| of_file(path, "made", &error))?;
    if let Err(error) = created.write_all(lines.as_bytes()).and_then(|()| created.sync_all()) {
        // A part of an export is none.
        let _ = fs::remove_file(path);
        return Err(of_file(path, "written", &error));
    }
    if out.is_json {
        let file = path.to_string_lossy();
        out.json(&Exported { kind: "exported", ids, file: &file })?;
        return Ok(0);
    }
    let ids: Vec<_> = ids.iter().map(|id| safe(id)).collect();
    out.line(&format!("{} → {}", ids.join(", "), safe(&path.to_string_lossy())))?;
    Ok(0)
}

/// Takes in what was exported.
pub(crate) fn import(files: Files, from: &Path, out: &mut Out) -> Result<u8, Trouble> {
    let lines = match from.as_os_str() == "-" {
        true => read_all(io::stdin()),
        false => fs::read(from),
    };
    let lines = lines.map_err(|error| of_file(from, "read", &error))?;
    let place = files.place_for(&lines)?;
    for imported in place.import(&lines)? {
        match out.is_json {
            true => out.json(&imported)?,
            false => {
                let id = safe(&imported.id);
                out.line(&match &*imported.state {
                    "parked" => format!(" ‖ {id}  parked until: dacapo resume {id}"),
                    state => format!(" {id}  {}: dacapo show {id}", safe(state)),
                })?;
            }
        }
    }
    Ok(0)
}

fn read_all(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    from.read_to_end(&mut all)?;
    Ok(all)
}

fn of_file(path: &Path, done: &str, error: &std::io::Error) -> Trouble {
    Trouble::new(Kind::Failed, format!("{} cannot be {done}: {error}", path.display()))
}
