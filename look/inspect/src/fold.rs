//! A history put together: what its records say of one operation becomes one.

use std::collections::BTreeMap;

use dacapo::{AwaitedOperation, HistoryEntry, HistoryEvent, HistoryValue, OperationNumber, Result};

use crate::operation::{Attempt, Operation, Outcome, Progress, Type, parts_of};
use crate::recorded::input_of;
use crate::rehearsed::Rehearsed;
use crate::time::Time;
use crate::value::Value;

/// What the records so far have left open.
#[derive(Debug)]
pub(crate) struct Fold {
    run: String,
    /// So many bytes are shown of each value.
    limit: usize,
    by: Rehearsed,
    open: BTreeMap<OperationNumber, Operation>,
    /// The time of the record before.
    before: Option<Time>,
    /// How many there were.
    records: u64,
    pub(crate) input: Option<Value>,
    pub(crate) end: Option<(Outcome, Time)>,
}

impl Fold {
    pub(crate) fn new(run: &str, limit: usize) -> Self {
        let (open, before, input, end) = (BTreeMap::new(), None, None, None);
        let by = Rehearsed::default();
        Self { run: run.to_owned(), limit, by, open, before, records: 0, input, end }
    }

    /// With what is known of the run by its code.
    pub(crate) fn known(self, by: Rehearsed) -> Self {
        Self { by, ..self }
    }

    /// What the next record of the history makes whole.
    pub(crate) fn add(&mut self, entry: &HistoryEntry) -> Option<Operation> {
        let operation = self.of(entry);
        self.records = entry.seq + 1;
        if entry.commit > 0 {
            self.before = Some(entry.time.into());
        }
        operation
    }

    /// Takes a record that says of an operation no more than that it went well at once, if that is what it is:
    /// nothing is made of it.
    pub(crate) fn passes_over(&mut self, entry: &HistoryEntry) -> bool {
        let HistoryEvent::Ended { number, outcome: Ok(_), attempts: ..=1, .. } = &entry.event
        else {
            return false;
        };
        if self.open.contains_key(number) {
            return false;
        }
        (self.records, self.before) = (entry.seq + 1, Some(entry.time.into()));
        true
    }

    /// The run is in memory and waits for this.
    pub(crate) fn awaits(&mut self, awaited: &AwaitedOperation) {
        let (kind, name) = parts_of(&awaited.kind);
        let number = Some(awaited.number.to_string());
        let new = || Operation {
            state: Progress::Awaited,
            source: self.by.source(awaited.number),
            ..Operation::new(&self.run, number, kind, self.records)
        };
        let operation = self.open.entry(awaited.number).or_insert_with(new);
        (operation.kind, operation.name, operation.label) = (kind, name, awaited.label.clone());
        operation.attempts = operation.attempts.max(awaited.attempts);
        operation.attempts_max = awaited.attempts_max;
        let Some((error, next_at)) = &awaited.failed else { return };
        operation.state = Progress::Retrying;
        let is_known = |known: &Attempt| known.attempt == awaited.attempts;
        if !operation.failed_attempts.iter().any(is_known) {
            let (attempt, error, next_at) = (awaited.attempts, error.into(), (*next_at).into());
            operation.failed_attempts.push(Attempt { attempt, error, at: None, next_at });
        }
    }

    /// What has begun, and has no outcome.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Operation> {
        self.open.values()
    }

    /// The same, at the end.
    pub(crate) fn into_open(self) -> impl Iterator<Item = Operation> {
        self.open.into_values()
    }

    fn of(&mut self, entry: &HistoryEntry) -> Option<Operation> {
        if let Some(input) = input_of(&entry.event) {
            self.input = Some(Value::typed(input, self.limit, &self.by));
        }
        match &entry.event {
            HistoryEvent::Started { .. } | HistoryEvent::Submitted { .. } => None,
            HistoryEvent::Finished { outcome, .. } => {
                self.end = Some((self.outcome(outcome), entry.time.into()));
                None
            }
            HistoryEvent::Ended { .. } => self.ended(entry),
            HistoryEvent::Begun { .. }
            | HistoryEvent::Interrupted { .. }
            | HistoryEvent::Deferred { .. }
            | HistoryEvent::AttemptFailed { .. }
            | HistoryEvent::ChildStarted { .. } => {
                self.noted(entry);
                None
            }
            HistoryEvent::ChildDropped { number, .. } => {
                self.open.remove(number);
                None
            }
            HistoryEvent::ChildDetached { number, .. } => self.detached(*number, entry),
            HistoryEvent::Retried { .. } => {
                // It has failed no longer.
                self.end = None;
                self.happened(entry)
            }
            _ => self.happened(entry),
        }
    }

    fn outcome(&self, outcome: &Result<HistoryValue>) -> Outcome {
        match outcome {
            Ok(value) => Outcome::Value(Value::typed(value, self.limit, &self.by)),
            Err(error) => Outcome::Error { error: error.into() },
        }
    }

    fn ended(&mut self, entry: &HistoryEntry) -> Option<Operation> {
        let HistoryEvent::Ended { number, kind, label, outcome, attempts, began_at, took, .. } =
            &entry.event
        else {
            return None;
        };
        let (kind, name) = parts_of(kind);
        let known = self.open.remove(number);
        let mut operation = known.unwrap_or_else(|| self.begin(Some(*number), kind, entry));
        let ended_at = Time::from(entry.time);
        (operation.kind, operation.name, operation.record) = (kind, name, entry.seq);
        operation.label = label.clone();
        operation.attempts = (*attempts).max(operation.attempts);
        operation.ended_at = Some(ended_at);
        operation.state = if outcome.is_ok() { Progress::Done } else { Progress::Failed };
        operation.outcome = Some(self.outcome(outcome)).filter(has_something);
        match kind {
            Type::Step => {
                let began = operation.began_at.unwrap_or_else(|| (*began_at).into());
                operation.began_at = Some(began);
                let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
                let since = ended_at.as_nanos().saturating_sub(began.as_nanos());
                // Over several processes: as long as it was on the way.
                let is_one = operation.failed_attempts.is_empty() && operation.interruptions == 0;
                operation.took = Some(if is_one { took } else { since });
            }
            Type::Child => {
                let since = |began: Time| ended_at.as_nanos().saturating_sub(began.as_nanos());
                operation.took = operation.began_at.map(since);
            }
            Type::Sleep => {
                let since = |before: Time| ended_at.as_nanos().saturating_sub(before.as_nanos());
                operation.at_least = self.before.map(since);
            }
            _ => {}
        }
        Some(operation)
    }

    fn noted(&mut self, entry: &HistoryEntry) {
        let (number, kind) = match &entry.event {
            HistoryEvent::ChildStarted { number, .. } => (*number, Type::Child),
            HistoryEvent::Begun { number, .. }
            | HistoryEvent::Interrupted { number, .. }
            | HistoryEvent::Deferred { number, .. }
            | HistoryEvent::AttemptFailed { number, .. } => (*number, Type::Step),
            _ => return,
        };
        let new = self.begin(Some(number), kind, entry);
        let operation = self.open.entry(number).or_insert(new);
        operation.record = entry.seq;
        let at = Time::from(entry.time);
        match &entry.event {
            HistoryEvent::ChildStarted { workflow, id, .. } => {
                (operation.name, operation.label) = (workflow.clone(), Some(id.clone()));
                (operation.state, operation.began_at) = (Progress::Begun, Some(at));
            }
            HistoryEvent::Begun { .. } => {
                (operation.state, operation.began_at) = (Progress::Begun, Some(at));
            }
            HistoryEvent::Interrupted { .. } => {
                operation.state = Progress::Interrupted;
                operation.interruptions += 1;
                operation.restarted_at.push(at);
                operation.attempts += 1;
            }
            HistoryEvent::AttemptFailed { attempt, error, next_at, .. } => {
                (operation.state, operation.attempts) = (Progress::Retrying, *attempt);
                let (attempt, error, next_at) = (*attempt, error.into(), (*next_at).into());
                operation.failed_attempts.push(Attempt { attempt, error, at: Some(at), next_at });
            }
            _ => operation.state = Progress::Interrupted,
        }
    }

    fn detached(&mut self, number: OperationNumber, entry: &HistoryEntry) -> Option<Operation> {
        let mut operation = self.open.remove(&number)?;
        (operation.state, operation.ended_at) = (Progress::Done, Some(entry.time.into()));
        Some(operation)
    }

    /// What is no operation that takes time.
    fn happened(&mut self, entry: &HistoryEntry) -> Option<Operation> {
        let with = |number, kind| self.begin(number, kind, entry);
        let mut operation = match &entry.event {
            HistoryEvent::Message { is_question: true, .. } => with(None, Type::Question),
            HistoryEvent::Message { .. } => with(None, Type::Message),
            HistoryEvent::CancelRequested { .. } | HistoryEvent::Terminated => {
                with(None, Type::Cancel)
            }
            HistoryEvent::Published { number, .. } | HistoryEvent::Reported { number, .. } => {
                with(Some(*number), Type::Publish)
            }
            HistoryEvent::Answered { number, .. } => with(Some(*number), Type::Answer),
            HistoryEvent::DetachedStarted { number, .. } => with(Some(*number), Type::Child),
            HistoryEvent::MessageSkipped { .. } => with(None, Type::Skip),
            HistoryEvent::Retried { .. } => with(None, Type::Retry),
            HistoryEvent::Forked { .. } => with(None, Type::Fork),
            HistoryEvent::Moved => with(None, Type::Import),
            HistoryEvent::Unreadable { .. } => with(None, Type::Unreadable),
            _ => return None,
        };
        if entry.commit > 0 {
            operation.ended_at = Some(entry.time.into());
        }
        let value =
            |value: &HistoryValue| Some(Outcome::Value(Value::typed(value, self.limit, &self.by)));
        match &entry.event {
            HistoryEvent::Message { channel, value: sent, key, .. } => {
                (operation.name, operation.label) = (channel.clone(), key.clone());
                operation.outcome = value(sent);
            }
            HistoryEvent::CancelRequested { cause, .. } => {
                operation.name = format!("{cause:?}").to_lowercase();
            }
            HistoryEvent::Terminated => operation.name = "terminated".into(),
            HistoryEvent::Published { topic, value: published, .. }
            | HistoryEvent::Reported { topic, value: published, .. } => {
                operation.name = topic.clone();
                operation.outcome = value(published);
            }
            HistoryEvent::Answered { outcome, .. } => {
                operation.outcome = Some(self.outcome(outcome));
            }
            HistoryEvent::DetachedStarted { workflow, id, .. } => {
                (operation.name, operation.label) = (workflow.clone(), Some(id.clone()));
            }
            HistoryEvent::MessageSkipped { message, .. } => {
                operation.name = format!("message of record {message}");
            }
            HistoryEvent::Retried { from, .. } => operation.name = format!("from record {from}"),
            HistoryEvent::Forked { from, at, .. } => {
                (operation.name, operation.label) = (from.clone(), Some(format!("at record {at}")));
            }
            HistoryEvent::Unreadable { why, .. } => {
                (operation.name, operation.state) = (why.clone(), Progress::Failed);
            }
            _ => {}
        }
        Some(operation)
    }

    fn begin(
        &self,
        number: Option<OperationNumber>,
        kind: Type,
        entry: &HistoryEntry,
    ) -> Operation {
        // An answer has the number of the receive, and stands elsewhere.
        let asked = number.filter(|_| kind != Type::Answer);
        let source = asked.and_then(|number| self.by.source(number));
        let number = number.map(|number| number.to_string());
        Operation { source, ..Operation::new(&self.run, number, kind, entry.seq) }
    }
}

/// The outcome of a sleep or a send is no value.
fn has_something(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Value(value) => value.bytes > 0,
        Outcome::Error { .. } => true,
    }
}
