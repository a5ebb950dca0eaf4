//! `dacapo stats`.

use dacapo::store::RunState;
use dacapo_inspect::{Recent, RecentCommits, Statistics, Suspect};

use crate::out::{Out, Paint};
use crate::place::Place;
use crate::text::{count, counted, lines, safe};
use crate::time::duration;
use crate::trouble::Trouble;

pub(crate) fn stats(place: &Place, out: &mut Out) -> Result<u8, Trouble> {
    let statistics = place.statistics()?;
    if out.is_json {
        out.json(&statistics)?;
        return Ok(0);
    }
    let size = statistics.bytes.map(|bytes| format!(" {}", size(bytes))).unwrap_or_default();
    let (name, up) = (safe(place.name()), up(&statistics));
    out.line(&format!("{name}{size} · {}{up}", place.standing()))?;
    if let Some(busy) = &statistics.busy {
        let lasts = duration(busy.lasts);
        tell(
            out,
            "busy",
            &format!("it {}, in a turn of {lasts}", safe(&busy.doing)),
            Some(Paint::Bad),
        )?;
    }
    let states = RunState::ALL.map(RunState::name);
    let some = states.into_iter().filter_map(|state| {
        let number = statistics.runs.get(state).copied().filter(|number| *number > 0)?;
        Some(format!("{} {state}", count(number)))
    });
    let runs: Vec<_> = some.collect();
    let runs = if runs.is_empty() { "none".into() } else { runs.join(", ") };
    tell(out, "runs", &runs, None)?;
    let last = statistics.last_commit_at.map(|at| format!(", the last at {}", out.zone.full(at)));
    let commits = count(statistics.commits) + &last.unwrap_or_default();
    tell(out, "commits", &commits, None)?;
    if let Some(recent) = &statistics.recent
        && let Some(commits) = &recent.commits
    {
        tell(out, "", &lately(recent, commits), None)?;
    }
    for (place, line) in unusual(&statistics).iter().enumerate() {
        let title = if place == 0 { "unusual" } else { "" };
        tell(out, title, line, Some(Paint::Bad))?;
    }
    Ok(0)
}

/// A text behind its title, in as many lines as it needs.
fn tell(out: &mut Out, title: &str, text: &str, paint: Option<Paint>) -> Result<(), Trouble> {
    const INDENT: usize = 10;
    for (place, line) in lines(text, out.columns - INDENT).iter().enumerate() {
        let title = if place == 0 { title } else { "" };
        let line = paint.map_or_else(|| line.clone(), |paint| paint.on(line));
        out.line(&format!(" {title:8} {line}"))?;
    }
    Ok(())
}

/// For how long the process has driven its runs, and how much of the last minute it had nothing to do.
fn up(statistics: &Statistics) -> String {
    let up = statistics.up.map(|up| format!(", up {}", duration(up))).unwrap_or_default();
    let idle = statistics.recent.as_ref().filter(|recent| recent.within > 0).map(|recent| {
        let share = recent.idle as f64 / recent.within as f64;
        format!(" · executor idle {:.0} %", 100.0 * share)
    });
    up + &idle.unwrap_or_default()
}

/// The commits of the last minute.
fn lately(recent: &Recent, commits: &RecentCommits) -> String {
    // Of less than a second there is no rate yet.
    let seconds = (recent.within as f64 / 1e9).max(1.0);
    let rate = commits.count as f64 / seconds;
    // Of few, whole ones would say nothing.
    let rate = if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
    let records = commits.records as f64 / commits.count.max(1) as f64;
    let (p50, p99) = (duration(commits.p50), duration(commits.p99));
    format!("{rate}/s of {records:.1} records lately · p50 {p50}, p99 {p99}")
}

/// What is not as it should be, and what to do about it.
pub(super) fn unusual(statistics: &Statistics) -> Vec<String> {
    let clock = statistics.clock_behind.map(|behind| {
        format!(
            "the clock is {} behind the last commit: what waits for a time of day waits so much longer; set the \
             clock right",
            duration(behind)
        )
    });
    let panics = (statistics.caught_panics > 0).then(|| {
        format!(
            "{} of an observer, a clock or a destructor caught: the process has said where on its stderr",
            counted(statistics.caught_panics, "panic")
        )
    });
    clock.into_iter().chain(panics).chain(suspects(&statistics.suspects)).collect()
}

/// Whom the process ended with.
fn suspects(all: &[Suspect]) -> Option<String> {
    let times = |ends: u32| counted(ends.into(), "time");
    let after = "after 3 it is parked";
    Some(match all {
        [] => return None,
        [Suspect { id, ends, .. }] => {
            let (id, times) = (safe(id), times(*ends));
            format!(
                "the process ended {times} while {id} was replayed or dropped ({after}): dacapo hold {id}"
            )
        }
        [first, ..] => {
            let (id, others) = (safe(&first.id), counted(all.len() as u64 - 1, "other"));
            let times = times(first.ends);
            format!(
                "the process ended {times} while one of {id} and {others} was replayed or dropped ({after}): which, \
                 is known behind the next end"
            )
        }
    })
}

/// So many bytes, in a unit of which there are at least one.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, bits)| bytes >> bits > 0) {
        Some((unit, bits)) => format!("{:.1} {unit}", bytes as f64 / (1_u64 << bits) as f64),
        None => format!("{bytes} B"),
    }
}
