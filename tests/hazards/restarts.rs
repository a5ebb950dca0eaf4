//! Many restarts in a row, and many runs at once: what `sim::check` does with one of each.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use async_lock::{Mutex, Semaphore};
use dacapo::sim::Sim;
use dacapo::store::MemoryStore;
use dacapo::{Attempt, Builder, Ctx, Executor, Result, Step, Workflow, join, race};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::common::{Lines, Log, Process, ms, slow, two_steps};

const MIXED: Workflow<u32, Lines> = Workflow::new("mixed");

/// A query over one of two connections, which all runs of a process share.
fn query(ctx: &Ctx, sim: &Sim, pool: &Rc<Semaphore>, n: u32) -> Step<u32> {
    let (sim, pool) = (sim.clone(), pool.clone());
    ctx.step_with("query", async move |attempt: Attempt| -> Result<u32> {
        sim.note(&attempt);
        let _connection = pool.acquire().await;
        sim.latency().await;
        Ok(n)
    })
}

/// A little of everything: an as-they-complete loop with timeouts over the pool, tasks that share
/// a lock, a race in a join, a step that runs at most once.
async fn mixed(ctx: &Ctx, sim: &Sim, pool: &Rc<Semaphore>, who: u32) -> Result<Lines> {
    let log = Log::default();
    log.line(format_args!("{:?}", ctx.now()));
    let queries = (0..4).map(|n| {
        let query = ctx.timeout(ms(40), query(ctx, sim, pool, 10 * who + n));
        async move { (n, query.await) }
    });
    let lock = Rc::new(Mutex::new(0));
    let tasks = ["a", "b"].map(|name| {
        let (sim, log, lock) = (sim.clone(), log.clone(), lock.clone());
        ctx.spawn(async move |ctx| -> Result<()> {
            let mut turns = lock.lock().await;
            log.line(two_steps(ctx, &sim, &log, name).await?);
            *turns += 1;
            Ok(())
        })
    });
    let mut queries: FuturesUnordered<_> = queries.collect();
    while let Some((n, end)) = queries.next().await {
        log.line(format_args!("query {n}: {:?}", end.ok()));
        let charge = slow(ctx, sim, "charge", n).at_most_once();
        log.line(charge.await.map_or_else(|error| error.to_string(), |n| n.to_string()));
    }
    let either = race(two_steps(ctx, sim, &log, "c"), two_steps(ctx, sim, &log, "d"));
    let (either, turn) = join(either, slow(ctx, sim, "beside", ctx.random())).await;
    log.line(format_args!("{either:?} {turn:?} {:?}", ctx.now()));
    for task in tasks {
        task.await?;
    }
    Ok(log.lines())
}

fn build(sim: &Sim) -> Builder {
    let (sim, pool) = (sim.clone(), Rc::new(Semaphore::new(2)));
    Executor::builder()
        .workflow(MIXED, async move |ctx: &Ctx, who| mixed(ctx, &sim, &pool, who).await)
}

const RUNS: [(&str, u32); 5] = [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)];

/// Drives all runs to their ends, and holds each trace against its replay.
fn finish(process: &Process) -> BTreeMap<&'static str, Lines> {
    let executor = &process.executor;
    let runs = RUNS.map(|(id, who)| executor.start(MIXED, id, who).unwrap());
    let ends = executor.block_on(futures::future::join_all(runs));
    let replay = Process::open(0, process.store.now(), Duration::ZERO, build);
    let ends = RUNS.into_iter().zip(ends).map(|((id, _), end)| {
        let trace = process.recorder.trace(id);
        if !trace.is_empty() {
            replay.executor.verify(id).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(trace, replay.recorder.trace(id), "run {id}");
        }
        (id, end.unwrap_or_else(|error| panic!("{error}")))
    });
    ends.collect()
}

/// What was replayed must be the beginning of what was done, and nothing that it holds runs again.
fn compare(before: &Process, after: &Process, replayed: &BTreeMap<&str, Lines>) {
    for (id, replayed) in replayed {
        let trace = before.recorder.trace(id);
        if !trace.is_empty() {
            assert_eq!(&trace[..replayed.len()], replayed, "run {id}");
        }
        for (key, times) in after.sim.noted() {
            let [run, number, _] = key.split('/').collect::<Vec<_>>()[..] else { panic!("{key}") };
            let outcome = format!(": outcome of step {number} ");
            let again = run == *id && replayed.iter().any(|line| line.contains(&outcome));
            assert!(!again, "the body of {key} ran again, {times} times");
        }
    }
}

fn replayed(process: &Process) -> BTreeMap<&'static str, Lines> {
    RUNS.into_iter().map(|(id, _)| (id, process.recorder.trace(id))).collect()
}

/// Five runs that share a pool and every commit; each commit is a point to restart from.
#[test]
fn five_runs_restarted_after_every_commit() {
    let (mut ends, mut restarts) = (BTreeSet::new(), 0);
    for seed in 0..4 {
        let live = Process::open(seed, MemoryStore::new(), Duration::ZERO, build);
        ends.insert(finish(&live));
        for stored in live.store.take() {
            restarts += 1;
            let again = Process::open(seed + 100 * restarts, stored, Duration::ZERO, build);
            let replayed = replayed(&again);
            ends.insert(finish(&again));
            compare(&live, &again, &replayed);
        }
    }
    println!("{restarts} restarts of five runs, {} outcomes", ends.len());
    assert!(ends.len() > 100);
}

/// No process gets further than a few commits, and the next one begins with what it left.
#[test]
fn the_process_ends_again_and_again() {
    let (mut ends, mut lives) = (BTreeSet::new(), 0);
    for seed in 0..12 {
        let mut before = Process::open(seed, MemoryStore::new(), Duration::ZERO, build);
        ends.insert(finish(&before));
        for life in 0.. {
            // The first commit of a life only says that it began, so there must be another.
            let commits = 2 + (seed + life) as usize % 3;
            let mut stored = before.store.take();
            if stored.len() <= commits {
                break;
            }
            let stored = stored.swap_remove(commits);
            let again = Process::open(1_000 * seed + life, stored, ms(life), build);
            let replayed = replayed(&again);
            ends.insert(finish(&again));
            compare(&before, &again, &replayed);
            (before, lives) = (again, lives + 1);
        }
    }
    println!("{lives} lives, {} outcomes", ends.len());
    assert!(lives > 60 && ends.len() > 60);
}
