//! One process after the other over what the one before had stored, and what each is held to.

use std::cell::OnceCell;
use std::time::Duration;

use dacapo::sim::{Recorder, Sim, VirtualClock};
use dacapo::store::{History, RunKey, Store};
use dacapo::{Clock, Error, Executor, Timestamp};

use super::Report;
use super::compare::{compare, event};
use super::language::Code;
use super::live::{Output, WORKFLOW, build};
use super::reference::{Restart, split_mix};
use super::shaped::set_build;
use super::storage::Storage;

/// What must never be.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// A replay, or the reference, says something else.
    Diverged(String),
    /// A run does not end, or something recorded is no more.
    Lost(String),
    /// A body ran again after its outcome, or more often than it failed.
    Duplicated(String),
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, why) = match self {
            Wrong::Diverged(why) => ("diverged", why),
            Wrong::Lost(why) => ("lost", why),
            Wrong::Duplicated(why) => ("duplicated", why),
        };
        write!(f, "{what}: {why}")
    }
}

pub(super) const RUN: &str = "run";
pub(super) const KEY: RunKey = RunKey(0);
/// No program of the language needs so many.
pub(super) const POLLS: u64 = 20_000;

/// One process over a store, and what it must do.
pub(crate) struct Process<'a, S> {
    pub(super) program: &'a Code,
    /// That of the first process: it gives the run its own and its input.
    pub(super) seed: u64,
    executor: Executor,
    pub(super) sim: Sim,
    recorder: Recorder,
    pub(crate) storage: S,
    /// The history that it began with.
    opened: History,
    pub(super) restarts: Vec<Restart>,
    pub(super) output: OnceCell<Output>,
}

/// What a process leaves to the next one besides what is stored.
#[derive(Clone, Default)]
pub(crate) struct Left {
    /// Its trace, which ends where its last commit was delivered.
    trace: Vec<String>,
    restarts: Vec<Restart>,
}

/// Virtual time that does not wait for ever.
struct Impatient(VirtualClock);

impl Clock for Impatient {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn skip(&self, wait: Option<Duration>) -> bool {
        assert!(self.0.skip(wait), "nothing is left that could happen");
        true
    }
}

impl<'a, S: Storage> Process<'a, S> {
    /// A process that finds what others have stored.
    ///
    /// The storage may be told to fail: then it is `None`, if that was in the opening.
    pub(crate) fn open(
        program: &'a Code,
        (seed, own_seed): (u64, u64),
        storage: S,
        outage_ms: u64,
        left: &Left,
    ) -> Result<Option<Self>, Wrong> {
        set_build(own_seed);
        let Ok(store) = storage.open() else { return Ok(None) };
        let now = Timestamp::from_nanos(store.time()) + Duration::from_millis(outage_ms);
        let Ok(opened) = store.history(KEY) else { return Ok(None) };
        let mut restarts = left.restarts.clone();
        if !opened.is_empty() {
            restarts.push(Restart { place: opened.len(), at: now.as_nanos() });
        }
        let clock = VirtualClock::new(now);
        let sim = Sim::with_wakes(own_seed, Some(wakes(seed)), clock.clone());
        let recorder = Recorder::default();
        let builder = sim.apply(build(program, &sim)).seed(seed).poll_budget(POLLS);
        let builder = builder.clock(Impatient(clock));
        // In every other process a run leaves memory whenever it only sleeps.
        let builder = if own_seed % 2 == 0 { builder.resident_max(0) } else { builder };
        let Ok(executor) = builder.observer(recorder.clone()).open_with(store) else {
            return Ok(None);
        };
        let output = OnceCell::new();
        let process =
            Self { program, seed, executor, sim, recorder, storage, opened, restarts, output };
        process.compare_opening(left)?;
        Ok(Some(process))
    }

    /// What the process before was told is there, and what its replay at the start does is what
    /// that one had done by then.
    fn compare_opening(&self, left: &Left) -> Result<(), Wrong> {
        let delivered = left.trace.iter().filter(|line| event(line).is_some()).count();
        let place = self.opened.len();
        // A process that found a run at its end shows nothing; one that was cut off may have
        // written a commit that it was not told of.
        if place < delivered && !self.storage.is_snapshot() {
            return Err(Wrong::Lost(format!("{place} records of {delivered} that were delivered")));
        }
        let replayed = self.recorder.trace(RUN);
        if replayed.is_empty() {
            return Ok(());
        }
        let is_next = |line: &String| line.starts_with(&format!("deliver {place}: "));
        let end = left.trace.iter().position(is_next).unwrap_or(left.trace.len());
        let begun = if place > delivered { end.min(replayed.len()) } else { replayed.len() };
        compare("the replay at the start", &left.trace[..end], &replayed[..begun])
    }

    pub(crate) fn left(&self) -> Left {
        Left { trace: self.recorder.trace(RUN), restarts: self.restarts.clone() }
    }

    /// Drives the run to its end, and compares all that there is to be compared. `false`: it was
    /// cut off by the storage, which was told to fail.
    pub(crate) fn finish(&self, report: &mut Report) -> Result<bool, Wrong> {
        let run = self.executor.start(WORKFLOW, RUN, self.seed);
        let output = match run.and_then(|run| self.executor.block_on(run)) {
            Ok(output) => output,
            Err(error) if error.is_store() && self.storage.may_fail() => return Ok(false),
            Err(error) => return Err(self.wrong(&error)),
        };
        let history = self.history();
        report.runs += 1;
        report.records += history.len() as u64;
        self.compare_prefix(&history)?;
        let _ = self.output.set(output);
        let trace = self.recorder.trace(RUN);
        // Whoever finds a run at its end reads its output from the history.
        if !trace.is_empty() {
            let (replay, verified) = self.replay(wakes(self.seed));
            verified.map_err(|error| Wrong::Diverged(format!("replayed: {error:?}")))?;
            compare("the replay", &trace, &replay)?;
            let records = self.records(&trace, &history)?;
            self.compare_with_reference(&trace, &records)?;
            report.polled_otherwise += u64::from(self.compare_otherwise(&trace, &records)?);
            report.replays += 2;
        }
        Ok(true)
    }

    fn wrong(&self, error: &Error) -> Wrong {
        let message = format!("{error:?}\n  {}", self.recorder.trace(RUN).join("\n  "));
        match message.contains("diverged") {
            true => Wrong::Diverged(message),
            false => Wrong::Lost(message),
        }
    }

    fn history(&self) -> History {
        self.storage.copy().history(KEY).expect("a copy does not fail")
    }

    fn compare_prefix(&self, history: &History) -> Result<(), Wrong> {
        match history.starts_with(&self.opened) {
            true => Ok(()),
            false => Err(Wrong::Lost(format!("of {:?} there is {history:?}", self.opened))),
        }
    }
}

/// The seed of spurious wakes: one for all processes of a program.
pub(super) fn wakes(seed: u64) -> u64 {
    split_mix(seed, 77)
}
