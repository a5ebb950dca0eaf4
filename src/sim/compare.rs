//! Traces compared, and what is said of a difference.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;

pub(super) type Lines = Vec<String>;

/// Why a run that was replayed is another one.
const NOT_RECORDED: &str = "\
Something that is not in the history decides here. Most often it is
- `tokio::select!` without `biased;` or `futures::select!`, with two branches that are ready at once:
  use `dacapo::race` or `select_biased!`
- a random number, or the system's clock: use `ctx.random()` and `ctx.now()`
- the order of a `HashMap`: use a `BTreeMap`, and give the steps labels
- a value that the body of a step changed: return it from the step";

/// Why an output is not the expected one, in a run that did not fail and was not yet replayed in whole.
pub(super) const UNEXPECTED: &str = "\
What is expected does not hold in this order of events, or with this crash. Often
- a body ran more than once, after a failure or a crash: give `Attempt::key` to what lies outside
- two steps of one name changed places, in a loop over a `HashMap` or so: give them labels
- something that is not in the history decides: the system's clock, a random number, what a body changed";

/// Why a run that is polled more often is another one.
const POLLS_COUNT: &str = "\
Only how often tasks are polled was different. Replays make the same polls, so this goes well until
another version of a library polls otherwise. Something counts its polls, or takes turns (streams
that merge others do). If it is meant to, say so with `.may_count_polls()`";

/// What is wrong with a run that was replayed, and what to change.
pub(super) fn explained(error: &Error) -> String {
    let message = format!("{error:?}");
    match error.is_parked() && message.contains("diverged") {
        true => format!("{message}\n\n{NOT_RECORDED}"),
        false => message,
    }
}

/// What a replay came to, and how its trace compares: the second shows where it went wrong. If only
/// the outputs differ the traces are the same, and one of them is shown.
pub(super) fn judged(
    verified: crate::error::Result<()>,
    compared: Result<(), String>,
    replay: &[String],
) -> Result<(), String> {
    match (verified, compared) {
        (Ok(()), compared) => compared,
        (Err(error), Ok(())) => {
            let did = tail(replay);
            Err(format!("{}\n\nBoth did\n  {did}", explained(&error)))
        }
        (Err(error), Err(difference)) => Err(format!("{error:?};\n{difference}")),
    }
}

/// A replay must be the same run again, poll for poll.
pub(super) fn compare(run: &[String], replay: &[String]) -> Result<(), String> {
    difference(&asked_in_order(run), &asked_in_order(replay), NOT_RECORDED)
}

/// What a process replays at its start must begin with all that the one before did.
pub(super) fn compare_start(run: &[String], replay: &[String]) -> Result<(), String> {
    if is_later_pass(run, replay) {
        return Ok(());
    }
    let (run, mut replay) = (asked_in_order(run), asked_in_order(replay));
    replay.truncate(run.len());
    difference(&run, &replay, NOT_RECORDED)
}

/// Whether the run has gone on in another pass since.
fn is_later_pass(run: &[String], replay: &[String]) -> bool {
    let first = replay.first().filter(|first| first.starts_with("deliver 0: pass "));
    first.is_some() && first != run.first()
}

/// A replay with other spurious wakes must be the same but for the polls.
pub(super) fn compare_but_for_polls(run: &[String], replay: &[String]) -> Result<(), String> {
    let without_polls = |trace: &[String]| {
        let is_poll = |line: &&String| line.starts_with("poll ");
        let lines: Lines = trace.iter().filter(|line| !is_poll(line)).cloned().collect();
        asked_in_order(&lines)
    };
    difference(&without_polls(run), &without_polls(replay), POLLS_COUNT)
}

fn difference(run: &[String], replay: &[String], why: &str) -> Result<(), String> {
    let same = run.iter().zip(replay).take_while(|(run, replay)| run == replay).count();
    if same == run.len() && same == replay.len() {
        return Ok(());
    }
    let line = |trace: &[String]| trace.get(same).cloned().unwrap_or("nothing more".into());
    Err(format!(
        "a replay must repeat the run exactly, but after\n  {}\nthe run did\n  {}\nand the \
         replay\n  {}\n\n{why}",
        tail(&run[..same]),
        line(run),
        line(replay),
    ))
}

/// A trace for a message: long ones without their beginning.
pub(super) fn tail(trace: &[String]) -> String {
    const SHOWN: usize = 100;
    let left_out = trace.len().saturating_sub(SHOWN);
    let shown = trace[left_out..].join("\n  ");
    if left_out > 0 { format!("({left_out} lines before)\n  {shown}") } else { shown }
}

/// The trace with what one poll asks for put in order.
///
/// What is asked for is begun in the order of the numbers, so it means nothing which of several
/// branches is polled first; macros that poll them in random order are legal there.
fn asked_in_order(trace: &[String]) -> Lines {
    let mut trace = trace.to_vec();
    let is_asked = |event: &String| event.starts_with("ask ");
    let polls = trace.chunk_by_mut(|event, next| is_asked(event) && is_asked(next));
    polls.for_each(|events| events.sort_unstable());
    trace
}

/// The number of the step whose recorded outcome was delivered in this event.
pub(super) fn recorded_step(event: &str) -> Option<&str> {
    event.split_once(": outcome of step ")?.1.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Lines {
        text.split(", ").map(Into::into).collect()
    }

    #[test]
    fn what_one_poll_asks_for_has_no_order() {
        assert_eq!(compare(&lines("poll 0, ask b, ask a"), &lines("poll 0, ask a, ask b")), Ok(()));
        let moved = lines("ask a, poll 0, ask b");
        assert!(compare(&moved, &lines("ask b, poll 0, ask a")).is_err());
    }

    #[test]
    fn a_start_may_go_on_and_may_not_be_cut_short() {
        let (short, long) = (lines("poll 0, ask a"), lines("poll 0, ask a, poll 0"));
        assert_eq!(compare_start(&short, &long), Ok(()));
        let wrong = compare_start(&long, &short).expect_err("a poll is missing");
        assert!(wrong.contains("the run did\n  poll 0\nand the replay\n  nothing more"), "{wrong}");
    }

    #[test]
    fn polls_may_be_left_out() {
        let (often, rarely) =
            (lines("poll 0, ask b, poll 0, ask a"), lines("poll 0, ask a, ask b"));
        assert_eq!(compare_but_for_polls(&often, &rarely), Ok(()));
        assert!(compare(&often, &rarely).is_err());
    }
}
