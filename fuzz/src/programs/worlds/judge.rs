//! Runs of worlds held against the reference, which knows their histories and nothing else.

use dacapo::store::RunState;
use dacapo_values::Shapes;

use super::super::compare::compare;
use super::super::language::Why;
use super::super::live::Output;
use super::super::reference::{Delivered, End, News, Own, Stand, carry_out, split_mix};
use super::super::talk::{CHANNELS, WORKFLOWS};
use super::Wrong;
use super::life::Process;
use super::records::{Asked, Cause, Entry, Failure, FailureKind, Note, Record, Run};

impl Process<'_> {
    /// Compares a replay with the reference: poll for poll, and where the run stands. `now` is the time
    /// when nothing is under way. Says whether the reference knows the program.
    pub(super) fn judge(
        &self,
        run: &Run,
        replay: &[String],
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
        match (&run.entries.last().expect("it has begun").record, stand.end) {
            // It ended without its code.
            (Record::Finished { .. }, _) if ended_from_outside(&run.entries) => {}
            (Record::Finished { outcome: Ok(bytes), was_dropped: false }, Some(End::Returned)) => {
                let output: Output = run.shapes.decode(bytes).map_err(|why| why.to_string())?;
                if Some(&output) != stand.output.as_ref() {
                    return Err(format!("expected is {:?}, not {output:?}", stand.output));
                }
            }
            (Record::Finished { was_dropped: true, .. }, Some(End::Dropped)) => {}
            (Record::Finished { .. }, end) => return Err(format!("it ended, and not by {end:?}")),
            (_, Some(end)) if now.is_some() => return Err(format!("it does not end by {end:?}")),
            _ => {}
        }
        if now.is_some() && run.row.state == RunState::Running && !stand.overdue.is_empty() {
            return Err(format!("nothing comes of {:?}", stand.overdue));
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
        if stand.end != Some(End::Again) {
            return Err(wrong(format!("it does not go on, but {:?}", stand.end)));
        }
        let begun: Vec<_> = next.entries.iter().filter_map(message).collect();
        if !begun.starts_with(&stand.untaken) {
            let (left, next) = (stand.untaken, super::assert::shown(next, ""));
            return Err(wrong(format!("it left {left:?} to {next}")));
        }
        Ok(true)
    }

    /// `None`: the reference does not know the program.
    fn stand(
        &self,
        run: &Run,
        now: u64,
        shown: impl Fn(usize) -> String,
    ) -> Result<Option<Stand>, String> {
        let is_own = |index: &usize| WORKFLOWS[*index].name() == run.row.workflow;
        let index = (0..WORKFLOWS.len()).find(is_own).ok_or("it is of no workflow")?;
        let program = &self.world.programs[index];
        if !program.kind.has_reference() {
            return Ok(None);
        }
        let input = match &run.entries[0].record {
            Record::Started { input, .. } => input,
            Record::Submitted(submission) => &submission.input,
            _ => return Err("it does not begin".into()),
        };
        let x = run.shapes.decode(input).map_err(|why| why.to_string())?;
        let mut history = Vec::new();
        for (place, entry) in run.entries.iter().enumerate() {
            let news = news(&run.shapes, place, &entry.record)?;
            history.push(Delivered { time: entry.time, shown: shown(place), news });
        }
        let wakes = split_mix(self.world.seed, 77);
        let own = Own { key: run.row.key.0, pass: run.row.pass, wakes };
        carry_out(program, x, own, (&history, now)).map(Some)
    }
}

fn message(entry: &Entry) -> Option<(usize, u64)> {
    let Record::MessageArrived { channel, payload, .. } = &entry.record else { return None };
    // A number needs no shape.
    Some((channel_of(channel)?, Shapes::new().decode(payload).ok()?))
}

fn channel_of(name: &str) -> Option<usize> {
    CHANNELS.iter().position(|channel| channel.name() == name)
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
        Record::OperationEnded { number, asked, outcome, .. } => {
            let is_step = matches!(asked, Asked::Step { .. });
            let outcome = match outcome {
                Ok(_) if !is_step => Ok(None),
                Ok(bytes) => Ok(Some(shapes.decode(bytes).map_err(|why| why.to_string())?)),
                Err(failure) => Err((why(failure), number_of(failure))),
            };
            News::Ended(*number, outcome)
        }
        Record::OperationNoted { number, note } => match note {
            Note::ChildStarted { .. } => News::ChildStarted(*number),
            Note::Begun | Note::Interrupted | Note::Left => News::Nothing,
        },
        Record::MessageArrived { channel, payload, .. } => News::Message {
            channel: channel_of(channel).ok_or("it is on no channel")?,
            seq: place as u64,
            number: shapes.decode(payload).map_err(|why| why.to_string())?,
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
        | Record::Reported { .. }
        | Record::MessageSkipped { .. }
        | Record::Again => News::Nothing,
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
