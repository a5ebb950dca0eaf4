//! What is done for one seed: where processes crash, and how.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use dacapo_store::{MemoryStore, Store};

use super::check::Check;
use super::process::Shutdown;
use super::storage::Storage;
use super::story::Story;
use super::{Crash, Ends, Report, Sim, Snapshots};
use crate::executor::Builder;
use crate::random;
use crate::values::Value;

/// How long nothing runs after a crash: timers are due then, or not.
const OUTAGES_MS: [u64; 4] = [0, 3, 40, 100_000];

/// How many seeds of a check have slow replays, too: these take real time.
const SLOW_SEEDS: u64 = 3;

/// Draws what shutdowns are like apart from all else.
const SHUTDOWNS: u64 = 0x5707;

pub(super) struct Plan<'a, I, O> {
    pub(super) check: &'a Check<I, O>,
    pub(super) seed: u64,
    pub(super) build: &'a dyn Fn(&Sim) -> Builder,
    pub(super) expect: &'a dyn Fn(&Ends<O>),
    /// The hashes of all traces there were.
    pub(super) traces: &'a RefCell<BTreeSet<u64>>,
    pub(super) report: Cell<Report>,
}

impl<I: Value + Clone, O: Value> Plan<'_, I, O> {
    /// The seed of spurious wakes: one for all processes, so that they make the same polls.
    pub(super) fn wakes(&self) -> u64 {
        random::mix(self.seed, u64::MAX)
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Report)) {
        let mut report = self.report.get();
        count(&mut report);
        self.report.set(report);
    }

    pub(super) fn carry_out(&self) -> Result<(), String> {
        let commits = self.whole().map_err(|why| format!("without a crash: {why}"))?;
        for commit in 1..=commits {
            self.crash(commit)?;
        }
        self.shutdowns()?;
        if self.check.has_crash_loops {
            self.crash_loop()?;
        }
        if self.check.has_disk_faults {
            self.disk_faults()?;
        }
        Ok(())
    }

    /// How long nobody restarts the process.
    pub(super) fn outage(&self, crash: u64) -> Duration {
        let place = random::mix(self.seed, crash) >> 8;
        Duration::from_millis(OUTAGES_MS[place as usize % OUTAGES_MS.len()])
    }

    /// One process that does not crash; how many commits it takes.
    fn whole(&self) -> Result<u64, String> {
        let store = Snapshots::forgetful(MemoryStore::new());
        let mut story = Story::new(self, Storage::Memory(store.clone()));
        story.is_slow_too = self.seed - self.check.seeds.start < SLOW_SEEDS;
        self.finish(&mut story, self.seed, Duration::ZERO)?;
        let runs = self.check.runs.iter();
        let records: u64 = runs.clone().map(|(id, _)| records(&store.now(), id)).sum();
        self.count(|report| {
            report.runs += runs.len() as u64;
            report.records += records;
        });
        Ok(store.commits())
    }

    /// A process that must come to the end of all runs.
    pub(super) fn finish(
        &self,
        story: &mut Story<'_, I, O>,
        seed: u64,
        outage: Duration,
    ) -> Result<(), String> {
        match story.live(seed, outage)? {
            true => Ok(()),
            false => Err("nothing fails, but the store refused".into()),
        }
    }

    /// The same process, which crashes as soon as this commit is there or right before the next one is, and
    /// another that goes on.
    fn crash(&self, commit: u64) -> Result<(), String> {
        let crash = match random::mix(self.seed, commit) % 2 {
            0 => Crash::After(commit),
            _ => Crash::Before(commit + 1),
        };
        let store = Snapshots::forgetful(MemoryStore::new());
        store.crash(crash);
        let mut story = Story::new(self, Storage::Memory(store.clone()));
        let within = |why| format!("crashed {crash}: {why}");
        let is_at_its_end = story.live(self.seed, Duration::ZERO).map_err(within)?;
        story.storage = Storage::Memory(Snapshots::forgetful(store.now()));
        let seed = random::mix(self.seed, commit);
        self.finish(&mut story, seed, self.outage(commit)).map_err(within)?;
        self.count(|report| {
            report.crashes += u64::from(!is_at_its_end);
            report.restarts += 1;
        });
        Ok(())
    }

    /// Processes that are shut down, until one comes to the end. They live longer and longer.
    fn shutdowns(&self) -> Result<(), String> {
        let mut story = Story::new(self, Storage::Memory(Snapshots::forgetful(MemoryStore::new())));
        let mut stored = MemoryStore::new();
        for life in 0.. {
            let draw = random::mix(random::mix(self.seed, SHUTDOWNS), life);
            let after_ms = draw % (1 << (6 * (life / 2)).min(44));
            story.shutdown = Some(Shutdown {
                after: Duration::from_millis(after_ms),
                turns: (draw >> 48) % (8 << life.min(8)),
                grace: Duration::from_millis([0, 0, 3, 40][(draw >> 60) as usize % 4]),
            });
            let store = Snapshots::forgetful(stored);
            story.storage = Storage::Memory(store.clone());
            let within = |why| format!("shut down {life} times in a row: {why}");
            let seed = random::mix(self.seed, !draw);
            if story.live(seed, self.outage(draw)).map_err(within)? {
                break;
            }
            self.count(|report| report.restarts += 1);
            stored = store.now();
        }
        Ok(())
    }

    /// Processes that crash after a few commits each, until one comes to the end. The first
    /// commit of most of them only says that they began. They live longer and longer, so that a race
    /// between what is done in one life and what takes several ends.
    fn crash_loop(&self) -> Result<(), String> {
        let mut stored = MemoryStore::new();
        let mut story = Story::new(self, Storage::Memory(Snapshots::forgetful(MemoryStore::new())));
        for life in 0.. {
            let commits = 2 + random::mix(!self.seed, life) % 3 + life * life / 8;
            let store = Snapshots::forgetful(stored);
            store.crash(match random::mix(!self.seed, life) % 8 {
                0..4 => Crash::After(commits),
                _ => Crash::Before(commits + 1),
            });
            story.storage = Storage::Memory(store.clone());
            let seed = random::mix(self.seed, !life);
            let outage = self.outage(!life);
            let within = |why| format!("crashed {life} times in a row: {why}");
            let is_at_its_end = story.live(seed, outage).map_err(within)?;
            self.count(|report| {
                report.crashes += u64::from(!is_at_its_end);
                report.restarts += u64::from(life > 0);
            });
            if is_at_its_end {
                break;
            }
            stored = store.now();
        }
        Ok(())
    }
}

fn records(store: &MemoryStore, id: &str) -> u64 {
    let row = store.find(id).ok().flatten().expect("the run is stored");
    store.last(row.key).ok().and_then(|last| Some(last.last()?.seq + 1)).unwrap_or(0)
}
