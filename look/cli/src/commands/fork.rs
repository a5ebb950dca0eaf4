//! `dacapo fork`.

use dacapo_control::Cut;

use crate::args;
use crate::out::{Out, Paint};
use crate::place::Place;
use crate::text::{counted, safe};
use crate::trouble::Trouble;

pub(crate) fn fork(place: &Place, args: &args::Fork, out: &mut Out) -> Result<u8, Trouble> {
    let cut = match (args.cut.at, &args.cut.before) {
        (Some(record), _) => Cut::At(record),
        (None, before) => Cut::Before(before.clone().unwrap_or_default()),
    };
    let how = (args.run, args.dry_run);
    let fork = place.fork(&args.id, &cut, args.copy.as_deref(), how)?;
    if out.is_json {
        out.json(&fork)?;
        return Ok(0);
    }
    let (id, of) = (safe(&fork.id), safe(&fork.of));
    let is = if fork.dry_run { "would be" } else { "is" };
    out.line(&format!("{} {is} a copy of {of}", Paint::Bold.on(&id)))?;
    out.line(&format!(" kept      {}", counted(fork.kept, "record")))?;
    out.line(&format!(" left out  {}", counted(fork.left_out, "record")))?;
    match &fork.would_park {
        Some(why) => out.line(&format!(" parks     {}", Paint::Bad.on(&safe(why))))?,
        None if fork.begins.is_empty() => out.line(" begins    nothing")?,
        None => {
            for (place, what) in fork.begins.iter().enumerate() {
                let title = if place == 0 { "begins" } else { "" };
                out.line(&format!(" {title:8}  {}", safe(what)))?;
            }
        }
    }
    let next = match (fork.dry_run, fork.runs) {
        (true, _) => "Nothing was changed.".to_owned(),
        (false, true) => format!("It goes on: dacapo show {id}"),
        (false, false) => format!("It is parked until: dacapo resume {id}"),
    };
    out.line(&Paint::Faint.on(&next))?;
    Ok(0)
}
