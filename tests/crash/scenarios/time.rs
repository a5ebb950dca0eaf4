//! Sleeps, limits of time, waits between attempts.

use dacapo::sim::Sim;
use dacapo::{Attempt, Ctx, Result, Retry, join, join_all, race};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::crash::scenario::{Compare, Lines, Scenario, ms, one, say};

pub(in crate::crash) const TIME: &[Scenario] = &[
    Scenario::new("a sleep of a day", Compare::All, |sim| one(sim, day)),
    Scenario::new("sleeps at once", Compare::All, |sim| one(sim, sleeps)),
    Scenario::new("a sleep beside steps", Compare::All, |sim| one(sim, beside)),
    Scenario::new("a limit that passes", Compare::Results, |sim| one(sim, passes)),
    Scenario::new("a limit that does not pass", Compare::All, |sim| one(sim, in_time)),
    Scenario::new("a limit of each attempt", Compare::All, |sim| one(sim, attempts)),
    Scenario::new("a step or a sleep", Compare::OneOf(&["step, then", "sleep, then"]), |sim| {
        one(sim, step_or_sleep)
    }),
    Scenario::new("limits in a loop", Compare::Results, |sim| one(sim, limits)),
    Scenario::new("now", Compare::All, |sim| one(sim, now)),
];

const DAY: std::time::Duration = ms(86_400_000);

async fn day(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let before = say(ctx, sim, "before", "before").await?;
    ctx.sleep(DAY).await;
    Ok(vec![before, say(ctx, sim, "after", "after").await?])
}

async fn sleeps(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    join_all([30, 10, 20, 10].map(|millis| ctx.sleep(ms(millis)))).await;
    Ok(vec![say(ctx, sim, "after", "after").await?])
}

async fn beside(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let steps = join(say(ctx, sim, "a", "a"), say(ctx, sim, "b", "b"));
    let ((a, b), ()) = join(steps, ctx.sleep(ms(20))).await;
    Ok(vec![a?, b?])
}

async fn passes(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let never = ctx.step("never", async || -> Result<()> { std::future::pending().await });
    let elapsed = ctx.timeout(ms(10), never).await.expect_err("it is never ready");
    Ok(vec![say(ctx, sim, "after", elapsed).await?])
}

async fn in_time(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let step = ctx.timeout(DAY, say(ctx, sim, "step", "step")).await;
    let step = step.expect("no outage takes a day")?;
    Ok(vec![step, say(ctx, sim, "after", "after").await?])
}

/// The first attempt hangs, unless a crash has cut it off.
async fn attempts(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let sim = sim.clone();
    let step = ctx.step_with("retried", async move |attempt: Attempt| -> Result<String> {
        sim.note(&attempt);
        if attempt.number() < 2 {
            std::future::pending::<()>().await;
        }
        Ok("done".into())
    });
    let step = step.timeout(ms(30)).retry(Retry::exponential(ms(10)).jitter(0.5).max_attempts(9));
    Ok(vec![step.await?])
}

async fn step_or_sleep(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let sleep = async {
        ctx.sleep(ms(15)).await;
        Ok("sleep".to_owned())
    };
    let first = race(say(ctx, sim, "step", "step"), sleep).await?;
    Ok(vec![first, say(ctx, sim, "then", "then").await?])
}

/// Each page comes in time or does not, and is noted either way.
async fn limits(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let fetches = (0..4).map(|n| {
        let fetch = ctx.timeout(ms(25), say(ctx, sim, "fetch", n));
        async move { (n, fetch.await) }
    });
    let mut fetches: FuturesUnordered<_> = fetches.collect();
    let mut noted = 0;
    while let Some((n, page)) = fetches.next().await {
        if let Ok(page) = page {
            assert_eq!(page?, n.to_string());
        }
        noted += say(ctx, sim, "note", n).await?.len();
    }
    Ok(vec![noted.to_string()])
}

/// Time never goes back, however long nothing ran.
async fn now(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let mut times = vec![ctx.now()];
    for n in 0..3 {
        say(ctx, sim, "step", n).await?;
        times.push(ctx.now());
        ctx.sleep(ms(5)).await;
        assert!(ctx.now() >= times[times.len() - 1] + ms(5));
    }
    Ok(vec![times.is_sorted().to_string()])
}
