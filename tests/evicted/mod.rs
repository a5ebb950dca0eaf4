//! Runs that leave memory while they sleep: nothing but memory and time may tell.

mod asleep;
mod cost;
mod pending;
mod same;
mod trouble;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::{Builder, Ctx, Executor, Result, Timestamp, Workflow};

const NAP: Workflow<u64, u64> = Workflow::new("nap");

/// How many workflows are in memory, and how many were at most.
#[derive(Clone, Default)]
struct Alive {
    now: Rc<Cell<usize>>,
    most: Rc<Cell<usize>>,
}

/// One of them.
struct Living(Alive);

impl Alive {
    fn one_more(&self) -> Living {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        Living(self.clone())
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get() - 1);
    }
}

/// Naps twice, and gives its input back.
async fn nap(ctx: &Ctx, alive: &Alive, millis: u64) -> Result<u64> {
    let _living = alive.one_more();
    ctx.sleep(Duration::from_millis(millis)).await;
    ctx.sleep(Duration::from_millis(millis)).await;
    Ok(millis)
}

fn build(alive: &Alive) -> Builder {
    let alive = alive.clone();
    Executor::builder()
        .seed(1)
        .clock(VirtualClock::new(Timestamp::default()))
        .workflow(NAP, async move |ctx: &Ctx, millis| nap(ctx, &alive, millis).await)
}
