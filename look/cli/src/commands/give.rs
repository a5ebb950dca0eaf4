//! `dacapo send` and `dacapo start`.

use std::io::{self, Read};

use dacapo_control::Given;

use crate::out::Out;
use crate::place::Place;
use crate::text::safe;
use crate::trouble::{Kind, Trouble};

/// Sends a message, or starts a run.
pub(crate) fn give(
    place: &Place,
    given: &Given,
    json: String,
    out: &mut Out,
) -> Result<u8, Trouble> {
    let json = if json == "-" { read()? } else { json };
    let taken = place.give(given, &json)?;
    if out.is_json {
        out.json(&taken)?;
        return Ok(0);
    }
    let id = safe(&taken.id);
    out.line(&match given {
        Given::Message { channel, .. } => format!("{id} has it, on channel {:?}", safe(channel)),
        Given::Input { workflow, .. } => format!("{id} is started: {}", safe(workflow)),
    })?;
    Ok(0)
}

fn read() -> Result<String, Trouble> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|why| Trouble::new(Kind::Failed, format!("the input cannot be read: {why}")))?;
    Ok(text)
}
