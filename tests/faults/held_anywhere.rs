//! Runs that are held at any moment, in a process that may end at any moment: none of it changes how they end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use dacapo::sim::{self, Sim, Snapshots, VirtualClock};
use dacapo::store::{Filter, MemoryStore, RunState};
use dacapo::{
    Attempt, Builder, Channel, Ctx, Error, Executor, Limits, ParkReason, Queue, Result, RunInfo,
    Start, Table, Tx, Workflow, join_all,
};
use futures::FutureExt;

const MAIN: Workflow<u32, u32> = Workflow::new("main");
const WORK: Workflow<u32, u32> = Workflow::new("work");
const LEAF: Workflow<u32, u32> = Workflow::new("leaf");
const WORD: Channel<u32> = Channel::new("word");
const LINE: Queue = Queue::new("line");
const WRITTEN: Table<(String, u32), u32> = Table::new("written");
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// How often each step began that may begin once, in all processes.
type Begun = RefCell<BTreeMap<String, u32>>;

/// Waits for others, some of which wait for room first.
async fn main(ctx: &Ctx, count: u32) -> Result<u32> {
    let place = |n: u32| match n % 3 {
        0 => Start::new(),
        1 => Start::new().queue(LINE),
        _ => Start::new().queue(LINE).timeout(100 * HOUR).attribute("n", n),
    };
    let works = (0..count).map(|n| ctx.child_with(WORK, n, place(n)));
    let ends = join_all(works).await;
    Ok(ends.into_iter().map(|end| end.unwrap_or(1_000)).sum())
}

/// Does what there is, in three passes, and ends with 100 times its input, and what it did.
async fn work(ctx: &Ctx, sim: &Sim, n: u32) -> Result<u32> {
    let step = |name: &'static str| {
        let sim = sim.clone();
        ctx.step_with(name, async move |attempt: Attempt| {
            sim.note(&attempt);
            sim.latency().await;
            Ok::<_, Error>(1)
        })
    };
    let mut done = step("first").await?;
    let begun = sim.outside::<Begun>();
    let once = ctx.step_with("once", async move |attempt: Attempt| {
        *begun.borrow_mut().entry(attempt.key().to_owned()).or_default() += 1;
        dacapo::yield_now().await;
        Ok::<_, Error>(())
    });
    match once.at_most_once().await {
        Err(error) if !error.is_interrupted() => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let (leaf, slept) = dacapo::join(ctx.child(LEAF, n), async {
        ctx.sleep(5 * MS).await;
        step("beside").await
    })
    .await;
    done += leaf? + slept?;
    let (id, pass) = (ctx.id().to_owned(), ctx.pass());
    let written = ctx.transaction("write", move |tx: &mut Tx<'_>| {
        let (key, before) = ((id.clone(), pass), tx.get(WRITTEN, &(id.clone(), pass)));
        tx.put(WRITTEN, &key, &1);
        Ok::<_, Error>(before.unwrap_or_default())
    });
    assert_eq!(written.await?, 0, "it takes place once");
    let _late = ctx.timeout(20 * MS, ctx.receive(WORD)).await;
    assert_eq!(done, 3);
    match pass {
        3 => Ok(n * 100 + pass),
        _ => ctx.again(WORK, n).await,
    }
}

async fn leaf(ctx: &Ctx) -> Result<u32> {
    ctx.sleep(MS).await;
    ctx.step("leaf", async || Ok::<_, Error>(1)).await
}

fn build(sim: &Sim) -> Builder {
    let worked = sim.clone();
    let builder = Executor::builder()
        .workflow(MAIN, main)
        .workflow(WORK, async move |ctx: &Ctx, n| work(ctx, &worked, n).await)
        .workflow(LEAF, async |ctx: &Ctx, _: u32| leaf(ctx).await)
        .queue(LINE, Limits::new().concurrency(1));
    if sim.random().is_multiple_of(2) {
        sim.set_commit_bytes(0);
    }
    if sim.random().is_multiple_of(2) { builder.resident_max(0) } else { builder }
}

/// That it may not be done to a run that is not as it was a moment ago is nobody's fault.
fn unless_changed(done: Result<()>) -> Result<()> {
    let is_fault = |error: &Error| error.is_store() || error.is_closed() || error.is_parked();
    done.or_else(|error| if is_fault(&error) { Err(error) } else { Ok(()) })
}

/// The runs whose ends are no caller's: one would be told that they are parked.
fn not_awaited(executor: &Executor, filter: &Filter) -> Result<Vec<RunInfo>> {
    let mut runs = executor.runs(filter)?;
    runs.retain(|run| !["main", "last"].contains(&&*run.id));
    Ok(runs)
}

/// Holds runs for a while, some at a time.
async fn hold_some(executor: &Executor, sim: &Sim) -> Result<()> {
    let parked = || executor.runs(&Filter::new().states(&[RunState::Parked]));
    let draw = |of: usize| sim.random() as usize % of;
    for _ in 0..12 {
        sim.latency().await;
        for _ in 0..draw(12) {
            dacapo::yield_now().await;
        }
        let runs = not_awaited(executor, &Filter::new().unfinished())?;
        for _ in 0..draw(3).min(runs.len()) {
            unless_changed(executor.hold(&runs[draw(runs.len())].id))?;
        }
        let held = parked()?;
        if !held.is_empty() {
            let id = &held[draw(held.len())].id;
            unless_changed(executor.send(id, WORD, 7).await)?;
            unless_changed(executor.resume(id))?;
        }
    }
    parked()?.iter().try_for_each(|run| unless_changed(executor.resume(&run.id)))
}

/// Nobody is left in a place of a queue, or parked.
async fn look_after(executor: &Executor, clock: &VirtualClock) -> Result<()> {
    executor.start(MAIN, "main", 3)?.await?;
    let is_over = || Ok::<_, Error>(executor.runs(&Filter::new().unfinished())?.is_empty());
    for _ in 0..1_000_000 {
        if is_over()? {
            break;
        }
        clock.sleep(MS).await;
    }
    assert!(is_over()?, "{:?}", executor.runs(&Filter::new().unfinished())?);
    assert_eq!(executor.queue(LINE)?.waiting, 0);
    let last = executor.start_with(LEAF, "last", 1, Start::new().queue(LINE))?;
    assert_eq!(last.await?, 1);
    Ok(())
}

/// The ends of all runs of a process, and of those after it.
fn ended(executor: &Executor, clock: &VirtualClock) -> Result<u32> {
    executor.block_on(async {
        for run in executor.parked()? {
            assert_eq!(run.reason, ParkReason::OnRequest, "{run:?}");
            executor.resume(&run.id)?;
        }
        look_after(executor, clock).await?;
        executor.attach(MAIN, "main")?.await
    })
}

#[test]
fn runs_end_as_if_nobody_had_held_them() {
    let check = sim::check(MAIN).start("main", 3).client(hold_some);
    let check = check.client(async |executor, sim| look_after(executor, sim.clock()).await);
    let report = check.seeds(0..2).crash_loops().run_all(build, |ends| {
        assert_eq!(*ends.of("main").as_ref().expect("it ends"), 309);
        let begun = ends.sim().outside::<Begun>();
        let twice: Vec<_> =
            begun.borrow().iter().filter(|(_, n)| **n > 1).map(|(key, _)| key.clone()).collect();
        assert_eq!(twice, [""; 0], "they may begin once");
    });
    assert!(report.crashes > 20, "{report}");
}

/// Something else happens to runs at the moment that they are held.
async fn hold_some_at_once(executor: &Executor, sim: &Sim) -> Result<()> {
    let draw = |of: usize| sim.random() as usize % of;
    for _ in 0..12 {
        for _ in 0..draw(12) {
            dacapo::yield_now().await;
        }
        sim.latency().await;
        let runs = not_awaited(executor, &Filter::new())?;
        if runs.is_empty() {
            continue;
        }
        let id = &runs[draw(runs.len())].id;
        let mut posted = match draw(6) {
            0 => Some(executor.cancel(id)),
            1 => Some(executor.terminate(id)),
            2 => Some(executor.send(id, WORD, 7)),
            3 => {
                unless_changed(executor.resume(id))?;
                None
            }
            _ => None,
        };
        let at_once = posted.as_mut().map(|posted| posted.now_or_never());
        unless_changed(executor.hold(id))?;
        unless_changed(at_once.flatten().unwrap_or(Ok(())))?;
        let held = executor.parked()?;
        if !held.is_empty() && draw(3) > 0 {
            let held = &held[draw(held.len())];
            assert_eq!(held.reason, ParkReason::OnRequest, "{held:?}");
            unless_changed(executor.resume(&held.id))?;
        }
    }
    executor.parked()?.iter().try_for_each(|run| unless_changed(executor.resume(&run.id)))
}

#[test]
fn whatever_happens_to_runs_when_they_are_held() {
    let check = sim::check(MAIN).start("main", 3).client(hold_some_at_once);
    let check = check.client(async |executor, sim| look_after(executor, sim.clock()).await);
    check.seeds(0..2).crash_loops().run_all(build, |ends| {
        assert!(ends.of("main").is_ok());
    });
}

/// A process without their code holds runs of another that ended after any of its commits, and may itself end.
#[test]
fn runs_are_held_at_rest() -> Result<()> {
    let (clock, stored) = (VirtualClock::default(), Snapshots::new(MemoryStore::new()));
    let sim = |seed| Sim::new(seed, clock.clone());
    let open = |store: Snapshots, seed| {
        let sim = sim(seed);
        sim.apply(build(&sim)).open_with(store)
    };
    let executor = open(stored.clone(), 7)?;
    let run = executor.start(MAIN, "main", 3)?;
    executor.block_on(run)?;
    drop(executor);
    for (number, state) in (0..).zip(stored.take()) {
        let draws = sim(number);
        if !draws.random().is_multiple_of(4) {
            continue;
        }
        let stored = Snapshots::new(state);
        let executor = Executor::builder().clock(clock.clone()).open_with(stored.clone())?;
        for run in executor.runs(&Filter::new().unfinished())? {
            let posted = executor.send(&run.id, WORD, 1);
            let told = if draws.random().is_multiple_of(2) { posted.now_or_never() } else { None };
            unless_changed(told.unwrap_or(Ok(())))?;
            if draws.random().is_multiple_of(2) {
                unless_changed(executor.hold(&run.id))?;
            }
        }
        drop(executor);
        let states = stored.take();
        for at in [states.len().wrapping_sub(1), draws.random() as usize % states.len().max(1)] {
            let Some(state) = states.get(at) else { continue };
            let executor = open(Snapshots::new(state.snapshot()), number)?;
            assert_eq!(ended(&executor, &clock)?, 309, "commit {number}");
        }
    }
    Ok(())
}
