//! Processes over one storage, one after the other, and what each is held to.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use dacapo_store::{Hooked, MemoryStore};
use dacapo_values::{Comparison, Shapes};

use super::Ends;
use super::compare::{
    CLOCK_DECIDES, Lines, NOT_RECORDED, Replay, UNEXPECTED, compare_start, judged, tail,
};
use super::outside::Outside;
use super::pace::Pace;
use super::plan::Plan;
use super::process::{Process, Shutdown, Told};
use super::storage::Storage;
use crate::panics;
use crate::values::Value;

pub(super) struct Story<'a, I, O> {
    plan: &'a Plan<'a, I, O>,
    outside: Rc<Outside>,
    pub(super) storage: Storage,
    /// When the next process is shut down, if it is.
    pub(super) shutdown: Option<Shutdown>,
    /// Whether the whole histories are replayed at a slow pace, too.
    pub(super) is_slow_too: bool,
    /// What each run had done when it was last in memory.
    left: BTreeMap<String, Lines>,
    /// What somebody was told of runs that ended.
    told: BTreeMap<String, Result<Vec<u8>, String>>,
    /// With which their outputs are written and compared.
    shapes: Shapes,
}

impl<'a, I: Value + Clone, O: Value> Story<'a, I, O> {
    pub(super) fn new(plan: &'a Plan<'a, I, O>, storage: Storage) -> Self {
        let (left, told) = (BTreeMap::new(), BTreeMap::new());
        let (outside, shapes) = (Rc::default(), Shapes::new().max_bytes(usize::MAX));
        let (shutdown, is_slow_too) = (None, false);
        Self { plan, outside, storage, shutdown, is_slow_too, left, told, shapes }
    }

    /// One process. `false`: it crashed.
    pub(super) fn live(&mut self, seed: u64, outage: Duration) -> Result<bool, String> {
        self.outside.begin_process();
        let Ok(store) = self.storage.open() else { return Ok(false) };
        if self.outside.changed.settle(&*store).is_err() {
            return Ok(false);
        }
        let store = Box::new(Hooked::new(store, self.outside.changed.clone()));
        let seeds = (seed, self.plan.wakes());
        let process = Process::open(self.plan, store, self.outside.clone(), seeds, outage);
        let process = match process {
            Err(error) if error.is_store() => return Ok(false),
            process => process.map_err(|error| error.to_string())?,
        };
        self.forget_changed();
        let mut replayed = process.traces();
        self.compare_start(&replayed).map_err(|why| format!("{}{why}", process.parked()))?;
        self.compare_lost(&process)?;
        for (id, trace) in &self.left {
            replayed.entry(id.clone()).or_insert_with(|| trace.clone());
        }
        let mut told = Told::new();
        let driven = process.drive(&mut told, self.shutdown);
        let traces = process.traces();
        let shown = |why| format!("{why}\n\n{}", shown(&traces));
        self.forget_changed();
        replayed.retain(|id, _| !self.outside.changed.has(id));
        let is_at_its_end = driven.map_err(shown)?;
        process.compare_effects(&replayed).map_err(shown)?;
        self.outside.take_wrong().map_or(Ok(()), |wrong| Err(shown(wrong)))?;
        self.compare_start(&traces).map_err(shown)?;
        let ends = Ends { ends: told, sim: process.sim.clone() };
        self.compare_told(&ends).map_err(shown)?;
        self.left.extend(traces.clone());
        self.forget_changed();
        // One that was deleted has no history left.
        let is_there =
            |id: &String| !self.outside.changed.has(id) || process.executor.has(id) == Ok(true);
        let left = traces.iter().filter(|(id, _)| is_there(id));
        let left = left.map(|(id, trace)| (id.clone(), trace.clone())).collect();
        drop(process);
        if is_at_its_end {
            let expected = panics::catch(|| (self.plan.expect)(&ends));
            expected.map_err(|said| format!("{}\n\n{UNEXPECTED}", shown(said.message().into())))?;
            self.compare_replays(&left)?;
        }
        Ok(is_at_its_end)
    }

    fn forget_changed(&mut self) {
        self.left.retain(|id, _| !self.outside.changed.has(id));
        self.told.retain(|id, _| !self.outside.changed.has(id));
    }

    /// What was delivered was durable, and its replay is the same again. A run that sleeps is replayed
    /// later, or not at all if it had ended.
    fn compare_start(&self, replayed: &BTreeMap<String, Lines>) -> Result<(), String> {
        for (id, trace) in &self.left {
            if let Some(replayed) = replayed.get(id) {
                let compared = compare_start(trace, replayed);
                compared.map_err(|why| format!("run {id:?}, taken up again: {why}"))?;
            }
        }
        Ok(())
    }

    /// What was delivered was durable, so the run is in the store.
    fn compare_lost(&self, process: &Process<'_, I, O>) -> Result<(), String> {
        for id in self.left.keys() {
            if process.executor.has(id).is_ok_and(|has| !has) {
                return Err(format!("run {id:?} was lost; before, {}", shown(&self.left)));
            }
        }
        Ok(())
    }

    /// What somebody was told is not taken back.
    fn compare_told(&mut self, ends: &Ends<O>) -> Result<(), String> {
        for (id, end) in ends.iter() {
            let end = match end {
                Ok(output) => {
                    let mut bytes = Vec::new();
                    let encoded = self.shapes.encode(output, &mut bytes);
                    encoded.map_or_else(|why| Err(why.to_string()), |()| Ok(bytes))
                }
                Err(error) => Err(format!("{error:?}")),
            };
            let before = self.told.insert(id.into(), end.clone());
            if let Some(before) = before.filter(|before| !self.are_same(before, &end)) {
                let (before, end) = (self.show(&before), self.show(&end));
                return Err(format!("run {id:?} had ended with {before}, and now with {end}"));
            }
        }
        Ok(())
    }

    /// Whether two ends are, in whatever order their maps hold what they hold.
    fn are_same(&self, one: &Result<Vec<u8>, String>, other: &Result<Vec<u8>, String>) -> bool {
        match (one, other) {
            (Ok(one), Ok(other)) => self.shapes.compare(one, other) == Ok(Comparison::Same),
            _ => one == other,
        }
    }

    fn show(&self, end: &Result<Vec<u8>, String>) -> String {
        match end {
            Ok(output) => {
                self.shapes.view(output).map_or_else(|why| why.to_string(), |v| v.to_string())
            }
            Err(error) => error.clone(),
        }
    }

    /// The whole histories again, poll for poll; with other spurious wakes; and slowly.
    fn compare_replays(&self, traces: &BTreeMap<String, Lines>) -> Result<(), String> {
        let polls = (!self.plan.check.may_count_polls).then_some(Replay::OtherPolls);
        let slow = self.is_slow_too.then_some(Replay::Slow);
        let moved = polls.filter(|_| self.is_slow_too).map(|_| Replay::Moved);
        for replay in [Some(Replay::Same), polls, moved, slow].into_iter().flatten() {
            let compared = self.compare_replay(traces, replay);
            compared.map_err(|difference| self.explain(traces, replay, &difference))?;
        }
        self.plan.traces.borrow_mut().extend(traces.values().map(hash));
        Ok(())
    }

    fn explain(
        &self,
        traces: &BTreeMap<String, Lines>,
        replay: Replay,
        difference: &str,
    ) -> String {
        if self.is_slow_too && self.is_decided_by_a_clock(traces) {
            return format!("{difference}\n\n{CLOCK_DECIDES}");
        }
        // Where something is random, the first replay may have come out the same by chance, and
        // then the number of polls, or the time, is not to blame.
        let again = (0..16).try_for_each(|_| self.compare_replay(traces, Replay::Same));
        match again {
            Err(random) if replay != Replay::Same => format!("{random}\n\n{NOT_RECORDED}"),
            _ => format!("{difference}\n\n{}", replay.why()),
        }
    }

    /// Whether slow replays are all one run, and fast ones seldom that one: other programs may take
    /// processor time from them.
    fn is_decided_by_a_clock(&self, traces: &BTreeMap<String, Lines>) -> bool {
        const TRIES: usize = 8;
        let replays = |replay| (0..TRIES).map(move |_| self.replayed(traces, replay));
        let Some(slow) = replays(Replay::Slow).next() else { return false };
        let fast = replays(Replay::Same).filter(|fast| *fast != slow).count();
        fast >= TRIES - 2 && replays(Replay::Slow).all(|again| again == slow)
    }

    /// Runs that the process found at their ends have no trace to be compared with.
    fn compare_replay(
        &self,
        traces: &BTreeMap<String, Lines>,
        replay: Replay,
    ) -> Result<(), String> {
        for (id, (verified, mut replayed)) in self.replayed(traces, replay)? {
            let trace = &traces[&id];
            cut(&mut replayed, trace);
            let compared = judged(verified, trace, &replayed, replay);
            compared.map_err(|why| format!("run {id:?}, replayed{}: {why}", replay.how()))?;
            self.plan.count(|report| report.replays += 1);
        }
        Ok(())
    }

    /// What each run comes to in a replay, and does.
    fn replayed(
        &self,
        traces: &BTreeMap<String, Lines>,
        replay: Replay,
    ) -> Result<Replayed, String> {
        let store = self.storage.copy().map_err(|error| error.to_string())?;
        let wakes = self.plan.wakes();
        let wakes = if replay == Replay::OtherPolls { !wakes } else { wakes };
        let open = |store| {
            let (outside, seeds) = (Rc::default(), (!self.plan.seed, wakes));
            let process = Process::open(self.plan, store, outside, seeds, Duration::ZERO);
            process.map_err(|error| error.to_string())
        };
        let mut process = open(store)?;
        if replay == Replay::Moved {
            let ids: Vec<_> = traces.keys().map(String::as_str).collect();
            let mut exported = Vec::new();
            let moved = process.executor.export(&ids, &mut exported);
            let other = open(Box::new(MemoryStore::new()))?;
            let moved = moved.and_then(|_| other.executor.import(&exported[..]));
            moved.map_err(|error| format!("{error:?}"))?;
            process = other;
        }
        if replay == Replay::Slow {
            let records = traces.values().flatten().filter(|line| line.starts_with("deliver "));
            process.recorder.set_pace(Pace::slow(records.count()));
        }
        let verify = |id: &String| {
            let verified = process.executor.verify(id).map_err(|error| format!("{error:?}"));
            (id.clone(), (verified, process.recorder.trace(id)))
        };
        Ok(traces.keys().map(verify).collect())
    }
}

/// Leaves of a replay what the run had delivered. The process may have ended with a commit that a child, which
/// went on, had no delivery of.
fn cut(replayed: &mut Lines, trace: &Lines) {
    // Not how many there are: what a retry has voided is passed over.
    let place =
        |line: &String| line.strip_prefix("deliver ")?.split_once(':')?.0.parse::<u64>().ok();
    let last = trace.iter().filter_map(place).max();
    let end = replayed.iter().position(|line| place(line).is_some_and(|at| Some(at) > last));
    replayed.truncate(end.unwrap_or(replayed.len()));
}

/// What runs come to in replays, or why not, and what they do.
type Replayed = BTreeMap<String, (Result<(), String>, Lines)>;

/// What runs did, for a message.
fn shown(traces: &BTreeMap<String, Lines>) -> String {
    let show = |(id, trace): (&String, &Lines)| format!("run {id:?} did\n  {}", tail(trace));
    traces.iter().map(show).collect::<Vec<_>>().join("\n")
}

fn hash(trace: &Lines) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    trace.hash(&mut hasher);
    hasher.finish()
}
