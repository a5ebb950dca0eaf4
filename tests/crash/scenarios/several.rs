//! Several runs on one disk, which share commits; some end, fail, or are parked.

use std::cell::RefCell;

use dacapo::sim::Sim;
use dacapo::{Builder, Ctx, Error, Executor, Result, yield_now};
use futures::channel::oneshot;

use crate::crash::scenario::{Compare, Lines, Scenario, add, ms, one, say};

pub(in crate::crash) const SEVERAL: &[Scenario] = &[
    Scenario::new("five runs at once", Compare::All, |sim| one(sim, steps)).runs(&[
        ("a", "w"),
        ("b", "w"),
        ("c", "w"),
        ("d", "w"),
        ("e", "w"),
    ]),
    Scenario::new("three runs one by one", Compare::All, |sim| one(sim, steps))
        .runs(&[("a", "w"), ("b", "w"), ("c", "w")])
        .one_by_one(),
    Scenario::new("one ends, one fails, one goes on", Compare::All, mixed).runs(&[
        ("a", "short"),
        ("b", "fails"),
        ("c", "w"),
    ]),
    Scenario::new("runs that sleep", Compare::All, |sim| one(sim, sleeper)).runs(&[
        ("a", "w"),
        ("b", "w"),
        ("c", "w"),
    ]),
    Scenario::new("a run that stalls", Compare::All, with_fault)
        .runs(&[("a", "stalls"), ("b", "w")]),
    Scenario::new("a run that panics", Compare::All, with_fault)
        .runs(&[("b", "w"), ("a", "panics")]),
    Scenario::new("a run in a live-lock", Compare::All, with_fault)
        .runs(&[("a", "live-lock"), ("b", "w")]),
    Scenario::new("a run woken from outside", Compare::Results, with_fault)
        .runs(&[("a", "woken"), ("b", "w")]),
    Scenario::new("every way to be parked at once", Compare::Results, with_fault).runs(&[
        ("a", "stalls"),
        ("b", "panics"),
        ("c", "live-lock"),
        ("d", "woken"),
        ("e", "w"),
    ]),
];

pub(super) async fn steps(ctx: &Ctx, sim: &Sim, n: u32) -> Result<Lines> {
    let mut lines = Lines::new();
    for next in 0..3 {
        lines.push(say(ctx, sim, "next", n + next).await?);
    }
    Ok(lines)
}

async fn sleeper(ctx: &Ctx, sim: &Sim, n: u32) -> Result<Lines> {
    ctx.sleep(ms(u64::from(n % 2) * 10)).await;
    let step = say(ctx, sim, "between", n).await?;
    ctx.sleep(ms(60_000)).await;
    Ok(vec![step])
}

fn mixed(sim: &Sim) -> Builder {
    let builder = add(Executor::builder(), sim, "short", async |ctx, sim, _| {
        Ok(vec![say(ctx, sim, "one", 1).await?])
    });
    let builder = add(builder, sim, "fails", async |ctx, sim, _| {
        let one = say(ctx, sim, "one", 1).await?;
        Err(Error::new(format!("{one} is refused")))
    });
    add(builder, sim, "w", steps)
}

fn with_fault(sim: &Sim) -> Builder {
    let builder = Executor::builder().poll_budget(500);
    let builder = add(builder, sim, "stalls", async |ctx, sim, _| {
        say(ctx, sim, "one", 1).await?;
        std::future::pending().await
    });
    let builder = add(builder, sim, "panics", async |ctx, sim, _| -> Result<Lines> {
        say(ctx, sim, "one", 1).await?;
        std::panic::resume_unwind(Box::new("it panics, and nobody hears it"))
    });
    let builder = add(builder, sim, "live-lock", async |ctx, sim, _| {
        say(ctx, sim, "one", 1).await?;
        loop {
            yield_now().await;
        }
    });
    add(add(builder, sim, "woken", woken), sim, "w", steps)
}

/// Its body tells it something that no history holds.
async fn woken(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    say(ctx, sim, "one", 1).await?;
    let (sender, receiver) = oneshot::channel();
    let sender = RefCell::new(Some(sender));
    let tell = ctx.step("tell", async move || -> Result<Lines> {
        sender.take().expect("it is told once").send(7).expect("someone listens");
        std::future::pending().await
    });
    let listen = async move { Ok(vec![receiver.await.expect("it is told").to_string()]) };
    dacapo::race(tell, listen).await
}
