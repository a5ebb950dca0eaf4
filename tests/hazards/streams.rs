//! H12 and H8: streams and channels of further libraries.

use std::pin::pin;

use dacapo::sim::Sim;
use dacapo::{Ctx, Result};
use futures::{Stream, StreamExt, TryStreamExt};
use smol::channel;

use super::common::{Lines, Log, check, check_as, ms, simulated, slow};

/// A stream that is written as a loop; each item is the outcome of one step and makes the next.
fn halvings<'a>(ctx: &'a Ctx, sim: &'a Sim, from: u32) -> impl Stream<Item = Result<u32>> + 'a {
    async_stream::try_stream! {
        let mut n = from;
        while n > 0 {
            n = slow(ctx, sim, "halve", n / 2).await?;
            yield n;
            if n % 2 == 1 {
                ctx.sleep(ms(5)).await;
            }
        }
    }
}

#[test]
fn a_stream_that_is_written_as_a_loop() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Vec<u32>> {
        let streams = [halvings(ctx, sim, 40).boxed_local(), halvings(ctx, sim, 9).boxed_local()];
        let mut both = futures::stream::select_all(streams);
        let mut found = Vec::new();
        while let Some(n) = both.try_next().await? {
            found.push(n);
            found.push(slow(ctx, sim, "handle", 100 + n).await?);
        }
        Ok(found)
    }
    check(0..20, 20, program, |found| assert_eq!(found.len(), 2 * (6 + 4)));
}

#[test]
fn the_merge_of_tokio_stream_takes_turns() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let (left, right) = (halvings(ctx, sim, 20), halvings(ctx, sim, 300));
        let mut merged = pin!(tokio_stream::StreamExt::merge(left, right));
        while let Some(n) = merged.try_next().await? {
            log.line(n);
            if n % 2 == 0 {
                log.line(slow(ctx, sim, "handle", n).await?);
            }
        }
        Ok(log.lines())
    }
    let simulated = simulated().seeds(0..20).may_count_polls();
    check_as(simulated, 20, program, |lines| assert!(lines.len() >= 5 + 9));
}

/// Three tasks take from one channel of async-channel; one of them is dropped while it waits, and
/// what it was woken for goes to another.
#[test]
fn consumers_that_compete_for_a_channel_and_one_that_is_dropped() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let (sender, receiver) = channel::bounded::<u32>(3);
        let consumers = ["x", "y", "z"].map(|who| {
            let (sim, log, receiver) = (sim.clone(), log.clone(), receiver.clone());
            ctx.spawn(async move |ctx| -> Result<()> {
                while let Ok(n) = receiver.recv().await {
                    log.line(format_args!("{who} takes {n}"));
                    slow(ctx, &sim, "consume", n).await?;
                }
                Ok(())
            })
        });
        drop(receiver);
        let [x, y, z] = consumers;
        let mut y = Some(y);
        for n in 0..60 {
            if n % 10 == 9 {
                slow(ctx, sim, "produce", n).await?;
            }
            sender.send(n).await.expect("two consumers are left");
            if n == 30 {
                y = None;
            }
        }
        assert!(y.is_none());
        drop(sender);
        x.await?;
        z.await?;
        Ok(log.lines())
    }
    // The message that the dropped one had in hand is gone with it, and no other.
    check(0..5, 20, program, |lines| assert!(lines.len() >= 59, "{} taken", lines.len()));
}
