//! The executor inside a tokio runtime of one thread, with bodies that need tokio.
//!
//!     cargo run --example inside_tokio
//!
//! `unconstrained` matters: tokio's cooperative budget has its primitives say "pending" after 128
//! operations in one poll, and no history holds that. Nothing is left on the disk.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::{Ctx, Error, Executor, Result, Workflow, try_join_all};
use tokio::sync::Semaphore;
use tokio::time::{interval, sleep};

const SQUARES: Workflow<u64, u64> = Workflow::new("squares");

/// Adds the squares up to `count`; each is computed by a body that waits as tokio waits.
async fn squares(ctx: &Ctx, connections: &Rc<Semaphore>, count: u64) -> Result<u64> {
    let steps = (1..=count).map(|n| {
        let connections = connections.clone();
        let square = async move || {
            let _connection = connections.acquire().await.map_err(Error::new)?;
            sleep(Duration::from_millis(n % 5)).await;
            tokio::spawn(async move { n * n }).await.map_err(Error::new)
        };
        ctx.step("square", square).of(&n)
    });
    let squares: Vec<u64> = try_join_all(steps).await?;
    ctx.sleep(Duration::from_millis(50)).await;
    Ok(squares.iter().sum())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // Another task of the same runtime, which must not starve.
    let ticks = Rc::new(Cell::new(0));
    let local = tokio::task::LocalSet::new();
    let counter = ticks.clone();
    local.spawn_local(async move {
        let mut interval = interval(Duration::from_millis(1));
        loop {
            interval.tick().await;
            counter.set(counter.get() + 1);
        }
    });

    let connections = Rc::new(Semaphore::new(100));
    let executor = Executor::builder()
        .workflow(SQUARES, async move |ctx: &Ctx, n| squares(ctx, &connections, n).await)
        .in_memory();
    let run = executor.start(SQUARES, "squares-1000", 1000)?;
    let driven = tokio::task::unconstrained(executor.run(run));
    let sum = local.run_until(driven).await?;

    executor.verify("squares-1000")?;
    assert_eq!(sum, (1..=1000).map(|n| n * n).sum::<u64>());
    println!("1000 steps on tokio's timers and tasks, 100 at a time: {sum}; a replay agrees");
    println!("meanwhile another task of the runtime had {} turns", ticks.get());
    Ok(())
}
