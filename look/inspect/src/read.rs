//! What was written as JSON, read back: what another process shows is drawn like what this one reads.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::operation::{Operation, Outcome};
use crate::row::{Activity, Row};
use crate::run::Run;
use crate::site::{Shown, Site};
use crate::time::Time;
use crate::value::Value;

/// A line that cannot be read: it is of another version, or none of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unreadable {}

/// The fields of a row and of what it does. Of one of the two at a time: text that is JSON is not kept as it is
/// where serde has to look twice at it, so they are not read as they are written.
#[derive(Deserialize)]
struct AnyRow {
    id: String,
    key: u64,
    workflow: String,
    state: String,
    now: String,
    queue: Option<String>,
    until: Option<Time>,
    number: Option<String>,
    #[serde(default)]
    attempts: u32,
    attempts_max: Option<u32>,
    error: Option<Failure>,
    next_at: Option<Time>,
    after: Option<String>,
    what: Option<String>,
    #[serde(default)]
    steps: u32,
    reason: Option<String>,
    message: Option<String>,
    output: Option<Value>,
    why: Option<String>,
    started_at: Time,
    changed_at: Time,
    records: u64,
    pass: u32,
    deadline: Option<Time>,
    #[serde(default)]
    attributes: Vec<(String, String)>,
}

/// What a run has beside its row.
#[derive(Deserialize)]
struct Rest {
    input: Option<Value>,
    outcome: Option<Outcome>,
    ended_at: Option<Time>,
    operations: u64,
    to: u64,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

fn read<T: DeserializeOwned>(line: &str) -> Result<T, Unreadable> {
    serde_json::from_str(line).map_err(|why| Unreadable(why.to_string()))
}

impl Row {
    /// Reads what was written as JSON.
    ///
    /// ```
    /// use dacapo::{Ctx, Error, Executor, Workflow, store::Filter};
    /// use dacapo_inspect::{Row, Source};
    ///
    /// const GREET: Workflow<String, usize> = Workflow::new("greet");
    /// let greet = async |_: &Ctx, name: String| Ok::<_, Error>(name.len());
    /// let executor = Executor::builder().workflow(GREET, greet).in_memory();
    /// executor.block_on(executor.start(GREET, "greet-1", "ada".into())?)?;
    /// let json = serde_json::to_string(&Source::new(&executor).rows(&Filter::new())?[0]).unwrap();
    /// assert_eq!(serde_json::to_string(&Row::read(&json).unwrap()).unwrap(), json);
    /// assert!(Row::read("{}").is_err());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn read(line: &str) -> Result<Self, Unreadable> {
        let any: AnyRow = read(line)?;
        let now = any.activity().ok_or_else(|| {
            Unreadable(format!("what run {:?} does is not told: {:?}", any.id, any.now))
        })?;
        let AnyRow { id, key, workflow, state, started_at, changed_at, records, pass, .. } = any;
        let (deadline, attributes, state) = (any.deadline, any.attributes, state.into());
        let row = Self {
            id,
            key,
            workflow,
            state,
            now,
            started_at,
            changed_at,
            records,
            pass,
            deadline,
            attributes,
        };
        Ok(row)
    }
}

impl AnyRow {
    fn activity(&self) -> Option<Activity> {
        Some(match &*self.now {
            "queued" => Activity::Queued { queue: self.queue.clone(), until: self.until? },
            "asleep" => Activity::Asleep { until: self.until? },
            "waiting" => Activity::Waiting,
            "awaiting" => Activity::Awaiting { what: self.what.clone()?, until: self.until },
            "steps" => Activity::Steps { steps: self.steps, what: self.what.clone()? },
            "retrying" => Activity::Retrying {
                number: self.number.clone()?,
                attempts: self.attempts,
                attempts_max: self.attempts_max,
                error: self.error.clone()?,
                next_at: self.next_at?,
            },
            "under_way" => Activity::UnderWay { after: self.after.clone()? },
            "parked" => {
                Activity::Parked { reason: self.reason.clone()?, message: self.message.clone()? }
            }
            "returned" => Activity::Returned { output: self.output.clone()? },
            "failed" => Activity::Failed { error: self.error.clone()? },
            "continued" => Activity::Continued,
            "unreadable" => Activity::Unreadable { why: self.why.clone()? },
            _ => return None,
        })
    }
}

impl Run {
    /// Reads what was written as JSON, the run and each line of what it did.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn read<'a>(
        line: &str,
        shown: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Unreadable> {
        let Rest { input, outcome, ended_at, operations, to } = read(line)?;
        let shown = shown.into_iter().map(Shown::read).collect::<Result<_, _>>()?;
        Ok(Self { row: Row::read(line)?, input, outcome, ended_at, operations, to, shown })
    }
}

impl Shown {
    /// Reads what was written as JSON.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn read(line: &str) -> Result<Self, Unreadable> {
        match &*read::<Kind>(line)?.kind {
            "operation" => Ok(Self::One(Box::new(read::<Operation>(line)?))),
            "site" => Ok(Self::Many(Box::new(read::<Site>(line)?))),
            other => Err(Unreadable(format!("{other:?} is no operation"))),
        }
    }
}
