//! `dacapo compact`.

use super::stats::size;
use crate::out::Out;
use crate::place::Place;
use crate::text::safe;
use crate::trouble::Trouble;

/// Gives room that is free in the file back to the system.
pub(crate) fn compact(place: Place, out: &mut Out) -> Result<u8, Trouble> {
    let name = safe(place.name());
    let compacted = place.compact()?;
    if out.is_json {
        out.json(&compacted)?;
        return Ok(0);
    }
    let bytes = size(compacted.bytes);
    out.line(&match compacted.freed {
        0 => format!("{name}: no room in it is free, {bytes}"),
        freed => format!("{name}: {} given back, {bytes} left", size(freed)),
    })?;
    Ok(0)
}
