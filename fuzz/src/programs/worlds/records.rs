//! Histories as they are stored, read without the library: its format is written down here once more.

use std::rc::Rc;

use dacapo::store::{RunRow, Store};
use dacapo_values::Shapes;
use serde::Deserialize;

use super::super::talk::GARBAGE;

pub(super) type Number = (u32, u32);

#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) enum Record {
    Started {
        workflow: String,
        input: Vec<u8>,
        version: u32,
        seed: u64,
    },
    OperationEnded {
        number: Number,
        asked: Asked,
        label: Option<String>,
        outcome: Outcome,
        /// Its attempts, and times.
        spent: (u32, u64, u64),
    },
    OperationNoted {
        number: Number,
        note: Note,
    },
    Finished {
        outcome: Outcome,
        was_dropped: bool,
    },
    MessageArrived {
        channel: String,
        payload: Vec<u8>,
        key: Option<String>,
        is_question: bool,
    },
    CancelRequested {
        cause: Cause,
    },
    Submitted(Box<Submission>),
    Admitted {
        version: u32,
        seed: u64,
    },
    Marked {
        number: Number,
        mark: Mark,
    },
    Reported {
        number: Number,
        attempt: u32,
        topic: String,
        value: Vec<u8>,
    },
    MessageSkipped {
        seq: u64,
    },
    Again,
    /// The run had failed, and is taken up again.
    Retried {
        from: u64,
    },
    /// No world has copies.
    Forked {
        from: String,
        seq: u64,
        seed: u64,
    },
    Moved {
        store: u64,
        run: u64,
    },
    /// It waits for something else from now on, or is to begin with another input.
    Resubmitted(Box<Resubmission>),
    /// What counts no longer since then.
    #[serde(skip)]
    Void(Box<Record>),
}

pub(super) type Outcome = Result<Vec<u8>, Failure>;

#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) message: String,
    causes: Vec<String>,
    pub(super) permanent: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(super) enum FailureKind {
    Failed,
    Panicked,
    Elapsed,
    Interrupted,
    Cancelled,
    Parked,
    Usage,
    Store,
    Closed,
    NotFound,
    Ended,
    ParkedFor(u32),
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) enum Asked {
    Step { name: String },
    Sleep { until: u64 },
    Send { channel: String },
    Receive { channel: String },
    Child { workflow: String },
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) enum Note {
    Begun,
    Interrupted,
    ChildStarted { workflow: String, id: String },
    Left,
    AttemptFailed { attempt: u32, failure: Failure, next_at: u64 },
    Deferred,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) enum Mark {
    Published { topic: String, value: Vec<u8> },
    Answered { seq: u64, outcome: Outcome },
    ChildDropped,
    ChildDetached,
    ChildStarted { workflow: String, id: String },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(super) enum Cause {
    Asked,
    Deadline,
    Parent,
    Terminated,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) struct Submission {
    pub(super) workflow: String,
    pub(super) input: Vec<u8>,
    pub(super) options: Options,
    pub(super) link: Option<(u64, Number)>,
    pub(super) pass: u32,
    pub(super) before: Option<u64>,
    pub(super) idle_passes: u32,
    pub(super) keys: Vec<(String, String, u64, Option<Outcome>)>,
    pub(super) topics: Vec<(String, u64, Vec<u8>)>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) struct Options {
    pub(super) deadline: Option<u64>,
    attributes: Vec<(String, String)>,
    pub(super) place: Option<Box<Place>>,
}

/// What a run waits for before it begins.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) struct Place {
    pub(super) queue: Option<String>,
    pub(super) partition: Option<String>,
    pub(super) priority: i32,
    pub(super) unique: Option<String>,
    pub(super) is_debounced: bool,
    pub(super) eligible_at: Option<u64>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) struct Resubmission {
    pub(super) input: Option<Vec<u8>>,
    pub(super) options: Options,
}

/// A record with where and when it was written.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) commit: u64,
    pub(super) time: u64,
    pub(super) record: Record,
}

/// A row with its history.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) row: RunRow,
    pub(super) entries: Vec<Entry>,
    /// Those of the file, with which its values are read.
    pub(super) shapes: Rc<Shapes>,
}

/// The number of a message. `None`: it is one that runs cannot read.
pub(super) fn readable(shapes: &Shapes, payload: &[u8]) -> Result<Option<u64>, String> {
    match shapes.decode::<String>(payload) {
        Ok(text) if text == GARBAGE => Ok(None),
        _ => shapes.decode(payload).map(Some).map_err(|why| why.to_string()),
    }
}

impl Record {
    /// The topic and the value, if it publishes one.
    pub(super) fn published(&self) -> Option<(&str, &[u8])> {
        match self {
            Record::Marked { mark: Mark::Published { topic, value }, .. }
            | Record::Reported { topic, value, .. } => Some((topic, value)),
            // It was published all the same.
            Record::Void(record) => record.published(),
            _ => None,
        }
    }
}

impl Run {
    /// The answer to the question that is recorded at this place.
    pub(super) fn answer(&self, at: usize) -> Option<&Outcome> {
        self.entries.iter().find_map(|entry| match &entry.record {
            Record::Marked { mark: Mark::Answered { seq, outcome }, .. } if *seq == at as u64 => {
                Some(outcome)
            }
            _ => None,
        })
    }
}

/// A retry goes back over the failures at the end of a history, and what the code did about them, to the
/// last record that says what was achieved. What came from elsewhere stays.
fn void(entries: &mut [Entry], from: u64) -> Result<(), String> {
    let is_achieved = |entry: &Entry| match &entry.record {
        Record::OperationEnded { outcome, .. } => outcome.is_ok(),
        Record::OperationNoted { note, .. } => match note {
            Note::Begun | Note::ChildStarted { .. } | Note::Left => true,
            Note::Interrupted | Note::Deferred | Note::AttemptFailed { .. } => false,
        },
        Record::Started { .. }
        | Record::Submitted(_)
        | Record::Admitted { .. }
        | Record::Resubmitted(_)
        | Record::Retried { .. } => true,
        _ => false,
    };
    let expected = entries.iter().rposition(is_achieved).map_or(0, |last| last + 1);
    if from != expected as u64 {
        return Err(format!("a retry goes back to {from}, and not to {expected}"));
    }
    let mut has_failed = false;
    for entry in &mut entries[expected..] {
        let is_void = match &entry.record {
            Record::OperationEnded { .. } | Record::CancelRequested { .. } => {
                has_failed = true;
                true
            }
            Record::OperationNoted { .. } | Record::Finished { .. } => true,
            Record::Marked { .. } | Record::Reported { .. } => has_failed,
            _ => false,
        };
        if is_void {
            entry.record = Record::Void(Box::new(entry.record.clone()));
        }
    }
    Ok(())
}

/// When the next attempt is made, after one whose failure this record tells.
///
/// # Panics
///
/// Panics if it is another record.
pub(crate) fn next_attempt(record: &[u8]) -> u64 {
    match postcard::from_bytes(record) {
        Ok(Record::OperationNoted { note: Note::AttemptFailed { next_at, .. }, .. }) => next_at,
        other => panic!("{other:?} is no failure of an attempt"),
    }
}

/// All that a store holds of runs, in the order of their keys.
pub(super) fn runs(store: &dyn Store) -> Result<Vec<Run>, String> {
    let rows = store.list(&dacapo::store::Filter::new()).map_err(|error| error.to_string())?;
    let shapes = store.shapes().map_err(|error| error.to_string())?;
    let shapes = shapes.iter().map(|shape| shape.as_deref().expect("memory is not damaged"));
    let shapes = Rc::new(Shapes::load(shapes));
    let mut runs = Vec::new();
    for row in rows {
        let history = store.history(row.key).map_err(|error| error.to_string())?;
        let mut entries = Vec::new();
        for (seq, entry) in (0..).zip(history.iter()) {
            let record = postcard::from_bytes(entry.record);
            let record = record.map_err(|why| format!("record {seq} of {:?}: {why}", row.id))?;
            if entry.seq != seq {
                return Err(format!("record {seq} of {:?} is missing", row.id));
            }
            if let Record::Retried { from } = record {
                void(&mut entries, from).map_err(|why| format!("{:?}: {why}", row.id))?;
            }
            entries.push(Entry { commit: entry.commit, time: entry.time, record });
        }
        runs.push(Run { row, entries, shapes: shapes.clone() });
    }
    Ok(runs)
}
