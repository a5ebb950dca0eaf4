//! C8 on the disk: bits that flipped and files that were cut while nothing had them open.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use dacapo::sim::{Disk, Sim, VirtualClock};
use dacapo::{Builder, Error, Executor, Timestamp, Workflow};

use crate::coverage;

use super::process::{Conditions, Outcome, Process, store};
use super::scenario::{Lines, add, ms, say};

const RUNS: [(&str, &str); 6] = [
    ("ended", "short"),
    ("asleep", "long"),
    ("failed", "fails"),
    ("asleep too", "long"),
    ("parked", "stalls"),
    ("ended too", "short"),
];

/// What came of a file that is not what was written.
#[derive(Default, Debug)]
struct Tally {
    files: u64,
    /// It could not be opened, and that was said.
    refused: u64,
    /// The executor stopped later, and that was said.
    stopped: u64,
    /// All runs were right.
    right: u64,
    /// One run was parked, or its end could not be read; all others were right.
    one: u64,
    /// The ends of several runs could not be read, and that was said: what leads to them was
    /// damaged. Runs that went on were right.
    unreadable: u64,
    /// Several runs were parked: the block was damaged that holds their histories.
    parked: u64,
    /// A run was not there any more, and nobody said so.
    missing: u64,
}

fn build(sim: &Sim) -> Builder {
    let builder = add(Executor::builder(), sim, "short", async |ctx, sim, n| {
        Ok(vec![say(ctx, sim, "one", n).await?, say(ctx, sim, "two", n + 1).await?])
    });
    let builder = add(builder, sim, "fails", async |ctx, sim, n| {
        let one = say(ctx, sim, "one", n).await?;
        Err(Error::new(format!("{one} is refused")))
    });
    let builder = add(builder, sim, "stalls", async |ctx, sim, n| {
        say(ctx, sim, "one", n).await?;
        std::future::pending().await
    });
    add(builder, sim, "long", async |ctx, sim, n| {
        let one = say(ctx, sim, "one", n).await?;
        let two = say(ctx, sim, "two", n + 1).await?;
        ctx.sleep(ms(86_400_000)).await;
        Ok(vec![one, two, say(ctx, sim, "three", n + 2).await?])
    })
}

const CONDITIONS: Conditions =
    Conditions { seed: 1, outage: Duration::ZERO, fold_bytes: 0, turns: 1_000 };

/// A closed file with runs in every state, and how they end if nothing is wrong with it.
fn sample(fold_bytes: usize) -> (Vec<u8>, BTreeMap<String, Outcome>) {
    let disk = Disk::default();
    let store = store(&disk, fold_bytes).expect("it is new");
    Process::open(store, build, CONDITIONS).expect("it is new").leave(&RUNS);
    let bytes = disk.bytes();
    let seen = look(Disk::new(bytes.clone()), fold_bytes, "as it is").expect("nothing is wrong");
    let ends = seen.into_iter().map(|(id, seen)| match seen {
        Seen::End(end) => (id.to_owned(), end),
        other => panic!("run {id}: {other:?}"),
    });
    (bytes, ends.collect())
}

/// What a process sees of a run.
#[derive(Debug)]
enum Seen {
    End(Outcome),
    /// It could not be read.
    Unreadable,
    Missing,
    /// The executor had stopped.
    Stopped,
}

/// Opens a file and lets its runs go on. `None`: it cannot be opened.
fn look(disk: Disk, fold_bytes: usize, what: &str) -> Option<BTreeMap<&'static str, Seen>> {
    let store = store(&disk, fold_bytes).ok()?;
    let process = match Process::open(store, build, CONDITIONS) {
        Ok(process) => process,
        Err(error) if error.is_store() => return None,
        Err(error) => panic!("{error:?}"),
    };
    let seen = RefCell::new(BTreeMap::new());
    let wait = async |(id, workflow): (&'static str, &'static str)| {
        let run = process.executor.attach(Workflow::<u32, Lines>::new(workflow), id);
        let found = match run {
            Err(error) if error.is_store() => Seen::Unreadable,
            Err(error) => {
                assert_eq!(
                    error.to_string(),
                    format!("there is no run {id:?}: check the id, or start it")
                );
                Seen::Missing
            }
            Ok(run) => match run.await {
                Err(error) if error.is_store() => Seen::Stopped,
                end => Seen::End(end.map_err(|error| format!("{error:?}"))),
            },
        };
        seen.borrow_mut().insert(id, found);
    };
    let ends = futures::future::join_all(RUNS.map(wait));
    let (_, ended) = process.drive(CONDITIONS.turns, ends);
    assert!(ended.is_some(), "it goes on for ever: {:?}", seen.borrow());
    for key in process.sim.noted().keys() {
        assert!(key.ends_with("/three"), "{what}: the body of {key} ran again after its outcome");
    }
    Some(seen.into_inner())
}

/// Opens a file that is not what was written.
fn check(
    bytes: Vec<u8>,
    fold_bytes: usize,
    ends: &BTreeMap<String, Outcome>,
    tally: &mut Tally,
    what: &str,
) {
    tally.files += 1;
    let disk = Disk::new(bytes.clone());
    let Some(seen) = look(disk.clone(), fold_bytes, what) else {
        assert!(disk.bytes() == bytes, "{what}: it was changed, and refused");
        tally.refused += 1;
        return;
    };
    let (mut parked, mut unreadable, mut missing, mut stopped) = (0, 0, 0, 0);
    for (id, seen) in &seen {
        match seen {
            Seen::End(end) if *end == ends[*id] => {}
            Seen::End(Err(error)) if error.contains("is parked: damaged history") => parked += 1,
            Seen::Unreadable => unreadable += 1,
            Seen::Missing => missing += 1,
            Seen::Stopped => stopped += 1,
            Seen::End(end) => panic!("run {id} ended with {end:?}, not {:?}", ends[*id]),
        }
    }
    match (stopped, missing, parked, unreadable) {
        (0, 0, 0, 0) => tally.right += 1,
        (0, 0, 0, 1) | (0, 0, 1, 0) => tally.one += 1,
        (0, 0, 0 | 1, _) => tally.unreadable += 1,
        (0, 0, ..) => tally.parked += 1,
        (_, 0, ..) => tally.stopped += 1,
        _ => tally.missing += 1,
    }
}

/// Damages a file many times.
pub(super) fn damage(fold_bytes: usize, flips: u64, seed: u64) {
    let (bytes, ends) = sample(fold_bytes);
    // Without optimisation redb fills what is free with ones.
    let used = (0..bytes.len()).filter(|at| ![0, 0xff].contains(&bytes[*at]));
    let used: Vec<_> = used.collect();
    let sim = Sim::new(seed, VirtualClock::new(Timestamp::default()));
    let draw = |below: usize| (sim.random() % below as u64) as usize;
    let mut tally = Tally::default();
    for _ in 0..flips {
        let mut bytes = bytes.clone();
        let at = used[draw(used.len())];
        let bit = draw(8);
        bytes[at] ^= 1 << bit;
        check(bytes, fold_bytes, &ends, &mut tally, &format!("bit {bit} of byte {at}"));
    }
    for _ in 0..flips / 4 {
        let length = draw(bytes.len());
        let what = format!("cut at {length}");
        check(bytes[..length].to_vec(), fold_bytes, &ends, &mut tally, &what);
    }
    let mut pages = Tally::default();
    for _ in 0..flips / 4 {
        let mut damaged = bytes.clone();
        let page = used[draw(used.len())] & !4095;
        let what = format!("the page at {page}");
        let is_lost = draw(2) == 0;
        damaged[page..page + 4096].fill_with(|| if is_lost { 0 } else { draw(256) as u8 });
        check(damaged, fold_bytes, &ends, &mut pages, &what);
    }
    coverage::add(&format!("damaged_files={}", tally.files + pages.files));
    println!("C8 {} bytes used of {}, {tally:?}, pages: {pages:?}", used.len(), bytes.len());
    for tally in [&tally, &pages] {
        assert_eq!(tally.missing, 0, "a run is hidden, and would be started anew: {tally:?}");
    }
    assert!(tally.refused > 0 && tally.one > 0, "nothing was damaged: {tally:?}");
}
