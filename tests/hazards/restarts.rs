//! Many runs at once, and many restarts in a row.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use async_lock::Semaphore;
use dacapo::sim::{self, Check, Report, Sim};
use dacapo::{Attempt, Builder, Ctx, Error, Executor, Result, Step, Workflow, join, race};
use futures::StreamExt;
use futures::lock::Mutex;
use futures::stream::FuturesUnordered;

use super::common::{Lines, Log, cover, ms, slow, two_steps};

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

/// Five runs that share a pool and every commit.
fn five() -> Check<u32, Lines> {
    let runs = [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)];
    runs.into_iter().fold(sim::check(MIXED), |check, (id, who)| check.start(id, who))
}

/// Counts the different ends of all five.
fn ends(check: Check<u32, Lines>) -> (usize, Report) {
    let seen = RefCell::new(BTreeSet::new());
    let report = check.run_all(build, |ends| {
        for (id, end) in ends.iter() {
            // A step without a policy gives up when it was interrupted too often.
            assert!(end.as_ref().err().is_none_or(Error::is_interrupted), "{id}: {end:?}");
        }
        seen.borrow_mut().insert(format!("{ends:?}"));
    });
    cover(1, report);
    (seen.into_inner().len(), report)
}

#[test]
fn five_runs_crashed_at_every_commit() {
    let (ends, report) = ends(five().seeds(0..4));
    assert!(ends > 100 && report.restarts > 250, "{ends} ends, {report}");
}

/// No process gets further than a few commits, and the next one begins with what it left.
#[test]
fn the_process_ends_again_and_again() {
    let (ends, report) = ends(five().seeds(100..108).crash_loops());
    assert!(ends > 100 && report.restarts > 700, "{ends} ends, {report}");
}
