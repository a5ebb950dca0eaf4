//! What goes wrong between runs: each side is told, or waits.

use std::time::Duration;

use dacapo::store::{Filter, MemoryStore, RunState};
use dacapo::{
    Channel, Ctx, Error, Executor, ParkReason, Result, Workflow, join, try_join, yield_now,
};

const PARENT: Workflow<(), String> = Workflow::new("parent");
const CHILD: Workflow<(), u32> = Workflow::new("child");
const CENTS: Channel<u64> = Channel::new("cents");
const WRONG: Channel<String> = Channel::new("cents");

async fn parent(ctx: &Ctx, (): ()) -> Result<String> {
    let child = ctx.child(CHILD, ()).id("child");
    match child.await {
        Ok(n) => Ok(format!("child {n}")),
        Err(error) if error.is_cancelled() => Ok("cancelled".into()),
        Err(error) => Ok(format!("failed: {error}")),
    }
}

async fn waits(ctx: &Ctx, (): ()) -> Result<u32> {
    ctx.sleep(Duration::from_secs(3600)).await;
    Ok(1)
}

async fn panics(_: &Ctx, (): ()) -> Result<u32> {
    panic!("no tea")
}

async fn ready(ctx: &Ctx, (): ()) -> Result<u32> {
    ctx.step("seven", async || Ok::<_, Error>(7)).await
}

/// A build that this test speaks of: with other children, or without one of the two.
struct Build(fn() -> dacapo::Builder);

impl Build {
    fn open(&self, store: &MemoryStore) -> Executor {
        (self.0)().open_with(store.shared()).unwrap()
    }
}

fn state(executor: &Executor, id: &str) -> Option<RunState> {
    let runs = executor.runs(&Filter::new()).unwrap();
    runs.into_iter().find(|run| run.id == id).map(|run| run.state)
}

/// Drives the executor until nothing is left to be done at once.
fn settle(executor: &Executor) {
    executor.block_on(async {
        for _ in 0..100 {
            yield_now().await;
        }
    });
}

fn start(build: &Build, store: &MemoryStore) -> Executor {
    let executor = build.open(store);
    executor.block_on(executor.start(PARENT, "parent", ()).unwrap().accepted()).unwrap();
    settle(&executor);
    executor
}

const WAITS: Build = Build(|| Executor::builder().workflow(PARENT, parent).workflow(CHILD, waits));
const PANICS: Build =
    Build(|| Executor::builder().workflow(PARENT, parent).workflow(CHILD, panics));
const READY: Build = Build(|| Executor::builder().workflow(PARENT, parent).workflow(CHILD, ready));
const CHILDLESS: Build = Build(|| Executor::builder().workflow(PARENT, parent));
const ORPHANED: Build = Build(|| Executor::builder().workflow(CHILD, waits));
const NOTHING: Build = Build(Executor::builder);

/// A child whose code is not there waits for a build that has it; its parent, too.
#[test]
fn a_child_that_is_not_registered_waits_for_its_code() -> Result<()> {
    let store = MemoryStore::new();
    let executor = start(&CHILDLESS, &store);
    assert_eq!(executor.unregistered()?[0].id, "child");
    // Messages reach it.
    executor.block_on(executor.send("child", CENTS, 1))?;
    drop(executor);
    let executor = READY.open(&store);
    assert_eq!(executor.block_on(executor.attach(PARENT, "parent")?)?, "child 7");
    executor.verify("parent")?;
    executor.verify("child")
}

/// The end of a child is recorded in a parent that is not there; that learns of it with its code.
#[test]
fn a_parent_that_is_not_registered_is_told_later() -> Result<()> {
    let store = MemoryStore::new();
    drop(start(&WAITS, &store));
    let executor = ORPHANED.open(&store);
    executor.block_on(executor.cancel("child"))?;
    settle(&executor);
    assert_eq!(state(&executor, "child"), Some(RunState::Cancelled));
    drop(executor);
    let executor = WAITS.open(&store);
    assert_eq!(executor.block_on(executor.attach(PARENT, "parent")?)?, "cancelled");
    executor.verify("parent")
}

/// A child that is parked has its parent wait; resumed, terminated or deleted, it tells it.
#[test]
fn a_parked_child_is_waited_for() -> Result<()> {
    for (way, expected) in
        [("resume", "child 7"), ("terminate", "cancelled"), ("delete", "cancelled")]
    {
        let store = MemoryStore::new();
        let executor = start(&PANICS, &store);
        assert_eq!(state(&executor, "child"), Some(RunState::Parked));
        assert_eq!(state(&executor, "parent"), Some(RunState::Running));
        drop(executor);
        let executor = READY.open(&store);
        match way {
            "resume" => executor.resume("child")?,
            "terminate" => executor.block_on(executor.terminate("child"))?,
            _ => executor.block_on(executor.delete("child"))?,
        }
        let ended = executor.block_on(executor.attach(PARENT, "parent")?)?;
        assert_eq!(ended, expected, "{way}");
        executor.verify("parent")?;
    }
    Ok(())
}

/// Whatever ends a parent whose code is not there asks its children to end.
#[test]
fn a_parent_that_ends_without_its_code_takes_its_children_along() -> Result<()> {
    let store = MemoryStore::new();
    drop(start(&WAITS, &store));
    let executor = Executor::builder().workflow(CHILD, waits).open_with(store.shared())?;
    let child = executor.attach(CHILD, "child")?;
    let ended = async {
        executor.terminate("parent").await?;
        child.await
    };
    assert!(executor.block_on(ended).unwrap_err().is_cancelled());
    assert_eq!(state(&executor, "parent"), Some(RunState::Cancelled));
    Ok(())
}

/// Neither is there: all of it is in the rows and the histories.
#[test]
fn parent_and_child_without_code() -> Result<()> {
    let store = MemoryStore::new();
    drop(start(&WAITS, &store));
    let executor = NOTHING.open(&store);
    executor.block_on(executor.terminate("parent"))?;
    assert_eq!(state(&executor, "parent"), Some(RunState::Cancelled));
    // It was asked, and waits for its code.
    assert_eq!(state(&executor, "child"), Some(RunState::Running));
    drop(executor);
    let executor = WAITS.open(&store);
    let ended = executor.block_on(executor.attach(CHILD, "child")?);
    assert!(ended.unwrap_err().is_cancelled());
    executor.verify("child")
}

/// A file with a parent that was parked, by a build that forgot its child, while that sleeps.
fn parked_parent(store: &MemoryStore) -> Result<Executor> {
    async fn forgets(ctx: &Ctx, (): ()) -> Result<String> {
        ctx.step("another", async || Ok::<_, Error>(())).await?;
        Ok("forgot".into())
    }
    drop(start(&WAITS, store));
    let other = Executor::builder().workflow(PARENT, forgets).workflow(CHILD, waits);
    let executor = other.open_with(store.shared())?;
    settle(&executor);
    Ok(executor)
}

/// A parent that is parked leaves its child alone, and takes its end.
#[test]
fn a_parked_parent_takes_the_end_of_its_child() -> Result<()> {
    let store = MemoryStore::new();
    let executor = parked_parent(&store)?;
    assert_eq!(state(&executor, "parent"), Some(RunState::Parked));
    assert_eq!(state(&executor, "child"), Some(RunState::Running));
    executor.block_on(executor.terminate("child"))?;
    drop(executor);
    let executor = WAITS.open(&store);
    executor.resume("parent")?;
    assert_eq!(executor.block_on(executor.attach(PARENT, "parent")?)?, "cancelled");
    executor.verify("parent")
}

/// A parent that is deleted while it is parked is as one that ended.
#[test]
fn a_parked_parent_that_is_deleted_takes_its_children_along() -> Result<()> {
    let store = MemoryStore::new();
    let executor = parked_parent(&store)?;
    let child = executor.attach(CHILD, "child")?;
    executor.block_on(executor.delete("parent"))?;
    assert!(executor.block_on(child).unwrap_err().is_cancelled());
    assert_eq!(state(&executor, "parent"), None);
    Ok(())
}

/// An id that exists is told to the parent; the run that has it goes on.
#[test]
fn a_child_whose_id_is_taken() -> Result<()> {
    let store = MemoryStore::new();
    let executor = READY.open(&store);
    executor.block_on(executor.start(CHILD, "child", ())?)?;
    let ended = executor.block_on(executor.start(PARENT, "parent", ())?)?;
    assert_eq!(ended, r#"failed: there is a run "child" already: give the child another id"#);
    executor.verify("parent")?;
    // Two of one commit: the first has it.
    async fn twins(ctx: &Ctx, (): ()) -> Result<String> {
        let twin = || ctx.child(CHILD, ()).id("twin");
        let (first, second) = join(twin(), twin()).await;
        assert_eq!(first?, 7);
        Ok(second.unwrap_err().to_string())
    }
    let executor = Executor::builder().workflow(PARENT, twins).workflow(CHILD, ready).in_memory();
    let ended = executor.block_on(executor.start(PARENT, "parent", ())?)?;
    assert!(ended.contains("already"), "{ended}");
    executor.verify("parent")
}

/// A message that does not decode parks its run, and is skipped: in hand, or found waiting.
#[test]
fn a_message_that_does_not_decode_is_skipped() -> Result<()> {
    async fn sum(ctx: &Ctx, (): ()) -> Result<u32> {
        let (a, b) = join(ctx.receive(CENTS), ctx.receive(CENTS)).await;
        let c = ctx.receive(CENTS).await;
        Ok(u32::try_from(a * 100 + b * 10 + c).expect("they are small"))
    }
    let store = MemoryStore::new();
    let open = || Executor::builder().workflow(CHILD, sum).open_with(store.shared());
    let executor = open()?;
    drop(executor.start(CHILD, "sum", ())?);
    let refused = executor.resume_skipping("sum").unwrap_err().to_string();
    assert!(refused.contains("not parked"), "{refused}");
    let send = |executor: &Executor, n| executor.block_on(executor.send("sum", CENTS, n));
    executor.block_on(executor.send("sum", WRONG, "one".into()))?;
    let parked = executor.block_on(executor.attach(CHILD, "sum")?).unwrap_err();
    assert_eq!(parked.park_reason(), Some(ParkReason::Undecodable));
    let advice = "; perhaps its sender sent another type: `Executor::resume_skipping` goes on without it; \
                  or give what is new";
    assert!(parked.to_string().contains(advice), "{parked}");
    // Recorded while it is parked: one that does not decode, in a place of its own.
    send(&executor, 2)?;
    executor.block_on(executor.send("sum", WRONG, "two".into()))?;
    drop(executor);
    let executor = open()?;
    let parked = executor.resume_skipping("sum").unwrap_err();
    assert_eq!(parked.park_reason(), Some(ParkReason::Undecodable), "the other one");
    executor.resume_skipping("sum")?;
    settle(&executor);
    drop(executor);
    // The skips are recorded.
    let executor = open()?;
    send(&executor, 3)?;
    send(&executor, 4)?;
    let sum = executor.block_on(executor.attach(CHILD, "sum")?)?;
    assert_eq!(sum, 234);
    executor.verify("sum")
}

/// Whoever asks for what is done with a message skips no other fault.
#[test]
fn only_messages_are_skipped() -> Result<()> {
    let executor = PANICS.open(&MemoryStore::new());
    let parked = executor.block_on(executor.start(CHILD, "child", ())?);
    assert!(parked.unwrap_err().is_parked());
    let refused = executor.resume_skipping("child").unwrap_err().to_string();
    assert!(refused.contains("there is none to skip"), "{refused}");
    let unknown = executor.resume_skipping("nobody").unwrap_err();
    assert!(unknown.is_not_found());
    Ok(())
}

/// Children of one commit that are dropped by what another of its records brings.
#[test]
fn children_that_are_dropped_while_they_are_started() -> Result<()> {
    async fn hasty(ctx: &Ctx, (): ()) -> Result<String> {
        let failing = async {
            ctx.send("nobody", CENTS, 1).await?;
            Ok::<_, Error>(0)
        };
        // Asked for behind the send, whose failure drops it in the commit that starts it.
        let child = ctx.child(CHILD, ()).id("child");
        let ended = try_join(failing, child).await;
        assert!(ended.unwrap_err().is_not_found());
        ctx.receive(CENTS).await;
        Ok("hasty".into())
    }
    let store = MemoryStore::new();
    let open = || {
        let builder = Executor::builder().workflow(PARENT, hasty).workflow(CHILD, waits);
        builder.open_with(store.shared())
    };
    let executor = open()?;
    let parent = executor.start(PARENT, "parent", ())?;
    executor.block_on(parent.accepted())?;
    settle(&executor);
    // Its parent goes on meanwhile.
    assert_eq!(state(&executor, "child"), Some(RunState::Cancelled));
    executor.block_on(executor.send("parent", CENTS, 1))?;
    assert_eq!(executor.block_on(parent)?, "hasty");
    executor.verify("parent")?;
    drop(executor);
    open()?.verify("child")
}
