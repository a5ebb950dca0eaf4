//! The file as a whole.

use std::io::Write;

use dacapo::{Executor, Result};
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Cut};
use crate::door::{Ask, Door};

/// What became of a file of which free room was given back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "compacted")]
#[non_exhaustive]
pub struct Compacted {
    /// So many bytes it has now.
    pub bytes: u64,
    /// So many were given back.
    pub freed: u64,
}

/// Gives room that is free in the file back to the system, on the executor's own thread.
///
/// # Errors
///
/// Those of [`Executor::compact`].
pub fn compact_here(executor: &Executor) -> Result<Compacted> {
    let freed = executor.compact()?;
    Ok(Compacted { bytes: executor.statistics()?.bytes.unwrap_or_default(), freed })
}

pub(crate) fn compact(
    door: &Door,
    answer: &mut Answer<impl Write>,
) -> std::result::Result<(), Cut> {
    answer.line(&door.call(compact_here)?)?;
    Ok(answer.end()?)
}
