//! H13: macros that poll their branches in random order, over operations built in place.
//!
//! Numbers are taken where the operations are built, in the order of the source, so it does not
//! matter which is polled first; and one delivery makes one of them ready. Where two branches are
//! ready at the same poll, chance decides: `random` shows that this is found.

use dacapo::sim::Sim;
use dacapo::{Ctx, Result};
use futures::{FutureExt, StreamExt};

use super::common::{Lines, Log, check, ms, named, slow, two_steps};

#[test]
fn unbiased_tokio_select_over_fresh_operations() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for _ in 0..5 {
            let first = tokio::select! {
                left = named(ctx, sim, "left") => left?,
                right = named(ctx, sim, "right") => right?,
                () = ctx.sleep(ms(15)) => "sleep".to_owned(),
            };
            log.line(first);
        }
        Ok(log.lines())
    }
    check(0..40, 40, program, |lines| assert_eq!(lines.len(), 5));
}

#[test]
fn unbiased_futures_select_over_fresh_operations() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for _ in 0..5 {
            let first = futures::select! {
                left = named(ctx, sim, "left").fuse() => left?,
                right = named(ctx, sim, "right").fuse() => right?,
                () = ctx.sleep(ms(15)).fuse() => "sleep".to_owned(),
            };
            log.line(first);
        }
        Ok(log.lines())
    }
    check(0..40, 40, program, |lines| assert_eq!(lines.len(), 5));
}

/// The loop that is in every book: a stream of results, a tick, and a branch that goes on.
#[test]
fn an_unbiased_select_loop_over_operations_that_are_kept() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let steps = (0..4).map(|n| slow(ctx, sim, "part", n));
        let mut parts = steps.collect::<futures::stream::FuturesUnordered<_>>();
        let mut long = std::pin::pin!(two_steps(ctx, sim, &log, "a"));
        let mut long_ended = false;
        while !(parts.is_empty() && long_ended) {
            tokio::select! {
                Some(part) = parts.next() => log.line(format_args!("part {}", part?)),
                end = &mut long, if !long_ended => {
                    log.line(end?);
                    long_ended = true;
                }
                () = ctx.sleep(ms(7)) => log.line("tick"),
            }
        }
        Ok(log.lines())
    }
    check(0..40, 40, program, |lines| assert!(lines.len() >= 7));
}
