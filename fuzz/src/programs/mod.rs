//! Random programs: workflows made from bytes, carried out, crashed, replayed, and compared with
//! an interpreter of their own.
//!
//! [`check`] restarts a program after each of its commits; [`crash`] chooses some points to crash
//! at, one after the other, so that recoveries are crashed, too; [`disk`] has a disk fail under the
//! store that programs really use. All of them hold every process to
//! - the **reference**, which computes trace, output and commits from the order of the records
//!   (programs with parts that it does not know are held to the rest only);
//! - its **replay**: the whole history once more, poll for poll; and again with other polls for
//!   no reason, where it must do what the reference does with them;
//! - the process before it: what was stored stays, and what was recorded does not run again;
//! - **liveness**: it ends, within a bounded number of turns.

mod compare;
mod decode;
mod judge;
pub(crate) mod language;
mod live;
mod process;
mod reference;
mod shaped;
mod storage;
pub(crate) mod talk;
pub(crate) mod worlds;

use dacapo::sim::{Disk, DiskFault, Loss};
use dacapo::store::MemoryStore;

use decode::Decoder;
use language::Code;
pub(crate) use process::Wrong;
use process::{Left, Process};
use reference::split_mix;
use storage::{Memory, OnDisk, Storage};

/// What was covered.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Report {
    pub(crate) programs: u64,
    /// Those of them that the reference knows.
    pub(crate) with_reference: u64,
    /// Processes that carried a program to its end.
    pub(crate) runs: u64,
    /// Those of them that began with what another had stored.
    pub(crate) crashes: u64,
    /// Crashes before the first commit of a recovery, or right after it.
    pub(crate) in_recovery: u64,
    /// Crashes and errors of disks that cut a process off.
    pub(crate) storage_faults: u64,
    /// Whole histories that were replayed.
    pub(crate) replays: u64,
    /// Those of them with other polls for no reason.
    pub(crate) polled_otherwise: u64,
    /// Records of all runs.
    pub(crate) records: u64,
}

impl Report {
    pub(crate) fn add(&mut self, other: Self) {
        self.programs += other.programs;
        self.with_reference += other.with_reference;
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.in_recovery += other.in_recovery;
        self.storage_faults += other.storage_faults;
        self.replays += other.replays;
        self.polled_otherwise += other.polled_otherwise;
        self.records += other.records;
    }
}

/// A program restarts after each of so many commits, or after so many of them.
const RESTARTS: usize = 8;

/// How long the next process lets wait for itself, in milliseconds.
const OUTAGES_MS: [u64; 4] = [0, 3, 40, 100_000];

/// Carries out the program that the bytes stand for, and again from its commits.
pub(crate) fn check(bytes: &[u8]) -> Result<Report, Wrong> {
    let (seed, program) = decode(bytes);
    let mut report = begun(&program);
    let first = in_memory(&program, (seed, seed), &MemoryStore::new(), 0, &Left::default())?;
    first.finish(&mut report)?;
    let (commits, left) = (first.storage.commits(), first.left());
    let step = commits.len().div_ceil(RESTARTS).max(1);
    let from = split_mix(seed, 1) as usize % step;
    for (index, stored) in commits.iter().enumerate().skip(from).step_by(step) {
        let own_seed = split_mix(seed, index as u64);
        let outage = OUTAGES_MS[own_seed as usize % OUTAGES_MS.len()];
        let again = in_memory(&program, (seed, own_seed), stored, outage, &left)?;
        again.finish(&mut report)?;
        report.crashes += 1;
    }
    Ok(report)
}

/// Carries out the program that the bytes stand for, and crashes it at the points that they name:
/// at most three times, each time the process that came of the crash before.
pub(crate) fn crash(bytes: &[u8]) -> Result<Report, Wrong> {
    let mut decoder = Decoder::new(bytes);
    let seed = decoder.seed();
    let crashes = 1 + decoder.byte() % 3;
    let crashes: Vec<_> = (0..crashes).map(|_| (decoder.byte(), decoder.byte())).collect();
    let program = decoder.program();
    let mut report = begun(&program);
    let mut process = in_memory(&program, (seed, seed), &MemoryStore::new(), 0, &Left::default())?;
    process.finish(&mut report)?;
    for (index, (point, how)) in (0..).zip(crashes) {
        let commits = process.storage.commits();
        let point = usize::from(point) % commits.len();
        report.in_recovery += u64::from(index > 0 && point < 2);
        let outage = OUTAGES_MS[usize::from(how) % OUTAGES_MS.len()];
        let own_seed = split_mix(seed ^ u64::from(how), index);
        let seeds = (seed, own_seed);
        let next = in_memory(&program, seeds, &commits[point], outage, &process.left())?;
        next.finish(&mut report)?;
        report.crashes += 1;
        process = next;
    }
    Ok(report)
}

/// Carries out the program that the bytes stand for over a disk that fails where they say: at most
/// three times, and no matter how far the process had come.
pub(crate) fn disk(bytes: &[u8]) -> Result<Report, Wrong> {
    let mut decoder = Decoder::new(bytes);
    let seed = decoder.seed();
    let fold_bytes = [400, 32 << 20][usize::from(decoder.byte() % 2)];
    let faults = 1 + decoder.byte() % 3;
    let faults: Vec<_> = (0..faults).map(|_| (decoder.byte(), decoder.byte())).collect();
    let program = decoder.program();
    let mut report = begun(&program);
    // A store that is being made is tested elsewhere.
    let on = |disk, may_fail| OnDisk { disk, may_fail, fold_bytes };
    let made = Disk::default();
    drop(on(made.clone(), false).open().expect("nothing fails yet"));
    let whole = Disk::new(made.bytes());
    let opened = |process: Option<_>| process.ok_or_else(|| Wrong::Lost("it cannot open".into()));
    let seeds = |index: u64| (seed, split_mix(seed, index));
    let none = Left::default();
    opened(Process::open(&program, seeds(0), on(whole.clone(), false), 0, &none)?)?
        .finish(&mut report)?;
    let (mut disk, mut left) = (Disk::new(made.bytes()), none);
    for (index, (operation, how)) in (1..).zip(faults) {
        let fault = [DiskFault::Crash, DiskFault::ErrorOnce, DiskFault::ErrorFrom];
        let operation = 1 + u64::from(operation) * whole.operations() / 256;
        disk.fail(operation, fault[usize::from(how % 5).saturating_sub(2)]);
        let outage = OUTAGES_MS[usize::from(how / 5) % OUTAGES_MS.len()];
        let storage = on(disk.clone(), true);
        if let Some(process) = Process::open(&program, seeds(index), storage, outage, &left)? {
            if process.finish(&mut report)? {
                return Ok(report);
            }
            left = process.left();
        }
        report.storage_faults += 1;
        let losses = Loss::each(split_mix(u64::from(how), operation));
        disk = disk.after_crash(losses[usize::from(how / 20) % losses.len()]);
    }
    opened(Process::open(&program, seeds(9), on(disk, false), 1, &left)?)?.finish(&mut report)?;
    Ok(report)
}

fn in_memory<'a>(
    program: &'a Code,
    seeds: (u64, u64),
    stored: &MemoryStore,
    outage_ms: u64,
    left: &Left,
) -> Result<Process<'a, Memory>, Wrong> {
    let process = Process::open(program, seeds, Memory::new(stored), outage_ms, left)?;
    process.ok_or_else(|| Wrong::Lost("memory cannot be opened".into()))
}

fn begun(program: &Code) -> Report {
    let with_reference = u64::from(program.kind.has_reference());
    Report { programs: 1, with_reference, ..Report::default() }
}

/// Bytes for a seed.
pub(crate) fn generate(seed: u64) -> Vec<u8> {
    let len = 8 + split_mix(seed, 0) % 120;
    (1..=len).map(|index| split_mix(seed, index) as u8).collect()
}

/// The program that [`check`] makes of the bytes.
pub(crate) fn decode(bytes: &[u8]) -> (u64, Code) {
    let mut decoder = Decoder::new(bytes);
    let seed = decoder.seed();
    (seed, decoder.program())
}
