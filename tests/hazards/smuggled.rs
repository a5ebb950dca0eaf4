//! Handles that are moved into a body: it drops them at a moment that no history holds.
//!
//! The types cannot exclude it, since operations and tasks are `'static`, so it is outside of the
//! contract, like every side channel between a body and its workflow. A replay does not run the
//! body, so there what it dropped lives longer; the simulation finds what differs.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo::sim::Sim;
use dacapo::{Ctx, ParkReason, Result, join};
use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};

use super::common::{Lines, Log, Process, check, found, ms, named};

/// A body that cancels a task, which other tasks go on to feed: in a replay it would be fed for
/// longer, so the run is parked.
#[test]
fn a_task_that_is_dropped_by_a_body() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let (log, there) = (Log::default(), Log::default());
        let (sender, mut receiver) = mpsc::unbounded();
        let task = ctx.spawn(async move |_| {
            while let Some(n) = receiver.next().await {
                there.line(n);
            }
        });
        let (task, there) = (RefCell::new(Some(task)), sim.clone());
        let cancel = ctx.step("cancel", async move || -> Result<()> {
            there.clock().sleep(ms(30)).await;
            drop(task.take());
            there.clock().sleep(ms(100)).await;
            Ok(())
        });
        let feed = async {
            for n in 0..20 {
                ctx.sleep(ms(5)).await;
                let _ = sender.unbounded_send(n);
            }
        };
        join(cancel, feed).await.0?;
        Ok(log.lines())
    }
    assert!(found(program).contains("a task was woken or dropped while nothing was delivered"));
}

/// A body that drops a step which the workflow had begun: no replay does that, and the run would
/// wait for nothing if it were the last one. It is parked.
#[test]
fn a_step_that_is_dropped_by_a_body() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<String> {
        let mut begun = named(ctx, sim, "begun");
        assert!((&mut begun).now_or_never().is_none());
        let (begun, there) = (RefCell::new(Some(begun)), sim.clone());
        ctx.step("drop it", async move || -> Result<()> {
            there.latency().await;
            drop(begun.take());
            there.latency().await;
            Ok(())
        })
        .await?;
        named(ctx, sim, "after").await
    }
    assert!(found(program).contains("a task was woken or dropped while nothing was delivered"));
}

/// A body that awaits a step of its run: here the gate is shut, and the run is parked.
#[test]
fn a_step_that_is_awaited_by_a_body() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<String> {
        let inner = RefCell::new(Some(named(ctx, sim, "inner")));
        let outer = ctx.step("outer", async move || -> Result<String> {
            let inner = inner.take().expect("it is tried once");
            inner.await
        });
        outer.await
    }
    let process = Process::new(0, program);
    let error = process.finish::<String>().unwrap_err();
    assert!(error.is_parked(), "{error}");
    let parked = process.executor.parked().unwrap().pop().expect("it is parked");
    assert_eq!(parked.reason, ParkReason::ForeignWake, "{}", parked.message);
}

/// What a body only holds does no harm.
#[test]
fn a_step_that_is_held_by_a_body() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<String> {
        let unpolled = Rc::new(named(ctx, sim, "unpolled"));
        let there = sim.clone();
        let held = unpolled.clone();
        ctx.step("hold it", async move || -> Result<()> {
            let _held = &held;
            there.latency().await;
            Ok(())
        })
        .await?;
        drop(unpolled);
        named(ctx, sim, "after").await
    }
    check(0..20, 1, program, |after| assert_eq!(after, "after"));
}
