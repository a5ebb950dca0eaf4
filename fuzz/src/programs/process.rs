//! One process after the other over what the one before had stored, and what each is held to.

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use dacapo::sim::{Recorder, Sim, Snapshots, VirtualClock};
use dacapo::store::{Entry, MemoryStore, RunKey, Store};
use dacapo::{Clock, Executor, Timestamp};

use super::Report;
use super::language::Code;
use super::live::{Output, WORKFLOW, build};
use super::reference::{Event, Record, Restart, expect, split_mix};

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

const RUN: &str = "run";
const KEY: RunKey = RunKey(0);
/// No program of the language needs so many.
const POLLS: u64 = 20_000;
const TURNS: u64 = 100_000;

pub(crate) struct Process<'a> {
    program: &'a Code,
    /// That of the first process, which gave the run its own and its input.
    seed: u64,
    executor: Executor,
    sim: Sim,
    recorder: Recorder,
    store: Snapshots,
    /// What it began with.
    opened: MemoryStore,
    restarts: Vec<Restart>,
    output: OnceCell<Output>,
}

/// Virtual time that does not wait for ever.
struct Impatient {
    clock: VirtualClock,
    turns: Cell<u64>,
}

impl Clock for Impatient {
    fn now(&self) -> Timestamp {
        self.turns.set(self.turns.get() + 1);
        assert!(self.turns.get() < TURNS, "it goes on and on");
        self.clock.now()
    }

    fn skip_to(&self, until: Option<Timestamp>) -> bool {
        assert!(self.clock.skip_to(until), "nothing is left that could happen");
        true
    }
}

impl<'a> Process<'a> {
    pub(crate) fn start(program: &'a Code, seed: u64) -> Self {
        Self::open(program, (seed, seed), &MemoryStore::new(), Timestamp::default(), Vec::new())
    }

    /// A process that finds what another had stored when it crashed.
    pub(crate) fn restart(
        before: &Self,
        stored: &MemoryStore,
        seed: u64,
        outage_ms: u64,
    ) -> Result<Self, Wrong> {
        let now = Timestamp::from_nanos(stored.time()) + Duration::from_millis(outage_ms);
        let mut restarts = before.restarts.clone();
        let place = stored.history(KEY).expect("memory can be read").len();
        restarts.push(Restart { place, time: now.as_nanos() });
        let process = Self::open(before.program, (before.seed, seed), stored, now, restarts);
        process.compare_opening(before, place)?;
        Ok(process)
    }

    fn open(
        program: &'a Code,
        (seed, own_seed): (u64, u64),
        stored: &MemoryStore,
        now: Timestamp,
        restarts: Vec<Restart>,
    ) -> Self {
        let clock = VirtualClock::new(now);
        let (sim, recorder) = (Sim::new(own_seed, clock.clone()), Recorder::default());
        let store = Snapshots::new(stored.snapshot());
        let builder = build(program, &sim).seed(own_seed).poll_budget(POLLS);
        let builder = builder.clock(Impatient { clock, turns: Cell::new(0) });
        let builder = builder.observer(recorder.clone());
        let executor = builder.open_with(store.clone()).expect("memory can be read");
        let (opened, output) = (stored.snapshot(), OnceCell::new());
        Self { program, seed, executor, sim, recorder, store, opened, restarts, output }
    }

    /// What its replay at the start did must be what the process before had done by then.
    fn compare_opening(&self, before: &Self, place: usize) -> Result<(), Wrong> {
        let replayed = self.recorder.trace(RUN);
        if replayed.is_empty() {
            return Ok(());
        }
        let trace = before.recorder.trace(RUN);
        let next = format!("deliver {place}: ");
        let end = trace.iter().position(|line| line.starts_with(&next)).unwrap_or(trace.len());
        compare("the replay at the start", &trace[..end], &replayed)
    }

    /// What it began with, and what the store held after each of its commits.
    pub(crate) fn commits(&self) -> Vec<MemoryStore> {
        let taken = self.store.take();
        let opened = self.opened.snapshot();
        let has_run = !opened.history(KEY).expect("memory can be read").is_empty();
        has_run.then_some(opened).into_iter().chain(taken).collect()
    }

    /// Drives the run to its end, and compares all that there is to be compared.
    pub(crate) fn finish(&self, report: &mut Report) -> Result<(), Wrong> {
        let run = self.executor.start(WORKFLOW, RUN, self.seed);
        let output = run.and_then(|run| self.executor.block_on(run)).map_err(|error| {
            let trace = self.recorder.trace(RUN).join("\n  ");
            let message = format!("{error:?}\n  {trace}");
            match message.contains("diverged") {
                true => Wrong::Diverged(message),
                false => Wrong::Lost(message),
            }
        })?;
        let history = self.history();
        report.runs += 1;
        report.records += history.len() as u64;
        self.compare_prefix(&history)?;
        let _ = self.output.set(output);
        let trace = self.recorder.trace(RUN);
        // Whoever finds a run at its end reads its output from the history.
        if !trace.is_empty() {
            self.replay(&trace)?;
            report.replays += 1;
        }
        self.compare_with_reference(&trace, &history)
    }

    fn history(&self) -> Vec<Entry> {
        self.store.now().history(KEY).expect("memory can be read")
    }

    fn compare_prefix(&self, history: &[Entry]) -> Result<(), Wrong> {
        let opened = self.opened.history(KEY).expect("memory can be read");
        match history.starts_with(&opened) {
            true => Ok(()),
            false => Err(Wrong::Lost(format!("of {opened:?} there is {history:?}"))),
        }
    }

    /// The same run again, from its whole history and in a process of its own.
    fn replay(&self, trace: &[String]) -> Result<(), Wrong> {
        let stored = self.store.now();
        let now = Timestamp::from_nanos(stored.time());
        let replay = Self::open(self.program, (self.seed, 0), &stored, now, Vec::new());
        let verified = replay.executor.verify(RUN);
        verified.map_err(|error| Wrong::Diverged(format!("replayed: {error:?}")))?;
        compare("the replay", trace, &replay.recorder.trace(RUN))
    }

    fn compare_with_reference(&self, trace: &[String], history: &[Entry]) -> Result<(), Wrong> {
        if !self.program.kind.has_reference() || trace.is_empty() {
            return Ok(());
        }
        let events: Vec<Event> = trace.iter().filter_map(|line| event(line)).collect();
        if events.len() != history.len() {
            let counts = format!("{} records, {} deliveries", history.len(), events.len());
            return Err(Wrong::Lost(counts));
        }
        let records = history.iter().zip(events);
        let records: Vec<Record> = records
            .map(|(entry, event)| Record { commit: entry.commit, time: entry.time, event })
            .collect();
        let seed = split_mix(self.seed, KEY.0);
        let expected = expect(self.program, self.seed, seed, &records, &self.restarts);
        let expected = expected.map_err(Wrong::Diverged)?;
        compare("the run (first: the reference)", &expected.trace, trace)?;
        if expected.output.as_ref() != self.output.get() {
            let (expected, found) = (&expected.output, self.output.get());
            return Err(Wrong::Diverged(format!("expected is {expected:?}, not {found:?}")));
        }
        let noted = self.sim.noted();
        for ((task, local), expected) in expected.ran {
            let number = if task == 0 { local.to_string() } else { format!("{task}.{local}") };
            let key = format!("{RUN}/{number}/");
            let ran = noted.iter().find(|(noted, _)| noted.starts_with(&key));
            let ran = ran.map_or(0, |(_, ran)| *ran);
            let counts = format!("step {number} ran {ran} times, not {expected}");
            match ran.cmp(&expected) {
                std::cmp::Ordering::Less => return Err(Wrong::Lost(counts)),
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => return Err(Wrong::Duplicated(counts)),
            }
        }
        Ok(())
    }
}

fn compare(what: &str, expected: &[String], found: &[String]) -> Result<(), Wrong> {
    if expected == found {
        return Ok(());
    }
    let same = expected.iter().zip(found).take_while(|(expected, found)| expected == found).count();
    let line = |trace: &[String]| trace.get(same).cloned().unwrap_or("nothing more".into());
    let (before, one, other) = (expected[..same].join("\n  "), line(expected), line(found));
    let message = format!("{what}: after\n  {before}\ncame first\n  {one}\nand now\n  {other}");
    Err(Wrong::Diverged(message))
}

/// What was delivered, if the line of a trace is a delivery.
fn event(line: &str) -> Option<Event> {
    let (_, record) = line.strip_prefix("deliver ")?.split_once(": ")?;
    let number = |rest: &str| {
        let number = rest.split(' ').next().expect("a number");
        let (task, local) = number.split_once('.').unwrap_or(("0", number));
        (task.parse().expect("a task"), local.parse().expect("a place"))
    };
    type Make = fn((u32, u32)) -> Event;
    let kinds: [(&str, Make); 4] = [
        ("start of step ", Event::StepStarted),
        ("outcome of step ", Event::Finished),
        ("end of sleep ", Event::Fired),
        ("restart of step ", Event::Restarted),
    ];
    let found =
        kinds.iter().find_map(|(prefix, make)| Some(make(number(record.strip_prefix(prefix)?))));
    found.or(match record {
        "end of the run with an output" => Some(Event::Ended),
        _ => record.starts_with("start of workflow").then_some(Event::Started),
    })
}
