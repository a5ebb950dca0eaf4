//! Spans of runs, steps and attempts, by the crate `tracing`.
//!
//! | span | from | until | within |
//! |---|---|---|---|
//! | `run` | its first poll in this process | its end is committed, or it is parked | nothing |
//! | `replay` | the first record of a replay | its last | nothing; it follows from the `run` that it repeats |
//! | `step` | its first attempt in this process | its outcome is committed | `run` |
//! | `attempt` | the body begins | it has ended | `step` |
//!
//! What is replayed opens neither a `run` nor a `step` again: no body begins, and the span of a run stays while
//! the run is out of memory. Only of a run that another process began, or of which too many left memory, a `run` is
//! opened behind the replay, which it follows from.
//!
//! Numbers are `i64`: collectors take others for text.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use core::cell::RefCell;

use tracing::field::{Empty, display};
use tracing::span::EnteredSpan;
use tracing::{Level, Span};

use super::Who;
use crate::error::Failure;
use crate::notice::Notice;
use crate::record::Number;

/// The spans of so many runs are kept that have left memory: one that is open for a month costs whoever collects
/// them as much as any other.
const KEPT: usize = 10_000;

/// The open spans of all runs.
#[derive(Default)]
pub(crate) struct Spans {
    is_off: bool,
    runs: RefCell<BTreeMap<Arc<str>, Open>>,
    /// Those that left memory, the first one first; some are back by now.
    left: RefCell<VecDeque<Arc<str>>>,
}

/// What is open of one run.
#[derive(Default)]
struct Open {
    run: Option<Span>,
    replay: Option<Span>,
    is_away: bool,
}

/// As long as it lives, what is told on this thread is told within a span.
pub(crate) struct Entered {
    _span: Option<EnteredSpan>,
}

fn enter(span: Option<&Span>) -> Entered {
    Entered { _span: span.map(|span| span.clone().entered()) }
}

impl Spans {
    pub(crate) fn off() -> Self {
        Self { is_off: true, ..Self::default() }
    }

    fn with<T>(&self, who: Who<'_>, look: impl FnOnce(&mut Open) -> T) -> Option<T> {
        if self.is_off || !tracing::enabled!(target: "dacapo", Level::INFO) {
            return None;
        }
        let mut runs = self.runs.borrow_mut();
        let open = match runs.get_mut(who.id) {
            Some(open) => open,
            None => runs.entry(who.id.clone()).or_default(),
        };
        open.is_away = false;
        Some(look(open))
    }

    /// The code of a run is about to be polled.
    pub(crate) fn enter_run(&self, who: Who<'_>) -> Entered {
        let span = self.with(who, |open| open.run(who, false).clone());
        enter(span.as_ref())
    }

    /// The same in a replay.
    pub(crate) fn enter_replay(&self, who: Who<'_>) -> Entered {
        let span = self.with(who, |open| {
            let Open { run, replay, .. } = open;
            let begin = || {
                let Who { id, workflow, pass } = who;
                let pass = i64::from(pass);
                let span = tracing::info_span!(
                    target: "dacapo", parent: None, "replay", run = &**id, workflow, pass, records = Empty
                );
                if let Some(run) = run {
                    span.follows_from(&*run);
                }
                span
            };
            replay.get_or_insert_with(begin).clone()
        });
        enter(span.as_ref())
    }

    /// A replay of so many records has ended, and the run goes on.
    pub(crate) fn replayed(&self, who: Who<'_>, records: u64) {
        self.with(who, |open| {
            let replay = open.replay.take();
            if let Some(replay) = &replay {
                replay.record("records", i64::try_from(records).unwrap_or(i64::MAX));
            }
            if open.run.is_none() {
                let run = open.run(who, true);
                if let Some(replay) = replay {
                    run.follows_from(replay);
                }
            }
        });
    }

    /// A run leaves memory to come back.
    pub(crate) fn leave(&self, id: &Arc<str>) {
        let mut runs = self.runs.borrow_mut();
        let Some(open) = runs.get_mut(id) else { return };
        open.is_away = true;
        let mut left = self.left.borrow_mut();
        left.push_back(id.clone());
        while left.len() > KEPT {
            let first = left.pop_front();
            let is_away = |id: &Arc<str>| runs.get(id).is_some_and(|open| open.is_away);
            if let Some(id) = first.filter(is_away) {
                runs.remove(&id);
            }
        }
    }

    pub(crate) fn notice(&self, notice: &Notice<'_>) {
        if self.is_off {
            return;
        }
        match notice {
            Notice::Ended { run, error: None } => self.end(run, "completed"),
            Notice::Ended { run, error: Some(error) } if error.is_cancelled() => {
                self.end(run, "cancelled");
            }
            Notice::Ended { run, error: Some(_) } => self.end(run, "failed"),
            Notice::Parked { run, .. } => self.end(run, "parked"),
            _ => {}
        }
        tell(notice);
    }

    fn end(&self, run: &str, outcome: &str) {
        let open = self.runs.borrow_mut().remove(run);
        if let Some(span) = open.and_then(|open| open.run) {
            span.record("outcome", outcome);
        }
    }
}

/// Each notice is an event, too.
fn tell(notice: &Notice<'_>) {
    match notice {
        Notice::Ended { error: None, .. } | Notice::Resumed { .. } => {
            tracing::info!(target: "dacapo", "{notice}");
        }
        Notice::Ended { error: Some(error), .. } if error.is_cancelled() => {
            tracing::info!(target: "dacapo", "{notice}");
        }
        Notice::Parked { .. } | Notice::Stopped { .. } | Notice::SchedulePaused { .. } => {
            tracing::error!(target: "dacapo", "{notice}");
        }
        Notice::Ended { .. }
        | Notice::Refused { .. }
        | Notice::AttemptFailed { .. }
        | Notice::Blocked { .. }
        | Notice::Interrupted { .. }
        | Notice::ReplayEndedProcess { .. }
        | Notice::DropEndedProcess { .. }
        | Notice::NotHeld { .. }
        | Notice::DropPanicked { .. }
        | Notice::ClockBehind { .. } => tracing::warn!(target: "dacapo", "{notice}"),
    }
}

impl Open {
    fn run(&mut self, who: Who<'_>, is_resumed: bool) -> &Span {
        self.run.get_or_insert_with(|| {
            let Who { id, workflow, pass } = who;
            let pass = i64::from(pass);
            tracing::info_span!(
                target: "dacapo", parent: None, "run",
                run = &**id, workflow, pass, resumed = is_resumed, outcome = Empty
            )
        })
    }
}

/// The spans of one step, while it is carried out.
#[derive(Default)]
pub(crate) struct StepSpans(RefCell<Option<Box<OpenStep>>>);

struct OpenStep {
    step: Span,
    attempts: u32,
    attempt: Option<Span>,
}

impl StepSpans {
    /// An attempt begins.
    pub(crate) fn begin(
        &self,
        spans: &Spans,
        who: Who<'_>,
        (number, name, label): (Number, &str, Option<&str>),
        attempt: u32,
    ) {
        let Some(run) = spans.with(who, |open| open.run(who, false).clone()) else { return };
        let mut open = self.0.borrow_mut();
        let open = open.get_or_insert_with(|| {
            let step = tracing::info_span!(
                target: "dacapo", parent: &run, "step",
                run = &**who.id, number = display(number), name, label, attempts = Empty, error = Empty
            );
            Box::new(OpenStep { step, attempts: 0, attempt: None })
        });
        open.attempts = attempt;
        let attempt = i64::from(attempt);
        open.attempt = Some(tracing::info_span!(
            target: "dacapo", parent: &open.step, "attempt", attempt, error = Empty
        ));
    }

    /// The body is about to be polled.
    pub(crate) fn enter(&self) -> Entered {
        let open = self.0.borrow();
        enter(open.as_ref().and_then(|open| open.attempt.as_ref()))
    }

    /// The attempt has ended.
    pub(crate) fn end_attempt(&self, failure: Option<&Failure>) {
        let attempt = self.0.borrow_mut().as_mut().and_then(|open| open.attempt.take());
        if let (Some(attempt), Some(failure)) = (attempt, failure) {
            attempt.record("error", display(failure.message()));
        }
    }

    /// The outcome of the step is committed.
    pub(crate) fn end(&self, failure: Option<&Failure>) {
        let Some(open) = self.0.take() else { return };
        open.step.record("attempts", i64::from(open.attempts));
        if let Some(failure) = failure {
            open.step.record("error", display(failure.message()));
        }
    }
}

/// The span of an attempt, for another thread that works for it.
pub(crate) struct Carried(Span);

impl Carried {
    pub(crate) fn here() -> Self {
        Self(Span::current())
    }

    pub(crate) fn enter(&self) -> Entered {
        enter(Some(&self.0))
    }
}
