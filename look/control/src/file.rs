//! The file as a whole.

use std::fs;
use std::io::Write;

use dacapo::{Executor, Result};
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Cut};
use crate::door::{Ask, Door};
use crate::problem::{Code, Problem};

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

/// Gives room that is free in a file at rest back to the system, on this thread, and closes it: what it writes at its
/// end counts.
///
/// # Errors
///
/// Those of [`Executor::compact`], and if it is no file.
pub fn compact_here(executor: Executor) -> std::result::Result<Compacted, Problem> {
    let file = executor.path().ok_or_else(|| Problem::new(Code::Usage, "it is no file"))?;
    let bytes = || fs::metadata(&file).map(|data| data.len());
    let failed = |error| Problem::new(Code::Failed, error);
    let before = bytes().map_err(failed)?;
    executor.compact()?;
    drop(executor);
    let bytes = bytes().map_err(failed)?;
    Ok(Compacted { bytes, freed: before.saturating_sub(bytes) })
}

fn compact_now(executor: &Executor) -> Result<Compacted> {
    let freed = executor.compact()?;
    Ok(Compacted { bytes: executor.statistics()?.bytes.unwrap_or_default(), freed })
}

pub(crate) fn compact(
    door: &Door,
    answer: &mut Answer<impl Write>,
) -> std::result::Result<(), Cut> {
    answer.line(&door.call(compact_now)?)?;
    Ok(answer.end()?)
}
