//! An end in order at any turn of any process, by seeds.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{Sim, Snapshots, VirtualClock};
use dacapo::store::{MemoryStore, Store};
use dacapo::{Attempt, Builder, Ctx, Executor, Result, Retry, Timestamp, Workflow, join_all};

const SHOP: Workflow<u32, u32> = Workflow::new("shop");

/// What bodies did in all processes: by key, the numbers of the attempts.
type Effects = Rc<RefCell<BTreeMap<String, Vec<u32>>>>;

fn build(sim: &Sim, effects: &Effects) -> Builder {
    let (sim_of_bodies, effects) = (sim.clone(), effects.clone());
    let builder = Executor::builder().workflow(SHOP, async move |ctx: &Ctx, n: u32| {
        shop(ctx, &sim_of_bodies, &effects, n).await
    });
    sim.apply(builder).seed(1)
}

/// Steps one after the other and at once, with limits, naps and a step that a race drops.
async fn shop(ctx: &Ctx, sim: &Sim, effects: &Effects, n: u32) -> Result<u32> {
    let step = |name: &'static str| {
        let (sim, effects) = (sim.clone(), effects.clone());
        let body = async move |attempt: Attempt| -> Result<u32> {
            sim.latency().await;
            effects.borrow_mut().entry(attempt.key().into()).or_default().push(attempt.number());
            sim.latency().await;
            Ok(attempt.number())
        };
        ctx.step_with(name, body).retry(Retry::exponential(Duration::from_millis(1)))
    };
    let mut attempts = step("first").await?;
    for result in join_all((0..n).map(|n| step("each").label(n))).await {
        attempts = attempts.max(result?);
    }
    ctx.sleep(Duration::from_millis(20)).await;
    let _ = ctx.timeout(Duration::from_millis(30), step("hasty")).await;
    let one = dacapo::race(step("one"), step("other")).await?;
    Ok(attempts.max(one).max(step("last").await?))
}

/// Processes of which each is shut down at some turn, with some grace; one that is not ends the runs.
/// Gives how many processes there were, and the largest number of an attempt.
fn live(seed: u64) -> (u32, u32) {
    let (mut stored, effects) = (MemoryStore::new(), Effects::default());
    let draw = |n: u64| Sim::new(seed * 1_000 + n, VirtualClock::default()).random();
    for life in 0.. {
        let outage = Duration::from_millis([0, 3, 40, 100_000][draw(life) as usize % 4]);
        let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()) + outage);
        let sim = Sim::with_wakes(draw(!life >> 20), Some(seed), clock);
        let store = Snapshots::new(stored);
        let executor = build(&sim, &effects).open_with(store.clone()).expect("it opens");
        let start = |n| executor.start(SHOP, &format!("shop-{n}"), n).expect("it is there");
        let runs = join_all((1..4).map(start));
        let turns = 1 + draw(life + 500) % (20 + 4 * life);
        let grace = Duration::from_millis([0, 0, 2, 30][draw(life + 900) as usize % 4]);
        let has_ended = Cell::new(None);
        executor.block_on(async {
            let end = async {
                for _ in 0..turns {
                    // In some lives time passes, in others it is one moment.
                    match draw(life + 700) % 2 {
                        0 => sim.latency().await,
                        _ => dacapo::yield_now().await,
                    }
                }
                executor.shutdown(grace).await.expect("it ends in order");
            };
            let all = async { has_ended.set(Some(runs.await)) };
            dacapo::join(all, end).await
        });
        assert!(executor.parked().is_ok_and(|parked| parked.is_empty()), "seed {seed}");
        drop(executor);
        stored = store.now();
        let ends = has_ended.into_inner().expect("all are told");
        if let Ok(attempts) = ends.into_iter().collect::<Result<Vec<_>>>() {
            let check = build(&sim, &effects).open_with(stored).expect("it opens");
            (1..4).for_each(|n| check.verify(&format!("shop-{n}")).expect("it replays"));
            let all = effects.borrow();
            let largest = all.values().flatten().copied().max().unwrap_or(0);
            assert_eq!(attempts.into_iter().max(), Some(largest.min(1)));
            return (life as u32 + 1, largest);
        }
    }
    unreachable!("it ends")
}

#[test]
fn an_end_in_order_at_any_turn_counts_no_attempt() {
    let mut processes = 0;
    for seed in 0..200 {
        let (lives, largest) = live(seed);
        assert_eq!(largest, 1, "seed {seed}: an attempt was counted");
        processes += lives;
    }
    assert!(processes > 600, "many were shut down: {processes}");
}
