//! Unfinished runs held against the code of a build.

use dacapo::Result;
use dacapo::store::{Filter, RunKey, RunState};
use serde::{Deserialize, Serialize};

use crate::parked::Parked;
use crate::source::Source;

/// What came of holding the unfinished runs against the code.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "verified")]
#[non_exhaustive]
pub struct Verified {
    /// How many were replayed.
    pub runs: usize,
    /// How many of them would be parked.
    pub parked: usize,
    /// How many there are whose workflow this build does not have.
    pub unregistered: usize,
}

/// So many are replayed in one call.
const AT_ONCE: usize = 16;

impl Source<'_> {
    /// Replays all unfinished runs against the code of the executor's build, and tells which it would park.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn verify(&self, mut tell: impl FnMut(Parked)) -> Result<Verified> {
        let (mut verified, mut after) = (Verified::default(), None::<RunKey>);
        loop {
            let filter = Filter::new().states(&[RunState::Running]).limit(AT_ONCE);
            let filter = after.into_iter().fold(filter, Filter::after);
            let (last, tried, parked, unregistered) = self.reach().call(move |executor| {
                let last = executor.runs(&filter)?.last().map(|run| run.key);
                let all = executor.verify_all(&filter)?;
                let parked = all.parked.into_iter().map(|run| Parked::ahead(run, executor));
                Ok((last, all.tried, parked.collect::<Vec<_>>(), all.unregistered.len()))
            })?;
            verified.runs += tried;
            verified.parked += parked.len();
            verified.unregistered += unregistered;
            parked.into_iter().for_each(&mut tell);
            match last {
                Some(last) => after = Some(last),
                None => return Ok(verified),
            }
        }
    }
}
