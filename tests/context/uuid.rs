//! UUIDs: the same in each replay, and else never.

use std::collections::BTreeSet;

use dacapo::sim::{self, Sim};
use dacapo::store::MemoryStore;
use dacapo::{Builder, Ctx, Error, Executor, Result, Workflow};

use super::open;

const W: Workflow<u64, Vec<u128>> = Workflow::new("w");

/// Draws three in the root and three in each of two tasks, with as many random numbers between.
async fn draw(ctx: &Ctx, numbers: u64) -> Result<Vec<u128>> {
    let three = async move |ctx: &Ctx| {
        let mut drawn = Vec::new();
        for _ in 0..3 {
            for _ in 0..numbers {
                let _ = ctx.random();
            }
            drawn.push(ctx.uuid());
            ctx.step("pause", async || Ok::<_, Error>(())).await.expect("it does not fail");
        }
        drawn
    };
    let (left, right) = (ctx.spawn(three), ctx.spawn(three));
    Ok([three(ctx).await, left.await, right.await].concat())
}

fn build(seed: u64) -> Builder {
    Executor::builder().seed(seed).workflow(W, draw)
}

fn drawn(seed: u64, id: &str, numbers: u64) -> Vec<u128> {
    let (executor, _) = open(build(seed), MemoryStore::new());
    let drawn = executor.block_on(executor.start(W, id, numbers).expect("new")).expect("it ends");
    executor.verify(id).expect("they are its output, and the same in a replay");
    drawn
}

/// Two executors that were given one seed give one seed to their first runs: the ids differ.
#[test]
fn between_tasks_runs_and_calls_they_differ() {
    let mut all = BTreeSet::new();
    for (seed, id) in [(1, "a"), (1, "b"), (1, "ab"), (2, "a")] {
        let drawn = drawn(seed, id, 0);
        assert!(drawn.iter().all(|uuid| uuid >> 76 & 0xf == 4 && uuid >> 62 & 0b11 == 0b10));
        all.extend(drawn);
    }
    assert_eq!(all.len(), 4 * 9);
    assert_eq!(drawn(1, "a", 0), drawn(1, "a", 0), "a test may name its seed");
}

/// So a new build may draw more of the ones or of the others.
#[test]
fn random_numbers_do_not_change_them() {
    assert_eq!(drawn(1, "a", 0), drawn(1, "a", 5));
}

#[test]
fn crashed_at_every_commit_they_stay_the_same() {
    let report = sim::check(W).start("a", 1).run(
        |_: &Sim| build(7),
        |drawn| {
            assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 9);
        },
    );
    assert!(report.restarts > 0);
}
