//! Commands that do something to runs: those that are named, or those that pass a filter.

use std::io::{self, BufRead, IsTerminal, Write};

use dacapo::store::RunState;
use dacapo_control::{Act, Acted, expect_state};
use dacapo_inspect::{Counted, Listing, Time};
use serde::Serialize;

use super::list;
use crate::args::{Chosen, Delete, Prune, Sure};
use crate::out::Out;
use crate::place::Place;
use crate::text::{counted, safe};
use crate::trouble::{Kind, Trouble};

/// So many of those that are concerned are shown.
const SHOWN: usize = 20;

/// What came of it.
#[derive(Serialize)]
struct Done {
    kind: &'static str,
    runs: usize,
    /// So many were refused, since they had changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<Acted>,
    /// Whether that is only said.
    dry_run: bool,
}

/// Asks runs to end, holds them, takes them up again, or retries them.
pub(crate) fn act(place: &Place, act: Act, chosen: &Chosen, out: &mut Out) -> Result<u8, Trouble> {
    let runs = runs_of(place, act, chosen, out)?;
    act_on(place, act, &runs, chosen.sure, out)
}

/// Deletes runs, with what they have started if that is wanted.
pub(crate) fn delete(place: &Place, args: &Delete, out: &mut Out) -> Result<u8, Trouble> {
    let mut runs = runs_of(place, Act::Delete, &args.chosen, out)?;
    if args.children {
        let mut family = Vec::new();
        for run in &runs {
            let all = place.family(&run.id, true)?.into_iter();
            family.extend(all.filter(|run| expect_state(Act::Delete, run).is_ok()));
        }
        let mut known = std::collections::BTreeSet::new();
        family.retain(|run| known.insert(run.key));
        runs = family;
    }
    act_on(place, Act::Delete, &runs, args.chosen.sure, out)
}

/// Deletes runs that ended long ago, or are too many.
pub(crate) fn prune(place: &Place, args: &Prune, out: &mut Out) -> Result<u8, Trouble> {
    let states = match &args.state[..] {
        [] => vec![RunState::Completed, RunState::Failed, RunState::Cancelled],
        states => list::states(states),
    };
    let listing = Listing { states, workflow: args.workflow.clone(), ..Listing::default() };
    let mut runs = place.count(&listing)?;
    // The passes before go with their run, and what waits or is parked has not ended.
    runs.retain(|run| ["completed", "failed", "cancelled"].contains(&&*run.state));
    let now = out.zone.now();
    let is_old = |run: &Counted| {
        let ended = run.changed_at.as_nanos();
        args.older_than.is_some_and(|age| ended <= now.saturating_sub(age))
    };
    let mut kept = 0;
    runs.retain(|run| {
        let goes = is_old(run) || args.keep.is_some_and(|keep| kept >= keep);
        kept += usize::from(!goes);
        goes
    });
    act_on(place, Act::Delete, &runs, args.sure, out)
}

/// The runs that are named, all in a state for it; or those of a filter that are.
fn runs_of(place: &Place, act: Act, chosen: &Chosen, out: &Out) -> Result<Vec<Counted>, Trouble> {
    if !chosen.ids.is_empty() {
        let mut runs = Vec::new();
        for id in &chosen.ids {
            let run = place.family(id, false)?.remove(0);
            expect_state(act, &run).map_err(|mut why| {
                why.message.push_str(&format!(": nothing was {}", act.done()));
                why
            })?;
            runs.push(run);
        }
        return Ok(runs);
    }
    let ago = |time| Time::from_nanos(out.zone.now().saturating_sub(time));
    let states = match &chosen.state[..] {
        [] => RunState::ALL.to_vec(),
        states => list::states(states),
    };
    let listing = Listing {
        states,
        workflow: chosen.workflow.clone(),
        prefix: chosen.prefix.clone(),
        attributes: chosen.attribute.clone(),
        since: chosen.since.map(ago),
        until: chosen.until.map(ago),
        grep: chosen.grep.clone(),
        ..Listing::default()
    };
    let mut runs = place.count(&listing)?;
    runs.retain(|run| expect_state(act, run).is_ok());
    // "All" that failed are retried, and not those that somebody cancelled.
    if act == Act::Retry && chosen.state.is_empty() {
        runs.retain(|run| run.state == "failed");
    }
    if let Some(reason) = &chosen.reason {
        let parked = place.parked(None)?.into_iter().filter(|run| run.reason == *reason);
        let ids: std::collections::BTreeSet<_> = parked.map(|run| run.id).collect();
        runs.retain(|run| ids.contains(&run.id));
    }
    Ok(runs)
}

/// Does it to what was counted, and to nothing else.
fn act_on(
    place: &Place,
    act: Act,
    runs: &[Counted],
    sure: Sure,
    out: &mut Out,
) -> Result<u8, Trouble> {
    let is_wanted = sure.dry_run || runs.is_empty() || sure.yes || is_agreed(act, runs)?;
    if !is_wanted {
        return Err(Trouble::new(Kind::Usage, format!("nothing was {}", act.done())));
    }
    let (mut done, mut refused) = (runs.len(), Vec::new());
    if !sure.dry_run && !runs.is_empty() {
        done = 0;
        place.act(act, runs, |acted| match acted.refused {
            None => done += 1,
            Some(_) => refused.push(acted),
        })?;
    }
    let code = if refused.is_empty() { 0 } else { 5 };
    if out.is_json {
        let kind = kind(act);
        out.json(&Done { kind, runs: done, refused, dry_run: sure.dry_run })?;
        return Ok(code);
    }
    if sure.dry_run {
        concerned(runs).try_for_each(|line| out.line(&line))?;
    }
    for why in refused.iter().filter_map(|acted| acted.refused.as_ref()) {
        // It is nobody's loss if it is not seen: the code says it, too.
        let _ = writeln!(io::stderr(), "dacapo: {}", safe(why));
    }
    let would = if sure.dry_run { "would be " } else { "" };
    let name = safe(place.name());
    out.line(&format!("{name}: {} {would}{}", counted(done as u64, "run"), act.done()))?;
    Ok(code)
}

fn kind(act: Act) -> &'static str {
    match act {
        Act::Cancel => "cancelled",
        Act::Resume => "resumed",
        Act::Retry => "retried",
        Act::Hold => "held",
        Act::Delete => "deleted",
    }
}

/// A line for each of those that are shown, and how many are not.
fn concerned(runs: &[Counted]) -> impl Iterator<Item = String> {
    let line = |run: &Counted| {
        format!("   {}  {}  {}", safe(&run.id), safe(&run.workflow), safe(&run.state))
    };
    let more = runs.len().saturating_sub(SHOWN);
    runs.iter().take(SHOWN).map(line).chain((more > 0).then(|| format!("   and {more} more")))
}

/// Shows what is about to be done, and asks. What takes nothing away from a run that is named needs no question.
fn is_agreed(act: Act, runs: &[Counted]) -> Result<bool, Trouble> {
    let count = counted(runs.len() as u64, "run");
    if !io::stdin().is_terminal() {
        let message = format!("{count} would be {}: say --yes, or look with --dry-run", act.done());
        return Err(Trouble::new(Kind::Usage, message));
    }
    let mut to = io::stderr().lock();
    concerned(runs).try_for_each(|line| writeln!(to, "{line}"))?;
    let question = match act {
        Act::Cancel => format!("Ask {count} to end?"),
        Act::Resume => format!("Resume {count}?"),
        Act::Retry => format!("Retry {count}?"),
        Act::Hold => format!("Hold {count}?"),
        Act::Delete => format!("Delete {count} for good?"),
    };
    write!(to, "{question} [y/N] ")?;
    to.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
