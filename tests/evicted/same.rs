//! The same runs, with room for all of them in memory and with room for few.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::{MemoryStore, Store};
use dacapo::{Builder, Ctx, Executor, Result, Step, Timestamp, Workflow, join, race, try_join_all};

use super::{Alive, NAP, build};

const DAY: Workflow<u64, Vec<u64>> = Workflow::new("day");
const RUNS: u64 = 12;

fn mix(seed: u64, index: u64) -> u64 {
    (seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 20
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A step that takes up to six milliseconds.
fn slow(ctx: &Ctx, clock: &VirtualClock, n: u64) -> Step<u64> {
    let clock = clock.clone();
    ctx.step("slow", async move || -> Result<u64> {
        clock.sleep(ms(n % 7)).await;
        Ok(n)
    })
}

/// Steps, sleeps, limits, races and tasks, as its input decides; it gives what it saw, and when.
async fn day(ctx: &Ctx, clock: &VirtualClock, seed: u64) -> Result<Vec<u64>> {
    let mut seen = vec![ctx.random()];
    for turn in 0..8 {
        let n = mix(seed, turn) % 50;
        seen.push(match mix(seed, turn + 100) % 6 {
            0 => slow(ctx, clock, n).await?,
            1 => {
                ctx.sleep(ms(n)).await;
                n
            }
            2 => u64::from(ctx.timeout(ms(n), ctx.sleep(ms(25))).await.is_ok()),
            3 => {
                let (_, step) = join(ctx.sleep(ms(n)), slow(ctx, clock, n)).await;
                step?
            }
            4 => {
                race(ctx.sleep(ms(n)), ctx.sleep(ms(25))).await;
                n
            }
            _ => {
                let clock = clock.clone();
                let task = ctx.spawn(async move |ctx| {
                    ctx.sleep(ms(n)).await;
                    slow(ctx, &clock, n).await
                });
                ctx.sleep(ms(20)).await;
                task.await?
            }
        });
        seen.push(
            ctx.now().duration_since(std::time::UNIX_EPOCH).expect("later").as_millis() as u64
        );
    }
    Ok(seen)
}

/// All outputs, and all histories: places, times and records.
type Days = (Vec<Vec<u64>>, Vec<Vec<(u64, u64, Vec<u8>)>>);

/// A dozen days at once.
fn days(seed: u64, resident_max: Option<usize>) -> Days {
    let clock = VirtualClock::new(Timestamp::default());
    let (its_clock, store) = (clock.clone(), MemoryStore::new());
    let builder = Executor::builder()
        .seed(seed)
        .clock(clock)
        .workflow(DAY, async move |ctx: &Ctx, seed| day(ctx, &its_clock, seed).await);
    let builder = resident_max.into_iter().fold(builder, Builder::resident_max);
    let executor = builder.open_with(store.shared()).expect("it opens");
    let start = |n| executor.start(DAY, &format!("day-{n}"), mix(seed, n)).expect("new");
    let runs: Vec<_> = (0..RUNS).map(start).collect();
    let outputs = executor.block_on(try_join_all(runs)).expect("they end");
    let history = |n| {
        let row = store.find(&format!("day-{n}")).expect("readable").expect("it was started");
        let entries = store.history(row.key).expect("readable");
        entries.iter().map(|entry| (entry.seq, entry.time, entry.record.to_vec())).collect()
    };
    (outputs, (0..RUNS).map(history).collect())
}

#[test]
fn outputs_times_and_histories_are_the_same_with_any_room() {
    for seed in 0..60 {
        let expected = days(seed, None);
        for resident_max in [0, 1, 5] {
            assert!(days(seed, Some(resident_max)) == expected, "seed {seed}, room {resident_max}");
        }
    }
}

/// A restart after every commit, and a replay of everything, while every sleep leaves memory.
#[test]
fn restarts_and_evictions_together() {
    let build = |sim: &Sim| {
        let clock = sim.clock().clone();
        Executor::builder()
            .resident_max(0)
            .workflow(DAY, async move |ctx: &Ctx, seed| day(ctx, &clock, seed).await)
    };
    let ends = Cell::new(0);
    for input in 0..10 {
        let days = sim::check(DAY).start("one", input).start("two", input + 100).seeds(0..2);
        days.run(build, |_| ends.set(ends.get() + 1));
    }
    assert!(ends.get() > 400, "{} restarts", ends.get());
}

/// What is in memory is bounded, also while a file with many sleepers is opened.
#[test]
fn a_thousand_sleepers_with_ten_in_memory() {
    let (store, alive) = (MemoryStore::new(), Alive::default());
    let executor = build(&alive).resident_max(10).open_with(store.shared()).expect("it opens");
    for n in 0..1_000 {
        drop(executor.start(NAP, &format!("nap-{n}"), 1 + n % 100).expect("new"));
        if n % 50 == 0 {
            executor.block_on(dacapo_executor::yield_now());
        }
    }
    executor.block_on(dacapo_executor::yield_now());
    assert_eq!(alive.now.get(), 10);
    drop(executor);
    assert_eq!(alive.now.get(), 0);

    let alive = Alive::default();
    let executor = build(&alive).resident_max(10).open_with(store.snapshot()).expect("it opens");
    assert!(alive.most.get() <= 20, "{} at once while it opened", alive.most.get());
    assert_eq!(alive.now.get(), 10);
    let attach = |n| executor.attach(NAP, &format!("nap-{n}")).expect("it is there");
    let runs: Vec<_> = (0..1_000).map(attach).collect();
    assert_eq!(alive.now.get(), 10, "those who wait do not keep runs in memory");
    let ends = executor.block_on(try_join_all(runs)).expect("they end");
    assert_eq!(ends, (0..1_000).map(|n| 1 + n % 100).collect::<Vec<_>>());
    assert_eq!(alive.now.get(), 0);
}

/// Of runs whose rows say until when they sleep, nothing but that is kept: they are found, waited for
/// and brought back as the others are.
#[test]
fn three_thousand_that_sleep_for_long() {
    let (store, alive) = (MemoryStore::new(), Alive::default());
    let executor = build(&alive).resident_max(10).open_with(store.shared()).expect("it opens");
    let first = executor.start(NAP, "nap-0", 60_000).expect("new");
    for n in 1..3_000 {
        drop(executor.start(NAP, &format!("nap-{n}"), 60_000 + n % 100).expect("new"));
        if n % 50 == 0 {
            executor.block_on(dacapo_executor::yield_now());
        }
    }
    executor.block_on(dacapo_executor::yield_now());
    let ends = |executor: &Executor, from| {
        let attach = |n| executor.attach(NAP, &format!("nap-{n}")).expect("it is there");
        let runs: Vec<_> = (from..3_000).step_by(7).map(attach).collect();
        executor.block_on(try_join_all(runs)).expect("they end")
    };
    let expected = |from| (from..3_000).step_by(7).map(|n| 60_000 + n % 100).collect::<Vec<u64>>();
    let reopened = build(&alive).resident_max(10).open_with(store.snapshot()).expect("it opens");
    assert!(alive.now.get() <= 20, "{} in memory", alive.now.get());
    assert_eq!(ends(&reopened, 3), expected(3));
    assert_eq!(ends(&executor, 1), expected(1));
    assert_eq!(executor.block_on(first).expect("it ends"), 60_000);
    assert_eq!(ends(&executor, 2), expected(2));
}

/// The one that will sleep longest leaves, and not the one that a short limit will wake.
#[test]
fn who_sleeps_longest_leaves() {
    let started = Rc::new(Cell::new(0));
    let counted = started.clone();
    let executor = Executor::builder()
        .clock(VirtualClock::new(Timestamp::default()))
        .resident_max(1)
        .workflow(NAP, async move |ctx: &Ctx, turns: u64| -> Result<u64> {
            counted.set(counted.get() + 1);
            let naps = async {
                for _ in 0..turns {
                    ctx.sleep(ms(1)).await;
                }
            };
            // A year is the limit of those who take short naps, too.
            let _ = ctx.timeout(ms(31_536_000_000), naps).await;
            ctx.sleep(ms(if turns == 0 { 1_000_000 } else { 1 })).await;
            Ok(turns)
        })
        .in_memory();
    let short = executor.start(NAP, "short", 100).expect("new");
    drop(executor.start(NAP, "long", 0).expect("new"));
    executor.block_on(short).expect("it ends");
    assert_eq!(started.get(), 2, "the short sleeper never left");
}
