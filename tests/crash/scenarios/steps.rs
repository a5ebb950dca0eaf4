//! Steps: one after the other, at once, labelled, tried again, failing, at most once.

use dacapo::sim::Sim;
use dacapo::{Attempt, Ctx, Error, Result, Retry, join, join_all, try_join};
use serde::{Deserialize, Serialize};

use crate::crash::scenario::{Compare, Lines, Scenario, ms, one, say};

pub(in crate::crash) const STEPS: &[Scenario] = &[
    Scenario::new("a sequence", Compare::All, |sim| one(sim, sequence)),
    Scenario::new("a join", Compare::All, |sim| one(sim, both)),
    Scenario::new("a join_all", Compare::All, |sim| one(sim, all)),
    Scenario::new("a try_join", Compare::Results, |sim| one(sim, try_both)),
    Scenario::new("labels", Compare::All, |sim| one(sim, labels)),
    Scenario::new("retries", Compare::All, |sim| one(sim, retries)),
    Scenario::new("a body that panics", Compare::All, |sim| one(sim, panics)),
    Scenario::new("a failure that is handled", Compare::All, |sim| one(sim, handled)),
    Scenario::new("a run that fails", Compare::All, |sim| one(sim, fails)),
    Scenario::new("at most once", Compare::Results, |sim| one(sim, once)),
    Scenario::new("at most once, at once", Compare::Results, |sim| one(sim, once_at_once)),
    Scenario::new("twenty at once", Compare::All, |sim| one(sim, twenty)),
    Scenario::new("large outcomes", Compare::All, |sim| one(sim, large)),
    Scenario::new("values of new shapes", Compare::All, |sim| one(sim, shapes)),
    Scenario::new("numbers that nobody uses", Compare::All, |sim| one(sim, gaps)),
    Scenario::new("random numbers", Compare::All, |sim| one(sim, random)),
    Scenario::new("no step at all", Compare::All, |_| {
        dacapo::Executor::builder()
            .workflow(dacapo::Workflow::<u32, Lines>::new("w"), async |_: &Ctx, n: u32| {
                Ok::<_, Error>(vec![n.to_string()])
            })
    }),
];

async fn sequence(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let mut lines = Lines::new();
    for n in 0..3 {
        let after = lines.last().cloned().unwrap_or_default();
        lines.push(say(ctx, sim, "next", format!("{after}{n}")).await?);
    }
    Ok(lines)
}

/// Each commit brings the shape of its value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Value {
    None,
    Text(String),
    Price { net: u32, tax: Option<u32> },
    List(Vec<Value>),
}

async fn shapes(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let price = |tax| Value::Price { net: 100, tax };
    let values = [
        Value::None,
        price(None),
        Value::Text("tea".into()),
        price(Some(19)),
        Value::List(vec![price(None), Value::Text("cup".into())]),
    ];
    let mut lines = Lines::new();
    for value in values {
        let (sim, expected) = (sim.clone(), value.clone());
        let body = async move |attempt: Attempt| {
            sim.note(&attempt);
            sim.latency().await;
            Ok::<_, Error>(value.clone())
        };
        let found = ctx.step_with("value", body).retry(Retry::exponential(ms(1))).await?;
        assert_eq!(found, expected);
        lines.push(format!("{found:?}"));
    }
    Ok(lines)
}

async fn both(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let (a, b) = join(say(ctx, sim, "a", 1), say(ctx, sim, "b", 2)).await;
    Ok(vec![a?, b?])
}

async fn all(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let branches = ["a", "b", "c"].map(|who| {
        let first = say(ctx, sim, "first", who);
        let second = say(ctx, sim, "second", who);
        async move { Ok(first.await? + &second.await?) }
    });
    join_all(branches).await.into_iter().collect()
}

async fn try_both(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let refuse = async {
        say(ctx, sim, "a", 1).await?;
        Err::<String, _>(Error::new("refused"))
    };
    let error = try_join(refuse, say(ctx, sim, "b", 2)).await.expect_err("it is refused");
    let last = say(ctx, sim, "last", error).await?;
    Ok(vec![last])
}

async fn labels(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let steps = ["tea", "cup"].map(|what| say(ctx, sim, "reserve", what).label(what));
    join_all(steps).await.into_iter().collect()
}

/// A crash counts as an attempt, so that fewer of them may fail.
async fn retries(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let sim = sim.clone();
    let step = ctx.step_with("retried", async move |attempt: Attempt| {
        sim.note(&attempt);
        sim.latency().await;
        if attempt.number() < 3 { Err(Error::new("not yet")) } else { Ok("done".to_owned()) }
    });
    Ok(vec![step.retry(Retry::exponential(ms(10)).max_attempts(9)).await?])
}

async fn panics(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let sim = sim.clone();
    let step = ctx.step_with("retried", async move |attempt: Attempt| -> Result<String> {
        sim.note(&attempt);
        if attempt.number() < 2 {
            std::panic::resume_unwind(Box::new("the first attempt panics, and says nothing"));
        }
        Ok("done".to_owned())
    });
    Ok(vec![step.retry(Retry::exponential(ms(10)).max_attempts(9)).await?])
}

async fn handled(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let there = sim.clone();
    let step = ctx.step_with("refuse", async move |attempt: Attempt| -> Result<()> {
        there.note(&attempt);
        there.latency().await;
        Err(Error::new("refused").permanent())
    });
    let error = step.await.expect_err("it is refused");
    let undone = say(ctx, sim, "undo", "undone").await?;
    Ok(vec![error.is_permanent().to_string(), undone])
}

async fn fails(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let name = say(ctx, sim, "name", "ada").await?;
    Err(Error::new(format!("{name} is refused")))
}

/// What a body does may be found out when it was cut off.
async fn charge_once(ctx: &Ctx, sim: &Sim, name: &'static str) -> Result<String> {
    match say(ctx, sim, name, "charged").at_most_once().await {
        Err(error) if error.is_interrupted() => say(ctx, sim, "look", "charged").await,
        charged => charged,
    }
}

async fn once(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let charged = charge_once(ctx, sim, "once").await?;
    Ok(vec![charged, say(ctx, sim, "tell", "told").await?])
}

async fn once_at_once(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let (a, b) = (charge_once(ctx, sim, "once a"), charge_once(ctx, sim, "once b"));
    let charges = join(a, b);
    let ((a, b), c) = join(charges, say(ctx, sim, "c", "c")).await;
    Ok(vec![a?, b?, c?])
}

async fn twenty(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let there = sim.clone();
    let step = |n: u32| {
        let sim = there.clone();
        ctx.step_with("coarse", async move |attempt: Attempt| -> Result<u32> {
            sim.note(&attempt);
            sim.clock().sleep(ms(sim.random() % 3)).await;
            Ok(n)
        })
    };
    let sum = join_all((0..20).map(step)).await.into_iter().sum::<Result<u32>>()?;
    Ok(vec![say(ctx, sim, "sum", sum).await?])
}

/// Longer than a block and than redb's page.
async fn large(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let text = say(ctx, sim, "large", "tea ".repeat(17_500)).await?;
    Ok(vec![say(ctx, sim, "length", text.len()).await?])
}

/// An operation that is built and never polled leaves a gap and nothing else.
async fn gaps(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    drop(say(ctx, sim, "never", 0));
    let second = say(ctx, sim, "second", 2);
    let _kept = say(ctx, sim, "kept", 3);
    let lines = vec![second.await?, say(ctx, sim, "fourth", 4).await?];
    Ok(lines)
}

async fn random(ctx: &Ctx, sim: &Sim, _: u32) -> Result<Lines> {
    let first = say(ctx, sim, "first", ctx.random()).await?;
    let second = say(ctx, sim, "second", ctx.random()).await?;
    Ok(vec![first, second, ctx.id().to_owned()])
}
