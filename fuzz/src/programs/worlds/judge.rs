//! Runs of worlds held against the reference, which knows their histories and nothing else.

use dacapo::Error;
use dacapo::store::RunState;
use dacapo_values::Shapes;

use super::super::compare::compare;
use super::super::language::Why;
use super::super::live::Output;
use super::super::reference::{
    Delivered, Did, End, Message, News, Number, Own, Stand, carry_out, split_mix,
};
use super::super::shaped::Shaped;
use super::super::talk::{FAILING, INBOXES, TOPICS, WORKFLOWS};
use super::records::{
    Asked, Cause, Entry, Failure, FailureKind, Mark, Note, Record, Run, readable,
};
use super::{World, Wrong};

impl World {
    /// Compares a replay with the reference: poll for poll, and where the run stands. `now` is the time
    /// when nothing is under way. Says whether the reference knows the program.
    pub(super) fn judge(
        &self,
        run: &Run,
        (replay, verified): (&[String], &Result<(), Error>),
        now: Option<u64>,
    ) -> Result<bool, String> {
        let shown = |place: usize| {
            let start = format!("deliver {place}: ");
            let line = replay.iter().find_map(|line| line.strip_prefix(&start));
            line.unwrap_or_default().to_owned()
        };
        let Some(stand) = self.stand(run, now.unwrap_or_default(), shown)? else {
            return Ok(false);
        };
        compare("the run (first: the reference)", &stand.trace, replay)
            .map_err(|why| why.to_string())?;
        let is_parked = stand.end == Some(End::Parked);
        if verified.is_err() != is_parked {
            return Err(format!("{verified:?}, and by the reference {:?}", stand.end));
        }
        judge_stand(run, &stand, now.is_some())?;
        if now.is_some() && run.row.state == RunState::Running {
            let left = stand.overdue.iter().chain(&stand.unrecorded).collect::<Vec<_>>();
            if !left.is_empty() {
                return Err(format!("nothing comes of {left:?}"));
            }
        }
        Ok(true)
    }

    /// Compares what one pass left with what the next one begins with.
    pub(super) fn judge_pass(&self, run: &Run, all: &[Run]) -> Result<bool, Wrong> {
        let wrong = |why: String| Wrong::Lost(super::assert::shown(run, &why));
        let stand = self.stand(run, 0, |_| String::new()).map_err(wrong)?;
        let is_next = |next: &&Run| {
            next.submission().is_some_and(|submission| submission.before == Some(run.row.key.0))
        };
        let (Some(stand), Some(next)) = (stand, all.iter().find(is_next)) else {
            return Ok(false);
        };
        if stand.end != Some(End::Again) || !stand.unrecorded.is_empty() {
            let (end, left) = (stand.end, &stand.unrecorded);
            return Err(wrong(format!("it does not go on, but {end:?}, and leaves {left:?}")));
        }
        let begun: Vec<_> = next.entries.iter().filter_map(message).collect();
        if !begun.starts_with(&stand.untaken) {
            let (left, next) = (stand.untaken, super::assert::shown(next, ""));
            return Err(wrong(format!("it left {left:?} to {next}")));
        }
        Ok(true)
    }

    /// `None`: the reference does not know the program.
    pub(super) fn stand(
        &self,
        run: &Run,
        now: u64,
        shown: impl Fn(usize) -> String,
    ) -> Result<Option<Stand>, String> {
        let is_own = |index: &usize| WORKFLOWS[*index].name() == run.row.workflow;
        let index = (0..WORKFLOWS.len()).find(is_own).ok_or("it is of no workflow")?;
        let program = &self.programs[index];
        if !program.kind.has_reference() {
            return Ok(None);
        }
        let input = run.input().ok_or("it does not begin")?;
        let x = run.shapes.decode(input).map_err(|why| why.to_string())?;
        let mut history = Vec::new();
        for (place, entry) in run.entries.iter().enumerate() {
            let news = news(&run.shapes, place, &entry.record)?;
            let did = did(&run.shapes, &entry.record)?;
            history.push(Delivered { time: entry.time, shown: shown(place), news, did });
        }
        let wakes = split_mix(self.seed, 77);
        let own = Own { key: run.row.key.0, pass: run.row.pass, wakes };
        carry_out(program, x, own, (&history, now)).map(Some)
    }
}

/// Whether the history and the row of a run fit to where the reference has it stand.
pub(super) fn judge_stand(run: &Run, stand: &Stand, is_quiet: bool) -> Result<(), String> {
    judge_end(run, stand, is_quiet)?;
    judge_row(run, stand)
}

/// How the history and the reference end a run.
fn judge_end(run: &Run, stand: &Stand, is_quiet: bool) -> Result<(), String> {
    let may_fail = run.row.workflow == WORKFLOWS[FAILING].name();
    match (&run.entries.last().expect("it has begun").record, stand.end) {
        // It ended without its code.
        (Record::Finished { .. }, _) if ended_from_outside(&run.entries) => return Ok(()),
        (Record::Finished { outcome: Err(failure), was_dropped: false }, Some(End::Returned))
            if may_fail && stand.has_failed && failure.kind == FailureKind::Failed => {}
        (Record::Finished { outcome: Ok(bytes), was_dropped: false }, Some(End::Returned))
            if !(may_fail && stand.has_failed) =>
        {
            let output: Output = run.shapes.decode(bytes).map_err(|why| why.to_string())?;
            if Some(&output) != stand.output.as_ref() {
                return Err(format!("expected is {:?}, not {output:?}", stand.output));
            }
        }
        (Record::Finished { was_dropped: true, .. }, Some(End::Dropped)) => {}
        (Record::Finished { .. }, end) => return Err(format!("it ended, and not by {end:?}")),
        (_, Some(end)) if is_quiet => return Err(format!("it does not end by {end:?}")),
        _ => return Ok(()),
    }
    match &stand.unrecorded[..] {
        [] => Ok(()),
        left => Err(format!("it ended, and nothing came of {left:?}")),
    }
}

/// A row says when the run goes on by itself: so a run that is left where it is has nothing to do until
/// then.
fn judge_row(run: &Run, stand: &Stand) -> Result<(), String> {
    let Some(wake_at) = run.row.wake_at else { return Ok(()) };
    let deadline = run.row.deadline.filter(|_| !stand.is_asked);
    let first = stand.first_deadline.into_iter().chain(deadline).min().unwrap_or(u64::MAX);
    // For one that has many operations nobody looks which is the first: the next open replays it.
    let is_right = [first, 0].contains(&wake_at);
    if !is_right || stand.is_busy || !stand.unrecorded.is_empty() || stand.end.is_some() {
        let busy = if stand.is_busy { "is busy" } else { "rests" };
        let (end, left) = (stand.end, &stand.unrecorded);
        return Err(format!(
            "by its history it wakes at {first}, {busy}, {end:?}, leaves {left:?}"
        ));
    }
    Ok(())
}

fn message(entry: &Entry) -> Option<(usize, Message)> {
    let Record::MessageArrived { channel, payload, .. } = &entry.record else { return None };
    // A number needs no shape.
    Some((inbox_of(channel).ok()?, Shapes::new().decode(payload).ok()))
}

fn inbox_of(name: &str) -> Result<usize, String> {
    INBOXES.iter().position(|inbox| *inbox == name).ok_or_else(|| "nobody receives it".into())
}

fn topic_of(name: &str) -> Result<usize, String> {
    TOPICS.iter().position(|topic| topic.name() == name).ok_or_else(|| "it has no topic".into())
}

fn number(shapes: &Shapes, bytes: &[u8]) -> Result<u64, String> {
    shapes.decode(bytes).map_err(|why| why.to_string())
}

/// What of all that the code does to others a record is.
fn did(shapes: &Shapes, record: &Record) -> Result<Option<(Number, Did)>, String> {
    Ok(match record {
        Record::Marked { number: of, mark: Mark::Published { topic, value } } => {
            let (topic, value) = (topic_of(topic)?, number(shapes, value)?);
            Some((*of, Did::Published { topic, value }))
        }
        Record::Marked { number: of, mark: Mark::Answered { seq, outcome } } => {
            let answer = outcome.as_ref().ok().map(|answer| number(shapes, answer)).transpose()?;
            Some((*of, Did::Answered { seq: *seq, answer }))
        }
        Record::Marked { number: of, mark: Mark::ChildDropped } => Some((*of, Did::ChildDropped)),
        Record::Marked { number: of, mark: Mark::ChildDetached } => Some((*of, Did::ChildDetached)),
        Record::Marked { number: of, mark: Mark::ChildStarted { workflow, .. } } => {
            let index = WORKFLOWS.iter().position(|own| own.name() == workflow);
            Some((*of, Did::ChildStarted { workflow: index.ok_or("it starts what is not there")? }))
        }
        Record::OperationEnded { number, asked: Asked::Send { .. }, .. }
        | Record::OperationNoted { number, note: Note::ChildStarted { .. } } => {
            Some((*number, Did::Request))
        }
        _ => None,
    })
}

/// Whether it ended without its code.
fn ended_from_outside(entries: &[Entry]) -> bool {
    let [.., asked, end] = entries else { return false };
    asked.commit == end.commit
        && asked.record == Record::CancelRequested { cause: Cause::Terminated }
}

/// A record as the reference sees it.
fn news(shapes: &Shapes, place: usize, record: &Record) -> Result<News, String> {
    Ok(match record {
        Record::Started { seed, .. } | Record::Admitted { seed, .. } => News::Began(*seed),
        Record::OperationEnded { number, asked: Asked::Sleep { .. }, .. } => News::Fired(*number),
        Record::OperationEnded { number, asked: Asked::Child { .. }, outcome, .. } => {
            let ended = match outcome {
                Ok(bytes) => {
                    let output: Output = shapes.decode(bytes).map_err(|why| why.to_string())?;
                    Ok(output.0)
                }
                Err(failure) => Err(number_of(failure)),
            };
            News::ChildEnded(*number, ended)
        }
        Record::OperationEnded { number, asked, outcome, spent, .. } => {
            let is_step = matches!(asked, Asked::Step { .. });
            let outcome = match outcome {
                Ok(_) if !is_step => Ok(None),
                Ok(bytes) => {
                    let value = shapes.decode::<Shaped>(bytes).map_err(|why| why.to_string())?;
                    Ok(Some(value.0))
                }
                Err(failure) => Err((why(failure), number_of(failure))),
            };
            News::Ended(*number, outcome, spent.0)
        }
        Record::OperationNoted { number, note } => match note {
            Note::ChildStarted { .. } => News::ChildStarted(*number),
            Note::Begun
            | Note::Interrupted
            | Note::Left
            | Note::AttemptFailed { .. }
            | Note::Deferred => News::Nothing,
        },
        Record::MessageArrived { channel, payload, .. } => News::Message {
            inbox: inbox_of(channel)?,
            seq: place as u64,
            message: readable(shapes, payload)?,
        },
        Record::MessageSkipped { seq } => News::Skipped(*seq),
        Record::Reported { number: of, attempt, topic, value } => News::Reported {
            number: *of,
            attempt: *attempt,
            topic: topic_of(topic)?,
            value: number(shapes, value)?,
        },
        Record::CancelRequested { cause } => News::Cancel {
            cause: match cause {
                Cause::Asked | Cause::Terminated => 1,
                Cause::Deadline => 2,
                Cause::Parent => 3,
            },
            terminates: *cause == Cause::Terminated,
        },
        Record::Submitted(_)
        | Record::Finished { .. }
        | Record::Marked { .. }
        | Record::Again
        | Record::Resubmitted(_)
        | Record::Forked { .. }
        | Record::Moved { .. }
        | Record::Retried { .. } => News::Nothing,
        Record::Void(_) => News::Void,
    })
}

/// As `talk/live.rs` has it.
fn number_of(failure: &Failure) -> u64 {
    match failure.kind {
        FailureKind::NotFound => 11,
        FailureKind::Ended => 12,
        FailureKind::Cancelled => 13,
        FailureKind::Parked | FailureKind::ParkedFor(_) => 14,
        _ => 15,
    }
}

fn why(failure: &Failure) -> Why {
    match failure.kind {
        FailureKind::Interrupted => Why::Interrupted,
        FailureKind::Elapsed => Why::Elapsed,
        _ if failure.permanent => Why::Permanent,
        _ => Why::Failed,
    }
}
