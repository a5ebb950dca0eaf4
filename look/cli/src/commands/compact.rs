//! `dacapo compact`.

use dacapo_control::Compacted;

use super::stats::size;
use crate::out::Out;
use crate::place::Place;
use crate::text::safe;
use crate::trouble::Trouble;

/// Gives room that is free in the file back to the system.
pub(crate) fn compact(place: &Place, out: &mut Out) -> Result<u8, Trouble> {
    let compacted = place.compact()?;
    if out.is_json {
        out.json(&compacted)?;
        return Ok(0);
    }
    let Compacted { bytes, freed, .. } = compacted;
    let (name, freed, bytes) = (safe(place.name()), size(freed), size(bytes));
    out.line(&format!("{name}: {freed} given back, {bytes} left"))?;
    Ok(0)
}
