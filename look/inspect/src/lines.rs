//! Queues and schedules, read from an executor.

use std::collections::BTreeMap;

use dacapo::Result;
use dacapo::store::{Filter, RunState};

use crate::line::{Queue, Schedule};
use crate::source::Source;
use crate::time::Time;

/// The rows of so many runs are looked at between two rounds.
const ROWS: usize = 10_000;

impl Source<'_> {
    /// All queues that have runs, that are paused or that the program defines, by name.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn queues(&self) -> Result<Vec<Queue>> {
        let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
        let named = self.reach().call(|executor| executor.queues())?;
        let knows = named.iter().any(|queue| queue.is_defined);
        for queue in named {
            let one = queues.entry(queue.name.clone()).or_insert_with(|| Queue::new(&queue.name));
            (one.paused, one.defined) = (queue.is_paused, knows.then_some(queue.is_defined));
        }
        let now = Time::now().as_nanos();
        let mut after = None;
        loop {
            const STATES: [RunState; 3] = [RunState::Queued, RunState::Delayed, RunState::Running];
            let filter = Filter::new().states(&STATES).limit(ROWS);
            let filter = after.into_iter().fold(filter, Filter::after);
            let runs = self.reach().call(move |executor| executor.runs(&filter))?;
            for run in &runs {
                let Some(place) = run.queue.as_ref().filter(|place| !place.name.is_empty()) else {
                    continue;
                };
                let queue = queues.entry(place.name.clone()).or_insert_with(|| Queue {
                    defined: knows.then_some(false),
                    ..Queue::new(&place.name)
                });
                match run.state.is_waiting() {
                    false => queue.running += 1,
                    true if place.eligible_at > now => queue.delayed += 1,
                    true => queue.waiting += 1,
                }
            }
            match runs.last() {
                Some(last) => after = Some(last.key),
                None => return Ok(queues.into_values().collect()),
            }
        }
    }

    /// The schedules of the program; at rest those that the file knows.
    ///
    /// # Errors
    ///
    /// If the store failed.
    pub fn schedules(&self) -> Result<Vec<Schedule>> {
        let schedules = self.reach().call(|executor| executor.schedules())?;
        Ok(schedules.into_iter().map(Schedule::from).collect())
    }
}
