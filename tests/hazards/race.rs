//! H3: races of steps and sleeps. H4: races of several steps, nested, in joins, in tasks.

use dacapo::sim::Sim;
use dacapo::{Ctx, Either, Result, join, race, select};
use futures::FutureExt;

use super::common::{Lines, Log, check, ms, named, two_steps};

/// A sleep that answers, to race with steps.
async fn nap(ctx: &Ctx, millis: u64) -> Result<String> {
    ctx.sleep(ms(millis)).await;
    Ok(format!("{millis} ms"))
}

#[test]
fn the_loser_of_a_race_is_dropped_and_the_race_goes_on() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for _ in 0..5 {
            log.line(race(named(ctx, sim, "left"), named(ctx, sim, "right")).await?);
            log.line(race(named(ctx, sim, "step"), nap(ctx, 10)).await?);
            log.line(race(nap(ctx, 10), nap(ctx, 10)).await?);
        }
        Ok(log.lines())
    }
    check(0..40, 100, program, |lines| assert_eq!(lines.len(), 15));
}

/// Branches of two types: who was first decides what comes next.
#[test]
fn a_select_of_a_step_and_a_sleep() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for _ in 0..5 {
            match select(named(ctx, sim, "step"), ctx.sleep(ms(12))).await {
                Either::First(step) => log.line(step?),
                Either::Second(()) => log.line(named(ctx, sim, "too late").await?),
            }
        }
        Ok(log.lines())
    }
    check(0..40, 10, program, |lines| assert_eq!(lines.len(), 5));
}

#[test]
fn select_biased_over_steps_and_sleeps() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for _ in 0..5 {
            let first = futures::select_biased! {
                left = named(ctx, sim, "left").fuse() => left?,
                right = named(ctx, sim, "right").fuse() => right?,
                () = ctx.sleep(ms(12)).fuse() => "sleep".to_owned(),
            };
            log.line(first);
            let first = tokio::select! {
                biased;
                left = named(ctx, sim, "left") => left?,
                () = ctx.sleep(ms(12)) => "sleep".to_owned(),
                right = named(ctx, sim, "right") => right?,
            };
            log.line(first);
        }
        Ok(log.lines())
    }
    check(0..40, 100, program, |lines| assert_eq!(lines.len(), 10));
}

/// The branch that lost a round is raced again, by reference, in the next.
#[test]
fn the_loser_is_kept_and_raced_again() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let mut long = std::pin::pin!(two_steps(ctx, sim, &log, "a").fuse());
        for _ in 0..6 {
            let end = futures::select_biased! {
                end = long => end?,
                tick = named(ctx, sim, "tick").fuse() => tick?,
            };
            log.line(end);
        }
        Ok(log.lines())
    }
    check(0..40, 5, program, |lines| assert!(lines.len() >= 6));
}

#[test]
fn races_of_branches_of_two_steps() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for _ in 0..3 {
            let (left, right) = (two_steps(ctx, sim, &log, "a"), two_steps(ctx, sim, &log, "b"));
            log.line(race(left, right).await?);
            log.line(named(ctx, sim, "after").await?);
        }
        Ok(log.lines())
    }
    check(0..60, 60, program, |lines| assert!(lines.len() >= 12));
}

#[test]
fn races_within_races() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for _ in 0..3 {
            let inner = race(two_steps(ctx, sim, &log, "a"), two_steps(ctx, sim, &log, "b"));
            let other = race(two_steps(ctx, sim, &log, "c"), nap(ctx, 30));
            log.line(race(inner, race(other, named(ctx, sim, "slow one"))).await?);
        }
        Ok(log.lines())
    }
    check(0..60, 100, program, |lines| assert!(lines.len() >= 3));
}

#[test]
fn a_race_in_a_join_in_a_task() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let spawn = |left: &'static str, right: &'static str| {
            let (sim, log) = (sim.clone(), log.clone());
            ctx.spawn(async move |ctx| -> Result<String> {
                let first = race(two_steps(ctx, &sim, &log, left), async {
                    nap(ctx, 20).await?;
                    two_steps(ctx, &sim, &log, right).await
                });
                let (first, beside) = join(first, two_steps(ctx, &sim, &log, "j")).await;
                Ok(format!("{} beside {}", first?, beside?))
            })
        };
        let (left, right) = (spawn("a", "b"), spawn("c", "d"));
        // Either task is dropped in the middle, with its join and its races.
        log.line(race(left, right).await?);
        log.line(named(ctx, sim, "after").await?);
        Ok(log.lines())
    }
    check(0..60, 80, program, |lines| assert_eq!(lines.last().unwrap(), "after"));
}
