//! The heart: how a run moves. Everything that makes runs deterministic stands in this module.
//!
//! A run moves by deliveries only. To **deliver** is to hand one committed record to the run and to
//! poll its tasks until none is ready. When every committed record has been delivered, and only
//! then, comes the **work**: what the run's operations ask for is begun, in the order of their
//! numbers. What comes of it goes into the next **commit**, which gives each record its seq in
//! its history; then it is delivered, in that order.
//!
//! ```text
//!        +--> deliver one record, poll to quiescence --+
//!        |                                             | none left
//!      commit <-- bodies, timers <-- work: requests <--+
//! ```
//!
//! A replay is the upper half of this picture with records from the stored history; it passes
//! through the same code. So the state of a run, and the sequence of its polls, is a function of
//! its code, its input and its history.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::context::explain;
use crate::error::{self, Error};
use crate::fault::{Fault, ParkReason};
use crate::instance::{Draft, Instance, Phase};
use crate::operation::{Ended, Operation};
use crate::panics;
use crate::record::{Kind, Number, Outcome, Record, SEMANTICS_VERSION};
use crate::registry::Code;
use crate::replay::{Delivery, claim, diverged};
use crate::timer::RunTimer;
use crate::trace::{Event, Recorded};

impl Draft {
    /// Gives the record, for a commit at `now`, to `take`.
    pub(crate) fn with_record<T>(&self, now: Timestamp, take: impl FnOnce(&Record<'_>) -> T) -> T {
        match self {
            Self::Outcome(ended) => ended.with_record(now, take),
            Self::Record(record) => take(record),
        }
    }

    /// Whether it is still expected in the run's history: a parked run keeps its history as it
    /// is, and what was dropped leaves no record.
    pub(crate) fn is_expected(&self, run: &Instance) -> bool {
        let waits = |number| run.operations.borrow().waits(number);
        let is_open = run.phase.get() != Phase::Closed;
        is_open
            && match self {
                Self::Outcome(ended) => waits(ended.operation.number),
                Self::Record(record) => match **record {
                    Record::StepStarted { number }
                    | Record::Restarted { number }
                    | Record::TimerFired { number } => waits(number),
                    _ => true,
                },
            }
    }

    pub(crate) fn is_start(&self) -> bool {
        matches!(self, Self::Record(record) if matches!(**record, Record::Started { .. }))
    }
}

impl From<Record<'static>> for Draft {
    fn from(record: Record<'static>) -> Self {
        Self::Record(Box::new(record))
    }
}

/// A run in memory, and the code that it runs.
pub(crate) struct Run {
    pub(crate) instance: Rc<Instance>,
    code: Rc<Code>,
}

impl Run {
    pub(crate) fn new(instance: Rc<Instance>, code: Rc<Code>) -> Self {
        Self { instance, code }
    }

    /// Delivers one record and polls to quiescence. An error parks the run.
    pub(crate) fn deliver(&self, delivery: Delivery, record: &Record<'_>) -> Result<(), Fault> {
        let run = &*self.instance;
        let Delivery { seq, commit, time } = delivery;
        assert_eq!(seq, run.delivered.get(), "records are delivered in their order");
        run.observe(Event::Delivered(seq, Recorded(record)));
        run.delivered.set(seq + 1);
        if run.phase.get() == Phase::Ended {
            return self.deliver_after_end(commit, record);
        }
        run.commit.set(commit);
        run.now.set(time);
        match *record {
            Record::Started { version, .. } if version > SEMANTICS_VERSION => {
                let asked = format_args!("knows the rules up to version {SEMANTICS_VERSION} only");
                let recorded = format_args!("a start under version {version} of the rules");
                return Err(diverged(run, recorded, asked));
            }
            Record::Started { ref input, seed, .. } => {
                run.seed.set(seed);
                self.spawn_root(input)?;
            }
            Record::StepStarted { number } => {
                if let Some(step) = claim(run, record, number)? {
                    step.begun.set(true);
                    run.operations.borrow_mut().ask_again(number);
                }
            }
            Record::Restarted { number } => {
                if let Some(step) = claim(run, record, number)? {
                    step.interrupted.set(step.interrupted.get() + 1);
                    run.operations.borrow_mut().ask_again(number);
                }
            }
            Record::StepFinished { number, .. } | Record::TimerFired { number } => {
                if let Some(operation) = claim(run, record, number)? {
                    run.operations.borrow_mut().finish(number);
                    run.end_effort(&operation);
                    if let Record::StepFinished { outcome, .. } = record
                        && run.operations.borrow().is_replaying()
                    {
                        operation.copy_outcome(outcome);
                    }
                    run.hand_over(&operation);
                }
            }
            Record::Finished { .. } => {
                let waiting = run.operations.borrow().show();
                return Err(diverged(run, record, format_args!("goes on, and awaits {waiting}")));
            }
            Record::MessageArrived { .. }
            | Record::Sent { .. }
            | Record::ChildFinished { .. }
            | Record::ChildDropped { .. }
            | Record::CancelRequested
            | Record::Patched { .. } => {
                let asked = "is of a build that does not know this kind of record";
                return Err(diverged(run, record, asked));
            }
        }
        self.poll_to_quiescence()
    }

    /// Takes up what the run asked for since the last time, and leaves what must be recorded
    /// first in `drafts`. An error parks the run.
    pub(crate) fn work(&self, drafts: &mut Vec<Draft>) -> Result<(), Fault> {
        let run = &*self.instance;
        match run.phase.get() {
            Phase::Replaying => {
                run.operations.borrow_mut().end_replay();
                run.phase.set(Phase::Live);
                self.recover(drafts);
            }
            Phase::Live => self.begin_asked(drafts),
            Phase::Ended => {
                let outcome = run.outcome.get().expect("an ended run has an outcome");
                drafts.push(Record::Finished { outcome: Outcome::clone(outcome) }.into());
                return Ok(());
            }
            Phase::Closed => return Ok(()),
        }
        self.check_stall()
    }

    /// Something outside touched the run: why it is parked, unless that no longer matters.
    pub(crate) fn foreign_wake(&self) -> Option<Fault> {
        let run = &*self.instance;
        let detail = "a task was woken or dropped while nothing was delivered to the run, \
                      so it depends on something that the history does not know";
        (run.phase.get() == Phase::Live).then(|| Fault::new(ParkReason::ForeignWake, detail))
    }

    /// Whether a run whose whole history was delivered stands where its row says.
    pub(crate) fn check_end(&self, has_ended: bool) -> Result<(), Fault> {
        let run = &*self.instance;
        match run.phase.get() {
            Phase::Replaying if has_ended => {
                Err(Fault::new(ParkReason::Damaged, "the end of the history is missing"))
            }
            Phase::Replaying => self.check_stall(),
            _ => Ok(()),
        }
    }

    fn check_stall(&self) -> Result<(), Fault> {
        let run = &*self.instance;
        if !run.operations.borrow().is_empty() {
            return Ok(());
        }
        let detail = format_args!("{} no operation of the run", run.show_tasks());
        Err(Fault::new(ParkReason::Stalled, detail))
    }

    fn spawn_root(&self, input: &Bytes<'_>) -> Result<(), Fault> {
        let root = self.code.root(&self.instance, input.as_slice());
        let root = root.map_err(|why| Fault::new(ParkReason::Undecodable, why))?;
        self.instance.spawn_root(root);
        Ok(())
    }

    fn poll_to_quiescence(&self) -> Result<(), Fault> {
        let run = &*self.instance;
        let poll = || {
            self.poll_tasks();
            if run.wake_spuriously() {
                self.poll_tasks();
            }
        };
        if let Err(message) = panics::catch(|| run.open(poll)) {
            run.fail(
                ParkReason::Panicked,
                format_args!("task {}: {message}", run.world.polled_task.get()),
            );
        }
        if run.outcome.get().is_some() && run.fault().is_none() {
            run.end();
        }
        run.fault().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Polls until no task is ready, the root has ended, or something is wrong.
    fn poll_tasks(&self) {
        let run = &*self.instance;
        let budget = run.world.poll_budget;
        for _ in 0..budget {
            let stop = run.outcome.get().is_some() || run.fault().is_some();
            if stop || !run.world.tasks.try_tick() {
                return;
            }
        }
        if run.outcome.get().is_none() && run.world.tasks.raw().queued() > 0 {
            let task = run.world.polled_task.get();
            let detail = format_args!("task {task} and others took {budget} polls for one record");
            run.fail(ParkReason::LiveLock, detail);
        }
    }

    /// Records that were committed together with the one that ended the root reach nobody.
    fn deliver_after_end(&self, commit: u64, record: &Record<'_>) -> Result<(), Fault> {
        let run = &*self.instance;
        let outcome = run.outcome.get().expect("an ended run has an outcome");
        let ended = |outcome: &Outcome<'_>| match outcome {
            Ok(_) => "ends here with another output".into(),
            Err(failure) => alloc::format!("ends here with the error {:?}", failure.message()),
        };
        match record {
            Record::Finished { outcome: recorded } if *recorded == **outcome => Ok(()),
            Record::Finished { .. } => Err(diverged(run, record, ended(outcome))),
            _ if commit == run.commit.get() => Ok(()),
            _ => Err(diverged(run, record, "ended before it")),
        }
    }

    /// Begins what was asked for, in the order of the numbers.
    fn begin_asked(&self, drafts: &mut Vec<Draft>) {
        let asked = self.instance.operations.borrow_mut().take_asked();
        for &number in asked.as_slice() {
            self.begin(number, drafts);
        }
        self.instance.operations.borrow_mut().reuse(asked);
    }

    fn begin(&self, number: Number, drafts: &mut Vec<Draft>) {
        let run = &*self.instance;
        let operations = run.operations.borrow();
        // Dropped since.
        let Some(operation) = operations.get(number) else { return };
        if let Some(deadline) = operation.deadline() {
            run.world.timers.add(RunTimer { deadline, run: run.key, number });
        } else if operation.policy().at_most_once && !operation.begun.get() {
            drafts.push(Record::StepStarted { number }.into());
        } else {
            operation.start(|body| run.world.spawn_body(body));
        }
    }

    /// The first work after a replay. Timers that are due come first; no body begins before it is
    /// recorded that it may have begun before, since it counts as an attempt.
    fn recover(&self, drafts: &mut Vec<Draft>) {
        let run = &*self.instance;
        let now = run.world.timers.now();
        let asked = run.operations.borrow_mut().take_asked();
        let deadline = |&number: &Number| run.operations.borrow().deadline(number);
        let is_due = |number: &Number| deadline(number).is_some_and(|deadline| deadline <= now);
        let (mut due, rest): (Vec<_>, Vec<_>) = asked.into_iter().partition(is_due);
        due.sort_by_key(|number| (deadline(number), *number));
        drafts.extend(due.into_iter().map(|number| Record::TimerFired { number }.into()));
        for number in rest {
            let step = run.operations.borrow().waiting(number).expect("what was asked for waits");
            match step.kind {
                Kind::Sleep => self.begin(number, drafts),
                Kind::Step => drafts.push(interrupt(step, now)),
            }
        }
    }
}

/// What is recorded of a step whose body was cut off by the end of a process, or may have been.
fn interrupt(step: Rc<Operation>, now: Timestamp) -> Draft {
    let (number, attempts) = (step.number, step.interrupted.get() + 1);
    let policy = step.policy();
    let failure = match (policy.at_most_once, step.begun.get()) {
        (true, false) => return Record::StepStarted { number }.into(),
        (true, true) => "it was interrupted after it began, and it may run at most once",
        (false, _) if policy.retry.gives_up_interrupted(attempts) => {
            "it was interrupted in the last of them"
        }
        (false, _) => return Record::Restarted { number }.into(),
    };
    let failure = Error::of(error::Kind::Interrupted, failure).into_failure();
    step.set_outcome(|| Err(explain(failure, &step, attempts)));
    Draft::Outcome(Ended { operation: step, attempts, started_at: now, ended_at: now })
}
