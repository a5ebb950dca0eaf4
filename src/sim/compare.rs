//! Traces compared, and what is said of a difference.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;

pub(super) type Lines = Vec<String>;

/// Why a run that was replayed is another one.
pub(super) const NOT_RECORDED: &str = "\
Something that is not in the history decides here. Most often it is
- `tokio::select!` without `biased;` or `futures::select!`, with two branches that are ready at once:
  use `dacapo::race` or `select_biased!`
- a random number, or the system's clock: use `ctx.random()` and `ctx.now()`
- the order of a `HashMap`: use a `BTreeMap`, and say what steps are about with `.of(..)`
- a lock that looks at the clock, as `async_lock::Mutex` does: use tokio's or that of futures
- a value that the body of a step changed: return it from the step";

/// Why an output is not the expected one, in a run that did not fail and was not yet replayed in whole.
pub(super) const UNEXPECTED: &str = "\
What is expected does not hold in this order of events, or with this crash. Often
- a body ran more than once, after a failure or a crash: give `Attempt::key` to what lies outside
- two steps of one name changed places, in a loop over a `HashMap` or so: say `.of(..)` what they are about
- something that is not in the history decides: the system's clock, a random number, what a body changed";

/// Why a run that is polled more often is another one.
const POLLS_COUNT: &str = "\
Only how often tasks are polled was different. Replays make the same polls, so this goes well until
another version of a library polls otherwise. Something counts its polls, or takes turns (streams
that merge others do). If it is meant to, say so with `.may_count_polls()`";

/// Why a run that is replayed slowly is another one.
pub(super) const CLOCK_DECIDES: &str = "\
This is decided by a clock: a replay as fast as it can is another run than one with a pause of some
milliseconds before each delivery. Most often it is
- `async_lock::Mutex`, or what has one inside (the locks of smol and async-std): who has waited for more
  than half a millisecond goes first. Use `tokio::sync::Mutex`, or `futures::lock::Mutex`
- `Instant::now()` or `SystemTime::now()`: use `ctx.now()`, `ctx.sleep` and `ctx.timeout`";

/// What a replay of a whole history is to show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Replay {
    /// It is the same run again, poll for poll.
    Same,
    /// With other spurious wakes it is the same but for the polls.
    OtherPolls,
    /// It is the same run again when real time passes between deliveries.
    Slow,
    /// When it was exported, and imported by another store, it is the same but for the polls: spurious wakes
    /// follow from the keys of runs, which are others there.
    Moved,
}

impl Replay {
    /// For a message.
    pub(super) fn how(self) -> &'static str {
        match self {
            Self::Same => "",
            Self::OtherPolls => " with other polls",
            Self::Slow => " slowly",
            Self::Moved => " from an export",
        }
    }

    /// Why it is another run.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Same | Self::Moved => NOT_RECORDED,
            Self::OtherPolls => POLLS_COUNT,
            Self::Slow => CLOCK_DECIDES,
        }
    }

    fn compare(self, run: &[String], replay: &[String]) -> Result<(), String> {
        let lines = |trace: &[String]| match self {
            Self::Same | Self::Slow => asked_in_order(trace),
            Self::OtherPolls | Self::Moved => asked_in_order(&without_polls(trace)),
        };
        difference(&lines(run), &lines(replay))
    }
}

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
    verified: Result<(), String>,
    run: &[String],
    replayed: &[String],
    replay: Replay,
) -> Result<(), String> {
    match (verified, replay.compare(run, replayed)) {
        (Ok(()), compared) => compared,
        (Err(error), Ok(())) => Err(format!("{error}\n\nBoth did\n  {}", tail(replayed))),
        (Err(error), Err(difference)) => Err(format!("{error};\n{difference}")),
    }
}

/// What a process replays at its start must begin with all that the one before did.
pub(super) fn compare_start(run: &[String], replay: &[String]) -> Result<(), String> {
    if is_later_pass(run, replay) {
        return Ok(());
    }
    let (run, mut replay) = (asked_in_order(run), asked_in_order(replay));
    replay.truncate(run.len());
    difference(&run, &replay).map_err(|difference| format!("{difference}\n\n{NOT_RECORDED}"))
}

/// Whether the run has gone on in another pass since.
fn is_later_pass(run: &[String], replay: &[String]) -> bool {
    let first = replay.first().filter(|first| first.starts_with("deliver 0: pass "));
    first.is_some() && first != run.first()
}

fn without_polls(trace: &[String]) -> Lines {
    trace.iter().filter(|line| !line.starts_with("poll ")).cloned().collect()
}

fn difference(run: &[String], replay: &[String]) -> Result<(), String> {
    let same = run.iter().zip(replay).take_while(|(run, replay)| run == replay).count();
    if same == run.len() && same == replay.len() {
        return Ok(());
    }
    let line = |trace: &[String]| trace.get(same).cloned().unwrap_or("nothing more".into());
    Err(format!(
        "a replay must repeat the run exactly, but after\n  {}\nthe run did\n  {}\nand the \
         replay\n  {}",
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
        let [one, other] = ["poll 0, ask b, ask a", "poll 0, ask a, ask b"].map(lines);
        assert_eq!(Replay::Same.compare(&one, &other), Ok(()));
        let moved = lines("ask a, poll 0, ask b");
        assert!(Replay::Same.compare(&moved, &lines("ask b, poll 0, ask a")).is_err());
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
        assert_eq!(Replay::OtherPolls.compare(&often, &rarely), Ok(()));
        assert!(Replay::Same.compare(&often, &rarely).is_err());
        assert!(Replay::Slow.compare(&often, &rarely).is_err());
    }
}
