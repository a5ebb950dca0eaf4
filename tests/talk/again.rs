//! Runs that go on in another pass.

use std::cell::RefCell;
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::{MemoryStore, RunState};
use dacapo::{
    Attempt, Builder, Cause, Channel, Ctx, Error, Executor, ParkReason, Result, Start, Topic,
    Workflow, join_all, race,
};
use futures::StreamExt;
use futures::future::poll_immediate;
use serde::{Deserialize, Serialize};

use super::send;

const COUNT: Workflow<Sum, Vec<u64>> = Workflow::new("count");
const CHILD: Workflow<(), u32> = Workflow::new("child");
const PARENT: Workflow<(), u32> = Workflow::new("parent");
const MORE: Channel<u64> = Channel::new("more");

#[derive(Clone, Default, Debug, Serialize, Deserialize)]
struct Sum {
    seen: Vec<u64>,
    expected: usize,
}

/// Takes a few messages in each pass, with receives that are dropped with messages in hand, and bodies
/// under way when the pass ends.
async fn count(ctx: &Ctx, sim: &Sim, mut sum: Sum) -> Result<Vec<u64>> {
    let step = |name, n: u64| {
        let sim = sim.clone();
        ctx.step_with(name, async move |attempt: Attempt| {
            sim.latency().await;
            sim.note(&attempt);
            Ok::<_, Error>(n)
        })
    };
    for _ in 0..1 + ctx.random() % 3 {
        if sum.seen.len() == sum.expected {
            return Ok(sum.seen);
        }
        let message = ctx.receive(MORE).await;
        sum.seen.push(step("weigh", message).await?);
    }
    if sum.seen.len() == sum.expected {
        return Ok(sum.seen);
    }
    let sum = Rc::new(RefCell::new(sum));
    let also = sum.clone();
    let under_way = ctx.spawn(async move |ctx: &Ctx| {
        let first = ctx.receive(MORE).await;
        also.borrow_mut().seen.push(first);
        let mut held = pin!(ctx.receive(MORE));
        let second = poll_immediate(&mut held).await;
        also.borrow_mut().seen.extend(second);
        // From here on it has in hand what comes, and does not look.
        pending::<()>().await;
    });
    let left = step("left", 0);
    let again = async {
        step("last", 1).await?;
        let sum = sum.borrow().clone();
        if sum.seen.len() == sum.expected {
            return Ok(sum.seen);
        }
        ctx.again(COUNT, sum).await
    };
    let ends = race(again, async {
        left.await?;
        pending().await
    });
    let ended = ends.await;
    drop(under_way);
    ended
}

fn build(sim: &Sim) -> Builder {
    let sim = sim.clone();
    Executor::builder().workflow(COUNT, async move |ctx: &Ctx, sum| count(ctx, &sim, sum).await)
}

/// Whatever the passes drop in hand, each message is taken once, and in its order.
#[test]
fn messages_go_over_at_every_crash() {
    let input = Sum { seen: Vec::new(), expected: 9 };
    let check = sim::check(COUNT).start("run", input).seeds(0..60).client(async |executor, sim| {
        for n in 0..9 {
            send(executor, sim, "run", (MORE, n, &format!("key-{n}"))).await?;
        }
        Ok(())
    });
    let report = check.crash_loops().run(build, |seen| {
        assert_eq!(*seen, (0..9).collect::<Vec<_>>());
    });
    assert!(report.distinct_traces > 100, "{report:?}");
}

/// What waits for a run waits for its last pass: handles, and its parent.
#[test]
fn a_child_that_goes_on_keeps_its_parent() -> Result<()> {
    let executor = Executor::builder()
        .workflow(CHILD, async |ctx: &Ctx, ()| {
            ctx.step("one", async || Ok::<_, Error>(())).await?;
            if ctx.pass() < 3 { ctx.again(CHILD, ()).await } else { Ok(ctx.pass()) }
        })
        .workflow(PARENT, async |ctx: &Ctx, ()| ctx.child(CHILD, ()).id("child").await)
        .in_memory();
    assert_eq!(executor.block_on(executor.start(PARENT, "parent", ())?)?, 3);
    assert_eq!(executor.block_on(executor.attach(CHILD, "child")?)?, 3);
    let runs = executor.runs(&Default::default())?;
    let child = runs.iter().filter(|run| run.id == "child");
    let child: Vec<_> = child.map(|run| (run.pass, run.state)).collect();
    let expected = [(1, RunState::Continued), (2, RunState::Continued), (3, RunState::Completed)];
    assert_eq!(child, expected);
    executor.verify("child")?;
    // They go together, and the id is free.
    executor.block_on(executor.delete("child"))?;
    let runs = executor.runs(&Default::default())?;
    assert!(runs.iter().all(|run| run.id != "child"), "{runs:?}");
    assert!(executor.start(CHILD, "child", ())?.is_new());
    Ok(())
}

#[test]
fn a_run_that_only_goes_on_is_parked() -> Result<()> {
    let executor = Executor::builder()
        .workflow(CHILD, async |ctx: &Ctx, ()| ctx.again(CHILD, ()).await)
        .in_memory();
    let ended = executor.block_on(executor.start(CHILD, "child", ())?);
    assert_eq!(ended.unwrap_err().park_reason(), Some(ParkReason::LiveLock));
    Ok(())
}

#[test]
fn a_run_of_one_workflow_cannot_go_on_as_another() -> Result<()> {
    let executor = Executor::builder()
        .workflow(CHILD, async |ctx: &Ctx, ()| ctx.again(PARENT, ()).await)
        .in_memory();
    let ended = executor.block_on(executor.start(CHILD, "child", ())?).unwrap_err();
    assert_eq!(ended.park_reason(), Some(ParkReason::Misused));
    let shown = ended.to_string();
    assert!(shown.contains(r#"a run of workflow "child" cannot go on as "parent""#), "{shown}");
    Ok(())
}

/// A run that was asked to end, and goes on, is told in each pass.
#[test]
fn a_cancel_goes_over_and_so_do_deadline_and_attributes() -> Result<()> {
    let (clock, store) = (VirtualClock::default(), MemoryStore::new());
    let open = || {
        Executor::builder()
            .clock(clock.clone())
            .workflow(CHILD, async |ctx: &Ctx, ()| {
                let nap = async {
                    ctx.sleep(Duration::from_secs(60)).await;
                    None
                };
                match race(async { Some(ctx.cancelled().await) }, nap).await {
                    Some(cause) if ctx.pass() > 3 => {
                        assert_eq!(cause, Cause::Deadline);
                        Ok(ctx.pass())
                    }
                    _ => ctx.again(CHILD, ()).await,
                }
            })
            .open_with(store.shared())
    };
    let executor = open()?;
    let start = Start::new().timeout(Duration::from_secs(90)).attribute("customer", "ada");
    let run = executor.start_with(CHILD, "child", (), start)?;
    executor.block_on(run.accepted())?;
    drop((run, executor));
    let executor = open()?;
    // Passes 1 and 2 end with the nap; the second one and all others are told.
    assert_eq!(executor.block_on(executor.attach(CHILD, "child")?)?, 4);
    let runs = executor.runs(&Default::default())?;
    assert!(runs.iter().all(|run| run.attributes == [("customer".into(), "ada".into())]));
    Ok(())
}

/// One that somebody asked for goes over, too, which is nowhere but in the history of the pass before.
#[test]
fn a_cancel_from_outside_goes_over() -> Result<()> {
    let executor = Executor::builder()
        .clock(VirtualClock::default())
        .workflow(CHILD, async |ctx: &Ctx, ()| {
            let nap = async {
                ctx.sleep(Duration::from_secs(60)).await;
                None
            };
            let told = race(async { Some(ctx.cancelled().await) }, nap).await;
            assert_eq!(told, Some(Cause::Asked), "in pass {}", ctx.pass());
            if ctx.pass() < 3 { ctx.again(CHILD, ()).await } else { Ok(ctx.pass()) }
        })
        .in_memory();
    let run = executor.start(CHILD, "child", ())?;
    executor.block_on(async {
        run.accepted().await?;
        executor.cancel("child").await
    })?;
    assert_eq!(executor.block_on(run)?, 3);
    executor.verify("child")
}

/// Keys of messages that were taken are known in the passes that follow, for a while.
#[test]
fn keys_go_over() -> Result<()> {
    let clock = VirtualClock::default();
    let executor = Executor::builder()
        .clock(clock.clone())
        .keep_keys(Duration::from_secs(3600))
        .workflow(COUNT, async |ctx: &Ctx, mut sum: Sum| {
            sum.seen.push(ctx.receive(MORE).await);
            if sum.seen.len() == sum.expected {
                return Ok(sum.seen);
            }
            ctx.again(COUNT, sum).await
        })
        .in_memory();
    let run = executor.start(COUNT, "run", Sum { seen: Vec::new(), expected: 4 })?;
    let sleep = |seconds| {
        let nap = clock.clone();
        async move { nap.sleep(Duration::from_secs(seconds)).await }
    };
    let client = async {
        for n in [1, 1, 2, 1] {
            executor.send("run", MORE, n).key(n).await?;
        }
        sleep(3601).await;
        // They are forgotten by the pass that follows.
        executor.send("run", MORE, 3).key(3).await?;
        executor.send("run", MORE, 1).key(1).await
    };
    executor.block_on(client)?;
    assert_eq!(executor.block_on(run)?, [1, 2, 3, 1]);
    Ok(())
}

/// The same of a run whose code is not there: its history says what its passes before had.
#[test]
fn keys_of_passes_before_are_known_without_the_code() -> Result<()> {
    let store = MemoryStore::new();
    let open = |has_code: bool| {
        let builder = Executor::builder().clock(VirtualClock::default());
        let builder = match has_code {
            false => builder,
            true => builder.workflow(COUNT, async |ctx: &Ctx, mut sum: Sum| {
                sum.seen.push(ctx.receive(MORE).await);
                if sum.seen.len() == sum.expected {
                    return Ok(sum.seen);
                }
                ctx.again(COUNT, sum).await
            }),
        };
        builder.open_with(store.shared())
    };
    let executor = open(true)?;
    drop(executor.start(COUNT, "run", Sum { seen: Vec::new(), expected: 2 })?);
    executor.block_on(async {
        executor.send("run", MORE, 1).key("a").await?;
        // The pass has gone by when this is told.
        executor.cancel("nobody").await.unwrap_err();
        executor.cancel("nobody").await.unwrap_err();
        Ok::<_, Error>(())
    })?;
    drop(executor);
    let executor = open(false)?;
    assert_eq!(executor.runs(&Default::default())?.len(), 2, "there are two passes");
    executor.block_on(executor.send("run", MORE, 1).key("a"))?;
    executor.block_on(executor.send("run", MORE, 2).key("b"))?;
    drop(executor);
    let executor = open(true)?;
    assert_eq!(executor.block_on(executor.attach(COUNT, "run")?)?, [1, 2]);
    Ok(())
}

/// A commit that is full leaves marks over, and what comes with it ends their pass: they are recorded
/// before its end.
#[test]
fn marks_that_are_left_over_come_before_the_end_of_their_pass() -> Result<()> {
    const BIG: Workflow<(), ()> = Workflow::new("big");
    const BYTES: Topic<Vec<u8>> = Topic::new("bytes");
    const STATUS: Topic<u32> = Topic::new("status");
    let executor = Executor::builder()
        .workflow(BIG, async |ctx: &Ctx, ()| {
            ctx.publish(BYTES, vec![7; 17 << 20]);
            ctx.sleep(Duration::ZERO).await;
            Ok::<_, Error>(())
        })
        .workflow(CHILD, async |ctx: &Ctx, ()| {
            ctx.publish(STATUS, ctx.pass());
            ctx.receive(MORE).await;
            if ctx.pass() == 1 { ctx.again(CHILD, ()).await } else { Ok(ctx.pass()) }
        })
        .in_memory();
    let (big, child) = (executor.start(BIG, "big", ())?, executor.start(CHILD, "child", ())?);
    executor.block_on(async {
        child.accepted().await?;
        executor.send("child", MORE, 1).await?;
        executor.send("child", MORE, 2).await
    })?;
    executor.block_on(big)?;
    assert_eq!(executor.block_on(child)?, 2);
    let published = executor.follow("child", STATUS, 0).collect::<Vec<_>>();
    let published: Result<Vec<_>> = executor.block_on(published).into_iter().collect();
    assert_eq!(published?, [(0, 1), (1, 2)]);
    executor.verify("child")
}

/// Many at once, with their handles.
#[test]
fn handles_wait_for_the_last_pass() -> Result<()> {
    let executor = Executor::builder()
        .workflow(CHILD, async |ctx: &Ctx, ()| {
            ctx.sleep(Duration::from_millis(1)).await;
            if ctx.pass() < 5 { ctx.again(CHILD, ()).await } else { Ok(ctx.pass()) }
        })
        .in_memory();
    let runs: Vec<_> =
        (0..20).map(|n| executor.start(CHILD, &format!("{n}"), ())).collect::<Result<_>>()?;
    let passes = executor.block_on(join_all(runs));
    assert!(passes.iter().all(|pass| *pass == Ok(5)), "{passes:?}");
    Ok(())
}
