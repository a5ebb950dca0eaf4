//! One workflow, many seeds, a restart after every commit.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use dacapo_store::{MemoryStore, Store};

use super::{Recorder, Sim, Snapshots, VirtualClock};
use crate::clock::Timestamp;
use crate::codec::Value;
use crate::executor::{Builder, Executor};
use crate::name::Workflow;
use crate::random;

/// What [`check`] covered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Runs from start to end, one for each seed.
    pub runs: u64,
    /// Runs taken up again from what one of the commits had stored.
    pub restarts: u64,
    /// Replays of whole histories.
    pub replays: u64,
    /// Records in the histories of the runs that were not restarted.
    pub records: u64,
}

/// Runs a workflow once for each seed, and again from each of its commits.
///
/// `build` registers the workflow (and others that it needs) in a new process, with a [`Sim`] for
/// its bodies; clock, seed and observer are set for it. `expect` looks at each output. It panics,
/// with the seed and the commit, if
/// - a run ends with an error, is parked, or stalls;
/// - a replay makes other polls, asks for other operations or ends otherwise than the run did;
/// - a body that used [`Sim::note`] runs again although its outcome was recorded.
///
/// # Panics
///
/// As said, and if the workflow is not registered.
pub fn check<I: Value + Clone, O: Value>(
    seeds: Range<u64>,
    workflow: Workflow<I, O>,
    input: I,
    build: impl Fn(&Sim) -> Builder,
    expect: impl Fn(&O),
) -> Report {
    let mut report = Report::default();
    for seed in seeds {
        let process = Process::begin(seed, &build, MemoryStore::new(), format!("seed {seed}"));
        let output = process.finish(workflow, input.clone());
        expect(&output);
        report.runs += 1;
        report.records += process.records();
        report.replays += process.replay(&build);
        for (commit, stored) in process.store.take().into_iter().enumerate() {
            let which = format!("seed {seed}, restarted after commit {}", commit + 1);
            let restart = random::mix(seed, commit as u64);
            let again = Process::begin(restart, &build, stored, which);
            again.compare_replayed(&process);
            expect(&again.finish(workflow, input.clone()));
            again.compare_effects();
            report.restarts += 1;
            report.replays += again.replay(&build);
        }
    }
    report
}

/// The id of the run that is simulated.
const RUN: &str = "simulated";

/// One simulated process, from its start to its end.
struct Process {
    executor: Executor,
    sim: Sim,
    recorder: Recorder,
    store: Snapshots,
    /// What the replay at its start did.
    replayed: Vec<String>,
    which: String,
}

impl Process {
    fn begin(
        seed: u64,
        build: impl Fn(&Sim) -> Builder,
        stored: MemoryStore,
        which: String,
    ) -> Self {
        let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()));
        let (sim, recorder) = (Sim::new(seed, clock.clone()), Recorder::default());
        let store = Snapshots::new(stored);
        let builder = build(&sim).clock(clock).seed(seed).observer(recorder.clone());
        let executor = builder.open_with(store.clone());
        let executor = executor.unwrap_or_else(|error| panic!("{which}: {error:?}"));
        let replayed = recorder.trace(RUN);
        Self { executor, sim, recorder, store, replayed, which }
    }

    /// Drives the run to its end.
    fn finish<I: Value, O: Value>(&self, workflow: Workflow<I, O>, input: I) -> O {
        let output =
            self.executor.start(workflow, RUN, input).and_then(|run| self.executor.block_on(run));
        output.unwrap_or_else(|error| {
            panic!("{}: {error:?}\n{}", self.which, self.recorder.trace(RUN).join("\n"))
        })
    }

    fn records(&self) -> u64 {
        let store = self.store.now();
        let row = store.find(RUN).ok().flatten().expect("the run is stored");
        store.last(row.key).ok().flatten().map_or(0, |entry| entry.place + 1)
    }

    /// Replays the whole history: it must be the same run again, poll for poll. A process that
    /// found the run at its end has nothing to compare.
    fn replay(&self, build: impl Fn(&Sim) -> Builder) -> u64 {
        if self.recorder.trace(RUN).is_empty() {
            return 0;
        }
        let which = format!("{}, replayed", self.which);
        let replay = Self::begin(0, build, self.store.now(), which);
        let verified = replay.executor.verify(RUN);
        verified.unwrap_or_else(|error| panic!("{}: {error:?}", replay.which));
        replay.compare_traces(&self.recorder.trace(RUN), &replay.recorder.trace(RUN));
        1
    }

    /// The replay at the start of a process must be a beginning of what `before` did.
    fn compare_replayed(&self, before: &Self) {
        let trace = before.recorder.trace(RUN);
        let shared = self.replayed.len().min(trace.len());
        self.compare_traces(&trace[..shared], &self.replayed);
    }

    fn compare_traces(&self, expected: &[String], found: &[String]) {
        let (expected, found) = (&asked_in_order(expected)[..], &asked_in_order(found)[..]);
        let pairs = expected.iter().zip(found);
        let same = pairs.take_while(|(expected, found)| expected == found).count();
        if same == expected.len() && same == found.len() {
            return;
        }
        let line = |trace: &[String]| trace.get(same).cloned().unwrap_or("nothing more".into());
        panic!(
            "{}: a replay must repeat the run exactly, but after\n  {}\nthe run did\n  {}\nand \
             the replay\n  {}\nSomething that is not in the history decides: a clock, a random \
             number, the order of a hash map, or a macro that polls its branches in random order \
             (`tokio::select!` without `biased`, `futures::select!`)",
            self.which,
            expected[..same].join("\n  "),
            line(expected),
            line(found),
        );
    }

    /// No body whose outcome was recorded before the restart may have run again.
    fn compare_effects(&self) {
        for recorded in self.replayed.iter().filter_map(|event| recorded_step(event)) {
            let again = self.sim.noted().into_iter().find(|(key, _)| key.starts_with(&recorded));
            if let Some((key, _)) = again {
                panic!("{}: the body of {key} ran again after its outcome", self.which);
            }
        }
    }
}

/// The trace with what one poll asks for put in order.
///
/// What is asked for is begun in the order of the numbers, so it means nothing which of several
/// branches is polled first; macros that poll them in random order are legal there.
fn asked_in_order(trace: &[String]) -> Vec<String> {
    let mut trace = trace.to_vec();
    let is_asked = |event: &String| event.starts_with("ask ");
    let polls = trace.chunk_by_mut(|event, next| is_asked(event) && is_asked(next));
    polls.for_each(|events| events.sort_unstable());
    trace
}

/// How the key of a step begins whose recorded outcome was delivered in this event.
fn recorded_step(event: &str) -> Option<String> {
    let (_, step) = event.split_once(": outcome of step ")?;
    let number = step.split(' ').next()?;
    Some(format!("{RUN}/{number}/"))
}
