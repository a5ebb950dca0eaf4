//! H12: combinators that keep state between polls. They may, since a replay polls as often.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;

use dacapo::sim::Sim;
use dacapo::{Ctx, Result, join};
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};

use super::common::{Lines, Log, check, check_as, found, named, simulated, slow, two_steps};

/// Counts how often `future` is polled until it is ready.
async fn counted<F: Future>(future: F) -> (u32, F::Output) {
    let (polls, mut future) = (Cell::new(0), pin!(future));
    let output = poll_fn(|cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    });
    let output = output.await;
    (polls.get(), output)
}

#[test]
fn a_join_that_rotates_which_branch_it_polls_first() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for _ in 0..2 {
            // Tokio's join starts each poll at another branch, so its state decides the order in
            // which the second steps are built.
            let (a, b, c) = tokio::join!(
                two_steps(ctx, sim, &log, "a"),
                two_steps(ctx, sim, &log, "b"),
                two_steps(ctx, sim, &log, "c"),
            );
            log.line(format_args!("{} {} {}", a?, b?, c?));
        }
        Ok(log.lines())
    }
    check(0..40, 60, program, |lines| assert_eq!(lines.len(), 14));
}

#[test]
fn loops_that_count_their_polls() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(u32, Lines)> {
        let log = Log::default();
        let branches = async {
            let (a, b) = (two_steps(ctx, sim, &log, "a"), two_steps(ctx, sim, &log, "b"));
            futures::join!(a, b)
        };
        let (polls, ends) = counted(branches).await;
        ends.0?;
        ends.1?;
        // The count decides what comes next.
        for n in 0..polls {
            log.line(slow(ctx, sim, "as often as polled", n).await?);
        }
        Ok((polls, log.lines()))
    }
    let simulated = simulated().seeds(0..60).may_count_polls();
    check_as(simulated, 6, program, |(polls, lines)| assert_eq!(lines.len(), 4 + *polls as usize));
    assert!(found(program).contains("Only how often tasks are polled was different"));
}

fn numbers<'a>(ctx: &'a Ctx, sim: &'a Sim, from: u32) -> impl Stream<Item = Result<u32>> + 'a {
    stream::iter(from..from + 4).then(move |n| slow(ctx, sim, "number", n))
}

#[test]
fn select_and_select_all_take_turns_between_streams() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Vec<u32>> {
        let pair = stream::select(numbers(ctx, sim, 0), numbers(ctx, sim, 10));
        let mut pair = pin!(pair);
        let mut found = Vec::new();
        while let Some(n) = pair.try_next().await? {
            found.push(n);
            if n % 2 == 0 {
                found.push(slow(ctx, sim, "handle", 100 + n).await?);
            }
        }
        let several = (2..5).map(|ten| numbers(ctx, sim, 10 * ten).boxed_local());
        let mut several = stream::select_all(several);
        while let Some(n) = several.try_next().await? {
            found.push(n);
        }
        Ok(found)
    }
    let simulated = simulated().seeds(0..40).may_count_polls();
    check_as(simulated, 60, program, |found| assert_eq!(found.len(), 8 + 4 + 12));
}

#[test]
fn a_shared_step_in_several_branches_and_tasks() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let shared = slow(ctx, sim, "shared", 7).shared();
        let tasks = (0..3).map(|n| {
            let (shared, sim, log) = (shared.clone(), sim.clone(), log.clone());
            ctx.spawn(async move |ctx| -> Result<()> {
                slow(ctx, &sim, "before", n).await?;
                log.line(format_args!("{n} sees {}", shared.await?));
                log.line(slow(ctx, &sim, "after", n).await?);
                Ok(())
            })
        });
        let tasks = Vec::from_iter(tasks);
        let (first, second) = join(shared.clone(), async {
            named(ctx, sim, "beside").await?;
            shared.clone().await
        })
        .await;
        log.line(format_args!("root sees {} {}", first?, second?));
        for task in tasks {
            task.await?;
        }
        Ok(log.lines())
    }
    check(0..60, 60, program, |lines| {
        assert_eq!(lines.iter().filter(|line| line.contains("sees 7")).count(), 4);
    });
}

#[test]
fn flatten_unordered_over_streams_that_begin_with_a_step() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Vec<u32>> {
        let streams = stream::iter(0..4).then(|n| slow(ctx, sim, "open", n)).map(|n| {
            let from = 10 * n.expect("the body succeeds");
            numbers(ctx, sim, from).boxed_local()
        });
        let mut all = pin!(streams.flatten_unordered(2));
        let mut found = Vec::new();
        while let Some(n) = all.try_next().await? {
            found.push(n);
        }
        Ok(found)
    }
    check(0..40, 60, program, |found| {
        let mut found = found.clone();
        found.sort_unstable();
        let all = (0..4).flat_map(|ten| 10 * ten..10 * ten + 4);
        assert!(all.eq(found));
    });
}

#[test]
fn for_each_concurrent_with_two_steps_each() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let who = ["a", "b", "c", "d", "e", "f"];
        let each = stream::iter(who).map(Ok).try_for_each_concurrent(3, async |who| {
            two_steps(ctx, sim, &log, who).await.map(|_| ())
        });
        each.await?;
        Ok(log.lines())
    }
    check(0..40, 60, program, |lines| assert_eq!(lines.len(), 12));
}

#[test]
fn ready_chunks_and_peeks_see_the_same_in_a_replay() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let steps: FuturesUnordered<_> = (0..8).map(|n| slow(ctx, sim, "part", n)).collect();
        // Which parts are ready together depends on how the polls fell.
        let mut chunks = pin!(steps.ready_chunks(3).peekable());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.into_iter().collect::<Result<Vec<u32>>>()?;
            let more = chunks.as_mut().peek().now_or_never().is_some();
            log.line(format_args!("{chunk:?}, more: {more}"));
            slow(ctx, sim, "handle", chunk).await?;
        }
        Ok(log.lines())
    }
    let outputs = check(0..40, 60, program, |lines| assert!(!lines.is_empty()));
    assert!(outputs.iter().flatten().any(|line| line.matches(',').count() > 2), "never a chunk");
}
