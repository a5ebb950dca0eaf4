//! Runs, as a list shows them.

use std::borrow::Cow;

use dacapo::store::RunState;
use dacapo::{
    AwaitedOperation, HistoryEntry, HistoryEvent, HistoryPage, OperationKind, RunInfo, Timestamp,
};
use serde::Serialize;

use crate::counted::Counted;
use crate::failure::Failure;
use crate::operation::{Operation, name_of, parts_of};
use crate::time::Time;
use crate::value::Value;

/// A run, as a list shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename = "run")]
#[non_exhaustive]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its key in the file: no other run of it has, or will have, the same.
    pub key: u64,
    /// The name of its workflow.
    pub workflow: String,
    /// Where it stands: one word.
    pub state: Cow<'static, str>,
    /// What it does now: `now`, and what there is to say of that.
    #[serde(flatten)]
    pub now: Activity,
    /// When it was started.
    pub started_at: Time,
    /// When its row changed last.
    pub changed_at: Time,
    /// How many records its history has.
    pub records: u64,
    /// Which pass of it this is: 1 for the first.
    pub pass: u32,
    /// When it is asked to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// What it was started with to be found by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
}

/// What a run does now, as far as its row and its last record tell.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "now", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activity {
    /// It waits to begin, for room or for a time.
    Queued {
        /// The queue, if it is in one.
        queue: Option<String>,
        /// It does not begin before that.
        until: Time,
    },
    /// It sleeps until then.
    Asleep {
        /// When it goes on.
        until: Time,
    },
    /// It waits for something from elsewhere alone.
    Waiting,
    /// It is in memory, and waits for something that is no step.
    Awaiting {
        /// What, and how many more.
        what: String,
        /// When it goes on all the same, if it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
    },
    /// It is in memory, and bodies of steps are under way.
    Steps {
        /// How many.
        steps: u32,
        /// Which: `reserve ×3`.
        what: String,
    },
    /// A step failed, and is tried again.
    Retrying {
        /// The number of the step.
        number: String,
        /// How many attempts failed.
        attempts: u32,
        /// How many its policy allows, if that is known and limited.
        #[serde(skip_serializing_if = "Option::is_none")]
        attempts_max: Option<u32>,
        /// Why the last one did.
        error: Failure,
        /// When the next one is due.
        next_at: Time,
    },
    /// It was under way when the file was written last.
    UnderWay {
        /// What came last.
        after: String,
    },
    /// It is parked.
    Parked {
        /// The reason: one or two words.
        reason: String,
        /// Why in particular, and what to do.
        message: String,
    },
    /// It ended with this output.
    Returned {
        /// Its beginning.
        output: Value,
    },
    /// It ended with this error.
    Failed {
        /// The error.
        error: Failure,
    },
    /// It goes on in its next pass.
    Continued,
    /// Its end cannot be read.
    Unreadable {
        /// What is wrong.
        why: String,
    },
}

impl Row {
    /// `last` is the last record, and `parked` why it is parked.
    pub(crate) fn new(run: &RunInfo, last: &HistoryPage, parked: Option<(String, String)>) -> Self {
        Self {
            id: run.id.clone(),
            key: run.key.0,
            workflow: run.workflow.clone(),
            state: run.state.name().into(),
            now: activity(run, last.entries.last(), parked),
            started_at: run.started_at.into(),
            changed_at: run.changed_at.into(),
            records: last.records,
            pass: run.pass,
            deadline: run.deadline.map(Time::from),
            attributes: run.attributes.clone(),
        }
    }
}

impl Row {
    /// What it does by what it awaits, which is known of a run in memory.
    pub(crate) fn awaits(&mut self, awaited: &[AwaitedOperation]) {
        if self.state == RunState::Running.name()
            && let Some(now) = awaiting(awaited)
        {
            self.now = now;
        }
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted {
            id: self.id.clone(),
            key: self.key,
            workflow: self.workflow.clone(),
            state: self.state.clone().into_owned(),
            changed_at: self.changed_at,
        }
    }

    /// Where it stands, as people see it: of one that runs, what it does.
    #[must_use]
    pub fn word(&self) -> &str {
        match self.now {
            Activity::Asleep { .. } => "asleep",
            Activity::Waiting | Activity::Awaiting { .. } => "waiting",
            Activity::Retrying { .. } => "retrying",
            _ => &self.state,
        }
    }
}

/// Steps that are under way are told before those that are tried again, and these before what only waits.
fn awaiting(awaited: &[AwaitedOperation]) -> Option<Activity> {
    let is_step = |one: &&AwaitedOperation| matches!(one.kind, OperationKind::Step(_));
    let steps: Vec<_> =
        awaited.iter().filter(is_step).filter(|step| step.failed.is_none()).collect();
    if !steps.is_empty() {
        let count = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        return Some(Activity::Steps { steps: count, what: names(&steps) });
    }
    let failed = |one: &&AwaitedOperation| one.failed.as_ref().map(|(_, next_at)| *next_at);
    if let Some(first) = awaited.iter().filter(is_step).min_by_key(failed)
        && let Some((error, next_at)) = &first.failed
    {
        let (number, attempts) = (first.number.to_string(), first.attempts);
        let attempts_max = first.attempts_max;
        let (error, next_at) = (error.into(), (*next_at).into());
        return Some(Activity::Retrying { number, attempts, attempts_max, error, next_at });
    }
    let ends = awaited.iter().filter_map(|one| match one.kind {
        OperationKind::Sleep(end) => Some(end),
        _ => None,
    });
    let until = ends.min().filter(|end| *end != Timestamp::NEVER).map(Time::from);
    let is_sleep = |one: &&AwaitedOperation| matches!(one.kind, OperationKind::Sleep(_));
    let others: Vec<_> = awaited.iter().filter(|one| !is_sleep(one)).collect();
    match (others.is_empty(), until) {
        (false, until) => Some(Activity::Awaiting { what: names(&others), until }),
        (true, Some(until)) => Some(Activity::Asleep { until }),
        (true, None) => None,
    }
}

/// The first kind of them, with how many there are of it, and how many others.
fn names(awaited: &[&AwaitedOperation]) -> String {
    let name = |one: &AwaitedOperation| {
        let (kind, name) = parts_of(&one.kind);
        let mut operation = Operation::new("", None, kind, 0);
        operation.name = name;
        operation.title()
    };
    let first = name(awaited[0]);
    let same = awaited.iter().filter(|one| name(one) == first).count();
    let others = match awaited.len() - same {
        0 => String::new(),
        more => format!(", {more} more"),
    };
    match same {
        1 => first + &others,
        same => format!("{first} ×{same}{others}"),
    }
}

fn activity(
    run: &RunInfo,
    last: Option<&HistoryEntry>,
    parked: Option<(String, String)>,
) -> Activity {
    const OUTPUT_BYTES: usize = 200;
    if let Some((reason, message)) = parked {
        return Activity::Parked { reason, message };
    }
    if run.state.is_waiting()
        && let Some(place) = &run.queue
    {
        let queue = Some(place.name.clone()).filter(|name| !name.is_empty());
        return Activity::Queued { queue, until: Time::from_nanos(place.eligible_at) };
    }
    match last.map(|entry| &entry.event) {
        Some(HistoryEvent::Finished { outcome: Ok(output), .. }) => {
            Activity::Returned { output: Value::new(output, OUTPUT_BYTES) }
        }
        Some(HistoryEvent::Finished { outcome: Err(error), .. }) => {
            Activity::Failed { error: error.into() }
        }
        Some(HistoryEvent::Again) => Activity::Continued,
        Some(HistoryEvent::Unreadable { why, .. }) => Activity::Unreadable { why: why.clone() },
        Some(HistoryEvent::AttemptFailed { number, attempt, error, next_at, .. }) => {
            Activity::Retrying {
                number: number.to_string(),
                attempts: *attempt,
                attempts_max: None,
                error: error.into(),
                next_at: (*next_at).into(),
            }
        }
        Some(other) => match run.wake_at {
            Some(Timestamp::NEVER) => Activity::Waiting,
            Some(until) => Activity::Asleep { until: until.into() },
            None => Activity::UnderWay { after: name_of(other) },
        },
        None => Activity::UnderWay { after: "nothing".into() },
    }
}
