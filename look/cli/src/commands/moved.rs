//! `dacapo export` and `dacapo import`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::file::Opened;
use crate::out::Out;
use crate::text::safe;
use crate::trouble::{Kind, Trouble};

#[derive(Serialize)]
struct Imported<'a> {
    kind: &'static str,
    id: &'a str,
}

/// Writes runs as lines of JSON.
pub(crate) fn export(
    file: &Opened,
    ids: &[String],
    output: Option<&Path>,
    out: &mut Out,
) -> Result<u8, Trouble> {
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let Some(path) = output else {
        let mut lines = Vec::new();
        file.executor.export(&ids, &mut lines)?;
        out.raw(&lines)?;
        return Ok(0);
    };
    let created = File::create_new(path).map_err(|error| of_file(path, "made", &error))?;
    let mut lines = BufWriter::new(created);
    let exported = file.executor.export(&ids, &mut lines).map_err(Trouble::from).and_then(|ids| {
        let written = lines.flush().and_then(|()| lines.get_ref().sync_all());
        written.map(|()| ids).map_err(|error| of_file(path, "written", &error))
    });
    match exported {
        Ok(ids) => {
            let ids: Vec<_> = ids.iter().map(|id| safe(id)).collect();
            out.line(&format!("{} → {}", ids.join(", "), safe(&path.to_string_lossy())))?;
            Ok(0)
        }
        Err(trouble) => {
            // A part of an export is none.
            let _ = std::fs::remove_file(path);
            Err(trouble)
        }
    }
}

/// Takes in what was exported.
pub(crate) fn import(file: &Opened, from: &Path, out: &mut Out) -> Result<u8, Trouble> {
    let lines = File::open(from).map_err(|error| of_file(from, "read", &error))?;
    let ids = file.executor.import(BufReader::new(lines))?;
    for id in &ids {
        match out.is_json {
            true => out.json(&Imported { kind: "imported", id })?,
            false => out.line(&format!(" ‖ {}  parked until Executor::resume", safe(id)))?,
        }
    }
    Ok(0)
}

fn of_file(path: &Path, done: &str, error: &std::io::Error) -> Trouble {
    Trouble::new(Kind::Failed, format!("{} cannot be {done}: {error}", path.display()))
}
