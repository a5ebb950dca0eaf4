//! How a run begins that has more than a workflow and an input.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use dacapo_store::{Queued, RunKey, RunRow, RunState};
use serde::{Deserialize, Serialize};

use super::{Number, Outcome};
use crate::bytes::Bytes;
use crate::clock::Timestamp;

/// A run that was submitted with options or as a child, or a pass that follows another. The order of
/// the fields is the format, here and below.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Submission<'a> {
    pub(crate) workflow: &'a str,
    #[serde(borrow)]
    pub(crate) input: Bytes<'a>,
    pub(crate) options: Options,
    pub(crate) link: Option<Link>,
    /// 1 for the first.
    pub(crate) pass: u32,
    #[serde(borrow)]
    pub(crate) carried: Carried<'a>,
}

/// What its caller wants of it.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Options {
    pub(crate) deadline: Option<Timestamp>,
    /// Names and values, by which it is found.
    pub(crate) attributes: Vec<(String, String)>,
    /// Nothing for most runs.
    pub(crate) place: Option<Box<Place>>,
}

/// What a run waits for before it begins, and what no other run may have meanwhile.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) queue: Option<String>,
    pub(crate) partition: Option<String>,
    /// Smaller ones are admitted first.
    pub(crate) priority: i32,
    pub(crate) unique: Option<String>,
    /// Whether that is free when the run is admitted.
    pub(crate) is_debounced: bool,
    /// It may not begin before.
    pub(crate) eligible_at: Option<Timestamp>,
}

/// What a run that waits is to begin with in place of what it was submitted with.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Resubmission<'a> {
    /// `None`: it stays.
    #[serde(borrow)]
    pub(crate) input: Option<Bytes<'a>>,
    pub(crate) options: Options,
}

/// The operation of another run that waits for the end of this one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct Link {
    /// The key of that run.
    pub(crate) parent: u64,
    pub(crate) number: Number,
}

impl Submission<'_> {
    /// Has the row of the run say it, too.
    pub(crate) fn complete(&self, row: &mut RunRow) {
        row.pass = self.pass;
        row.link = self.link.map(Link::in_row);
        self.options.complete(row);
    }

    /// As what the run waits to be admitted. `None`: there is nothing to wait for.
    // A pass follows one that was.
    pub(crate) fn waits(&self) -> Option<RunState> {
        self.options.waits().filter(|_| self.pass == 1)
    }
}

impl Options {
    /// Has the row of the run say it, too. Times are known by then.
    pub(crate) fn complete(&self, row: &mut RunRow) {
        row.deadline = self.deadline.map(Timestamp::as_nanos);
        row.attributes = self.attributes.clone();
        row.queue = self.place.as_ref().map(|place| Box::new(place.in_row(row.started_at)));
    }

    /// Those of a run that waits, as its row has them.
    pub(crate) fn of_row(row: &RunRow) -> Self {
        let place = row.queue.as_ref().map(|queued| Box::new(Place::of_row(queued)));
        let deadline = row.deadline.map(Timestamp::from_nanos);
        Self { deadline, attributes: row.attributes.clone(), place }
    }

    pub(crate) fn waits(&self) -> Option<RunState> {
        let place = self.place.as_ref()?;
        match (&place.queue, place.eligible_at) {
            (Some(_), _) => Some(RunState::Queued),
            (None, Some(_)) => Some(RunState::Delayed),
            (None, None) => None,
        }
    }
}

impl Place {
    fn of_row(queued: &Queued) -> Self {
        Self {
            queue: Some(queued.name.clone()).filter(|name| !name.is_empty()),
            partition: queued.partition.clone(),
            priority: queued.priority,
            unique: queued.unique.clone(),
            is_debounced: queued.is_debounced,
            eligible_at: Some(Timestamp::from_nanos(queued.eligible_at)),
        }
    }

    /// As the row of a run has it that was submitted then.
    fn in_row(&self, submitted_at: u64) -> Queued {
        let mut queued = Queued::new(self.queue.clone().unwrap_or_default());
        queued.partition = self.partition.clone();
        queued.priority = self.priority;
        queued.unique = self.unique.clone();
        queued.is_debounced = self.is_debounced;
        queued.eligible_at = self.eligible_at.map_or(submitted_at, Timestamp::as_nanos);
        queued
    }
}

impl Link {
    /// As a row has it.
    pub(crate) fn in_row(self) -> dacapo_store::Link {
        let Self { parent, number: Number { task, local } } = self;
        dacapo_store::Link { parent: RunKey(parent), task, local }
    }

    pub(crate) fn of_row(link: dacapo_store::Link) -> Self {
        let dacapo_store::Link { parent, task, local } = link;
        Self { parent: parent.0, number: Number { task, local } }
    }
}

/// What a pass takes over from the one before, beside messages, which stand behind it as if they had
/// just arrived.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Carried<'a> {
    /// The key of that pass's row.
    pub(crate) before: Option<u64>,
    /// How many passes before this one ended with nothing delivered to them but their start.
    pub(crate) idle_passes: u32,
    #[serde(borrow)]
    pub(crate) keys: Vec<CarriedKey<'a>>,
    #[serde(borrow)]
    pub(crate) topics: Vec<CarriedTopic<'a>>,
}

impl<'a> Carried<'a> {
    /// Whether a message with this key was taken.
    pub(crate) fn has_message(&self, channel: &str, key: &str) -> bool {
        let mut of_messages = self.keys.iter().filter(|carried| carried.answer.is_none());
        of_messages.any(|carried| carried.channel == channel && carried.key == key)
    }

    /// What came of the question with this key, if it was taken.
    pub(crate) fn answer(&self, name: &str, key: &str) -> Option<&Outcome<'a>> {
        let same = self.keys.iter().filter(|it| it.channel == name && it.key == key);
        same.filter_map(|carried| carried.answer.as_ref()).next()
    }
}

/// The key of a message that has been taken.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct CarriedKey<'a> {
    pub(crate) channel: String,
    pub(crate) key: String,
    /// When the message arrived.
    pub(crate) at: Timestamp,
    /// Of a question: its answer.
    #[serde(borrow)]
    pub(crate) answer: Option<Outcome<'a>>,
}

/// A topic that something was published on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct CarriedTopic<'a> {
    pub(crate) topic: String,
    /// How many values were published.
    pub(crate) published: u64,
    #[serde(borrow)]
    pub(crate) latest: Bytes<'a>,
}
