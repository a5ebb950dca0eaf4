//! What observers are told beside the traces of runs: what somebody who looks after them wants to know.

use core::fmt;
use core::time::Duration;

use crate::error::Error;
use crate::fault::ParkReason;

/// Something that somebody who looks after an executor may want to know.
///
/// Notices are no part of what a replay repeats: an [`Observer`](crate::Observer) is told of each once,
/// when it happens, and not by a rehearsal. Each prints as one line.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A run was parked, and that is committed.
    Parked {
        /// The run's id.
        run: &'a str,
        /// Why.
        reason: ParkReason,
        /// The same with its particulars, and what to do about it.
        message: &'a str,
    },
    /// A parked run goes on.
    Resumed {
        /// The run's id.
        run: &'a str,
    },
    /// A run has ended, and that is committed. Not told of one that was terminated while it was parked
    /// or its workflow not registered.
    Ended {
        /// The run's id.
        run: &'a str,
        /// Why it failed, if it did.
        error: Option<&'a Error>,
    },
    /// A call from outside was refused: to start a run, to send it a message or a question, to have it end.
    /// The caller has the same error. That the executor has stopped is told once, by `Stopped`.
    Refused {
        /// Why; it names the run.
        error: &'a Error,
    },
    /// An attempt of a step failed.
    AttemptFailed {
        /// The run's id.
        run: &'a str,
        /// The step's number, name and label.
        step: &'a str,
        /// Which attempt it was.
        attempt: u32,
        /// Why.
        error: &'a Error,
        /// How long the next one waits; `None`: it was the last.
        next_in: Option<Duration>,
    },
    /// A body kept the executor's thread to itself for 100 ms or longer: no other run went on meanwhile.
    /// [`Ctx::step_blocking`](crate::Ctx::step_blocking) is for what blocks.
    Blocked {
        /// The run's id.
        run: &'a str,
        /// The step's number, name and label.
        step: &'a str,
        /// For so long, in one poll.
        lasted: Duration,
    },
    /// A process ended while a body may have been under way: which of the bodies that a run had asked for had
    /// begun is not recorded. It counts as an attempt. Told when the run is taken up again; not after an end
    /// in order ([`Executor::shutdown`](crate::Executor::shutdown)), but for a step that runs at most once, whose body
    /// was cut off.
    Interrupted {
        /// The run's id.
        run: &'a str,
        /// The step's number, name and label.
        step: &'a str,
        /// How many ends of processes count for it by now.
        ends: u32,
    },
    /// A process ended while it replayed one of these runs, as the one that opens now finds out. Told before
    /// they are replayed; of a run for which it is the last time, `Parked` is told.
    ReplayEndedProcess {
        /// Their ids. At first several may be under suspicion, and each is replayed by itself from then on.
        runs: &'a [&'a str],
        /// How many processes in a row it were by now.
        ends: u32,
        /// With so many the run is parked.
        of: u32,
    },
    /// The same of runs that left memory, when the process ended while what their code owned was dropped.
    DropEndedProcess {
        /// Their ids.
        runs: &'a [&'a str],
        /// How many processes it were by now.
        ends: u32,
        /// With so many the run is parked.
        of: u32,
    },
    /// [`Builder::hold`](crate::Builder::hold) names a run that there is not: perhaps it is mistyped.
    NotHeld {
        /// The id.
        run: &'a str,
    },
    /// A run left memory, parked or to come back, and what its code owned panicked when it was dropped. The
    /// run is as it was: mend the destructor.
    DropPanicked {
        /// The run's id.
        run: &'a str,
        /// What the panic said.
        message: &'a str,
    },
    /// A schedule is paused, as its input function panicked, or made what cannot be recorded. Mend it, and
    /// resume it ([`Executor::resume_schedule`](crate::Executor::resume_schedule)).
    SchedulePaused {
        /// Its name.
        schedule: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// The store refused: nothing goes on any more, and all who wait have this error.
    Stopped {
        /// What the store said.
        error: &'a Error,
    },
    /// The wall clock is behind the last commit, by more than a second: it was ahead then, or was set
    /// back since. The time of runs goes on from that commit as the monotonic clock does. Told once,
    /// and again if the clock was right meanwhile.
    ClockBehind {
        /// By so much.
        by: Duration,
    },
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parked { run, message, .. } => write!(f, "run {run:?} is parked: {message}"),
            Self::Resumed { run } => write!(f, "run {run:?} is resumed"),
            Self::Ended { run, error: None } => write!(f, "run {run:?} has ended"),
            Self::Ended { run, error: Some(error) } if error.is_cancelled() => {
                write!(f, "run {run:?} has ended: {error}")
            }
            Self::Ended { run, error: Some(error) } => {
                write!(f, "run {run:?} has failed: {error}; Executor::retry takes it up again")?;
                if error.is_interrupted() {
                    f.write_str(
                        ", but runs no step again that may run at most once: find out whether its effect took \
                         place, and have the workflow go on by Error::is_interrupted first",
                    )?;
                }
                Ok(())
            }
            Self::Refused { error } => write!(f, "a call was refused: {error}"),
            Self::AttemptFailed { run, step, attempt, error, next_in } => {
                write!(f, "run {run:?}: attempt {attempt} of {step} failed: {error}")?;
                match next_in {
                    Some(wait) => write!(f, "; the next one begins in {wait:?}"),
                    None => f.write_str("; it was the last"),
                }
            }
            Self::Blocked { run, step, lasted } => write!(
                f,
                "run {run:?}: {step} blocked the thread of all runs for {lasted:?}: see \
                 Ctx::step_blocking"
            ),
            Self::Interrupted { run, step, ends } => write!(
                f,
                "run {run:?}: the process ended while {step} may have been under way; ends that count \
                 for it by now: {ends}"
            ),
            Self::ReplayEndedProcess { runs, ends, of } => {
                let what = format_args!("{} was replayed", Suspects(runs));
                write_ends(f, what, *ends, *of)
            }
            Self::DropEndedProcess { runs, ends, of } => {
                let what = format_args!("the code of {} was dropped", Suspects(runs));
                write_ends(f, what, *ends, *of)
            }
            Self::NotHeld { run } => {
                write!(f, "there is no run {run:?} to be held: check the id given to Builder::hold")
            }
            Self::DropPanicked { run, message } => {
                write!(
                    f,
                    "run {run:?} left memory, and its code panicked when it was dropped: {message}"
                )
            }
            Self::SchedulePaused { schedule, reason } => {
                write!(f, "the schedule {schedule:?} is paused: {reason}")
            }
            Self::Stopped { error } => write!(f, "the executor has stopped: {error}"),
            Self::ClockBehind { by } => write!(
                f,
                "the clock is {by:?} behind the last commit: the time of runs goes on from there, so what waits for a \
                 time of day waits so much longer; set the clock right"
            ),
        }
    }
}

fn write_ends(
    f: &mut fmt::Formatter<'_>,
    what: fmt::Arguments<'_>,
    ends: u32,
    of: u32,
) -> fmt::Result {
    write!(f, "the process ended while {what}; after {of} such ends it is parked, by now: {ends}")
}

/// Some of the runs among which one ended the process.
struct Suspects<'a>(&'a [&'a str]);

impl fmt::Display for Suspects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        if let [run] = self.0 {
            return write!(f, "run {run:?}");
        }
        f.write_str("one of the runs ")?;
        let shown = self.0.iter().take(SHOWN).enumerate();
        for (before, run) in shown {
            write!(f, "{}{run:?}", if before == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
