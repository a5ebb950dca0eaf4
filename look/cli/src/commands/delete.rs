//! `dacapo delete` and `dacapo prune`.

use std::io::{self, BufRead, IsTerminal, Write};

use dacapo::RunInfo;
use dacapo::store::{Filter, RunState};
use serde::Serialize;

use super::list;
use crate::args::{Delete, Prune, Sure};
use crate::file::Opened;
use crate::out::Out;
use crate::text::{counted, safe};
use crate::trouble::{Kind, Trouble};

/// So many of those that would be deleted are shown.
const SHOWN: usize = 20;

#[derive(Serialize)]
struct Deleted {
    kind: &'static str,
    runs: usize,
    /// Whether that is only said.
    dry_run: bool,
}

/// Deletes runs by their ids.
pub(crate) fn delete(file: &Opened, args: &Delete, out: &mut Out) -> Result<u8, Trouble> {
    let runs: Result<Vec<_>, _> = args.ids.iter().map(|id| file.executor.info(id)).collect();
    let mut runs = runs?;
    if let Some(run) = runs.iter().find(|run| !may_be_deleted(run)) {
        let message = format!(
            "run {:?} has not ended and is not parked: cancel it first, nothing was deleted",
            run.id
        );
        return Err(Trouble::new(Kind::NotInThisState, message));
    }
    if args.children {
        runs = file.executor.with_children(&runs)?;
        runs.retain(may_be_deleted);
    }
    delete_counted(file, &runs, args.sure, out)
}

/// Deletes runs that ended long ago, or are too many.
pub(crate) fn prune(file: &Opened, args: &Prune, out: &mut Out) -> Result<u8, Trouble> {
    let mut filter = Filter::new().newest_first().ended();
    if !args.state.is_empty() {
        filter = filter.states(&list::states(&args.state));
    }
    if let Some(workflow) = &args.workflow {
        filter = filter.workflow(workflow);
    }
    let mut runs = file.executor.runs(&filter)?;
    // The passes before go with their run.
    runs.retain(|run| may_be_deleted(run) && run.state != RunState::Parked);
    let now = out.zone.now();
    let is_old = |run: &RunInfo| {
        let ended = run.changed_at.as_nanos();
        args.older_than.is_some_and(|age| ended <= now.saturating_sub(age))
    };
    let mut kept = 0;
    runs.retain(|run| {
        let goes = is_old(run) || args.keep.is_some_and(|keep| kept >= keep);
        kept += usize::from(!goes);
        goes
    });
    delete_counted(file, &runs, args.sure, out)
}

fn may_be_deleted(run: &RunInfo) -> bool {
    match run.state {
        RunState::Completed | RunState::Failed | RunState::Cancelled | RunState::Parked => true,
        RunState::Running | RunState::Queued | RunState::Delayed | RunState::Continued => false,
    }
}

/// Deletes what was counted, and nothing else.
fn delete_counted(
    file: &Opened,
    runs: &[RunInfo],
    sure: Sure,
    out: &mut Out,
) -> Result<u8, Trouble> {
    let deletes = !sure.dry_run && !runs.is_empty() && (sure.yes || is_agreed(runs)?);
    if !deletes && !sure.dry_run && !runs.is_empty() {
        return Err(Trouble::new(Kind::Usage, "nothing was deleted"));
    }
    let all = match deletes {
        true => file.executor.block_on(file.executor.delete_all(runs))?,
        false => runs.len(),
    };
    if out.is_json {
        out.json(&Deleted { kind: "deleted", runs: all, dry_run: sure.dry_run })?;
        return Ok(0);
    }
    if sure.dry_run {
        for id in runs.iter().take(SHOWN).map(|run| safe(&run.id)) {
            out.line(&format!("   {id}"))?;
        }
    }
    let would = if sure.dry_run { "would be deleted" } else { "deleted" };
    out.line(&format!("{}: {} {would}", safe(&file.name), counted(all as u64, "run")))?;
    Ok(0)
}

/// Shows what is about to go, and asks.
fn is_agreed(runs: &[RunInfo]) -> Result<bool, Trouble> {
    if !io::stdin().is_terminal() {
        let message = format!(
            "{} would be deleted: say --yes, or look with --dry-run",
            counted(runs.len() as u64, "run")
        );
        return Err(Trouble::new(Kind::Usage, message));
    }
    let mut to = io::stderr().lock();
    for run in &runs[..runs.len().min(SHOWN)] {
        let state = run.state.name();
        writeln!(to, "   {}  {}  {state}", safe(&run.id), safe(&run.workflow))?;
    }
    write!(to, "Delete {} for good? [y/N] ", counted(runs.len() as u64, "run"))?;
    to.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
