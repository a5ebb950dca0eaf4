//! Runs that somebody holds: parked wherever they stand, and going on from there when they are resumed.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{Sim, VirtualClock};
use dacapo::store::{Filter, MemoryStore, Store};
use dacapo::{
    Builder, Channel, Ctx, Error, Executor, Limits, ParkReason, Queue, Result, Start, Timestamp,
    WeakExecutor, Workflow, try_join, yield_now,
};

use super::poisoned::{POISONED, all_but_one_end, build as build_poisoned, start};

const ORDER: Workflow<u32, u32> = Workflow::new("order");
const PART: Workflow<u32, u32> = Workflow::new("part");
const APPROVAL: Channel<u32> = Channel::new("approval");
const HOUR: Duration = Duration::from_secs(3_600);

/// How often each step was done.
type Done = Rc<RefCell<Vec<&'static str>>>;

async fn order(ctx: &Ctx, done: &Done, n: u32) -> Result<u32> {
    let step = |name: &'static str| {
        let done = done.clone();
        ctx.step(name, async move || {
            yield_now().await;
            done.borrow_mut().push(name);
            Ok::<_, Error>(1)
        })
    };
    let reserved = step("reserve").await? + step("hold").await?;
    let (part, approved) =
        try_join(ctx.child(PART, n), async { Ok(ctx.receive(APPROVAL).await) }).await?;
    ctx.sleep(HOUR).await;
    Ok(reserved + part + approved + step("charge").await?)
}

fn build(clock: &VirtualClock, done: &Done) -> Builder {
    let done = done.clone();
    Executor::builder()
        .clock(clock.clone())
        .seed(7)
        .workflow(ORDER, async move |ctx: &Ctx, n| order(ctx, &done, n).await)
        .workflow(PART, async |ctx: &Ctx, n| {
            ctx.sleep(HOUR / 2).await;
            ctx.step("make", async move || Ok::<_, Error>(n)).await
        })
}

/// Who holds a run, where, and in which state of the executor.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Holder {
    /// The process that runs it.
    Live,
    /// One that has its workflow, and in which it has left memory.
    Away,
    /// One that has no workflows.
    AtRest,
}

/// The order is held after so many turns, and resumed; gives what it ends with, and how often each step was done.
fn held_after(turns: usize, holder: Holder) -> Result<(u32, Done)> {
    let (clock, done, stored) = (VirtualClock::default(), Done::default(), MemoryStore::new());
    let open = |builder: Builder| builder.open_with(stored.shared());
    let resident_max = if holder == Holder::Away { 0 } else { usize::MAX };
    let mut executor = open(build(&clock, &done).resident_max(resident_max))?;
    let run = executor.start(ORDER, "order-7", 5)?;
    executor.block_on(async {
        run.accepted().await?;
        executor.send("order-7", APPROVAL, 10).await?;
        for turn in 0..turns {
            match turn % 8 {
                7 => clock.sleep(HOUR / 4).await,
                _ => yield_now().await,
            }
        }
        Ok::<_, Error>(())
    })?;
    drop(run);
    if holder == Holder::AtRest {
        drop(executor);
        executor = open(Executor::builder().clock(clock.clone()))?;
    }
    if executor.info("order-7")?.state.has_ended() {
        assert!(executor.hold("order-7").unwrap_err().is_ended());
    } else {
        executor.hold("order-7")?;
        let parked = executor.parked()?;
        assert_eq!((parked.len(), parked[0].reason), (1, ParkReason::OnRequest), "{turns}");
        assert!(stored.list(&Filter::new())?.iter().any(|row| row.state.name() == "parked"));
        let again = executor.hold("order-7").unwrap_err().to_string();
        assert_eq!(again, r#"run "order-7" is parked already, so it cannot be held"#);
        if holder == Holder::AtRest {
            drop(executor);
            executor = open(build(&clock, &done))?;
        }
        // It is left, whatever happens, and so are the others.
        executor.block_on(clock.sleep(2 * HOUR));
        assert_eq!(executor.parked()?.len(), 1, "{turns} {holder:?}");
        executor.resume("order-7")?;
    }
    let run = executor.attach(ORDER, "order-7")?;
    Ok((executor.block_on(run)?, done))
}

/// Wherever it is held it ends as if it had not been, and no outcome that was there is lost.
#[test]
fn a_run_that_is_held_goes_on_where_it_was() -> Result<()> {
    for holder in [Holder::Live, Holder::Away, Holder::AtRest] {
        for turns in 0..50 {
            let (outcome, done) = held_after(turns, holder)?;
            assert_eq!(outcome, 18, "{turns} {holder:?}");
            assert_eq!(done.take(), ["reserve", "hold", "charge"], "{turns} {holder:?}");
        }
    }
    Ok(())
}

/// Also when a commit is full, and takes what it did with the next one only.
#[test]
fn what_a_full_commit_has_left_over_is_kept() -> Result<()> {
    let ids = ["order-1", "order-2", "order-3"];
    for turns in 0..40 {
        let (clock, done) = (VirtualClock::default(), Done::default());
        let sim = Sim::new(turns, clock.clone());
        sim.set_commit_bytes(0);
        let executor = sim.apply(build(&clock, &done)).in_memory();
        executor.block_on(async {
            for id in ids {
                executor.start(ORDER, id, 5)?.accepted().await?;
                executor.send(id, APPROVAL, 10).await?;
            }
            for _ in 0..turns {
                yield_now().await;
            }
            Ok::<_, Error>(())
        })?;
        ids.iter().rev().try_for_each(|id| executor.hold(id))?;
        ids.iter().try_for_each(|id| executor.resume(id))?;
        for id in ids {
            let order = executor.attach(ORDER, id)?;
            assert_eq!(executor.block_on(order)?, 18, "{turns}");
        }
        let mut done = done.take();
        done.sort_unstable();
        let each = ["charge", "hold", "reserve"].map(|step| [step; 3]).concat();
        assert_eq!(done, each, "{turns}");
    }
    Ok(())
}

/// Someone at three in the morning: whoever opens the file without the code can hold a run that ends the process,
/// before it has ended three, and delete it; what is known of others stays.
#[test]
fn a_run_that_ends_the_process_is_held_without_its_code() -> Result<()> {
    let stored = MemoryStore::new();
    start(stored.shared());
    let live = stored.snapshot();
    let (seen, state) = (live.shared(), Rc::new(Cell::new(None)));
    let kept = state.clone();
    let harm: Rc<dyn Fn()> = Rc::new(move || kept.set(kept.take().or(Some(seen.snapshot()))));
    drop(build_poisoned(Some(harm)).open_with(live)?);
    let stored: MemoryStore = state.take().expect("the run was replayed");
    assert!(!stored.marker().is_empty());

    let executor = Executor::builder().open_with(stored.shared())?;
    let is_suspect = || {
        let suspects = executor.statistics()?.suspects;
        Ok::<_, Error>(suspects.iter().any(|run| run.id == POISONED && run.ends == 1))
    };
    assert!(is_suspect()?);
    executor.hold(POISONED)?;
    assert!(!is_suspect()?);
    let parked = executor.parked()?;
    assert_eq!((parked.len(), &*parked[0].id), (1, POISONED));
    assert_eq!(
        parked[0].message,
        "on request: somebody holds it; call `Executor::resume` when it is to go on"
    );
    drop(executor);
    let poisoned: Rc<dyn Fn()> = Rc::new(|| panic!("it is replayed"));
    let executor = build_poisoned(Some(poisoned)).open_with(stored.shared())?;
    assert_eq!(executor.parked()?.len(), 1);
    // To look for its lines of the source would end this process.
    assert!(executor.sources(POISONED)?.parked().is_none(), "its code ran");
    all_but_one_end(&executor);
    assert!(stored.marker().is_empty());
    drop(executor);
    let executor = Executor::builder().open_with(stored)?;
    executor.block_on(executor.delete(POISONED))?;
    assert!(executor.hold(POISONED).unwrap_err().is_not_found());
    Ok(())
}

/// What is not in the code of a run is kept for it: what it is found by, and who waits for its end.
#[test]
fn a_run_that_is_not_replayed_keeps_its_row() -> Result<()> {
    let child = "order-7/3";
    for by in ["builder", "hold", "at rest"] {
        let (clock, done, stored) = (VirtualClock::default(), Done::default(), MemoryStore::new());
        let executor = build(&clock, &done).open_with(stored.shared())?;
        let ada = Start::new().attribute("customer", "ada").timeout(100 * HOUR);
        let run = executor.start_with(ORDER, "order-7", 5, ada)?;
        executor.block_on(async {
            run.accepted().await?;
            clock.sleep(HOUR / 8).await;
            Ok::<_, Error>(())
        })?;
        let row = |id: &str| Ok::<_, Error>(stored.find(id)?.expect("it is there"));
        let ids: Vec<_> = stored.list(&Filter::new())?.into_iter().map(|row| row.id).collect();
        assert_eq!(ids, ["order-7", child]);
        let before = (row("order-7")?, row(child)?);
        assert!(before.0.deadline.is_some() && before.1.link.is_some());
        drop((run, executor));
        let builder = match by {
            "builder" => build(&clock, &done).hold("order-7").hold(child),
            "hold" => build(&clock, &done).resident_max(0),
            _ => Executor::builder().clock(clock.clone()),
        };
        let executor = builder.open_with(stored.shared())?;
        match by {
            "builder" => executor.block_on(yield_now()),
            _ => [child, "order-7"].into_iter().try_for_each(|id| executor.hold(id))?,
        }
        for (was, is) in [(before.0, row("order-7")?), (before.1, row(child)?)] {
            assert_eq!((is.state.name(), is.wake_at), ("parked", None), "{by}");
            assert_eq!(
                (was.attributes, was.deadline, was.link, was.started_at),
                (is.attributes, is.deadline, is.link, is.started_at),
                "{by}"
            );
        }
        drop(executor);
        // Who waits for the child is told of its end.
        let executor = build(&clock, &done).open_with(stored.shared())?;
        executor.resume("order-7")?;
        executor.block_on(executor.delete(child))?;
        let run = executor.attach(ORDER, "order-7")?;
        let error = executor.block_on(run).unwrap_err();
        assert!(error.to_string().contains("it was deleted"), "{by}: {error}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_held() -> Result<()> {
    const MAIL: Queue = Queue::new("mail");
    let clock = VirtualClock::default();
    let executor = build(&clock, &Done::default()).queue(MAIL, Limits::new().concurrency(1));
    let executor = executor.in_memory();
    let refused = |id: &str| executor.hold(id).unwrap_err();
    assert!(refused("nobody").is_not_found());
    executor.block_on(executor.start(PART, "ended", 1)?)?;
    assert!(refused("ended").is_ended());
    for id in ["first", "second"] {
        let queued = executor.start_with(PART, id, 1, Start::new().queue(MAIL))?;
        executor.block_on(queued.accepted())?;
    }
    let why = refused("second").to_string();
    assert_eq!(
        why,
        r#"run "second" has not begun, so it cannot be held: delete it, or pause its queue"#
    );
    // Its room is for another.
    executor.hold("first")?;
    executor.block_on(executor.attach(PART, "second")?)?;
    executor.resume("first")?;
    executor.block_on(executor.attach(PART, "first")?).map(|n| assert_eq!(n, 1))
}

/// A run may be held before it is known to the file, and by what it does itself.
#[test]
fn a_run_is_held_by_its_own_step() -> Result<()> {
    const SELF: Workflow<(), u32> = Workflow::new("self");
    let outer: Rc<OnceCell<WeakExecutor>> = Rc::default();
    let inner = outer.clone();
    let times = Rc::new(Cell::new(0));
    let count = times.clone();
    let workflow = async move |ctx: &Ctx, ()| -> Result<u32> {
        let (inner, count) = (inner.clone(), count.clone());
        ctx.step("hold", async move || {
            count.set(count.get() + 1);
            if count.get() == 1 {
                let executor = inner.get().expect("it is there");
                executor.with(|executor| executor.hold("self-1"))??;
            }
            yield_now().await;
            Ok::<_, Error>(7)
        })
        .await
    };
    let executor = Executor::builder().workflow(SELF, workflow).in_memory();
    assert!(outer.set(executor.weak()).is_ok());
    let run = executor.start(SELF, "self-1", ())?;
    assert_eq!(executor.block_on(run).unwrap_err().park_reason(), Some(ParkReason::OnRequest));
    let _run = executor.start(SELF, "self-2", ())?;
    executor.hold("self-2")?;
    let ids: Vec<_> = executor.parked()?.into_iter().map(|run| run.id).collect();
    assert_eq!(ids, ["self-1", "self-2"]);
    for id in ids {
        executor.resume(&id)?;
        assert_eq!(executor.block_on(executor.attach(SELF, &id)?)?, 7);
    }
    assert_eq!(times.get(), 3);
    Ok(())
}

/// Of one that ends with the same commit nothing is left to hold.
#[test]
fn a_run_that_is_held_and_ends_at_once() -> Result<()> {
    let stored = MemoryStore::new();
    let (clock, done) = (VirtualClock::new(Timestamp::from_nanos(1)), Done::default());
    let executor = build(&clock, &done).open_with(stored.shared())?;
    executor.block_on(executor.start(ORDER, "order-7", 5)?.accepted())?;
    drop(executor);
    let executor = Executor::builder().clock(clock.clone()).open_with(stored.shared())?;
    let ended = executor.terminate("order-7");
    executor.block_on(async {
        let mut ended = std::pin::pin!(ended);
        assert!(futures::poll!(ended.as_mut()).is_pending());
        assert!(executor.hold("order-7").unwrap_err().is_ended());
        ended.await
    })?;
    assert_eq!(executor.info("order-7")?.state.name(), "cancelled");
    Ok(())
}
