//! Worlds: several random programs in one file, that talk to each other, and clients that talk to them.
//!
//! A world has some programs, and some lives: processes over one store, of which all but the last end by
//! a crash or a shutdown, or leave what is under way. In each life clients start runs, send to them,
//! cancel, terminate, delete, resume them. Each is held to
//! - what every file must hold after every commit (`assert.rs`);
//! - its **replay**: whatever a run did in this life is what its history makes of it, poll for poll; at the
//!   end of a life that nothing cut off, all of it;
//! - what somebody was **told**: messages that were acknowledged are there, once; ends stay as they were;
//! - **liveness**: in the last life all runs are asked to end, and terminated if they do not, and whoever
//!   waits for one of them is told.

mod assert;
mod booked;
#[cfg(test)]
mod broken;
mod client;
mod delivered;
mod judge;
mod life;
mod links;
mod passes;
mod queues;
mod records;
mod storage;
mod told;

use dacapo::sim::{DiskFault, Loss};
use dacapo::store::{MemoryStore, RunState, Store};

use super::Wrong;
use super::decode::Decoder;
use super::language::Code;
use super::reference::split_mix;
use super::talk::WORKFLOWS;
use assert::Known;
use client::Action;
use life::Left;
pub(crate) use records::next_attempt;
use storage::Kept;

/// What is carried out.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) programs: Vec<Code>,
    /// Whether it is stored on a disk, and not in memory.
    on_disk: bool,
    has_queues: bool,
    lives: Vec<Life>,
}

/// One process.
#[derive(Debug)]
struct Life {
    outage_ms: u64,
    end: End,
    /// A workflow that this build does not have.
    missing: Option<usize>,
    resident_max: Option<usize>,
    is_mended: bool,
    clients: Vec<Vec<Action>>,
    /// How large commits are at most.
    commit_bytes: Option<usize>,
    /// The read that is refused, of those of its process.
    unreadable: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    CrashBefore(u64),
    CrashAfter(u64),
    /// Of the disk.
    Fault(Fault),
    Shutdown {
        after_ms: u64,
        turns: u64,
        grace_ms: u64,
    },
    /// Nothing goes on by itself any more.
    Quiet,
}

/// It happens at an operation of the disk, and how much of what was not synced is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Fault {
    operation: u64,
    fault: DiskFault,
    loss: Loss,
}

/// What was covered.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Report {
    pub(crate) worlds: u64,
    pub(crate) lives: u64,
    pub(crate) crashes: u64,
    pub(crate) shutdowns: u64,
    pub(crate) commits: u64,
    pub(crate) runs: u64,
    pub(crate) passes: u64,
    pub(crate) children: u64,
    pub(crate) messages: u64,
    pub(crate) cancels: u64,
    pub(crate) parked: u64,
    pub(crate) published: u64,
    pub(crate) reported: u64,
    pub(crate) questions: u64,
    pub(crate) answers: u64,
    /// Answers that somebody has.
    pub(crate) told: u64,
    /// Values that somebody who followed a topic has.
    pub(crate) followed: u64,
    pub(crate) skipped: u64,
    /// Runs that were taken up after they had failed, and attempts that waited for long.
    pub(crate) retried: u64,
    pub(crate) waited: u64,
    /// Runs that were admitted, and changes of what they waited for.
    pub(crate) admitted: u64,
    pub(crate) resubmitted: u64,
    /// Transactions that have booked.
    pub(crate) booked: u64,
    /// Operations and reads that failed.
    pub(crate) storage_faults: u64,
    /// Lives with small commits.
    pub(crate) cut: u64,
    pub(crate) replays: u64,
    /// Those of them that the reference was asked about.
    pub(crate) with_reference: u64,
    /// Passes of which it said what they hand over.
    pub(crate) handed_over: u64,
    pub(crate) records: u64,
}

impl Report {
    pub(crate) fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.lives += other.lives;
        self.crashes += other.crashes;
        self.shutdowns += other.shutdowns;
        self.commits += other.commits;
        self.runs += other.runs;
        self.passes += other.passes;
        self.children += other.children;
        self.messages += other.messages;
        self.cancels += other.cancels;
        self.parked += other.parked;
        self.published += other.published;
        self.reported += other.reported;
        self.questions += other.questions;
        self.answers += other.answers;
        self.told += other.told;
        self.followed += other.followed;
        self.skipped += other.skipped;
        self.retried += other.retried;
        self.waited += other.waited;
        self.admitted += other.admitted;
        self.resubmitted += other.resubmitted;
        self.booked += other.booked;
        self.storage_faults += other.storage_faults;
        self.cut += other.cut;
        self.replays += other.replays;
        self.with_reference += other.with_reference;
        self.handed_over += other.handed_over;
        self.records += other.records;
    }
}

/// Carries out the world that the bytes stand for.
pub(crate) fn check(bytes: &[u8]) -> Result<Report, Wrong> {
    carry_out(&decode(bytes), |_| {})
}

/// Carries out a world, and shows what each life leaves.
fn carry_out(world: &World, mut show: impl FnMut(&Kept)) -> Result<Report, Wrong> {
    let mut report = Report { worlds: 1, ..Report::default() };
    let mut left = Left::default();
    let lost = |error: dacapo::store::Error| Wrong::Lost(error.to_string());
    let mut kept = Kept::nothing(world.on_disk).map_err(lost)?;
    for (index, life) in (0..).zip(&world.lives) {
        let within = |wrong| match wrong {
            Wrong::Diverged(why) => Wrong::Diverged(format!("life {index}: {why}")),
            Wrong::Lost(why) => Wrong::Lost(format!("life {index}: {why}")),
            Wrong::Duplicated(why) => Wrong::Duplicated(format!("life {index}: {why}")),
        };
        let is_last = index + 1 == world.lives.len();
        kept = life::live(world, (index, life, is_last), &kept, (&mut left, &mut report))
            .map_err(within)?;
        show(&kept);
    }
    count(&*kept.copy().map_err(lost)?, &mut report)?;
    Ok(report)
}

fn count(store: &dyn Store, report: &mut Report) -> Result<(), Wrong> {
    use records::Record;
    let runs = records::runs(store).map_err(Wrong::Lost)?;
    report.runs += runs.len() as u64;
    report.admitted += runs.iter().filter(|run| run.is_admitted()).count() as u64;
    report.passes += runs.iter().filter(|run| run.row.state == RunState::Continued).count() as u64;
    for record in runs.iter().flat_map(|run| &run.entries).map(|entry| &entry.record) {
        report.records += 1;
        match record {
            Record::MessageArrived { is_question: true, .. } => report.questions += 1,
            Record::MessageArrived { .. } => report.messages += 1,
            Record::MessageSkipped { .. } => report.skipped += 1,
            Record::Reported { .. } => report.reported += 1,
            Record::Marked { mark: records::Mark::Published { .. }, .. } => report.published += 1,
            Record::Marked { mark: records::Mark::Answered { .. }, .. } => report.answers += 1,
            Record::CancelRequested { .. } => report.cancels += 1,
            Record::Retried { .. } => report.retried += 1,
            Record::Resubmitted(_) => report.resubmitted += 1,
            record if booked::is_booking(record) => report.booked += 1,
            Record::OperationNoted { note: records::Note::AttemptFailed { .. }, .. } => {
                report.waited += 1;
            }
            Record::OperationNoted { note: records::Note::ChildStarted { .. }, .. } => {
                report.children += 1;
            }
            _ => {}
        }
    }
    Ok(())
}

/// After every commit of a life.
fn check_commits(commits: &[MemoryStore], known: Known<'_>) -> Result<(), Wrong> {
    let mut parked = std::collections::BTreeMap::new();
    for (index, store) in commits.iter().enumerate() {
        let within = |why: String| {
            Wrong::Lost(format!("after its commit {} ({}): {why}", index + 1, store.last_commit()))
        };
        let runs = records::runs(store).map_err(within)?;
        assert::check(&runs, known).map_err(within)?;
        booked::check(store, &runs, known).map_err(within)?;
        for run in runs {
            if let Some(place) = parked.remove(&run.row.key) {
                assert::check_parked(&run, place).map_err(within)?;
            }
            if run.row.state == RunState::Parked {
                parked.insert(run.row.key, run.entries.len());
            }
        }
    }
    Ok(())
}

pub(crate) fn generate(seed: u64) -> Vec<u8> {
    let seed = split_mix(seed, 0x1507);
    let len = 300 + split_mix(seed, 0) % 900;
    (1..=len).map(|index| split_mix(seed, index) as u8).collect()
}

/// The world that [`check`] makes of the bytes.
pub(crate) fn decode(bytes: &[u8]) -> World {
    let mut decoder = Decoder::new(bytes);
    let seed = decoder.seed();
    let lives = decoder.byte();
    decoder.is_full = lives > 3;
    decoder.has_queues = lives > 191;
    let on_disk = decoder.is_full && decoder.below(8) == 0;
    let has_queues = decoder.has_queues;
    let lives = 1 + lives % 4;
    let lives = (0..lives).map(|index| decoder.life(on_disk, index + 1 == lives)).collect();
    let programs = (0..WORKFLOWS.len()).map(|own| decoder.talking(own)).collect();
    World { seed, programs, on_disk, has_queues, lives }
}

impl Decoder<'_> {
    fn life(&mut self, on_disk: bool, is_last: bool) -> Life {
        let outage_ms = [0, 3, 40, 100_000][usize::from(self.below(4))];
        let end = match (is_last, self.below(8)) {
            (true, _) | (_, 7) => End::Quiet,
            (_, 5 | 6) => End::Shutdown {
                after_ms: [0, 1, 20, 500][usize::from(self.below(4))],
                turns: self.below(16).into(),
                grace_ms: [0, 0, 3, 40][usize::from(self.below(4))],
            },
            (_, how) if on_disk => End::Fault(self.fault(how)),
            (_, how) if how % 2 == 0 => End::CrashBefore(1 + u64::from(self.below(32))),
            _ => End::CrashAfter(1 + u64::from(self.below(32))),
        };
        let missing = self.below(16);
        let clients = 1 + self.below(4);
        let (commit_bytes, unreadable) = if self.is_full {
            let read = u64::from(self.byte());
            let bytes = [None, None, None, Some(0), Some(200)][usize::from(self.below(5))];
            (bytes, (!is_last && read < 48).then_some(read))
        } else {
            (None, None)
        };
        Life {
            commit_bytes,
            unreadable,
            outage_ms,
            end,
            missing: Some(usize::from(missing)).filter(|missing| *missing < 4 && !is_last),
            resident_max: [None, None, Some(0), Some(1)][usize::from(self.below(4))],
            is_mended: self.below(3) == 0,
            clients: (0..clients)
                .map(|_| {
                    let actions = 1 + self.below(10);
                    let first = self.start();
                    [first].into_iter().chain((0..actions).map(|_| self.action())).collect()
                })
                .collect(),
        }
    }

    fn fault(&mut self, how: u8) -> Fault {
        let fault = match how {
            0 => DiskFault::ErrorOnce,
            1 => DiskFault::ErrorFrom,
            _ => DiskFault::Crash,
        };
        let operation = 1 + u64::from(self.byte());
        let way = self.byte();
        let loss = Loss::each(way.into())[usize::from(way % 4)];
        Fault { operation, fault, loss }
    }
}
