//! `dacapo parked`.

use dacapo_inspect::{Divergence, Parked};

use crate::args;
use crate::out::{Out, Paint};
use crate::place::Place;
use crate::text::{counted, cut, left, lines, right, safe, width};
use crate::trouble::{Kind, Trouble};

pub(crate) fn parked(place: &Place, args: &args::Parked, out: &mut Out) -> Result<u8, Trouble> {
    let parked = place.parked(args.id.as_deref())?;
    if args.quiet {
        return Ok(if parked.is_empty() { 0 } else { 4 });
    }
    if let (Some(id), []) = (&args.id, &parked[..]) {
        let message = format!("run {id:?} is not parked: see \"dacapo why {id}\"");
        return Err(Trouble::new(Kind::NotInThisState, message));
    }
    if out.is_json {
        parked.iter().try_for_each(|run| out.json(run))?;
        return Ok(0);
    }
    match (&args.id, &parked[..]) {
        (Some(_), all) => all.iter().try_for_each(|run| one(run, out))?,
        (None, []) => out.line("No run is parked.")?,
        (None, all) => list(all, out)?,
    }
    Ok(0)
}

fn one(run: &Parked, out: &mut Out) -> Result<(), Trouble> {
    let at = run.parked_at.map(|at| format!(" · parked {}", out.zone.full(at))).unwrap_or_default();
    let id = Paint::Bold.on(&safe(&run.id));
    out.line(&format!("{id} · {} · {}{at}", safe(&run.workflow), run.reason))?;
    about(run, true, out)?;
    if let Some(build) = &run.build {
        out.line(&format!(" by build {}", safe(build)))?;
    }
    let id = safe(&run.id);
    if let Some(divergence) = &run.divergence {
        let record = divergence.record;
        out.line(&Paint::Faint.on(&format!("With that code: dacapo resume {id}")))?;
        let fork = format!("The present code on a copy: dacapo fork {id} --at {record}");
        out.line(&Paint::Faint.on(&fork))?;
    } else {
        out.line(&Paint::Faint.on(&format!("If it is not to go on: dacapo delete {id}")))?;
    }
    out.line(&Paint::Faint.on(&format!("Its history: dacapo show {id}")))?;
    Ok(())
}

/// Why it is parked, or would be: of a divergence both sides.
pub(super) fn about(run: &Parked, is_parked: bool, out: &mut Out) -> Result<(), Trouble> {
    let message = said(run, is_parked);
    let mut parts = message.split("; ");
    if let Some(divergence) = &run.divergence {
        sides(divergence, run.source.as_deref(), out)?;
        parts.next();
    }
    for part in parts {
        for line in lines(&safe(part), out.columns - 1) {
            out.line(&format!(" {line}"))?;
        }
    }
    // What was said of it ahead has it.
    if let Some(source) = run.source.as_ref().filter(|_| run.divergence.is_none())
        && !run.message.contains(&**source)
    {
        out.line(&format!(" at {}", safe(source)))?;
    }
    Ok(())
}

/// What is said of it, with the commands in place of the calls of a program.
fn said(run: &Parked, is_parked: bool) -> String {
    match run.message.split_once(", then call `Executor::resume`") {
        Some((before, _)) if !is_parked => before.to_owned(),
        _ => with_commands(&run.message, &run.id),
    }
}

/// A message about a run, with the commands in place of the calls of a program.
pub(super) fn with_commands(message: &str, id: &str) -> String {
    message
        .replace("call `Executor::resume`", &format!("dacapo resume {id}"))
        .replace("`Executor::terminate`", &format!("dacapo delete {id}"))
}

/// The history on the left, and what the code did on the right.
fn sides(of: &Divergence, source: Option<&str>, out: &mut Out) -> Result<(), Trouble> {
    let seqs = of.record.saturating_sub(1)..=of.record.saturating_add(1);
    let number = seqs.end().to_string().len();
    let half = out.columns.saturating_sub(number + 6) / 2;
    let line = |seq: Option<u64>, history: &str, code: &str| {
        let seq = seq.map(|seq| seq.to_string()).unwrap_or_default();
        format!(" {} {} │ {code}", right(&seq, number), left(&cut(&safe(history), half), half))
    };
    let code = |code: &str, paint: Paint| paint.on(&cut(&safe(code), half));
    out.line(&line(None, "history", "code"))?;
    if let Some(before) = &of.before {
        let same = code("✓ the same", Paint::Good);
        out.line(&line(Some(*seqs.start()), before, &same))?;
    }
    let other = code(&format!("✗ {}", of.code), Paint::Bad);
    out.line(&line(Some(of.record), &of.history, &other))?;
    if let Some(source) = source {
        // It is never cut: its end is what is looked for.
        let source = Paint::Bad.on(&format!("  at {}", safe(source)));
        out.line(&line(None, "", &source))?;
    }
    if let Some(behind) = &of.behind {
        let beyond = code("not reached", Paint::Faint);
        out.line(&line(Some(*seqs.end()), behind, &beyond))?;
    }
    Ok(())
}

fn list(all: &[Parked], out: &mut Out) -> Result<(), Trouble> {
    let ids = all.iter().map(|run| width(&safe(&run.id))).max().unwrap_or_default();
    let reasons = all.iter().map(|run| width(&run.reason)).max().unwrap_or_default();
    let room = out.columns.saturating_sub(ids + reasons + 7);
    for run in all {
        let id = left(&safe(&run.id), ids);
        let message = said(run, true);
        let message = message.strip_prefix(&format!("{}: ", run.reason)).unwrap_or(&message);
        let (reason, message) = (left(&run.reason, reasons), cut(&safe(message), room));
        out.line(&format!(" {} {id}  {reason}  {message}", Paint::Bad.on("‖")))?;
    }
    let line = format!("{} parked. All of it: dacapo parked ID", counted(all.len() as u64, "run"));
    Ok(out.line(&Paint::Faint.on(&line))?)
}
