//! Addresses that go on: what a run does, as it does it.

use std::collections::BTreeMap;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use dacapo::RunInfo;
use dacapo::store::{Filter, RunState};
use dacapo_inspect::{Row, Watched};
use serde::Serialize;

use crate::answer::{Answer, Cut};
use crate::door::{Ask, Door};
use crate::problem::{Code, Problem};

type Done = Result<(), Cut>;

/// A run is looked at so often.
const EACH: Duration = Duration::from_millis(250);

/// Whoever follows is found out to have gone after so long.
const SILENCE: Duration = Duration::from_secs(5);

/// So many of the newest runs are followed together.
const NEWEST: usize = 100;

/// Waits for the next look.
fn pause(door: &Door) -> Result<(), Problem> {
    thread::sleep(EACH);
    match door.is_closed() {
        true => Err(Problem::new(Code::InUse, "the process has stopped to serve: it ends")),
        false => Ok(()),
    }
}

/// Lines that go out at once, and a sign of life now and then.
struct Live<'a, W: Write> {
    answer: &'a mut Answer<W>,
    said: Instant,
}

impl<'a, W: Write> Live<'a, W> {
    fn new(answer: &'a mut Answer<W>) -> Self {
        Self { answer, said: Instant::now() }
    }

    fn lines<T: Serialize>(&mut self, lines: &[T]) -> std::io::Result<()> {
        lines.iter().try_for_each(|line| self.answer.line(line))?;
        if !lines.is_empty() || self.said.elapsed() > SILENCE {
            self.said = Instant::now();
            self.answer.flush()?;
        }
        Ok(())
    }
}

/// What a run does from now on, until it has ended or is parked.
pub(crate) fn run(door: &Door, id: &str, answer: &mut Answer<impl Write>) -> Done {
    let mut watched = Watched::new(id);
    let mut live = Live::new(answer);
    // It sets out before anybody is told: nothing is missed that comes behind that.
    let mut looked = watched.look(door.source())?;
    if looked.last.is_none() {
        live.lines(&[door.source().row(&door.source().info(id)?)?])?;
    }
    loop {
        if looked.skipped > 0 {
            live.lines(&[Skipped { records: looked.skipped }])?;
        }
        live.lines(&looked.operations)?;
        if let Some(row) = looked.last {
            live.lines(&[row])?;
            return Ok(live.answer.end()?);
        }
        pause(door)?;
        looked = watched.look(door.source())?;
    }
}

/// So many records are not told of.
#[derive(Serialize)]
#[serde(tag = "kind", rename = "skipped")]
struct Skipped {
    records: u64,
}

/// What becomes of the newest runs.
pub(crate) fn all(door: &Door, answer: &mut Answer<impl Write>) -> Done {
    let mut live = Live::new(answer);
    let mut known: Option<BTreeMap<u64, (u64, RunState)>> = None;
    loop {
        let newest = Filter::new().newest_first().limit(NEWEST);
        let newest = door.call(move |executor| executor.runs(&newest))?;
        let mark = |run: &RunInfo| (run.key.0, (run.changed_at.as_nanos(), run.state));
        let is_new = |run: &&RunInfo| {
            let (key, mark) = mark(run);
            known.as_ref().is_some_and(|known| known.get(&key) != Some(&mark))
        };
        let rows: Vec<Row> = newest
            .iter()
            .rev()
            .filter(is_new)
            .map(|run| door.source().row(run))
            .collect::<dacapo::Result<_>>()?;
        known = Some(newest.iter().map(mark).collect());
        live.lines(&rows)?;
        pause(door)?;
    }
}
