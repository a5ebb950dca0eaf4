//! Addresses that show something.

use std::io::Write;
use std::sync::Arc;

use dacapo::RunInfo;
use dacapo_inspect::{Parked, Recorded, Run, Source, Value, Which};
use serde::Serialize;

use crate::answer::{Answer, Cut};
use crate::ask::{Show, is_set, number, pass, read_listing, usage};
use crate::door::{Ask, Door};
use crate::problem::{Code, Problem};
use crate::query::Target;

type Done = Result<(), Cut>;

/// So many runs are listed if nobody says how many.
const ROWS: u64 = 20;

pub(crate) fn runs(door: &Door, target: &Target, answer: &mut Answer<impl Write>) -> Done {
    let listing = read_listing(target)?;
    let most = number(target, "n")?.unwrap_or(ROWS);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    for row in door.source().list(&listing, most, |_| ())? {
        answer.line(&row)?;
    }
    Ok(answer.end()?)
}

pub(crate) fn counted(door: &Door, target: &Target, answer: &mut Answer<impl Write>) -> Done {
    for run in door.source().count(&read_listing(target)?)? {
        answer.line(&run)?;
    }
    Ok(answer.end()?)
}

/// A run, counted; with what it has started if that is asked for.
pub(crate) fn family(
    door: &Door,
    id: &str,
    target: &Target,
    answer: &mut Answer<impl Write>,
) -> Done {
    for run in door.source().family(id, is_set(target, "children"))? {
        answer.line(&run)?;
    }
    Ok(answer.end()?)
}

pub(crate) fn run(door: &Door, id: &str, target: &Target, answer: &mut Answer<impl Write>) -> Done {
    let show = Show::read(id, target)?;
    let source = door.source();
    let info = find(source, id, show.pass)?;
    if let Some(run) = door.kept.get(&info, show.view) {
        return tell_run(&run, answer);
    }
    let (run, failed) = source.run_and_failed(&info, show.view)?;
    let run = Arc::new(run);
    door.kept.put(&info, show.view, &run);
    if let Some(failed) = failed {
        door.kept.put(&info, show.view.only(Which::Failed), &Arc::new(failed));
    }
    tell_run(&run, answer)
}

fn tell_run(run: &Run, answer: &mut Answer<impl Write>) -> Done {
    answer.line(run)?;
    for shown in &run.shown {
        answer.line(shown)?;
    }
    Ok(answer.end()?)
}

/// A pass of a run; without a number the last one.
///
/// # Errors
///
/// If there is no such run, no such pass of it, or the store failed.
pub fn find(source: Source<'_>, id: &str, pass: Option<u32>) -> Result<RunInfo, Problem> {
    source.find(id, pass)?.ok_or_else(|| {
        let message = format_args!(
            "run {id:?} has no pass {} in this file: see \"dacapo list --prefix {id} --state continued\"",
            pass.unwrap_or_default()
        );
        Problem::new(Code::NoSuchRun, message)
    })
}

/// A recorded value of a run.
///
/// # Errors
///
/// If there is none, if it cannot be read, or the store failed.
pub fn value_of(
    source: Source<'_>,
    id: &str,
    pass: Option<u32>,
    which: Recorded,
) -> Result<Value, Problem> {
    let run = find(source, id, pass)?;
    let Some(found) = source.value(&run, which)? else {
        let message = format_args!(
            "run {id:?} has no value {which}: see \"dacapo show {id} --all --values\""
        );
        return Err(Problem::new(Code::NoSuchValue, message));
    };
    match &found.unreadable {
        Some(why) => {
            Err(Problem::new(Code::Damaged, format_args!("the value cannot be read: {why}")))
        }
        None => Ok(found),
    }
}

/// A value as a line has it.
#[derive(Serialize)]
#[serde(tag = "kind", rename = "value")]
struct Told<'a> {
    run: &'a str,
    number: String,
    #[serde(flatten)]
    value: &'a Value,
}

pub(crate) fn value(
    door: &Door,
    (id, which): (&str, &str),
    target: &Target,
    answer: &mut Answer<impl Write>,
) -> Done {
    let which: Recorded = which.parse().map_err(usage)?;
    let value = value_of(door.source(), id, pass(target)?, which)?;
    answer.line(&Told { run: id, number: which.to_string(), value: &value })?;
    Ok(answer.end()?)
}

pub(crate) fn parked(door: &Door, target: &Target, answer: &mut Answer<impl Write>) -> Done {
    let parked = parked_of(door.source(), target.get("id"))?;
    for run in parked {
        answer.line(&run)?;
    }
    Ok(answer.end()?)
}

/// The runs that are parked; of an id that is asked for, that one if it is.
///
/// # Errors
///
/// If there is no run with this id, or the store failed.
pub fn parked_of(source: Source<'_>, id: Option<&str>) -> Result<Vec<Parked>, Problem> {
    match id {
        Some(id) => Ok(source.parked_run(id)?.into_iter().collect()),
        None => Ok(source.parked()?),
    }
}

pub(crate) fn statistics(door: &Door, answer: &mut Answer<impl Write>) -> Done {
    answer.line(&door.statistics()?)?;
    Ok(answer.end()?)
}

pub(crate) fn check(door: &Door, answer: &mut Answer<impl Write>) -> Done {
    let mut damages = Vec::new();
    let checked = door.source().check(|damage| damages.push(damage))?;
    for damage in damages {
        answer.line(&damage)?;
    }
    answer.line(&checked)?;
    Ok(answer.end()?)
}

pub(crate) fn verify(door: &Door, answer: &mut Answer<impl Write>) -> Done {
    let mut parked = Vec::new();
    let verified = door.source().verify(|run| parked.push(run))?;
    for run in parked {
        answer.line(&run)?;
    }
    answer.line(&verified)?;
    Ok(answer.end()?)
}

/// Lines that have their own first and last one, and checksums.
pub(crate) fn export(door: &Door, target: &Target, answer: &mut Answer<impl Write>) -> Done {
    let ids: Vec<String> = target.all("id").map(str::to_owned).collect();
    if ids.is_empty() {
        return Err(usage("name the runs, as with ?id=order-7&id=order-8").into());
    }
    let lines = door.call(move |executor| {
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        let mut lines = Vec::new();
        executor.export(&ids, &mut lines)?;
        Ok(lines)
    })?;
    answer.raw(&lines)?;
    Ok(answer.flush()?)
}
