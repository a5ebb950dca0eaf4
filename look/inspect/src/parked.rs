//! Runs that were stopped without having ended.

use dacapo::store::RunKey;
use dacapo::{Executor, HistoryEvent, ParkedRun};
use serde::{Deserialize, Serialize};

use crate::operation::name_of;
use crate::time::Time;

/// A run that was stopped without having ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "parked")]
#[non_exhaustive]
pub struct Parked {
    /// Its id.
    pub id: String,
    /// The name of its workflow.
    pub workflow: String,
    /// Why: one or two words.
    pub reason: String,
    /// Why in particular, and what to do about it.
    pub message: String,
    /// The build that parked it, if it said which it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Where its history and the code part, if that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
    /// The line of the code that it is about: `src/order.rs:52`. Known of a run whose code was rehearsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it was parked; `None` if it was taken up or deleted meanwhile.
    pub parked_at: Option<Time>,
}

/// Where a history and the code part, with the records beside it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Divergence {
    /// The first record that differs.
    pub record: u64,
    /// What it holds.
    pub history: String,
    /// What the code did there.
    pub code: String,
    /// What the record before holds, where both agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What the record behind it holds, which the code did not come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
}

impl Divergence {
    fn new(of: dacapo::Divergence, run: Option<RunKey>, executor: &Executor) -> Self {
        let dacapo::Divergence { record, history, code, .. } = of;
        let around = record.saturating_sub(1)..record.saturating_add(2);
        let page = run.and_then(|run| executor.history_of(run, around).ok());
        let entries = page.map(|page| page.entries).unwrap_or_default();
        let at = |seq: u64| {
            let entry = entries.iter().find(|entry| entry.seq == seq)?;
            let name = name_of(&entry.event);
            let is_outcome = matches!(entry.event, HistoryEvent::Ended { .. });
            Some(if is_outcome { format!("outcome of {name}") } else { name })
        };
        let before = record.checked_sub(1).and_then(at);
        Self { record, history, code, before, behind: at(record.saturating_add(1)) }
    }
}

impl Parked {
    /// One that would be parked.
    pub(crate) fn ahead(run: ParkedRun, executor: &Executor) -> Self {
        Self { parked_at: None, ..Self::new(run, executor) }
    }

    pub(crate) fn new(run: ParkedRun, executor: &Executor) -> Self {
        let info = executor.info(&run.id).ok();
        let key = info.as_ref().map(|info| info.key);
        Self {
            divergence: run.divergence.map(|of| Divergence::new(of, key, executor)),
            parked_at: info.map(|info| info.changed_at.into()),
            id: run.id,
            workflow: run.workflow,
            reason: run.reason.to_string(),
            message: run.message,
            source: run.source.map(|source| source.to_string()),
            build: run.build,
        }
    }
}
