//! `dacapo value`.

use dacapo_inspect::Recorded;
use serde::Serialize;

use crate::args;
use crate::out::Out;
use crate::place::Place;
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

pub(crate) fn value(place: &Place, value: &args::Value, out: &mut Out) -> Result<u8, Trouble> {
    let which = value.which.parse::<Recorded>();
    let which = which.map_err(|why| Trouble::new(Kind::Usage, why))?;
    let found = place.value(&value.id, value.pass, which)?;
    match out.is_json {
        true => {
            let (run, number) = (&value.id, &value.which);
            out.json(&Shown { kind: "value", run, number, value: &found })?;
        }
        false => out.text(found.json())?,
    }
    Ok(0)
}
