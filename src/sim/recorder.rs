use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::pace::Pace;
use crate::record::Record;
use crate::trace::{Event, Observer, Recorded};

/// Keeps the events of every run as text. Its clones are one recorder.
///
/// ```
/// use dacapo::sim::Recorder;
/// use dacapo::{Ctx, Executor, Result, Workflow};
///
/// const ONE: Workflow<(), u8> = Workflow::new("one");
///
/// async fn one(ctx: &Ctx, (): ()) -> Result<u8> {
///     ctx.step("count", async || Ok::<_, dacapo::Error>(1)).await
/// }
///
/// let recorder = Recorder::default();
/// let builder = Executor::builder().workflow(ONE, one).observer(recorder.clone());
/// let executor = builder.in_memory();
/// executor.block_on(executor.start(ONE, "one-1", ())?)?;
/// assert_eq!(
///     recorder.trace("one-1"),
///     [
///         r#"deliver 0: start of workflow "one""#,
///         "poll 0",
///         r#"ask step 1 "count""#,
///         r#"deliver 1: outcome of step 1 "count""#,
///         "poll 0",
///         "deliver 2: end of the run with an output",
///     ]
/// );
/// # Ok::<(), dacapo::Error>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct Recorder {
    traces: Rc<RefCell<BTreeMap<String, Vec<String>>>>,
    shows_attempts: bool,
    pace: Rc<Cell<Pace>>,
}

impl Recorder {
    /// One whose outcomes say after how many attempts they came, if there were several.
    pub(super) fn with_attempts() -> Self {
        Self { shows_attempts: true, ..Self::default() }
    }

    /// From now on what is delivered is shown at this pace. An event comes before the polls that follow from it.
    pub(super) fn set_pace(&self, pace: Pace) {
        self.pace.set(pace);
    }

    /// All events of a run so far, one line each, since it was started or last replayed: a replay
    /// repeats what was before.
    #[must_use]
    pub fn trace(&self, run: &str) -> Vec<String> {
        self.traces.borrow().get(run).cloned().unwrap_or_default()
    }
}

impl Recorder {
    /// The events of all runs.
    pub(super) fn traces(&self) -> BTreeMap<String, Vec<String>> {
        self.traces.borrow().clone()
    }
}

impl Observer for Recorder {
    fn rehearse(&self, run: &str, event: Event<'_>) {
        self.observe(run, event);
    }

    fn observe(&self, run: &str, event: Event<'_>) {
        if let Event::Delivered(seq, _) = event {
            self.pace.get().pause(seq);
        }
        let mut traces = self.traces.borrow_mut();
        let trace = traces.entry(run.into()).or_default();
        if matches!(event, Event::Delivered(0, _)) {
            trace.clear();
        }
        trace.push(match event {
            Event::Delivered(_, Recorded(Record::OperationEnded { spent, .. }))
                if self.shows_attempts && spent.attempts > 1 =>
            {
                format!("{event}, after {} attempts", spent.attempts)
            }
            _ => event.to_string(),
        });
    }
}
