//! Queues and schedules: what there is of them, and what people do with them.

use std::io::Write;

use dacapo::Executor;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Cut};
use crate::ask::usage;
use crate::door::{Ask, Door, Here};
use crate::problem::{Code, Problem};
use crate::query::{Address, Target};

/// What is done to a queue or a schedule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// A queue admits nothing.
    PauseQueue(String),
    /// A queue goes on.
    ResumeQueue(String),
    /// A schedule has no ticks; with the reason.
    PauseSchedule(String, String),
    /// A schedule goes on.
    ResumeSchedule(String),
    /// A run of a schedule is started now.
    Trigger(String),
}

/// What was done to a queue or a schedule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "turned")]
#[non_exhaustive]
pub struct Turned {
    /// Its name.
    pub name: String,
    /// What was done: "pause".
    pub act: String,
    /// The run that was started, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Turn {
    fn parts(&self) -> (&'static str, &str, &'static str) {
        match self {
            Self::PauseQueue(name) => ("queues", name, "pause"),
            Self::ResumeQueue(name) => ("queues", name, "resume"),
            Self::PauseSchedule(name, _) => ("schedules", name, "pause"),
            Self::ResumeSchedule(name) => ("schedules", name, "resume"),
            Self::Trigger(name) => ("schedules", name, "trigger"),
        }
    }

    pub(crate) fn address(&self) -> Address {
        let (of, name, act) = self.parts();
        let why = match self {
            Self::PauseSchedule(_, why) => Some(&**why),
            _ => None,
        };
        Address::of(&["api", of, name, act]).with_some("why", why)
    }

    pub(crate) fn read(of: &str, name: &str, act: &str, target: &Target) -> Option<Self> {
        let name = name.to_owned();
        Some(match (of, act) {
            ("queues", "pause") => Self::PauseQueue(name),
            ("queues", "resume") => Self::ResumeQueue(name),
            ("schedules", "pause") => {
                Self::PauseSchedule(name, target.get("why").unwrap_or(BY_HAND).to_owned())
            }
            ("schedules", "resume") => Self::ResumeSchedule(name),
            ("schedules", "trigger") => Self::Trigger(name),
            _ => return None,
        })
    }
}

/// Why a schedule is paused if nobody says so.
const BY_HAND: &str = "by hand";

/// Does it, on the executor's own thread.
///
/// # Errors
///
/// If there is no such queue or schedule, or the store failed.
pub fn turn_here(executor: &Executor, turn: &Turn) -> Result<Turned, Problem> {
    turned(&Here::new(executor), turn)
}

fn turned(door: &impl Ask, turn: &Turn) -> Result<Turned, Problem> {
    let remote = door.remote();
    let done = match turn {
        Turn::PauseQueue(name) => door.done(remote.set_queue_paused(name, true)).map(|()| None),
        Turn::ResumeQueue(name) => door.done(remote.set_queue_paused(name, false)).map(|()| None),
        Turn::PauseSchedule(name, why) => {
            door.done(remote.pause_schedule(name, why)).map(|()| None)
        }
        Turn::ResumeSchedule(name) => door.done(remote.resume_schedule(name)).map(|()| None),
        Turn::Trigger(name) => door.done(remote.trigger(name)).map(Some),
    };
    // What the store does not say is in the name.
    let id = done.map_err(|why| match why.code {
        Code::Failed => Problem { code: Code::Usage, ..why },
        _ => why,
    })?;
    let (_, name, act) = turn.parts();
    Ok(Turned { name: name.to_owned(), act: act.to_owned(), id })
}

pub(crate) fn turn(door: &Door, turn: &Turn, answer: &mut Answer<impl Write>) -> Result<(), Cut> {
    answer.line(&turned(door, turn)?)?;
    Ok(answer.end()?)
}

pub(crate) fn all(door: &Door, of: &str, answer: &mut Answer<impl Write>) -> Result<(), Cut> {
    match of {
        "queues" => door.source().queues()?.iter().try_for_each(|queue| answer.line(queue))?,
        "schedules" => {
            door.source().schedules()?.iter().try_for_each(|schedule| answer.line(schedule))?;
        }
        _ => return Err(usage(format_args!("there is no GET /api/{of}")).into()),
    }
    Ok(answer.end()?)
}
