//! Disks on which other processes, or other builds, left something.

use dacapo::sim::Sim;
use dacapo::{Builder, Ctx, Executor, Result};

use super::several::steps;
use crate::crash::scenario::{Before, Compare, Lines, Scenario, add, ms, one, say};

const AND_B: &[(&str, &str)] = &[("a", "w"), ("b", "other")];

pub(in crate::crash) const BEFORE: &[Scenario] = &[
    Scenario::new("a long history", Compare::All, |sim| one(sim, long))
        .before(&[Before { build: |sim| one(sim, long), runs: &[("run", "w")] }]),
    Scenario::new("a run parked by divergence beside others", Compare::All, second_build)
        .runs(&[("a", "w"), ("b", "other"), ("c", "other")])
        .before(&[Before { build: first_build, runs: AND_B }]),
    Scenario::new("a run that was parked already", Compare::All, second_build)
        .runs(&[("a", "w"), ("b", "other"), ("c", "other")])
        .before(&[
            Before { build: first_build, runs: AND_B },
            Before { build: second_build, runs: &[] },
        ]),
    Scenario::new("a parked run that is resumed", Compare::All, first_build)
        .runs(AND_B)
        .before(&[
            Before { build: first_build, runs: AND_B },
            Before { build: second_build, runs: &[] },
        ])
        .resumed(&["a"]),
    Scenario::new("a parked run that is resumed in vain", Compare::All, second_build)
        .runs(AND_B)
        .before(&[
            Before { build: first_build, runs: AND_B },
            Before { build: second_build, runs: &[] },
        ])
        .resumed(&["a"]),
    Scenario::new("a run that nobody knows", Compare::All, only_other)
        .runs(&[("b", "other"), ("c", "other")])
        .before(&[Before { build: first_build, runs: AND_B }])
        .unregistered(&["a"]),
    Scenario::new("runs that have ended", Compare::All, |sim| one(sim, steps))
        .runs(&[("a", "w"), ("b", "w"), ("c", "w")])
        .before(&[Before { build: |sim| one(sim, steps), runs: &[("a", "w"), ("b", "w")] }]),
];

async fn long(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let mut lines = Lines::new();
    for n in 0..30 {
        lines.push(say(ctx, sim, "next", n).await?);
    }
    ctx.sleep(ms(86_400_000)).await;
    lines.push(say(ctx, sim, "last", lines.len()).await?);
    Ok(lines)
}

/// Two steps and a long sleep, after which the build is changed.
async fn two_steps(ctx: &Ctx, sim: &Sim, name: &'static str) -> Result<Lines> {
    let first = say(ctx, sim, name, "first").await?;
    let second = say(ctx, sim, "second", "second").await?;
    ctx.sleep(ms(86_400_000)).await;
    Ok(vec![first, second, say(ctx, sim, "third", "third").await?])
}

fn first_build(sim: &Sim) -> Builder {
    let builder =
        add(Executor::builder(), sim, "w", async |ctx, sim, _| two_steps(ctx, sim, "first").await);
    add(builder, sim, "other", other)
}

fn second_build(sim: &Sim) -> Builder {
    let builder = add(Executor::builder(), sim, "w", async |ctx, sim, _| {
        two_steps(ctx, sim, "another").await
    });
    add(builder, sim, "other", other)
}

fn only_other(sim: &Sim) -> Builder {
    add(Executor::builder(), sim, "other", other)
}

async fn other(ctx: &Ctx, sim: &Sim, n: u32) -> Result<Lines> {
    let first = say(ctx, sim, "one", n).await?;
    ctx.sleep(ms(86_400_000)).await;
    Ok(vec![first, say(ctx, sim, "two", 2).await?])
}
