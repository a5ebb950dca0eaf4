//! Tasks, races, loops over what comes first, channels and locks between tasks.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo::sim::Sim;
use dacapo::{Ctx, Result, Task, race, yield_now};
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::lock::Mutex;
use futures::stream::{self, FuturesUnordered};
use futures::{SinkExt, StreamExt};

use crate::crash::scenario::{Compare, Lines, Scenario, ms, one, say, slow};

pub(in crate::crash) const TASKS: &[Scenario] = &[
    Scenario::new("spawned tasks", Compare::All, |sim| one(sim, spawned)),
    Scenario::new("nested tasks", Compare::All, |sim| one(sim, nested)),
    Scenario::new("detached tasks", Compare::Results, |sim| one(sim, detached)),
    Scenario::new("an aborted task", Compare::Results, |sim| one(sim, aborted)),
    Scenario::new("a race", Compare::OneOf(&["a, a", "b, b"]), |sim| one(sim, raced)),
    Scenario::new("a loser that was begun", Compare::OneOf(&["quick, next"]), |sim| {
        one(sim, loser)
    }),
    Scenario::new("a select", Compare::OneOf(&["a, b", "b, a"]), |sim| one(sim, selected)),
    Scenario::new("futures unordered", Compare::Sorted, |sim| one(sim, unordered)),
    Scenario::new("a buffered stream", Compare::Sorted, |sim| one(sim, buffered)),
    Scenario::new("a channel", Compare::Sorted, |sim| one(sim, channel)),
    Scenario::new("a oneshot from a detached task", Compare::All, |sim| one(sim, told)),
    Scenario::new("a lock", Compare::Sorted, |sim| one(sim, lock)),
    Scenario::new("yields", Compare::All, |sim| one(sim, yields)),
];

/// A task of two steps.
fn worker(ctx: &Ctx, sim: &Sim, who: &'static str) -> Task<Result<String>> {
    let sim = sim.clone();
    ctx.spawn(async move |ctx| {
        let first = say(ctx, &sim, "first", who).await?;
        say(ctx, &sim, "second", first + "2").await
    })
}

async fn spawned(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let [a, b] = ["a", "b"].map(|who| worker(ctx, sim, who));
    Ok(vec![b.await?, a.await?])
}

async fn nested(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let there = sim.clone();
    let outer = ctx.spawn(async move |ctx| -> Result<String> {
        let inner = worker(ctx, &there, "inner");
        Ok(say(ctx, &there, "outer", "outer ").await? + &inner.await?)
    });
    Ok(vec![outer.await?])
}

async fn detached(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    worker(ctx, sim, "a").detach();
    worker(ctx, sim, "b").detach();
    Ok(vec![say(ctx, sim, "root", "root").await?])
}

async fn aborted(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let (kept, dropped) = (worker(ctx, sim, "kept"), worker(ctx, sim, "dropped"));
    let root = say(ctx, sim, "root", "root").await?;
    drop(dropped);
    Ok(vec![root, kept.await?])
}

async fn raced(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let first = race(say(ctx, sim, "a", "a"), say(ctx, sim, "b", "b")).await?;
    Ok(vec![first.clone(), say(ctx, sim, "next", first).await?])
}

/// The loser's body is ended, live by its drop and otherwise by the crash.
async fn loser(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let clock = sim.clock().clone();
    let never = ctx.step("never", async move || {
        clock.sleep(ms(1_000)).await;
        Ok::<_, dacapo::Error>("never".to_owned())
    });
    let first = race(say(ctx, sim, "quick", "quick"), never).await?;
    Ok(vec![first, say(ctx, sim, "next", "next").await?])
}

async fn selected(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    match select(say(ctx, sim, "a", "a"), say(ctx, sim, "b", "b")).await {
        Either::Left((a, b)) => Ok(vec![a?, b.await?]),
        Either::Right((b, a)) => Ok(vec![b?, a.await?]),
    }
}

async fn unordered(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let mut pages: FuturesUnordered<_> = (0..4).map(|n| slow(ctx, sim, "fetch", n)).collect();
    let mut lines = Lines::new();
    while let Some(page) = pages.next().await {
        lines.push(say(ctx, sim, "thumbnail", page?).await?);
    }
    Ok(lines)
}

async fn buffered(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let pages = stream::iter(0..5).map(|n| say(ctx, sim, "page", n)).buffer_unordered(2);
    pages.collect::<Vec<_>>().await.into_iter().collect()
}

async fn channel(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let (sender, mut receiver) = mpsc::channel(1);
    let tasks = ["a", "b", "c"].map(|who| {
        let (sim, mut sender) = (sim.clone(), sender.clone());
        ctx.spawn(async move |ctx| {
            let made = say(ctx, &sim, "make", who).await;
            sender.send(made).await.expect("the root receives");
        })
    });
    drop(sender);
    let mut lines = Lines::new();
    while let Some(made) = receiver.next().await {
        lines.push(say(ctx, sim, "take", made?).await?);
    }
    drop(tasks);
    Ok(lines)
}

async fn told(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let (sender, receiver) = oneshot::channel();
    let there = sim.clone();
    let task = ctx.spawn(async move |ctx| {
        let _ = sender.send(say(ctx, &there, "count", 4).await);
    });
    task.detach();
    let beside = say(ctx, sim, "beside", "beside").await?;
    Ok(vec![beside, receiver.await.expect("the task sends")?])
}

async fn lock(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let lock = Rc::new(Mutex::new(Lines::new()));
    let tasks = ["a", "b", "c"].map(|who| {
        let (sim, lock) = (sim.clone(), lock.clone());
        ctx.spawn(async move |ctx| -> Result<()> {
            let first = say(ctx, &sim, "first", who).await?;
            let mut lines = lock.lock().await;
            lines.push(say(ctx, &sim, "locked", first).await?);
            Ok(())
        })
    });
    for task in tasks {
        task.await?;
    }
    Ok(lock.lock().await.clone())
}

async fn yields(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let order = Rc::new(RefCell::new(Lines::new()));
    let tasks = ["a", "b"].map(|who| {
        let order = order.clone();
        ctx.spawn(async move |_| {
            for n in 0..3 {
                order.borrow_mut().push(format!("{who}{n}"));
                yield_now().await;
            }
        })
    });
    let step = say(ctx, sim, "step", "step").await?;
    for task in tasks {
        task.await;
    }
    order.borrow_mut().push(step);
    Ok(order.take())
}
