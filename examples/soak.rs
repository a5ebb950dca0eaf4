//! Carries out random programs for a while, crashes them everywhere, fails their disks, and compares every run with
//! its replay and with the reference interpreter; and random worlds, of programs that talk to each other.
//!
//! ```sh
//! cargo run --release --features sim --example soak -- --seconds 60
//! ```
//!
//! It ends with one line of figures. If one of the last three is not 0, so is its exit status; what
//! went wrong is printed with the seed, and `--seed N --seconds 0` repeats it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use lexopt::prelude::{Long, ValueExt};

#[path = "../fuzz/src/programs/mod.rs"]
mod programs;
use programs::{Report, Wrong, check, crash, disk, generate, worlds};

struct Args {
    seconds: u64,
    seed: u64,
}

fn args() -> Result<Args, lexopt::Error> {
    let mut args = Args { seconds: 60, seed: 0 };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("seconds") => args.seconds = parser.value()?.parse()?,
            Long("seed") => args.seed = parser.value()?.parse()?,
            _ => return Err(arg.unexpected()),
        }
    }
    Ok(args)
}

type Reports = (Report, worlds::Report);

/// One program of a seed, in one of three ways, and its world.
fn carry_out(seed: u64) -> Result<Reports, Wrong> {
    let bytes = generate(seed);
    let checked = || {
        let report = match seed % 8 {
            0 | 4 => crash(&bytes),
            1 => disk(&bytes),
            _ => check(&bytes),
        };
        Ok((report?, worlds::check(&worlds::generate(seed))?))
    };
    catch_unwind(AssertUnwindSafe(checked)).unwrap_or_else(|panic| {
        // Nothing that panics has lost or repeated anything yet; but it is not what was expected.
        Err(Wrong::Diverged(message(&*panic)))
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

type Checked = (u64, Result<Reports, Wrong>);

/// Takes one seed after the other until the time is over; at least one.
fn work(next: &AtomicU64, end: Instant, checked: &Sender<Checked>) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let sent = checked.send((seed, carry_out(seed)));
        if sent.is_err() || Instant::now() >= end {
            return;
        }
    }
}

#[derive(Default)]
struct Total {
    report: Report,
    worlds: worlds::Report,
    divergences: u64,
    lost: u64,
    duplicated: u64,
}

impl Total {
    fn add(&mut self, (seed, checked): Checked) {
        let wrong = match checked {
            Ok((report, worlds)) => {
                self.report.add(report);
                return self.worlds.add(worlds);
            }
            Err(wrong) => wrong,
        };
        eprintln!("seed {seed}: {wrong}\n");
        match wrong {
            Wrong::Diverged(_) => self.divergences += 1,
            Wrong::Lost(_) => self.lost += 1,
            Wrong::Duplicated(_) => self.duplicated += 1,
        }
    }

    fn line(&self, seconds: u64) -> String {
        let Report { programs, runs, replays, crashes, storage_faults, .. } = self.report;
        let Self { worlds, divergences, lost, duplicated, .. } = self;
        let (worlds, talking) = (worlds.worlds, worlds.runs);
        format!(
            "seconds={seconds} programs={programs} runs={runs} replays={replays} \
             crashes={crashes} storage_faults={storage_faults} worlds={worlds} talking_runs={talking} \
             divergences={divergences} lost={lost} duplicated={duplicated}"
        )
    }

    fn is_fine(&self) -> bool {
        self.divergences + self.lost + self.duplicated == 0
    }
}

/// Adds up, and shows where it is every five seconds.
fn gather(checked: &Receiver<Checked>, start: Instant) -> Total {
    const SHOWN_EVERY: u64 = 5;
    let mut total = Total::default();
    let mut next = SHOWN_EVERY;
    for one in checked {
        total.add(one);
        let seconds = start.elapsed().as_secs();
        if seconds >= next {
            eprintln!("{}", total.line(seconds));
            next = seconds + SHOWN_EVERY;
        }
    }
    total
}

fn main() -> Result<ExitCode, lexopt::Error> {
    let args = args()?;
    let start = Instant::now();
    let end = start + Duration::from_secs(args.seconds);
    let next = AtomicU64::new(args.seed);
    let threads = match args.seconds {
        0 => 1,
        _ => thread::available_parallelism().map_or(1, usize::from),
    };
    let total = thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..threads {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || work(next, end, &sender));
        }
        drop(sender);
        gather(&receiver, start)
    });
    println!("{}", total.line(start.elapsed().as_secs()));
    Ok(if total.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
