//! What somebody outside was told of topics and answers, held against the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use dacapo::store::{RunKey, RunState};
use dacapo::{Asking, Error, Follow};
use futures::{FutureExt, StreamExt};

use super::super::talk::{QUESTION, TOPICS};
use super::records::{Outcome, Record, Run};

/// Somebody follows a topic.
pub(super) struct Follower {
    pub(super) id: String,
    pub(super) topic: usize,
    pub(super) from: u64,
    pub(super) follow: Follow<u64>,
    pub(super) values: Vec<(u64, u64)>,
    /// Why there are no more.
    pub(super) error: Option<Error>,
}

/// Somebody waits for an answer.
pub(super) struct Asker {
    pub(super) id: String,
    pub(super) question: u64,
    pub(super) key: Option<u8>,
    pub(super) asking: Asking<u64>,
    pub(super) told: Option<Result<u64, Error>>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl Follower {
    /// Reads what is there by now.
    pub(super) fn read(&mut self) {
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(woken.clone());
        loop {
            match self.follow.poll_next_unpin(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(Ok(value))) => self.values.push(value),
                Poll::Ready(Some(Err(error))) => self.error = Some(error),
                // It lets others go first.
                Poll::Pending if woken.0.swap(false, Relaxed) => {}
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
    }

    /// Whoever follows a topic has read a part of the series, and all of it when nothing was under way.
    pub(super) fn check(&self, runs: &[Run], is_quiet: bool) -> Result<(), String> {
        let Self { id, topic, from, values, error, .. } = self;
        let series = series(runs, id, *topic)?;
        let offsets = (*from..).zip(series.into_iter().skip(*from as usize));
        let expected: Vec<_> = offsets.collect();
        let may_lack = error.is_some() || !is_quiet;
        if !expected.starts_with(values) || !may_lack && expected.len() > values.len() {
            let topic = TOPICS[*topic].name();
            return Err(format!(
                "who follows {topic} of {id:?} from {from} has {values:?}, and {expected:?} is there"
            ));
        }
        Ok(())
    }
}

impl Asker {
    /// Asks at the first call, and looks whether there is an answer by now.
    pub(super) fn poll(&mut self) {
        if self.told.is_none() {
            self.told = (&mut self.asking).now_or_never();
        }
    }

    pub(super) async fn wait(&mut self) {
        if self.told.is_none() {
            self.told = Some((&mut self.asking).await);
        }
    }

    /// An answer that somebody has is the recorded one, and who is told that there is none is right.
    pub(super) fn check(&self, runs: &[Run]) -> Result<(), String> {
        let Self { id, question, key, told, .. } = self;
        let Some(told) = told else { return Ok(()) };
        let recorded = answers(runs, id, *question, *key)?;
        let fits = match told {
            Ok(answer) => recorded.contains(&Some(*answer)),
            Err(error) if error.is_not_found() || error.is_store() || error.is_closed() => true,
            Err(error) if error.is_ended() => !recorded.iter().any(|answer| answer.is_some()),
            Err(error) => {
                recorded.contains(&None) && error.to_string().contains("dropped without an answer")
            }
        };
        match fits {
            true => Ok(()),
            false => Err(format!(
                "question {question} with the key {key:?} to {id:?} was answered {told:?}, and \
                 recorded is {recorded:?}"
            )),
        }
    }
}

/// The passes of the newest run with this id, the first in front.
fn passes<'a>(runs: &'a [Run], id: &str) -> Vec<&'a Run> {
    let mut passes = Vec::new();
    let is_newest = |run: &&Run| run.row.id == id && run.row.state != RunState::Continued;
    let mut next = runs.iter().find(is_newest);
    while let Some(run) = next {
        passes.insert(0, run);
        let before = run.submission().and_then(|submission| submission.before);
        next = before.and_then(|key| runs.iter().find(|run| run.row.key == RunKey(key)));
    }
    passes
}

/// All that a run has published on a topic.
pub(super) fn series(runs: &[Run], id: &str, topic: usize) -> Result<Vec<u64>, String> {
    let mut series = Vec::new();
    for run in passes(runs, id) {
        for (name, value) in run.entries.iter().filter_map(|entry| entry.record.published()) {
            if name == TOPICS[topic].name() {
                series.push(run.shapes.decode(value).map_err(|why| why.to_string())?);
            }
        }
    }
    Ok(series)
}

/// What a run answered to a question; `None` for those that it dropped.
fn answers(
    runs: &[Run],
    id: &str,
    question: u64,
    with: Option<u8>,
) -> Result<Vec<Option<u64>>, String> {
    let with = with.map(|key| key.to_string());
    let mut answers = Vec::new();
    for run in passes(runs, id) {
        for (place, entry) in run.entries.iter().enumerate() {
            let Record::MessageArrived { channel, payload, key, is_question: true } = &entry.record
            else {
                continue;
            };
            let is_it = match &with {
                Some(_) => *key == with,
                None => run.shapes.decode(payload) == Ok(question),
            };
            if *channel == QUESTION.name()
                && is_it
                && let Some(outcome) = run.answer(place)
            {
                answers.push(number(run, outcome)?);
            }
        }
    }
    Ok(answers)
}

fn number(run: &Run, outcome: &Outcome) -> Result<Option<u64>, String> {
    let answer = outcome.as_ref().ok().map(|answer| run.shapes.decode(answer));
    answer.transpose().map_err(|why| why.to_string())
}
