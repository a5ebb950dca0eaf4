//! `dacapo value`.

use dacapo::{HistoryEvent, HistoryValue, OperationNumber};
use serde::Serialize;

use crate::args;
use crate::file::Opened;
use crate::out::Out;
use crate::trouble::{Kind, Trouble};

/// As JSON has it.
#[derive(Serialize)]
struct Shown<'a> {
    kind: &'static str,
    run: &'a str,
    number: &'a str,
    #[serde(flatten)]
    value: &'a dacapo_inspect::Value,
}

/// Which value of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    Input,
    Output,
    Record(u64),
    Operation(OperationNumber),
}

pub(crate) fn value(file: &Opened, value: &args::Value, out: &mut Out) -> Result<u8, Trouble> {
    let which = read(&value.which)?;
    let run = file.find(&value.id, value.pass)?;
    let Some(found) = file.source().value(&run, |seq, event| chosen(which, seq, event))? else {
        let message = format!(
            "run {:?} has no value {}: see \"dacapo show {} --all --values\"",
            value.id, value.which, value.id
        );
        return Err(Trouble::new(Kind::NoSuchValue, message));
    };
    if let Some(why) = &found.unreadable {
        return Err(Trouble::new(Kind::Damaged, format!("the value cannot be read: {why}")));
    }
    match out.is_json {
        true => {
            let (run, number) = (&value.id, &value.which);
            out.json(&Shown { kind: "value", run, number, value: &found })?;
        }
        false => out.text(found.json())?,
    }
    Ok(0)
}

fn read(text: &str) -> Result<Which, Trouble> {
    let wrong = || {
        let message = format!(
            "{text:?} is no value: give the number of an operation, \"input\", \"output\", or @ and a record"
        );
        Trouble::new(Kind::Usage, message)
    };
    match text {
        "input" => Ok(Which::Input),
        "output" => Ok(Which::Output),
        text => match text.strip_prefix('@') {
            Some(record) => record.parse().map(Which::Record).map_err(|_| wrong()),
            None => text.parse().map(Which::Operation).map_err(|_| wrong()),
        },
    }
}

fn chosen(which: Which, seq: u64, event: &HistoryEvent) -> Option<HistoryValue> {
    let value = match (which, event) {
        (
            Which::Input | Which::Record(0),
            HistoryEvent::Started { input, .. } | HistoryEvent::Submitted { input, .. },
        ) => input,
        (Which::Output, HistoryEvent::Finished { outcome: Ok(output), .. }) => output,
        (
            Which::Operation(asked),
            HistoryEvent::Ended { number, outcome: Ok(value), .. }
            | HistoryEvent::Answered { number, outcome: Ok(value), .. }
            | HistoryEvent::Published { number, value, .. },
        ) if *number == asked => value,
        (Which::Record(asked), event) if asked == seq => of_any(event)?,
        _ => return None,
    };
    Some(value.clone()).filter(|value| value.size() > 0)
}

fn of_any(event: &HistoryEvent) -> Option<&HistoryValue> {
    match event {
        HistoryEvent::Ended { outcome: Ok(value), .. }
        | HistoryEvent::Message { value, .. }
        | HistoryEvent::Published { value, .. }
        | HistoryEvent::Reported { value, .. }
        | HistoryEvent::Answered { outcome: Ok(value), .. }
        | HistoryEvent::Finished { outcome: Ok(value), .. } => Some(value),
        _ => None,
    }
}
