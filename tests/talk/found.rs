//! What the random worlds found, as small as it can be. See `fuzz/src/programs/worlds`.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{Sim, Snapshots, VirtualClock};
use dacapo::store::{Filter, MemoryStore, RunState, Store};
use dacapo::{
    Builder, Channel, Ctx, Error, Executor, Result, Start, Topic, Workflow, join, race, yield_now,
};

const ONE: Workflow<(), u32> = Workflow::new("one");
const WORD: Channel<u32> = Channel::new("word");

/// Code that panics until it is mended.
#[derive(Clone, Default)]
struct Mended(Rc<Cell<bool>>);

impl Mended {
    fn check(&self) {
        assert!(self.0.get(), "not yet");
    }
}

fn states(executor: &Executor) -> Vec<RunState> {
    let runs = executor.runs(&Filter::new()).expect("memory can be read");
    runs.into_iter().map(|run| run.state).collect()
}

/// A run that was parked and ended without its code is not held to what that code does by now.
#[test]
fn an_end_without_code_is_not_held_against_it() -> Result<()> {
    const CHILD: Workflow<(), u32> = Workflow::new("child");
    let mended = Mended::default();
    let in_run = mended.clone();
    let executor = Executor::builder()
        .workflow(CHILD, async |_: &Ctx, ()| Ok::<_, Error>(7))
        .workflow(ONE, async move |ctx: &Ctx, ()| {
            in_run.check();
            ctx.child(CHILD, ()).detach();
            Ok::<_, Error>(7)
        })
        .in_memory();
    assert!(executor.block_on(executor.start(ONE, "one", ())?).unwrap_err().is_parked());
    executor.block_on(executor.send("one", WORD, 1))?;
    executor.block_on(executor.terminate("one"))?;
    assert_eq!(states(&executor), [RunState::Cancelled]);
    mended.0.set(true);
    executor.verify("one")
}

/// A run that comes to its end as soon as it is resumed has ended.
#[test]
fn a_run_that_is_resumed_and_ends() -> Result<()> {
    let (mended, store) = (Mended::default(), MemoryStore::new());
    let open = || {
        let mended = mended.clone();
        let builder = Executor::builder().workflow(ONE, async move |_: &Ctx, ()| {
            mended.check();
            Ok::<_, Error>(7)
        });
        builder.open_with(store.shared())
    };
    let executor = open()?;
    assert!(executor.block_on(executor.start(ONE, "one", ())?).unwrap_err().is_parked());
    mended.0.set(true);
    executor.resume("one")?;
    assert_eq!(executor.block_on(executor.attach(ONE, "one")?)?, 7);
    assert_eq!(states(&executor), [RunState::Completed]);
    drop(executor);
    open()?.verify("one")
}

/// A message brings a run back, and its replay parks it: the message is there when it is resumed.
#[test]
fn a_message_for_a_run_that_does_not_come_back() -> Result<()> {
    let (mended, store) = (Mended::default(), MemoryStore::new());
    let clock = VirtualClock::default();
    let open = || {
        let mended = mended.clone();
        let builder = Executor::builder().clock(clock.clone());
        let builder = builder.workflow(ONE, async move |ctx: &Ctx, ()| {
            mended.check();
            Ok::<_, Error>(ctx.receive(WORD).await)
        });
        builder.open_with(store.shared())
    };
    mended.0.set(true);
    let executor = open()?;
    executor.block_on(executor.start(ONE, "one", ())?.accepted())?;
    // It rests, and its row says so: the next open leaves it where it is.
    executor.block_on(clock.sleep(Duration::from_secs(5)));
    drop(executor);

    mended.0.set(false);
    let executor = open()?;
    assert!(executor.parked()?.is_empty());
    executor.block_on(executor.send("one", WORD, 7))?;
    assert_eq!(states(&executor), [RunState::Parked]);
    mended.0.set(true);
    executor.resume("one")?;
    assert_eq!(executor.block_on(executor.attach(ONE, "one")?)?, 7);
    Ok(())
}

/// A message for a run that rested, and waits for its code: it gets it when the code is there.
#[test]
fn a_message_for_a_run_that_waits_for_its_code() -> Result<()> {
    let (store, clock) = (MemoryStore::new(), VirtualClock::default());
    let open = |has_code: bool| {
        let builder = Executor::builder().clock(clock.clone());
        let one = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(WORD).await);
        let builder = if has_code { builder.workflow(ONE, one) } else { builder };
        builder.open_with(store.shared())
    };
    let executor = open(true)?;
    executor.block_on(executor.start(ONE, "one", ())?.accepted())?;
    executor.block_on(clock.sleep(Duration::from_secs(5)));
    assert!(executor.runs(&Filter::new())?[0].wake_at.is_some());
    drop(executor);

    let executor = open(false)?;
    executor.block_on(executor.send("one", WORD, 7))?;
    drop(executor);

    let executor = open(true)?;
    executor.block_on(clock.sleep(Duration::from_secs(5)));
    assert_eq!(states(&executor), [RunState::Completed]);
    Ok(())
}

/// A message comes to a run that rested while the executor is shut down: what it asks for then is begun by
/// the next open.
#[test]
fn a_message_for_a_run_that_rested_during_a_shutdown() -> Result<()> {
    let (store, clock) = (MemoryStore::new(), VirtualClock::default());
    let open = || {
        let builder = Executor::builder().clock(clock.clone());
        let builder = builder.workflow(ONE, async |ctx: &Ctx, ()| {
            let word = ctx.receive(WORD).await;
            ctx.sleep(Duration::from_millis(20)).await;
            Ok::<_, Error>(word)
        });
        builder.open_with(store.shared())
    };
    let executor = open()?;
    executor.block_on(executor.start(ONE, "one", ())?.accepted())?;
    executor.block_on(clock.sleep(Duration::from_secs(5)));
    assert!(executor.runs(&Filter::new())?[0].wake_at.is_some());
    drop(executor);

    let executor = open()?;
    let shut_down = executor.shutdown(Duration::from_secs(1));
    let (ended, sent) = executor.block_on(join(shut_down, executor.send("one", WORD, 7)));
    ended.and(sent)?;
    drop(executor);

    let executor = open()?;
    executor.block_on(clock.sleep(Duration::from_secs(5)));
    assert_eq!(states(&executor), [RunState::Completed]);
    Ok(())
}

/// A child that had been asked to end before, and is out of memory, is let go by the end of its parent.
#[test]
fn a_child_that_rests_when_its_parent_ends() -> Result<()> {
    const CHILD: Workflow<(), u32> = Workflow::new("child");
    let (store, clock) = (MemoryStore::new(), VirtualClock::default());
    let executor = Executor::builder()
        .clock(clock.clone())
        .resident_max(0)
        .workflow(ONE, async |ctx: &Ctx, ()| ctx.child(CHILD, ()).id("child").await)
        .workflow(CHILD, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.shield(ctx.receive(WORD)).await))
        .open_with(store.shared())?;
    // Both are asked to end by the same commit.
    let soon = Start::new().timeout(Duration::from_millis(20));
    let run = executor.start_with(ONE, "one", (), soon)?;
    assert!(executor.block_on(run).unwrap_err().is_cancelled());
    let row = store.find("child").expect("memory can be read").expect("it was started");
    assert_eq!((row.state, row.link), (RunState::Running, None));
    executor.block_on(executor.send("child", WORD, 7))?;
    assert_eq!(executor.block_on(executor.attach(CHILD, "child")?)?, 7);
    Ok(())
}

/// A child that is parked is deleted by the commit that records that its parent dropped it: the parent is
/// told nothing of its end.
#[test]
fn a_child_that_is_dropped_and_deleted_at_once() -> Result<()> {
    const CHILD: Workflow<(), u32> = Workflow::new("child");
    let store = MemoryStore::new();
    let executor = Executor::builder()
        .workflow(ONE, async |ctx: &Ctx, ()| {
            let mut child = ctx.child(CHILD, ()).id("child");
            child.started().await?;
            ctx.receive(WORD).await;
            drop(child);
            Ok::<_, Error>(ctx.receive(WORD).await)
        })
        .workflow(CHILD, async |_: &Ctx, ()| -> Result<u32> { panic!("not yet") })
        .open_with(store.shared())?;
    let run = executor.start(ONE, "one", ())?;
    executor.block_on(async {
        while executor.parked().expect("memory can be read").is_empty() {
            yield_now().await;
        }
        executor.send("one", WORD, 1).await?;
        // The drop is made by now, and goes with the next commit.
        executor.delete("child").await
    })?;
    let history = crate::faults::history(&store, "one");
    let commits = history.iter().map(|entry| entry.commit).max();
    let last = history.iter().filter(|entry| Some(entry.commit) == commits).count();
    assert_eq!(last, 1, "the drop alone");
    executor.block_on(executor.send("one", WORD, 7))?;
    assert_eq!(executor.block_on(run)?, 7);
    executor.verify("one")
}

/// The pass ends at the first poll, whatever the root returns at the same one.
#[test]
fn a_pass_ends_though_its_root_returns() -> Result<()> {
    let executor = Executor::builder()
        .workflow(ONE, async |ctx: &Ctx, ()| {
            ctx.sleep(Duration::from_millis(1)).await;
            match ctx.pass() {
                1 => race(ctx.again(ONE, ()), async { Ok(0) }).await,
                pass => Ok(pass),
            }
        })
        .in_memory();
    assert_eq!(executor.block_on(executor.start(ONE, "one", ())?)?, 2);
    assert_eq!(states(&executor), [RunState::Continued, RunState::Completed]);
    Ok(())
}

/// An executor whose commits take one run each, but for what comes from elsewhere.
fn with_small_commits() -> Builder {
    let sim = Sim::new(0, VirtualClock::default());
    sim.set_commit_bytes(0);
    sim.apply(Executor::builder())
}

/// The mark of a run waits for a later commit, and so does its end: when the mark is committed, the end is
/// not drafted again.
#[test]
fn a_run_that_ends_behind_a_full_commit() -> Result<()> {
    const HEARD: Topic<u32> = Topic::new("heard");
    let store = MemoryStore::new();
    let executor = with_small_commits()
        .workflow(ONE, async |ctx: &Ctx, ()| {
            ctx.publish(HEARD, ctx.receive(WORD).await);
            Ok::<_, Error>(ctx.receive(WORD).await)
        })
        .open_with(store.shared())?;
    executor.block_on(async {
        let other = executor.start(ONE, "other", ())?;
        let run = executor.start(ONE, "one", ())?;
        other.accepted().await?;
        run.accepted().await?;
        for word in [1, 2] {
            let sent = join(executor.send("other", WORD, word), executor.send("one", WORD, word));
            let (other, one) = sent.await;
            other.and(one)?;
        }
        let (other, run) = join(other, run).await;
        assert_eq!((other?, run?), (2, 2));
        Ok::<_, Error>(())
    })?;
    assert_eq!(executor.latest("one", HEARD)?, Some(1));
    let history = crate::faults::history(&store, "one");
    assert_eq!(history.len(), 5, "start, two messages, a mark, one end");
    executor.verify("one")
}

/// A child has ended, and its end waits for a later commit than its drop by its parent: it is let go all
/// the same.
#[test]
fn a_child_that_is_dropped_before_its_end_is_committed() -> Result<()> {
    const CHILD: Workflow<(), u32> = Workflow::new("child");
    let store = Snapshots::default();
    let open = |store: Snapshots| {
        let builder = with_small_commits().workflow(ONE, async |ctx: &Ctx, ()| {
            let mut child = ctx.child(CHILD, ()).id("child");
            child.started().await?;
            ctx.receive(WORD).await;
            drop(child);
            Ok::<_, Error>(ctx.receive(WORD).await)
        });
        let child = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(WORD).await);
        builder.workflow(CHILD, child).open_with(store)
    };
    let executor = open(store.clone())?;
    executor.block_on(async {
        let run = executor.start(ONE, "one", ())?;
        while executor.attach(CHILD, "child").is_err() {
            yield_now().await;
        }
        let child = executor.attach(CHILD, "child")?;
        let sent = join(executor.send("one", WORD, 1), executor.send("child", WORD, 1)).await;
        sent.0.and(sent.1)?;
        assert_eq!(child.await?, 1);
        executor.send("one", WORD, 2).await?;
        run.await
    })?;
    let commits = store.take();
    let ended = |store: &&MemoryStore| {
        store.find("child").is_ok_and(|row| row.is_some_and(|row| row.state.has_ended()))
    };
    let before_its_end = commits.iter().take_while(|store| !ended(store)).last();
    let store = before_its_end.expect("it had not ended once").snapshot();
    assert_eq!(crate::faults::history(&store, "one").len(), 4, "start, child, message, drop");
    let row = store.find("child").expect("memory can be read").expect("it was started");
    assert_eq!(row.link, None);
    Ok(())
}

/// What a run does that is resumed is not in a commit before its row says that it goes on.
#[test]
fn a_run_that_is_resumed_in_a_full_commit() -> Result<()> {
    const DONE: Topic<u32> = Topic::new("done");
    let (mended, store) = (Mended::default(), Snapshots::default());
    let in_run = mended.clone();
    let executor = with_small_commits()
        .workflow(ONE, async move |ctx: &Ctx, ()| {
            in_run.check();
            ctx.publish(DONE, 7);
            Ok::<_, Error>(ctx.receive(WORD).await)
        })
        .open_with(store.clone())?;
    assert!(executor.block_on(executor.start(ONE, "one", ())?).unwrap_err().is_parked());
    mended.0.set(true);
    executor.resume("one")?;
    // It is behind what the other one asks for, and before its row.
    executor.block_on(executor.start(ONE, "other", ())?.accepted())?;
    for store in store.take() {
        let row = store.find("one").expect("memory can be read").expect("it was started");
        let history = crate::faults::history(&store, "one");
        assert!(row.state != RunState::Parked || history.len() == 1, "{history:?}");
    }
    Ok(())
}

/// A run is ended by the commit that records which message it skips: it is not taken up again.
#[test]
fn a_run_that_is_ended_while_it_skips_a_message() -> Result<()> {
    const NO_WORD: Channel<()> = Channel::new("word");
    let executor = Executor::builder()
        .workflow(ONE, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(WORD).await))
        .in_memory();
    let run = executor.start(ONE, "one", ())?;
    executor.block_on(executor.send("one", NO_WORD, ()))?;
    assert!(executor.block_on(run).unwrap_err().is_parked());
    executor.block_on(async {
        let mut ended = pin!(executor.terminate("one"));
        assert!(futures::poll!(&mut ended).is_pending());
        assert!(executor.resume_skipping("one").unwrap_err().is_ended());
        ended.await
    })?;
    assert_eq!(states(&executor), [RunState::Cancelled]);
    executor.verify("one").unwrap_err();
    Ok(())
}
