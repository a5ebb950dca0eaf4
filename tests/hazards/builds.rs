//! H20: two builds that poll in another order. Every task counts its own operations, so neither a
//! yield nor another task's further step moves anybody's numbers.

use std::collections::BTreeSet;
use std::time::Duration;

use dacapo::sim::{Sim, Snapshots};
use dacapo::store::MemoryStore;
use dacapo::{Attempt, Ctx, ParkReason, Result, Step, Task, yield_now};

use crate::coverage;

use super::common::{Lines, Log, Process, RUN, build, ms};

/// How a build differs from the first one.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Change {
    Nothing,
    /// The first task yields, again and again, before each of its steps.
    Yields,
    /// A log line, so to speak: the root spawns a task at its end that does nothing durable.
    IdleTask,
    /// The second task has a further step at its end.
    FurtherStep,
    /// The tasks are awaited in another order.
    OtherAwaits,
}

const CHANGES: [Change; 5] =
    [Change::Nothing, Change::Yields, Change::IdleTask, Change::FurtherStep, Change::OtherAwaits];

/// A step whose outcome is a part of its own idempotency key: its number and name.
fn keyed(ctx: &Ctx, sim: &Sim, name: &'static str) -> Step<String> {
    let sim = sim.clone();
    ctx.step_with(name, async move |attempt: Attempt| -> Result<String> {
        sim.note(&attempt);
        sim.latency().await;
        let parts: Vec<_> = attempt.key().split('/').collect();
        let [_, number, name, _] = parts[..] else { panic!("a key of another form") };
        Ok(format!("{number}/{name}"))
    })
}

async fn program(ctx: &Ctx, sim: &Sim, change: Change) -> Result<Lines> {
    let log = Log::default();
    let worker = |who: usize| -> Task<Result<()>> {
        let (sim, log) = (sim.clone(), log.clone());
        ctx.spawn(async move |ctx| {
            for name in ["one", "two", "three"] {
                for _ in 0..7 * usize::from(change == Change::Yields && who == 1) {
                    yield_now().await;
                }
                log.line(keyed(ctx, &sim, name).await?);
                ctx.sleep(ms(4)).await;
            }
            if change == Change::FurtherStep && who == 2 {
                log.line(keyed(ctx, &sim, "further").await?);
            }
            Ok(())
        })
    };
    let mut tasks = Vec::from_iter((1..=3).map(worker));
    if change == Change::IdleTask {
        ctx.spawn(async |_| yield_now().await).detach();
    }
    if change == Change::OtherAwaits {
        tasks.reverse();
    }
    for task in tasks {
        task.await?;
    }
    log.line(keyed(ctx, sim, "end").await?);
    Ok(log.lines())
}

fn open(seed: u64, stored: MemoryStore, change: Change) -> Process {
    let program = async move |ctx: &Ctx, sim: &Sim| program(ctx, sim, change).await;
    Process::open(seed, stored, Duration::ZERO, |sim| build(sim, program))
}

/// All numbers of the first build.
fn numbers() -> Lines {
    let tasks =
        (1..=3).flat_map(|task| ["1/one", "3/two", "5/three"].map(|step| format!("{task}.{step}")));
    tasks.chain(["1/end".into()]).collect()
}

#[test]
fn numbers_do_not_shift_between_builds() {
    for change in CHANGES {
        let mut orders = BTreeSet::new();
        for seed in 0..20 {
            let mut lines: Lines = open(seed, MemoryStore::new(), change).finish().unwrap();
            orders.insert(lines.clone());
            lines.sort();
            let further = (change == Change::FurtherStep).then(|| "2.7/further".to_owned());
            let mut expected = Vec::from_iter(numbers().into_iter().chain(further));
            expected.sort();
            assert_eq!(lines, expected, "{change:?}");
        }
        assert!(orders.len() > 10, "{change:?}: {} orders", orders.len());
    }
}

/// What the first build left behind at any point goes on under each of the others, and no body
/// whose outcome was recorded runs again. A further step is legal until the history goes on after
/// its task; then the run is parked, and says what it misses.
#[test]
fn a_history_of_one_build_goes_on_under_another() {
    let (mut restarts, mut parked, mut orders) = (0, 0, BTreeSet::new());
    for seed in 0..10 {
        let first = open(seed, MemoryStore::new(), Change::Nothing);
        let _: Lines = first.finish().unwrap();
        for stored in unfinished(&first.store) {
            for change in CHANGES {
                let second = open(seed + 1_000, stored.snapshot(), change);
                if change == Change::FurtherStep && is_past_the_tasks(&stored) {
                    let message = second.executor.parked().unwrap().pop().expect("it is parked");
                    assert_eq!(message.reason, ParkReason::Diverged);
                    let both =
                        r#"holds outcome of step 1 "end", but the code asks for no operation 1"#;
                    assert!(message.message.contains(both), "{}", message.message);
                    assert!(message.message.contains(r#"awaits step 2.7 "further""#));
                    parked += 1;
                    continue;
                }
                orders.insert(goes_on(&second, change));
                restarts += 1;
            }
        }
    }
    coverage::add(&format!("restarts={}", restarts + parked));
    println!("{restarts} under another build, {parked} parked, {} orders", orders.len());
    assert!(restarts > 300 && orders.len() > 50 && parked == 10);
}

/// Drives a run to its end that another build began.
fn goes_on(process: &Process, change: Change) -> Lines {
    let parked = process.executor.parked().unwrap();
    assert!(parked.is_empty(), "{change:?}: {parked:?}");
    let replayed = process.trace();
    let lines: Lines = process.finish().unwrap();
    let was_recorded = |key: &String| {
        let number = key.split('/').nth(1).expect("a key has a number");
        let outcome = format!(": outcome of step {number} ");
        replayed.iter().any(|line| line.contains(&outcome))
    };
    assert!(!process.sim.noted().keys().any(was_recorded), "{change:?} ran a body again");
    process.executor.verify(RUN).unwrap();
    lines
}

/// What was stored after each commit but the last, the end of the run.
fn unfinished(store: &Snapshots) -> Vec<MemoryStore> {
    let mut stored = store.take();
    stored.pop();
    stored
}

/// Whether the root has gone on after its tasks, and its last step has an outcome.
fn is_past_the_tasks(stored: &MemoryStore) -> bool {
    let trace = open(0, stored.snapshot(), Change::Nothing).trace();
    trace.iter().any(|line| line.ends_with(r#"outcome of step 1 "end""#))
}
