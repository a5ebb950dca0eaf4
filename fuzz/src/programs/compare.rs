//! Traces as text: compared, and read.

use super::process::Wrong;
use super::reference::Event;

pub(super) fn compare(what: &str, expected: &[String], found: &[String]) -> Result<(), Wrong> {
    if expected == found {
        return Ok(());
    }
    let same = expected.iter().zip(found).take_while(|(expected, found)| expected == found).count();
    let line = |trace: &[String]| trace.get(same).cloned().unwrap_or("nothing more".into());
    let (before, one, other) = (expected[..same].join("\n  "), line(expected), line(found));
    let message = format!("{what}: after\n  {before}\ncame first\n  {one}\nand now\n  {other}");
    Err(Wrong::Diverged(message))
}

/// What was delivered, if the line of a trace is a delivery.
pub(super) fn event(line: &str) -> Option<Event> {
    let (_, record) = line.strip_prefix("deliver ")?.split_once(": ")?;
    let number = |rest: &str| {
        let number = rest.split(' ').next().expect("a number");
        let (task, local) = number.split_once('.').unwrap_or(("0", number));
        (task.parse().expect("a task"), local.parse().expect("a place"))
    };
    if let Some((_, step)) = record.split_once(" of step ")
        && record.starts_with("failure of attempt ")
    {
        // The time of the next one is not in the trace.
        return Some(Event::Failed(number(step), 0));
    }
    type Make = fn((u32, u32)) -> Event;
    let kinds: [(&str, Make); 5] = [
        ("start of step ", Event::StepStarted),
        ("outcome of step ", Event::Finished),
        ("end of sleep ", Event::Fired),
        ("interruption of step ", Event::Interrupted),
        ("deferral of step ", Event::Deferred),
    ];
    let found =
        kinds.iter().find_map(|(prefix, make)| Some(make(number(record.strip_prefix(prefix)?))));
    found.or(match record {
        "end of the run with an output" => Some(Event::Ended),
        _ => record.starts_with("start of workflow").then_some(Event::Started),
    })
}

/// The trace without how often tasks were polled, and without the order of what one delivery asked
/// for: it is begun in the order of the numbers.
pub(super) fn without_polls(trace: &[String]) -> Vec<String> {
    let is_poll = |line: &&String| line.starts_with("poll ");
    let mut trace: Vec<_> = trace.iter().filter(|line| !is_poll(line)).cloned().collect();
    let is_asked = |line: &String| line.starts_with("ask ");
    let asked = trace.chunk_by_mut(|line, next| is_asked(line) && is_asked(next));
    asked.for_each(|lines| lines.sort_unstable());
    trace
}
