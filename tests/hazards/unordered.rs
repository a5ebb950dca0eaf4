//! H5: results handled as they come, and the next step begun from what came first. H19: bodies
//! that share a pool of connections meanwhile.

use std::rc::Rc;

use async_lock::Semaphore;
use dacapo::sim::Sim;
use dacapo::{Attempt, Ctx, Result, Step};
use futures::StreamExt;
use futures::stream::{self, FuturesUnordered};

use super::common::{Lines, Log, check, ms, slow};

fn fetch(ctx: &Ctx, sim: &Sim, n: u32) -> Step<u32> {
    slow(ctx, sim, "fetch", n)
}

/// Every page is there once, and its thumbnail right behind it.
fn all_pages(pages: u32) -> impl Fn(&Lines) {
    move |lines: &Lines| {
        let mut found: Vec<u32> = lines
            .chunks(2)
            .map(|pair| {
                assert_eq!(pair[1], format!("thumbnail of {}", pair[0]));
                pair[0].parse().expect("a page's number")
            })
            .collect();
        found.sort_unstable();
        assert_eq!(found, Vec::from_iter(0..pages));
    }
}

#[test]
fn futures_unordered_with_a_step_after_each_result() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let mut pages: FuturesUnordered<_> = (0..6).map(|n| fetch(ctx, sim, n)).collect();
        while let Some(page) = pages.next().await {
            let page = page?;
            log.line(page);
            let thumbnail = format!("thumbnail of {page}");
            log.line(slow(ctx, sim, "thumbnail", thumbnail).await?);
        }
        Ok(log.lines())
    }
    check(0..60, 60, program, all_pages(6));
}

/// In another model of this engine, whose bodies were polled inside the workflow, this program
/// gave silently wrong results in 1,727 of 2,000 replays.
#[test]
fn futures_unordered_with_a_timeout_around_each_member() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let members = (0..6).map(|n| {
            let (fetch, late) = (fetch(ctx, sim, n), ctx.timeout(ms(25), fetch(ctx, sim, n)));
            drop(fetch);
            async move { (n, late.await) }
        });
        let mut pages: FuturesUnordered<_> = members.collect();
        while let Some((n, page)) = pages.next().await {
            match page {
                Ok(page) => log.line(format_args!("{n} gives {}", page?)),
                Err(elapsed) => log.line(format_args!("{n} is {elapsed}")),
            }
            log.line(slow(ctx, sim, "note", format!("noted {n}")).await?);
        }
        Ok(log.lines())
    }
    check(0..60, 60, program, |lines| {
        assert_eq!(lines.len(), 12);
        for pair in lines.chunks(2) {
            let n = pair[0].split(' ').next().unwrap();
            let late = format!("{n} is not ready within 25ms");
            assert!(pair[0] == format!("{n} gives {n}") || pair[0] == late, "{lines:?}");
            assert_eq!(pair[1], format!("noted {n}"));
        }
    });
}

#[test]
fn what_came_first_puts_more_into_the_same_set() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        let mut pages: FuturesUnordered<_> = (1..4).map(|n| fetch(ctx, sim, n)).collect();
        while let Some(page) = pages.next().await {
            let page = page?;
            found.push(page);
            if page < 100 {
                pages.push(fetch(ctx, sim, page * 10));
            }
        }
        Ok(found)
    }
    check(0..60, 60, program, |found| {
        let mut found = found.clone();
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3, 10, 20, 30, 100, 200, 300]);
    });
}

#[test]
fn buffer_unordered_with_a_step_after_each_result() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let pages = stream::iter(0..8).map(|n| fetch(ctx, sim, n)).buffer_unordered(3);
        let mut pages = std::pin::pin!(pages);
        while let Some(page) = pages.next().await {
            let page = page?;
            log.line(page);
            let thumbnail = format!("thumbnail of {page}");
            log.line(slow(ctx, sim, "thumbnail", thumbnail).await?);
        }
        Ok(log.lines())
    }
    check(0..60, 60, program, all_pages(8));
}

#[test]
fn buffer_unordered_with_timeouts_and_buffered_beside_it() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let quick = stream::iter(0..6)
            .map(|n| ctx.timeout(ms(20), fetch(ctx, sim, n)))
            .buffer_unordered(3)
            .for_each(async |page| match page {
                Ok(page) => log.line(format_args!("quick {page:?}")),
                Err(elapsed) => log.line(elapsed),
            });
        let in_order = stream::iter(10..16)
            .map(|n| fetch(ctx, sim, n))
            .buffered(3)
            .for_each(async |page| log.line(format_args!("in order {page:?}")));
        futures::join!(quick, in_order);
        Ok(log.lines())
    }
    check(0..43, 60, program, |lines| {
        let in_order = lines.iter().filter(|line| line.starts_with("in order"));
        assert!(in_order.eq(&Vec::from_iter((10..16).map(|n| format!("in order Ok({n})")))));
        assert_eq!(lines.len(), 12);
    });
}

/// While the loop awaits a step of its own, nobody polls the ten. Their bodies go on, and give
/// back the connections that the loop's own step waits for.
#[test]
fn a_pool_of_two_connections_is_shared_by_ten_bodies_and_the_loop() {
    fn with_connection(ctx: &Ctx, sim: &Sim, pool: &Rc<Semaphore>, n: u32) -> Step<u32> {
        let (sim, pool) = (sim.clone(), pool.clone());
        ctx.step_with("query", async move |attempt: Attempt| -> Result<u32> {
            sim.note(&attempt);
            let _connection = pool.acquire().await;
            sim.latency().await;
            Ok(n)
        })
    }
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Vec<u32>> {
        let pool = Rc::new(Semaphore::new(2));
        let queries = (0..10).map(|n| with_connection(ctx, sim, &pool, n));
        let mut queries: FuturesUnordered<_> = queries.collect();
        let mut found = Vec::new();
        while let Some(n) = queries.next().await {
            let n = n?;
            found.push(n);
            found.push(with_connection(ctx, sim, &pool, 100 + n).await?);
        }
        Ok(found)
    }
    check(0..43, 40, program, |found| {
        assert!(found.chunks(2).all(|pair| pair[1] == pair[0] + 100));
        assert_eq!(found.len(), 20);
    });
}
