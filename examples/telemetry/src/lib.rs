//! Some orders, for whoever watches them.

use std::time::Duration;

use dacapo::{Attempt, Ctx, Error, Executor, Result, Retry, Workflow, try_join_all};

const ORDER: Workflow<u32, u32> = Workflow::new("order");

async fn order(ctx: &Ctx, cents: u32) -> Result<u32> {
    ctx.step("reserve", async || Ok::<_, Error>(())).label("tea").await?;
    ctx.sleep(Duration::from_millis(20)).await;
    tracing::info!("the goods are there");
    let charge = async move |attempt: Attempt| match attempt.number() {
        1 if cents % 200 == 0 => Err(Error::new("the bank is closed")),
        _ => Ok(cents),
    };
    let retry = Retry::exponential(Duration::from_millis(5));
    ctx.step_with("charge", charge).retry(retry).await
}

/// Carries out some orders, of which none stays in memory while it sleeps; so each is replayed once.
///
/// # Errors
///
/// If one of them fails.
pub fn carry_out_orders(orders: u32) -> Result<u32> {
    let executor = Executor::builder().workflow(ORDER, order).resident_max(0).in_memory();
    let start = |n: u32| executor.start(ORDER, &format!("order-{n}"), n * 100);
    let orders: Vec<_> = (1..=orders).map(start).collect::<Result<_>>()?;
    Ok(executor.block_on(try_join_all(orders))?.into_iter().sum())
}
