//! What a run has published, as far as it was delivered; and what bodies leave to be recorded.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use dacapo_store::RunKey;

use crate::bytes::Bytes;
use crate::record::{CarriedTopic, Mark, Number, Record};
use crate::values::FarValue;

/// The topics of one run.
#[derive(Default)]
pub(crate) struct Topics(BTreeMap<Box<str>, Series>);

/// What was published on one topic, in all passes.
struct Series {
    published: u64,
    latest: Bytes<'static>,
}

/// A value that a body published, on its way from whatever thread.
pub(crate) struct Report {
    pub(crate) run: RunKey,
    pub(crate) step: Number,
    pub(crate) attempt: u32,
    pub(crate) topic: &'static str,
    pub(crate) value: FarValue,
}

/// What a record published, if it did: the topic and the value.
pub(crate) fn published<'a>(record: &'a Record<'_>) -> Option<(&'a str, &'a Bytes<'a>)> {
    match record {
        Record::Marked { mark: Mark::Published { topic, value }, .. }
        | Record::Reported { topic, value, .. } => Some((topic, value)),
        Record::Started { .. }
        | Record::OperationEnded { .. }
        | Record::OperationNoted { .. }
        | Record::Finished { .. }
        | Record::MessageArrived { .. }
        | Record::CancelRequested { .. }
        | Record::Submitted(_)
        | Record::Admitted { .. }
        | Record::Marked { .. }
        | Record::MessageSkipped { .. }
        | Record::Again
        | Record::Retried { .. }
        | Record::Forked { .. }
        | Record::Resubmitted(_)
        | Record::Moved { .. } => None,
    }
}

impl Topics {
    pub(crate) fn publish(&mut self, topic: &str, value: &Bytes<'_>) {
        let latest = value.clone().into_owned();
        match self.0.get_mut(topic) {
            Some(series) => *series = Series { published: series.published + 1, latest },
            None => drop(self.0.insert(topic.into(), Series { published: 1, latest })),
        }
    }

    /// The pass before had published this.
    pub(crate) fn take_over(&mut self, carried: &[CarriedTopic<'_>]) {
        for CarriedTopic { topic, published, latest } in carried {
            let series = Series { published: *published, latest: latest.clone().into_owned() };
            self.0.insert(topic.as_str().into(), series);
        }
    }

    /// For the next pass.
    pub(crate) fn all(&self) -> Vec<CarriedTopic<'static>> {
        let carried = self.0.iter().map(|(topic, series)| CarriedTopic {
            topic: String::from(&**topic),
            published: series.published,
            latest: series.latest.clone(),
        });
        carried.collect()
    }

    pub(crate) fn latest(&self, topic: &str) -> Option<Bytes<'static>> {
        self.0.get(topic).map(|series| series.latest.clone())
    }
}

impl Report {
    /// Its record, with the value in bytes.
    pub(crate) fn record<'a>(&'a self, value: &'a Bytes<'_>) -> Record<'a> {
        let Self { step, attempt, topic, .. } = self;
        Record::Reported { number: *step, attempt: *attempt, topic, value: value.borrowed() }
    }
}
