//! Runs that wait for room: in which order they begin, how many go on at a time, and that none is lost.

mod batches;
mod limits;
mod moved;
mod passes;
mod queued;
mod rooms;
mod unique;

use std::collections::BTreeMap;

use dacapo::store::Filter;
use dacapo::{Executor, HistoryEvent, Result, RunInfo, Timestamp};

/// What the file says of one run that was submitted: in which commits, and when.
#[derive(Clone, Debug)]
struct Told {
    run: RunInfo,
    submitted: u64,
    /// The number of the commit, and its time.
    admitted: Option<(u64, Timestamp)>,
    ended: Option<u64>,
}

/// All runs of a queue, in the order in which they were submitted.
fn told(executor: &Executor, queue: &str) -> Result<Vec<Told>> {
    let mut all = Vec::new();
    for run in executor.runs(&Filter::new())? {
        if run.queue.as_ref().is_none_or(|place| place.name != queue) {
            continue;
        }
        let history = executor.history(&run.id, 0..u64::MAX)?;
        let submitted = history.entries.first().map_or(0, |entry| entry.commit);
        let mut told = Told { run, submitted, admitted: None, ended: None };
        for entry in history.entries {
            match entry.event {
                HistoryEvent::Admitted => {
                    assert!(told.admitted.is_none(), "{} was admitted twice", told.run.id);
                    told.admitted = Some((entry.commit, entry.time));
                }
                HistoryEvent::Finished { .. } => told.ended = Some(entry.commit),
                _ => {}
            }
        }
        all.push(told);
    }
    Ok(all)
}

/// How many of these went on at a time, at most. Who ends with a commit makes room in it.
fn most_at_once(runs: &[Told]) -> usize {
    let mut changes = BTreeMap::<u64, isize>::new();
    for run in runs {
        if let Some((admitted, _)) = run.admitted {
            *changes.entry(admitted).or_default() += 1;
            if let Some(ended) = run.ended {
                *changes.entry(ended).or_default() -= 1;
            }
        }
    }
    let mut now = 0;
    let at_once = changes.into_values().map(|change| {
        now += change;
        now
    });
    at_once.max().unwrap_or_default().try_into().expect("no more ended than began")
}

/// The ids in the order in which they were admitted; within a commit in that of the runs.
fn order(runs: &[Told]) -> Vec<String> {
    let mut runs: Vec<_> = runs.iter().filter(|run| run.admitted.is_some()).collect();
    runs.sort_by_key(|run| (run.admitted.expect("it was admitted").0, run.run.key));
    runs.into_iter().map(|run| run.run.id.clone()).collect()
}
