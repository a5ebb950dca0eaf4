use std::collections::BTreeMap;
use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::{Filter, MemoryStore, Store};
use dacapo::{Builder, Ctx, Error, Executor, Limits, Queue, Result, Start, Workflow};

use super::{Told, most_at_once, order, told};

const MAIN: Workflow<(), ()> = Workflow::new("main");
const WORK: Workflow<u32, u32> = Workflow::new("work");
const LINE: Queue = Queue::new("line");
const MS: Duration = Duration::from_millis(1);

fn build(sim: &Sim, limits: Limits) -> Builder {
    let sim = sim.clone();
    let work = async move |ctx: &Ctx, n: u32| {
        let sim = sim.clone();
        ctx.step("work", async move || {
            sim.latency().await;
            Ok::<_, Error>(n)
        })
        .await
    };
    let main = async |_: &Ctx, ()| Ok::<_, Error>(());
    Executor::builder().workflow(MAIN, main).workflow(WORK, work).queue(LINE, limits)
}

/// Starts `count` runs, of three customers, and waits for them.
async fn all_done(executor: &Executor, count: u32, has_parts: bool) -> Result<Vec<Told>> {
    let customer = |n: u32| ["ada", "bob", "eve"][n as usize % 3];
    let options = |n| match has_parts {
        true => Start::new().queue(LINE).partition(customer(n)),
        false => Start::new().queue(LINE),
    };
    let runs: Result<Vec<_>> =
        (0..count).map(|n| executor.start_with(WORK, &format!("run-{n}"), n, options(n))).collect();
    for run in runs? {
        run.await?;
    }
    told(executor, "line")
}

/// How many were admitted in any time of this length, at most.
fn most_within(runs: &[Told], per: Duration) -> usize {
    let per = u64::try_from(per.as_nanos()).expect("it is short");
    let mut times: Vec<_> =
        runs.iter().filter_map(|run| Some(run.admitted?.1.as_nanos())).collect();
    times.sort_unstable();
    let within = |from: &u64| times.iter().filter(|at| (*from..from + per).contains(at)).count();
    times.iter().map(within).max().unwrap_or_default()
}

fn by_part(runs: &[Told]) -> Vec<Vec<Told>> {
    let mut parts = BTreeMap::<_, Vec<_>>::new();
    for run in runs {
        let place = run.run.queue.as_ref().expect("it is in a queue");
        parts.entry(place.partition.clone()).or_default().push(run.clone());
    }
    parts.into_values().collect()
}

/// No window holds more admissions than the rate says, over crashes and outages of any length.
#[test]
fn a_rate_holds_over_restarts() {
    let check = sim::check(MAIN).start("main", ()).client(async |executor, _| {
        let runs = all_done(executor, 7, false).await?;
        assert!(most_within(&runs, 50 * MS) <= 2, "{runs:?}");
        assert_eq!(order(&runs).len(), 7);
        Ok(())
    });
    check.seeds(0..15).crash_loops().run(|sim| build(sim, Limits::new().rate(2, 50 * MS)), |_| {});
}

/// Each customer has one at a time, and nobody waits for another customer.
#[test]
fn partitions_have_limits_of_their_own() {
    let one = Limits::new().concurrency(1);
    for (limits, most) in [
        (Limits::new().per_partition(one), 3),
        (Limits::new().concurrency(2).per_partition(one), 2),
    ] {
        let check = sim::check(MAIN).start("main", ()).client(async move |executor, _| {
            let runs = all_done(executor, 9, true).await?;
            assert!(most_at_once(&runs) <= most, "{runs:?}");
            for part in by_part(&runs) {
                assert_eq!(most_at_once(&part), 1);
                let ids: Vec<_> = part.iter().map(|run| run.run.id.clone()).collect();
                assert_eq!(order(&part), ids, "in their order");
            }
            Ok(())
        });
        check.seeds(0..12).crash_loops().run(|sim| build(sim, limits), |_| {});
    }
}

/// So have rates.
#[test]
fn partitions_have_rates_of_their_own() {
    let each = Limits::new().rate(1, 20 * MS);
    let limits = Limits::new().rate(2, 20 * MS).per_partition(each);
    let check = sim::check(MAIN).start("main", ()).client(async |executor, _| {
        let runs = all_done(executor, 8, true).await?;
        assert!(most_within(&runs, 20 * MS) <= 2, "{runs:?}");
        for part in by_part(&runs) {
            assert_eq!(most_within(&part, 20 * MS), 1, "{part:?}");
        }
        Ok(())
    });
    check.seeds(0..12).crash_loops().run(|sim| build(sim, limits), |_| {});
}

/// A customer with many runs does not hold up one with few.
#[test]
fn a_full_partition_is_passed_over() {
    let sim = Sim::new(7, VirtualClock::default());
    let limits = Limits::new().concurrency(2).per_partition(Limits::new().concurrency(1));
    let executor = sim.apply(build(&sim, limits)).in_memory();
    let queued = |of: &str| Start::new().queue(LINE).partition(of);
    let start = |id: &str, of| executor.start_with(WORK, id, 1, queued(of)).unwrap();
    let many: Vec<_> = (0..10).map(|n| start(&format!("ada-{n}"), "ada")).collect();
    let few = start("bob", "bob");
    executor.block_on(async {
        few.await.unwrap();
        for run in many {
            run.await.unwrap();
        }
    });
    let order = order(&told(&executor, "line").unwrap());
    let place = order.iter().position(|id| id == "bob").unwrap();
    assert!(place <= 1, "{order:?}");
}

/// Nor wherever the process ends: of those who were there first, no more than one goes before.
#[test]
fn nobody_starves() {
    let check = sim::check(MAIN).start("main", ()).client(async |executor, _| {
        let queued = |of: &str| Start::new().queue(LINE).partition(of);
        let start = |id: &str, of: &str| executor.start_with(WORK, id, 1, queued(of));
        let many: Result<Vec<_>> = (0..6).map(|n| start(&format!("ada-{n}"), "ada")).collect();
        let few = start("bob", "bob")?;
        for run in many? {
            run.await?;
        }
        few.await?;
        let runs = told(executor, "line")?;
        let bob = runs.iter().find(|run| run.run.id == "bob").expect("it is there");
        let bob = (bob.submitted, bob.admitted.expect("it has ended").0);
        let before = runs.iter().filter_map(|run| Some(run.admitted?.0));
        let before = before.filter(|admitted| (bob.0 + 1..bob.1).contains(admitted)).count();
        assert!(before <= 1, "{runs:?}");
        Ok(())
    });
    let limits = Limits::new().concurrency(2).per_partition(Limits::new().concurrency(1));
    check.seeds(0..10).crash_loops().run(|sim| build(sim, limits), |_| {});
}

/// What a rate counts it counts also when the run is deleted, in each process that follows; and what it counts no
/// longer leaves nothing in the file.
#[test]
fn a_rate_counts_what_was_deleted() {
    const LONG: Duration = Duration::from_secs(1_000);
    let (store, clock) = (MemoryStore::new(), VirtualClock::default());
    let rate = Limits::new().rate(1, LONG);
    let limits = Limits::new().rate(2, LONG).per_partition(rate);
    let open = || {
        let sim = Sim::new(7, clock.clone());
        sim.apply(build(&sim, limits)).open_with(store.shared()).unwrap()
    };
    let queued = |of: &str| Start::new().queue(LINE).partition(of);
    let executor = open();
    executor.block_on(async {
        for id in ["ada", "bob"] {
            executor.start_with(WORK, id, 1, queued(id)).unwrap().await.unwrap();
        }
        executor.delete("ada").await.unwrap();
        let listed = executor.runs(&Filter::new()).unwrap();
        assert_eq!(executor.delete_all(&listed).await.unwrap(), 1);
    });
    drop(executor);
    let notes = || {
        let mut notes = 0;
        store.notes(b"counted queue ", &mut |_, _| notes += 1).unwrap();
        notes
    };
    let waiting = |executor: &Executor| executor.queue(LINE).unwrap().waiting;
    for of in ["ada", "bob", "eve"] {
        let executor = open();
        let run = executor.start_with(WORK, &format!("next {of}"), 1, queued(of)).unwrap();
        executor.block_on(run.accepted()).unwrap();
        executor.block_on(clock.sleep(LONG / 10));
        assert_eq!(
            (waiting(&executor), notes()),
            (["ada", "bob", "eve"].iter().position(|it| *it == of).unwrap() + 1, 1)
        );
    }
    let executor = open();
    executor.block_on(clock.sleep(LONG));
    assert_eq!(waiting(&executor), 1, "two within a time");
    drop(executor);
    let executor = open();
    executor.block_on(clock.sleep(LONG));
    assert_eq!((waiting(&executor), notes()), (0, 0));
}

/// A later build may have other limits: those that go on are counted against them.
#[test]
fn a_later_build_has_other_limits() {
    const NAP: Workflow<(), ()> = Workflow::new("nap");
    let (store, clock) = (MemoryStore::new(), VirtualClock::default());
    let open = |limits| {
        let sim = Sim::new(7, clock.clone());
        let nap = async |ctx: &Ctx, ()| {
            ctx.sleep(1_000 * MS).await;
            Ok::<_, Error>(())
        };
        let builder = sim.apply(build(&sim, limits)).workflow(NAP, nap);
        builder.open_with(store.shared()).unwrap()
    };
    let executor = open(Limits::new().concurrency(4));
    executor.block_on(async {
        for n in 0..9 {
            let queued = Start::new().queue(LINE);
            executor.start_with(NAP, &n.to_string(), (), queued).unwrap().accepted().await.unwrap();
        }
        clock.sleep(MS).await;
    });
    let running = |executor: &Executor| {
        let runs = told(executor, "line").unwrap();
        runs.iter().filter(|run| run.admitted.is_some() && run.ended.is_none()).count()
    };
    assert_eq!(running(&executor), 4);
    drop(executor);
    let executor = open(Limits::new().concurrency(2));
    executor.block_on(clock.sleep(10 * MS));
    assert_eq!(running(&executor), 4, "nobody is stopped");
    executor.block_on(clock.sleep(1_000 * MS));
    assert_eq!(running(&executor), 2);
    drop(executor);
    let executor = open(Limits::new());
    executor.block_on(clock.sleep(10 * MS));
    assert_eq!(running(&executor), 5);
}
