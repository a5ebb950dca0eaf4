//! H1: several steps in each branch of a join. H7: results steer what comes next.

use dacapo::sim::Sim;
use dacapo::{Ctx, Result, join, join_all, race, try_join, try_join_all};

use super::common::{Lines, Log, check, ms, named, slow, two_steps};

/// Fetches the record of `key`, then enriches what was fetched. Both second steps have one name.
async fn fetch_then_enrich(ctx: &Ctx, sim: &Sim, log: &Log, key: &str) -> Result<String> {
    let fetched = slow(ctx, sim, "fetch", format!("data of {key}")).await?;
    log.line(&fetched);
    slow(ctx, sim, "enrich", format!("enriched {fetched}")).await
}

/// The shape with which DBOS Transact gave back swapped data in four of four replays: there the
/// second step of whichever branch is first takes the next number, here each is numbered when it
/// is built, and it is built in the same order in every replay.
#[test]
fn two_branches_of_fetch_then_enrich_are_never_swapped() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(Lines, String, String)> {
        let log = Log::default();
        let left = fetch_then_enrich(ctx, sim, &log, "left");
        let right = fetch_then_enrich(ctx, sim, &log, "right");
        let (left, right) = try_join(left, right).await?;
        Ok((log.lines(), left, right))
    }
    let outputs = check(0..100, 2, program, |(_, left, right)| {
        assert_eq!(left, "enriched data of left");
        assert_eq!(right, "enriched data of right");
    });
    assert_eq!(outputs.len(), 2, "either branch came first");
}

#[test]
fn branches_of_two_steps_in_our_join_all() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(Lines, Lines)> {
        let log = Log::default();
        let branches = ["a", "b", "c"].map(|who| two_steps(ctx, sim, &log, who));
        let ends = try_join_all(branches).await?;
        Ok((log.lines(), ends))
    }
    check(0..60, 20, program, |(_, ends)| assert_eq!(ends, &["a1 a2", "b1 b2", "c1 c2"]));
}

#[test]
fn branches_of_two_steps_in_the_joins_of_futures_and_tokio() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(Lines, Lines)> {
        let log = Log::default();
        let of_futures = async {
            futures::join!(two_steps(ctx, sim, &log, "a"), two_steps(ctx, sim, &log, "b"))
        };
        let of_tokio =
            async { tokio::join!(two_steps(ctx, sim, &log, "c"), two_steps(ctx, sim, &log, "d")) };
        let ((a, b), (c, d)) = futures::future::join(of_futures, of_tokio).await;
        Ok((log.lines(), vec![a?, b?, c?, d?]))
    }
    let ends = ["a1 a2", "b1 b2", "c1 c2", "d1 d2"];
    check(0..40, 30, program, |output| assert_eq!(output.1, ends));
}

#[test]
fn a_branch_of_five_steps_beside_branches_of_one() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let long = async {
            for part in 0..5 {
                log.line(format_args!("long {}", slow(ctx, sim, "part", part).await?));
            }
            Result::<()>::Ok(())
        };
        let short = async |n: u32| {
            log.line(format_args!("short {}", slow(ctx, sim, "part", n).await?));
            Result::<()>::Ok(())
        };
        let (end, ends) = join(long, join_all([short(10), short(11), short(12)])).await;
        end?;
        ends.into_iter().collect::<Result<()>>()?;
        Ok(log.lines())
    }
    check(0..40, 20, program, |lines| {
        let mut sorted = lines.clone();
        sorted.sort();
        let long = (0..5).map(|part| format!("long {part}"));
        let all: Lines = long.chain((10..13).map(|n| format!("short {n}"))).collect();
        assert_eq!(sorted, all);
    });
}

#[test]
fn the_branch_that_came_first_decides_what_comes_next() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for round in 0..4 {
            let first = race(named(ctx, sim, "quick"), named(ctx, sim, "thorough")).await?;
            log.line(&first);
            if first == "quick" {
                let (a, b) = join(slow(ctx, sim, "a", round), slow(ctx, sim, "b", round)).await;
                log.line(a? + b?);
            } else {
                ctx.sleep(ms(round)).await;
                log.line(slow(ctx, sim, "report", round).await?);
            }
            if ctx.random().is_multiple_of(2) {
                log.line(slow(ctx, sim, "lucky", round).await?);
            }
        }
        Ok(log.lines())
    }
    check(0..60, 30, program, |lines| assert!(lines.len() >= 8));
}

#[test]
fn the_order_of_completions_is_an_input_of_later_steps() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<String> {
        let log = Log::default();
        let branches = (0..4).map(|n| {
            let step = slow(ctx, sim, "part", n);
            let log = &log;
            async move {
                log.line(step.await?);
                Result::<()>::Ok(())
            }
        });
        try_join_all(branches).await?;
        let order = log.lines().concat();
        let step = slow(ctx, sim, "in order", order.clone()).label(&order);
        step.await
    }
    check(0..100, 20, program, |order| assert_eq!(order.len(), 4));
}
