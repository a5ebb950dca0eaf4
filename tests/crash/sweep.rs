//! C1: a crash at every operation on the disk, in every way.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::AddAssign;
use std::time::Duration;

use dacapo::sim::{Disk, DiskFault, Loss};
use dacapo::store::RedbStore;

use super::compare::check;
use super::process::{Conditions, Process, Story, live, store};
use super::scenario::Scenario;

/// A journal that is folded at every second commit or so, and one that never is.
pub(super) const FOLD_BYTES: [usize; 2] = [400, 32 << 20];

/// How long nothing runs after a crash: timers are due then, or not.
const OUTAGES_MS: [u64; 3] = [0, 10, 3_600_000];

/// More turns than any scenario takes.
const UNBOUNDED: u64 = 100_000;

/// What was covered.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Coverage {
    pub(super) scenarios: u64,
    /// Operations at which processes were cut off, or refused.
    pub(super) points: u64,
    /// Disks that were found after that.
    pub(super) recoveries: u64,
    /// Of those, how many were cut off again.
    pub(super) again: u64,
    /// Recoveries that need not be looked at: the same disk after the same process.
    pub(super) same: u64,
    /// The largest part of the turns allowed that a process took, in percent.
    pub(super) turns: u64,
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.scenarios += other.scenarios;
        self.points += other.points;
        self.recoveries += other.recoveries;
        self.again += other.again;
        self.same += other.same;
        self.turns = self.turns.max(other.turns);
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenarios, points, recoveries, again, same, turns } = self;
        write!(
            f,
            "scenarios={scenarios} crash_points={points} recoveries={recoveries} \
             double_crashes={again} identical={same} turns={turns}% of the bound"
        )
    }
}

/// A scenario with the disk it begins with, and what it does when nothing fails.
pub(super) struct Sweep<'a> {
    pub(super) scenario: &'a Scenario,
    fold_bytes: usize,
    start: Vec<u8>,
    whole: Story,
    /// How many operations there are until its disk is closed.
    pub(super) operations: u64,
    pub(super) coverage: Coverage,
    /// The last disks that were found, the newest first.
    seen: VecDeque<(u64, Vec<u8>)>,
}

impl<'a> Sweep<'a> {
    pub(super) fn begin(scenario: &'a Scenario, fold_bytes: usize) -> Self {
        let start = prepare(scenario, fold_bytes);
        let disk = Disk::new(start.clone());
        let whole = live(scenario, &disk, first(fold_bytes, UNBOUNDED));
        assert_eq!(whole.cut_off, None, "{}", scenario.name);
        let coverage = Coverage { scenarios: 1, ..Coverage::default() };
        let (operations, seen) = (disk.operations(), VecDeque::new());
        let sweep = Self { scenario, fold_bytes, start, whole, operations, coverage, seen };
        check(scenario, &sweep.whole, &[], &sweep.whole, scenario.name);
        sweep
    }

    /// The same process, with a disk that fails at this operation.
    pub(super) fn cut_off(&self, operation: u64, fault: DiskFault) -> (Disk, Story) {
        let disk = Disk::new(self.start.clone());
        disk.fail(operation, fault);
        let story = live(self.scenario, &disk, first(self.fold_bytes, self.turns()));
        assert!(disk.operations() >= operation, "{}: {operation}", self.scenario.name);
        (disk, story)
    }

    /// What a process does that finds this disk, after an outage that `seed` decides.
    pub(super) fn recover(&self, disk: &Disk, seed: u64) -> Story {
        live(self.scenario, disk, self.later(seed))
    }

    /// The store on a disk that does not fail, and what a later process finds beside it.
    pub(super) fn open(&self, disk: &Disk, seed: u64) -> (RedbStore, Conditions) {
        (store(disk, self.fold_bytes).expect("nothing fails"), self.later(seed))
    }

    fn later(&self, seed: u64) -> Conditions {
        let outage = OUTAGES_MS[seed as usize % OUTAGES_MS.len()];
        let (outage, turns) = (Duration::from_millis(outage), self.turns());
        Conditions { seed, outage, turns, fold_bytes: self.fold_bytes }
    }

    /// C9: how many turns any process may take.
    fn turns(&self) -> u64 {
        3 * self.whole.turns + 30
    }

    /// Crashes at one operation in every way, and lets another process finish each time.
    pub(super) fn crash(&mut self, operation: u64) {
        let (disk, story) = self.cut_off(operation, DiskFault::Crash);
        for loss in Loss::each(operation) {
            let context = format!("crash at operation {operation}, {loss:?}");
            self.finish(&disk.after_crash(loss), operation, &[&story], &context);
        }
        for fault in [DiskFault::ErrorOnce, DiskFault::ErrorFrom] {
            let (disk, story) = self.cut_off(operation, fault);
            let context = format!("{fault:?} at operation {operation}");
            self.finish(&disk.after_crash(Loss::Nothing), operation, &[&story], &context);
        }
        self.coverage.points += 1;
    }

    /// Lets a process finish what others began, and looks at what came of it.
    pub(super) fn finish(&mut self, disk: &Disk, seed: u64, before: &[&Story], context: &str) {
        self.coverage.recoveries += 1;
        if self.has_seen(disk.bytes(), (before, seed % OUTAGES_MS.len() as u64)) {
            self.coverage.same += 1;
            return;
        }
        let (name, fold_bytes) = (self.scenario.name, self.fold_bytes);
        let context = format!("{name}, folded at {fold_bytes}, {context}");
        let last = self.recover(disk, seed);
        check(self.scenario, &self.whole, before, &last, &context);
        let percent = 100 * last.turns / self.turns();
        self.coverage.turns = self.coverage.turns.max(percent);
    }

    /// Whether one of the last disks was the same, and what came before it too.
    fn has_seen(&mut self, bytes: Vec<u8>, before: impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        before.hash(&mut hasher);
        let disk = (hasher.finish(), bytes);
        if self.seen.contains(&disk) {
            return true;
        }
        self.seen.truncate(20);
        self.seen.push_front(disk);
        false
    }
}

/// What the first process of a scenario finds.
fn first(fold_bytes: usize, turns: u64) -> Conditions {
    Conditions { seed: 1, outage: Duration::ZERO, fold_bytes, turns }
}

/// The disk with which a scenario begins, closed.
pub(super) fn prepare(scenario: &Scenario, fold_bytes: usize) -> Vec<u8> {
    let disk = Disk::default();
    drop(store(&disk, fold_bytes).expect("nothing fails yet"));
    for before in scenario.before {
        let store = store(&disk, fold_bytes).expect("nothing fails yet");
        let process = Process::open(store, before.build, first(fold_bytes, UNBOUNDED));
        process.expect("nothing fails yet").leave(before.runs);
    }
    disk.bytes()
}
