//! Addresses that change something.

use std::io::Write;

use dacapo::{Executor, Fork, Result, RunInfo, Start, store::RunState};
use dacapo_inspect::Counted;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Cut};
use crate::ask::{self, Act, is_set, usage};
use crate::door::{Ask, Door, Here};
use crate::http::Request;
use crate::problem::{Code, Problem};
use crate::query::Target;

type Done = std::result::Result<(), Cut>;

/// What came of an act for one run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "done")]
#[non_exhaustive]
pub struct Acted {
    /// The run.
    pub id: String,
    /// What was to be done: "cancel".
    pub act: String,
    /// Why it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What a fork is, or would be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "fork")]
#[non_exhaustive]
pub struct Forked {
    /// The id of the copy.
    pub id: String,
    /// The run that it is a copy of.
    pub of: String,
    /// So many records of it are kept.
    pub kept: u64,
    /// So many are not.
    pub left_out: u64,
    /// What begins when the copy is resumed.
    pub begins: Vec<String>,
    /// What it would be parked for then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_park: Option<String>,
    /// Whether it goes on already.
    pub runs: bool,
    /// Whether this is only said.
    pub dry_run: bool,
}

/// A run that was taken in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "imported")]
#[non_exhaustive]
pub struct Imported {
    /// Its id.
    pub id: String,
    /// Where it stands: one that has not ended is parked.
    #[serde(default)]
    pub state: String,
}

/// Takes in what was exported, on the executor's own thread.
///
/// # Errors
///
/// Those of [`Executor::import`].
pub fn import_here(executor: &Executor, lines: &[u8]) -> Result<Vec<Imported>> {
    let imported = |id: String| {
        let state = executor.info(&id)?.state.name().to_owned();
        Ok(Imported { id, state })
    };
    executor.import(lines)?.into_iter().map(imported).collect()
}

impl Acted {
    fn new(act: Act, id: &str, done: std::result::Result<(), Problem>) -> Self {
        let refused = done.err().map(|why| why.message);
        Self { id: id.to_owned(), act: act.word().to_owned(), refused }
    }
}

impl Forked {
    /// What is told of a fork.
    #[must_use]
    pub fn new(of: &str, fork: Fork, runs: bool, dry_run: bool) -> Self {
        let Fork { id, kept, left_out, begins, would_park, .. } = fork;
        Self { id, of: of.to_owned(), kept, left_out, begins, would_park, runs, dry_run }
    }
}

/// What a run must be for an act, said as what it is not.
///
/// # Errors
///
/// If it is in another state.
pub fn expect_state(act: Act, run: &Counted) -> std::result::Result<(), Problem> {
    use RunState::{Cancelled, Completed, Continued, Delayed, Failed, Parked, Queued, Running};
    let (id, name) = (&run.id, &run.state);
    let state = RunState::ALL.into_iter().find(|state| state.name() == name);
    let why = match (act, state) {
        (Act::Cancel, Some(Running | Queued | Delayed))
        | (Act::Resume, Some(Parked))
        | (Act::Retry, Some(Failed | Cancelled))
        | (Act::Hold, Some(Running))
        | (Act::Delete, Some(Completed | Failed | Cancelled | Parked | Queued | Delayed)) => {
            return Ok(());
        }
        (Act::Cancel, Some(Parked)) => "is parked: resume it, or delete it",
        (Act::Cancel | Act::Hold, Some(Completed | Failed | Cancelled | Continued)) => "has ended",
        (Act::Hold, Some(Parked)) => "is parked already",
        (Act::Hold, Some(Queued | Delayed)) => "has not begun: delete it, or pause its queue",
        (Act::Resume, Some(Failed | Cancelled)) => "has ended: retry takes it up again",
        (Act::Resume, _) => "is not parked",
        (Act::Retry, Some(Completed)) => "has completed",
        (Act::Retry, Some(Parked)) => "is parked, and has not failed: resume it",
        (Act::Retry, _) => "has not ended",
        (Act::Cancel | Act::Hold, None) => "is in a state that is not known here",
        (Act::Delete, _) => "goes on: cancel it first",
    };
    let message = match why.contains(&**name) {
        true => format!("run {id:?} {why}"),
        false => format!("run {id:?} {why} (it is {name})"),
    };
    Err(Problem::new(Code::NotInThisState, message))
}

/// Looks whether a run is as it was counted, and in a state for it. What is done at once is done.
fn begin(act: Act, executor: &Executor, run: &Counted) -> Result<Begun> {
    let now = match executor.info(&run.id) {
        Ok(now) => now,
        Err(gone) if gone.is_not_found() => return Ok(Err(gone.into())),
        Err(error) => return Err(error),
    };
    if now.key.0 != run.key || now.state.name() != run.state {
        let message = format_args!("run {:?} is not as it was when it was counted", run.id);
        return Ok(Err(Problem::new(Code::NotInThisState, message)));
    }
    if let Err(problem) = expect_state(act, run) {
        return Ok(Err(problem));
    }
    let done = match act {
        Act::Resume => executor.resume(&run.id),
        Act::Retry => executor.retry(&run.id),
        Act::Hold => executor.hold(&run.id),
        Act::Cancel | Act::Delete => Ok(()),
    };
    Ok(done.map(|()| now).map_err(Problem::from))
}

/// A run that it is done to, or why it is not.
type Begun = std::result::Result<RunInfo, Problem>;

/// What came of it for each of these runs, in their order.
fn some(door: &impl Ask, act: Act, runs: &[Counted]) -> std::result::Result<Vec<Acted>, Problem> {
    let counted = runs.to_vec();
    let mut begun: Vec<Begun> = door.call(move |executor| {
        counted.iter().map(|run| begin(act, executor, run)).collect::<Result<_>>()
    })?;
    match act {
        Act::Resume | Act::Retry | Act::Hold => door.done(door.remote().committed())?,
        Act::Cancel => {
            let cancel = async |run: Begun| match run {
                Ok(run) => match door.remote().cancel(&run.id).await {
                    Ok(()) => Ok(run),
                    Err(why) => Err(why.into()),
                },
                refused => refused,
            };
            let cancels = dacapo::join_all(begun.into_iter().map(cancel));
            begun = door.done(async { Ok(cancels.await) })?;
        }
        Act::Delete => {
            let infos: Vec<_> = begun.iter().flatten().cloned().collect();
            door.done(door.remote().delete_all(infos))?;
            begun = door.call(move |executor| still_there(executor, begun))?;
        }
    }
    let told = runs.iter().zip(begun);
    Ok(told.map(|(run, begun)| Acted::new(act, &run.id, begun.map(drop))).collect())
}

/// Of runs that were to be deleted, those that are still there were changed meanwhile.
fn still_there(executor: &Executor, begun: Vec<Begun>) -> Result<Vec<Begun>> {
    let look = |begun: Begun| {
        let Ok(run) = begun else { return Ok(begun) };
        match executor.info(&run.id) {
            Ok(now) if now.key == run.key => {
                let message =
                    format_args!("run {:?} was changed meanwhile, and not deleted", run.id);
                Ok(Err(Problem::new(Code::NotInThisState, message)))
            }
            Err(error) if !error.is_not_found() => Err(error),
            Ok(_) | Err(_) => Ok(Ok(run)),
        }
    };
    begun.into_iter().map(look).collect()
}

/// Does it to one run, whatever it is by now.
pub(crate) fn run(door: &Door, act: Act, id: &str, answer: &mut Answer<impl Write>) -> Done {
    let run = Counted::from(&door.source().info(id)?);
    expect_state(act, &run)?;
    let acted = some(door, act, &[run])?.remove(0);
    match &acted.refused {
        Some(why) => Err(Problem::new(Code::NotInThisState, why).into()),
        None => {
            answer.line(&acted)?;
            Ok(answer.end()?)
        }
    }
}

/// Does it to runs that were counted, one a line, as far as they are as they were.
pub(crate) fn all(door: &Door, act: Act, body: &[u8], answer: &mut Answer<impl Write>) -> Done {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let read = |line| {
        let read = serde_json::from_slice::<Counted>(line);
        read.map_err(|why| usage(format_args!("each line is a run that was counted: {why}")))
    };
    let runs: Vec<_> = lines.map(read).collect::<std::result::Result<_, _>>()?;
    each(door, act, &runs, |acted| answer.line(&acted).map_err(Cut::from))?;
    Ok(answer.end()?)
}

fn each<E: From<Problem>>(
    door: &impl Ask,
    act: Act,
    runs: &[Counted],
    mut tell: impl FnMut(Acted) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    // To take up a run is to replay it, and to hold it is a commit; nothing else goes on meanwhile.
    let at_once = if matches!(act, Act::Resume | Act::Retry | Act::Hold) { 1 } else { 256 };
    for runs in runs.chunks(at_once) {
        some(door, act, runs)?.into_iter().try_for_each(&mut tell)?;
    }
    Ok(())
}

/// Does something to runs that were counted, as far as they are as they were, on the executor's own thread.
///
/// # Errors
///
/// If the executor has stopped. What is refused for a run is told of it.
pub fn act_here(
    executor: &Executor,
    act: Act,
    runs: &[Counted],
    mut tell: impl FnMut(Acted),
) -> std::result::Result<(), Problem> {
    each(&Here::new(executor), act, runs, |acted| {
        tell(acted);
        Ok(())
    })
}

/// Makes a copy of a run, or says what it would be, on the executor's own thread.
///
/// # Errors
///
/// Those of [`Executor::fork`].
pub fn fork_here(
    executor: &Executor,
    id: &str,
    cut: &ask::Cut,
    copy: Option<&str>,
    (runs, dry_run): (bool, bool),
) -> std::result::Result<Forked, Problem> {
    forked(&Here::new(executor), id, cut, copy, (runs, dry_run))
}

pub(crate) fn fork(
    door: &Door,
    id: &str,
    target: &Target,
    answer: &mut Answer<impl Write>,
) -> Done {
    let (cut, how) = (ask::Cut::read(target)?, (is_set(target, "run"), is_set(target, "dry_run")));
    answer.line(&forked(door, id, &cut, target.get("as"), how)?)?;
    Ok(answer.end()?)
}

fn forked(
    door: &impl Ask,
    id: &str,
    cut: &ask::Cut,
    copy: Option<&str>,
    (runs, dry_run): (bool, bool),
) -> std::result::Result<Forked, Problem> {
    let (cut, of) = (dacapo::Cut::from(cut), id.to_owned());
    let copy = match copy {
        Some(copy) => copy.to_owned(),
        None => door.call(move |executor| fork_id(executor, &of))?,
    };
    let fork = match dry_run {
        true => door.done(door.remote().rehearse_fork(id, cut, &copy))?,
        false => door.done(door.remote().fork(id, cut, &copy))?,
    };
    let runs = runs && !dry_run;
    if runs {
        door.call(move |executor| executor.resume(&copy))?;
    }
    Ok(Forked::new(id, fork, runs, dry_run))
}

/// An id for a fork that nobody has: "order-7-fork-1".
///
/// # Errors
///
/// If the store failed.
fn fork_id(executor: &Executor, of: &str) -> Result<String> {
    for number in 1_u64.. {
        let id = format!("{of}-fork-{number}");
        match executor.info(&id) {
            Ok(_) => {}
            Err(error) if error.is_not_found() => return Ok(id),
            Err(error) => return Err(error),
        }
    }
    unreachable!("no file has so many runs")
}

/// Something that comes as JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Given {
    /// A message for a run.
    Message {
        /// The run.
        to: String,
        /// The name of the channel.
        channel: String,
        /// With this it arrives once.
        key: Option<String>,
    },
    /// The input of a run that is to be started.
    Input {
        /// The name of the workflow.
        workflow: String,
        /// The id of the run.
        id: String,
        /// What it is found by.
        attributes: Vec<(String, String)>,
    },
}

/// What was given is recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "taken")]
#[non_exhaustive]
pub struct Taken {
    /// The run that has it.
    pub id: String,
}

/// Sends a message, or starts a run, on the executor's own thread.
///
/// # Errors
///
/// Those of [`Executor::send_json`] and [`Executor::start_json`].
pub fn give_here(
    executor: &Executor,
    given: &Given,
    json: &str,
) -> std::result::Result<Taken, Problem> {
    give(&Here::new(executor), given, json)
}

fn give(door: &impl Ask, given: &Given, json: &str) -> std::result::Result<Taken, Problem> {
    let (id, done) = match given {
        Given::Message { to, channel, key } => {
            let sent = door.remote().send_json(to, channel, json, key.as_deref());
            (to, door.done(sent))
        }
        Given::Input { workflow, id, attributes } => {
            let with =
                |start: Start, (name, value): (String, String)| start.attribute(&name, value);
            let options = attributes.iter().cloned().fold(Start::new(), with);
            (id, door.done(door.remote().start_json(workflow, id, json, options)))
        }
    };
    // What is none of the store's or of the run's is in what was given.
    done.map_err(|why| match why.code {
        Code::Failed => Problem { code: Code::Usage, ..why },
        _ => why,
    })?;
    Ok(Taken { id: id.clone() })
}

pub(crate) fn given(
    door: &Door,
    given: &Given,
    body: &[u8],
    answer: &mut Answer<impl Write>,
) -> Done {
    let json = std::str::from_utf8(body).map_err(|_| usage("the body is no text"))?;
    answer.line(&give(door, given, json)?)?;
    Ok(answer.end()?)
}

pub(crate) fn import(door: &Door, request: Request, answer: &mut Answer<impl Write>) -> Done {
    for imported in door.call(move |executor| import_here(executor, &request.body))? {
        answer.line(&imported)?;
    }
    Ok(answer.end()?)
}
