//! H11: operations that are built and not polled, polled and dropped, moved to another task.

use std::pin::pin;

use dacapo::sim::Sim;
use dacapo::{Attempt, Ctx, Result, Step, race, yield_now};
use futures::FutureExt;

use super::common::{Lines, Log, check, ms, named};

/// A step whose outcome is a part of its own idempotency key: its number and name.
fn keyed(ctx: &Ctx, sim: &Sim, name: &'static str) -> Step<String> {
    let sim = sim.clone();
    ctx.step_with(name, async move |attempt: Attempt| -> Result<String> {
        sim.note(&attempt);
        sim.latency().await;
        let parts: Vec<_> = attempt.key().split('/').collect();
        let [_, number, name, _] = parts[..] else { panic!("a key of another form") };
        Ok(format!("{number}/{name}"))
    })
}

#[test]
fn a_number_is_taken_when_an_operation_is_built_and_leaves_a_gap_if_it_is_dropped() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        drop(keyed(ctx, sim, "never polled"));
        log.line(keyed(ctx, sim, "second").await?);
        let (early, sleep) = (keyed(ctx, sim, "early"), ctx.sleep(ms(3)));
        log.line(keyed(ctx, sim, "fifth").await?);
        drop(sleep);
        log.line(early.await?);
        log.line(race(keyed(ctx, sim, "sixth"), keyed(ctx, sim, "seventh")).await?);
        log.line(keyed(ctx, sim, "eighth").await?);
        Ok(log.lines())
    }
    check(0..40, 2, program, |lines| {
        assert_eq!(lines[..3], ["2/second", "5/fifth", "3/early"]);
        assert!(["6/sixth", "7/seventh"].contains(&lines[3].as_str()));
        assert_eq!(lines[4..], ["8/eighth"]);
    });
}

#[test]
fn operations_that_are_polled_once_and_dropped() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for _ in 0..4 {
            let mut step = keyed(ctx, sim, "polled once");
            assert!((&mut step).now_or_never().is_none());
            drop(step);
            let mut sleep = ctx.sleep(ms(5));
            assert!((&mut sleep).now_or_never().is_none());
            let mut kept = pin!(keyed(ctx, sim, "kept"));
            assert!(futures::poll!(kept.as_mut()).is_pending());
            log.line(race(named(ctx, sim, "other"), kept.as_mut()).await?);
        }
        Ok(log.lines())
    }
    check(0..40, 10, program, |lines| assert_eq!(lines.len(), 4));
}

/// Its body is where it is, whoever awaits it: first the root, then one task, then another.
#[test]
fn an_operation_is_dropped_at_every_stage_of_its_life() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for turns in 0..4 {
            let doomed = async { keyed(ctx, sim, "doomed").await };
            let until = async {
                for _ in 0..turns {
                    named(ctx, sim, "turn").await?;
                    yield_now().await;
                }
                Ok("dropped".to_owned())
            };
            log.line(race(doomed, until).await?);
        }
        Ok(log.lines())
    }
    check(0..64, 5, program, |lines| {
        assert_eq!((lines.len(), lines[0].as_str()), (4, "dropped"));
    });
}

#[test]
fn operations_are_moved_to_other_tasks() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let (unpolled, other) = (keyed(ctx, sim, "unpolled"), keyed(ctx, sim, "other"));
        let mut polled = keyed(ctx, sim, "polled");
        assert!((&mut polled).now_or_never().is_none());
        let (log_there, sim_there) = (log.clone(), sim.clone());
        let first = ctx.spawn(async move |ctx| -> Result<()> {
            log_there.line(unpolled.await?);
            log_there.line(keyed(ctx, &sim_there, "its own").await?);
            Ok(())
        });
        let log_there = log.clone();
        let second = ctx.spawn(async move |ctx| -> Result<()> {
            let (polled, other) = (polled.fuse(), other);
            let moved_on = ctx.spawn(async move |_| other.await);
            log_there.line(polled.await?);
            log_there.line(moved_on.await?);
            Ok(())
        });
        first.await?;
        second.await?;
        Ok(log.lines())
    }
    check(0..64, 4, program, |lines| {
        let mut lines = lines.clone();
        lines.sort();
        assert_eq!(lines, ["1.1/its%20own", "1/unpolled", "2/other", "3/polled"]);
    });
}
