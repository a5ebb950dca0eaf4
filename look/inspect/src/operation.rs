//! What a run did, one by one.

use dacapo::{HistoryEvent, OperationKind};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::time::Time;
use crate::value::Value;

/// Something that a run awaited, did, or that came to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "operation")]
#[non_exhaustive]
pub struct Operation {
    /// The id of its run.
    pub run: String,
    /// Its number; what comes from elsewhere has none.
    pub number: Option<String>,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Type,
    /// The name of a step, a channel, a topic or a workflow.
    pub name: String,
    /// The label of a step, the id of the other run, the key of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How far it is.
    pub state: Progress,
    /// The line that makes it: `src/order.rs:41`. Known of a run whose code was rehearsed to look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many attempts were made of a step, as far as that was recorded.
    pub attempts: u32,
    /// How many its policy allows, if that is limited: known of a step that a run in memory waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_max: Option<u32>,
    /// When it began; of what is no step or child, that is not recorded.
    pub began_at: Option<Time>,
    /// When its outcome was committed, or when it happened.
    pub ended_at: Option<Time>,
    /// How long it took, in nanoseconds.
    pub took: Option<u64>,
    /// It lasted at least so many nanoseconds: of what has no recorded beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u64>,
    /// What came of it, or what it holds.
    pub outcome: Option<Outcome>,
    /// The attempts that are recorded to have failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_attempts: Vec<Attempt>,
    /// How often the end of a process interrupted it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interruptions: u32,
    /// When the process was there again that took it up, after each of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarted_at: Vec<Time>,
    /// The record of its outcome, or the last one about it.
    pub record: u64,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What an operation is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Type {
    /// A step.
    Step,
    /// A sleep or a time limit.
    Sleep,
    /// A message to another run.
    Send,
    /// The wait for a message.
    Receive,
    /// A run that was started.
    Child,
    /// A value that was published.
    Publish,
    /// A message that arrived.
    Message,
    /// A question that arrived.
    Question,
    /// The answer to a question.
    Answer,
    /// The run was asked to end.
    Cancel,
    /// The run had failed, and was taken up again.
    Retry,
    /// A message was left out.
    Skip,
    /// What stands before this was copied from another run.
    Fork,
    /// What stands before this comes from another file.
    Import,
    /// A record that cannot be read.
    Unreadable,
}

/// How far an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Progress {
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// It failed, and is tried again.
    Retrying,
    /// The end of a process interrupted it, or may have.
    Interrupted,
    /// It has begun, and has no outcome yet.
    Begun,
    /// The run is in memory and waits for it.
    Awaited,
}

/// What came of an operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, try_from = "AnyOutcome")]
#[non_exhaustive]
pub enum Outcome {
    /// A value.
    Value(Value),
    /// An error.
    Error {
        /// Why it failed.
        error: Failure,
    },
}

/// A value or an error. Text that is JSON is not kept as it is where serde has to look twice at it.
#[derive(Deserialize)]
struct AnyOutcome {
    /// Also `null`, which is the value of a step without one.
    #[serde(default, deserialize_with = "present")]
    value: Option<Box<RawValue>>,
    #[serde(default)]
    bytes: usize,
    #[serde(default)]
    whole: bool,
    unreadable: Option<String>,
    error: Option<Failure>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(from).map(Some)
}

impl TryFrom<AnyOutcome> for Outcome {
    type Error = &'static str;

    fn try_from(any: AnyOutcome) -> Result<Self, &'static str> {
        let AnyOutcome { value, bytes, whole, unreadable, error } = any;
        match (value, error) {
            (_, Some(error)) => Ok(Self::Error { error }),
            (Some(value), None) => Ok(Self::Value(Value { value, bytes, whole, unreadable })),
            (None, None) => Err("an outcome has a value or an error"),
        }
    }
}

/// An attempt of a step that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// Which one it was, from 1.
    pub attempt: u32,
    /// Why it failed.
    pub error: Failure,
    /// When that was recorded, if it was.
    pub at: Option<Time>,
    /// When the next one was due.
    pub next_at: Time,
}

impl Type {
    /// As a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Sleep => "sleep",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Child => "child",
            Self::Publish => "publish",
            Self::Message => "message",
            Self::Question => "question",
            Self::Answer => "answer",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Fork => "fork",
            Self::Import => "import",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Operation {
    /// One of which nothing is known yet.
    pub(crate) fn new(run: &str, number: Option<String>, kind: Type, record: u64) -> Self {
        Self {
            run: run.to_owned(),
            number,
            kind,
            name: String::new(),
            label: None,
            state: Progress::Done,
            source: None,
            attempts: 0,
            attempts_max: None,
            began_at: None,
            ended_at: None,
            took: None,
            at_least: None,
            outcome: None,
            failed_attempts: Vec::new(),
            interruptions: 0,
            restarted_at: Vec::new(),
            record,
        }
    }

    /// What a person calls it: the name of a step, else its type with its name.
    #[must_use]
    pub fn title(&self) -> String {
        let label = self.label.as_ref().map(|label| format!(" [{label}]")).unwrap_or_default();
        match self.kind {
            Type::Step if self.name.is_empty() => format!("step{label}"),
            Type::Step => format!("{}{label}", self.name),
            kind if self.name.is_empty() => format!("{}{label}", kind.word()),
            kind => format!("{} {:?}{label}", kind.word(), self.name),
        }
    }

    /// When it began; what has no recorded beginning, no later than then.
    #[must_use]
    pub fn since(&self) -> Option<Time> {
        let ended = self.ended_at.map(Time::as_nanos);
        let least = self.at_least.unwrap_or_default();
        self.began_at.or(ended.map(|ended| Time::from_nanos(ended.saturating_sub(least))))
    }

    /// The error that it ended with, or that its last attempt failed with.
    #[must_use]
    pub fn error(&self) -> Option<&Failure> {
        match &self.outcome {
            Some(Outcome::Error { error }) => Some(error),
            Some(Outcome::Value(_)) => None,
            None => self.failed_attempts.last().map(|attempt| &attempt.error),
        }
    }
}

/// The type and the name of what an operation is.
pub(crate) fn parts_of(kind: &OperationKind) -> (Type, String) {
    match kind {
        OperationKind::Step(name) => (Type::Step, name.clone()),
        OperationKind::Sleep(_) => (Type::Sleep, String::new()),
        OperationKind::Send(channel) => (Type::Send, channel.clone()),
        OperationKind::Receive(channel) => (Type::Receive, channel.clone()),
        OperationKind::Child(workflow) => (Type::Child, workflow.clone()),
        _ => (Type::Unreadable, String::new()),
    }
}

/// What a record is about, in a few words.
pub(crate) fn name_of(event: &HistoryEvent) -> String {
    match event {
        HistoryEvent::Started { .. } | HistoryEvent::Submitted { .. } => "its start".into(),
        HistoryEvent::Admitted => "its start".into(),
        HistoryEvent::Ended { number, kind, label, .. } => {
            let (kind, name) = parts_of(kind);
            let mut operation = Operation::new("", None, kind, 0);
            (operation.name, operation.label) = (name, label.clone());
            format!("{number} {}", operation.title())
        }
        HistoryEvent::Begun { number, .. } => format!("the start of {number}"),
        HistoryEvent::Interrupted { number, .. } | HistoryEvent::Deferred { number, .. } => {
            format!("an interruption of {number}")
        }
        HistoryEvent::ChildStarted { number, id, .. } => format!("the start of {number} [{id}]"),
        HistoryEvent::DetachedStarted { number, id, .. } => format!("the start of {number} [{id}]"),
        HistoryEvent::Message { channel, .. } => format!("a message on {channel:?}"),
        HistoryEvent::CancelRequested { .. } => "a request to end".into(),
        HistoryEvent::Published { topic, .. } | HistoryEvent::Reported { topic, .. } => {
            format!("a value on {topic:?}")
        }
        HistoryEvent::Answered { .. } => "an answer".into(),
        HistoryEvent::ChildDropped { number, .. } | HistoryEvent::ChildDetached { number, .. } => {
            format!("child {number} was let go")
        }
        HistoryEvent::MessageSkipped { .. } => "a message that is left out".into(),
        HistoryEvent::Retried { .. } => "a retry".into(),
        HistoryEvent::Forked { .. } => "a fork".into(),
        HistoryEvent::Moved => "an import".into(),
        _ => "its last record".into(),
    }
}
