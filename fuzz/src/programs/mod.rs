//! Random programs: workflows made from bytes, carried out, crashed, replayed, and compared with
//! an interpreter of their own.
//!
//! [`check`] restarts a program after each of its commits; [`crash`] chooses some points to crash
//! at, one after the other, so that recoveries are crashed, too. Both hold every process to
//! - the **reference**, which computes trace, output and commits from the order of the records
//!   (programs with parts that it does not know are held to the rest only);
//! - its **replay**: the whole history once more, poll for poll;
//! - the process before it: what was stored stays, and what was recorded does not run again;
//! - **liveness**: it ends, within a bounded number of turns.

mod decode;
pub(crate) mod language;
mod live;
mod process;
mod reference;

use decode::Decoder;
use language::Code;
use process::Process;
pub(crate) use process::Wrong;
use reference::split_mix;

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
    /// Whole histories that were replayed.
    pub(crate) replays: u64,
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
        self.replays += other.replays;
        self.records += other.records;
    }
}

/// A program restarts after each of so many commits, or after so many of them.
const RESTARTS: usize = 8;

/// How long the next process lets wait for itself, in milliseconds.
const OUTAGES: [u64; 4] = [0, 3, 40, 100_000];

/// Carries out the program that the bytes stand for, and again from its commits.
pub(crate) fn check(bytes: &[u8]) -> Result<Report, Wrong> {
    let (seed, program) = decode(bytes);
    let first = Process::start(&program, seed);
    let mut report = begun(&program);
    first.finish(&mut report)?;
    let commits = first.commits();
    let step = commits.len().div_ceil(RESTARTS).max(1);
    let from = split_mix(seed, 1) as usize % step;
    for (index, stored) in commits.iter().enumerate().skip(from).step_by(step) {
        let seed = split_mix(seed, index as u64);
        let outage = OUTAGES[seed as usize % OUTAGES.len()];
        let again = Process::restart(&first, stored, seed, outage)?;
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
    let mut process = Process::start(&program, seed);
    process.finish(&mut report)?;
    for (index, (point, how)) in (0..).zip(crashes) {
        let commits = process.commits();
        let point = usize::from(point) % commits.len();
        report.in_recovery += u64::from(index > 0 && point < 2);
        let outage = OUTAGES[usize::from(how) % OUTAGES.len()];
        let seed = split_mix(seed ^ u64::from(how), index);
        let next = Process::restart(&process, &commits[point], seed, outage)?;
        next.finish(&mut report)?;
        report.crashes += 1;
        process = next;
    }
    Ok(report)
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
