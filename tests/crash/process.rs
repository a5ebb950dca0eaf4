//! One process over a disk, from its start until it has finished or the disk fails.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dacapo::sim::{Disk, Recorder, Sim, VirtualClock};
use dacapo::store::{Options, RedbStore, Store};
use dacapo::{Error, Executor, Result, Timestamp, Workflow};
use futures::future::join_all;

use super::scenario::{Build, Lines, Scenario};

/// What came of a run: its result, or the text of its error.
pub(super) type Outcome = Result<Lines, String>;

/// What one process did and was told.
#[derive(Default, Debug, Hash)]
pub(super) struct Story {
    /// The runs that its store held at the start.
    pub(super) found: BTreeSet<String>,
    /// What the replay at its start did, run by run.
    pub(super) replayed: BTreeMap<String, Lines>,
    /// That, and all that followed.
    pub(super) traces: BTreeMap<String, Lines>,
    /// The runs whose start was acknowledged.
    pub(super) accepted: BTreeSet<String>,
    /// The runs whose end was acknowledged, or that they are parked.
    pub(super) ended: BTreeMap<String, Outcome>,
    /// How often each body began, by idempotency key.
    pub(super) noted: BTreeMap<String, u32>,
    /// Replays of whole histories after the end.
    pub(super) verified: BTreeMap<String, (Lines, Result<(), String>)>,
    pub(super) unregistered: Vec<String>,
    pub(super) turns: u64,
    /// Why it did not finish.
    pub(super) cut_off: Option<String>,
}

/// How a process is run.
#[derive(Clone, Copy)]
pub(super) struct Conditions {
    pub(super) seed: u64,
    /// How long nothing ran before it.
    pub(super) outage: Duration,
    pub(super) fold_bytes: usize,
    /// It must have ended within so many turns.
    pub(super) turns: u64,
}

pub(super) fn store(disk: &Disk, fold_bytes: usize) -> dacapo::store::Result<RedbStore> {
    let options = Options::new().fold_bytes(fold_bytes).cache_bytes(1 << 20);
    options.open_backend(disk.clone())
}

/// What a process is made of while it lives.
pub(super) struct Process {
    pub(super) executor: Executor,
    pub(super) sim: Sim,
    pub(super) recorder: Recorder,
}

impl Process {
    pub(super) fn open(store: RedbStore, build: Build, conditions: Conditions) -> Result<Self> {
        let clock = VirtualClock::new(Timestamp::from_nanos(store.time()) + conditions.outage);
        let (sim, recorder) = (Sim::new(conditions.seed, clock.clone()), Recorder::default());
        // The runs' own seeds are the same in all processes, so that lost starts can be compared.
        let builder = build(&sim).clock(clock).seed(7).observer(recorder.clone());
        Ok(Self { executor: builder.open_with(store)?, sim, recorder })
    }

    /// Starts runs, and leaves them when each of them sleeps, has ended or is parked.
    pub(super) fn leave(self, runs: &[(&str, &'static str)]) {
        for (input, (id, workflow)) in (0..).zip(runs) {
            let workflow = Workflow::<u32, Lines>::new(workflow);
            let _handle = self.executor.start(workflow, id, input).expect("nothing fails yet");
        }
        let rests = |id: &str| {
            let trace = self.recorder.trace(id);
            let last = trace.last().map_or("", String::as_str);
            let parked = self.executor.parked().expect("nothing fails yet");
            last.starts_with("ask sleep")
                || last.contains(": end of the run")
                || parked.iter().any(|run| run.id == id)
        };
        let mut driven = pin!(self.executor.run(std::future::pending::<()>()));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..1_000 {
            let _pending = driven.as_mut().poll(&mut cx);
            if runs.iter().all(|(id, _)| rests(id)) {
                return;
            }
        }
        panic!("they neither sleep nor end: {runs:?}");
    }

    /// Drives the executor until `main` is ready or so many turns are over.
    pub(super) fn drive<T>(&self, turns: u64, main: impl Future<Output = T>) -> (u64, Option<T>) {
        let mut driven = pin!(self.executor.run(main));
        let mut cx = Context::from_waker(Waker::noop());
        for turn in 1..=turns {
            if let Poll::Ready(output) = driven.as_mut().poll(&mut cx) {
                return (turn, Some(output));
            }
        }
        (turns, None)
    }
}

/// Runs a scenario on a disk, as far as that goes.
pub(super) fn live(scenario: &Scenario, disk: &Disk, conditions: Conditions) -> Story {
    let mut story = Story::default();
    let store = match store(disk, conditions.fold_bytes) {
        Ok(store) => store,
        Err(error) => {
            assert!(error.is_refused(), "{}: {error}", scenario.name);
            return Story { cut_off: Some(error.to_string()), ..story };
        }
    };
    for (id, _) in scenario.runs {
        if store.find(id).is_ok_and(|row| row.is_some()) {
            story.found.insert((*id).into());
        }
    }
    match Process::open(store, scenario.build, conditions) {
        Err(error) => story.cut_off = Some(error.to_string()),
        Ok(process) => process.tell(scenario, conditions.turns, &mut story),
    }
    story
}

impl Process {
    fn traces(&self, scenario: &Scenario) -> BTreeMap<String, Lines> {
        let trace = |id: &str| (id.to_owned(), self.recorder.trace(id));
        scenario.runs.iter().map(|(id, _)| trace(id)).collect()
    }

    fn tell(&self, scenario: &Scenario, turns: u64, story: &mut Story) {
        story.replayed = self.traces(scenario);
        let told = RefCell::new((BTreeSet::new(), BTreeMap::new()));
        let main = self.main(scenario, &told);
        let (taken, finished) = self.drive(turns, main);
        let finished = finished.unwrap_or_else(|| {
            let traces = self.traces(scenario);
            panic!("{}: not at its end after {turns} turns: {traces:#?}", scenario.name)
        });
        story.turns = taken;
        story.traces = self.traces(scenario);
        story.noted = self.sim.noted();
        (story.accepted, story.ended) = told.into_inner();
        match finished {
            Err(error) => story.cut_off = Some(error.to_string()),
            Ok(()) => self.look_back(scenario, story),
        }
    }

    /// Starts the runs and waits for their ends; an error is one of the store.
    async fn main(
        &self,
        scenario: &Scenario,
        told: &RefCell<(BTreeSet<String>, BTreeMap<String, Outcome>)>,
    ) -> Result<()> {
        for id in scenario.resumed {
            if self.executor.parked()?.iter().any(|run| run.id == *id) {
                let resumed = self.executor.resume(id);
                resumed.or_else(|error| if error.is_parked() { Ok(()) } else { Err(error) })?;
            }
        }
        let wait = async |index: usize| -> Result<()> {
            let (id, workflow) = scenario.runs[index];
            let workflow = Workflow::<u32, Lines>::new(workflow);
            let run = self.executor.start(workflow, id, index as u32)?;
            match run.accepted().await {
                Err(error) if is_fatal(&error) => return Err(error),
                _ => told.borrow_mut().0.insert(id.to_owned()),
            };
            let outcome = run.await;
            match &outcome {
                Err(error) if is_fatal(error) => return Err(error.clone()),
                _ => {}
            }
            let outcome = outcome.map_err(|error| format!("{error:?}"));
            told.borrow_mut().1.insert(id.to_owned(), outcome);
            Ok(())
        };
        if scenario.one_by_one {
            for index in 0..scenario.runs.len() {
                wait(index).await?;
            }
            return Ok(());
        }
        let ends = join_all((0..scenario.runs.len()).map(wait)).await;
        ends.into_iter().collect()
    }

    /// Replays all histories as they stand now. The disk may be gone by then.
    fn look_back(&self, scenario: &Scenario, story: &mut Story) {
        for (id, _) in scenario.runs {
            let verified = self.executor.verify(id);
            if verified.as_ref().is_err_and(is_fatal) {
                return;
            }
            let trace = self.recorder.trace(id);
            let verified = verified.map_err(|error| format!("{error:?}"));
            story.verified.insert((*id).into(), (trace, verified));
        }
        let unregistered = self.executor.unregistered().unwrap_or_default();
        story.unregistered = unregistered.into_iter().map(|run| run.id).collect();
    }
}

fn is_fatal(error: &Error) -> bool {
    error.is_store()
}
