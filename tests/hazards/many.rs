//! H6: so many children that combinators change their strategy.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo::sim::Sim;
use dacapo::{Ctx, Result, Step, join_all};

use super::common::{check, ms};

/// A step that takes one of four times, so that hundreds of them share a few commits.
fn coarse(ctx: &Ctx, sim: &Sim, n: u32) -> Step<u32> {
    let sim = sim.clone();
    ctx.step("coarse", async move || -> Result<u32> {
        sim.clock().sleep(ms(sim.random() % 4)).await;
        Ok(n)
    })
}

/// The order in which `children` branches of two steps come to their second step, and their sum.
async fn crowd(ctx: &Ctx, sim: &Sim, children: u32, ours: bool) -> Result<(Vec<u32>, u32)> {
    let order = RefCell::new(Vec::new());
    let branches = (0..children).map(async |n| {
        let n = coarse(ctx, sim, n).await?;
        order.borrow_mut().push(n);
        coarse(ctx, sim, n).await
    });
    let ends = match ours {
        true => join_all(branches).await,
        false => futures::future::join_all(branches).await,
    };
    let sum = ends.into_iter().sum::<Result<u32>>()?;
    Ok((order.into_inner(), sum))
}

fn has_sum(children: u32) -> impl Fn(&(Vec<u32>, u32)) {
    move |(order, sum)| {
        assert_eq!(order.len(), children as usize);
        assert_eq!(*sum, (0..children).sum::<u32>());
    }
}

#[test]
fn thirty_one_and_a_hundred_children_in_the_join_all_of_futures() {
    check(0..20, 20, async |ctx, sim| crowd(ctx, sim, 31, false).await, has_sum(31));
    check(0..5, 5, async |ctx, sim| crowd(ctx, sim, 100, false).await, has_sum(100));
}

#[test]
fn thirty_one_and_a_hundred_children_in_our_join_all() {
    check(0..20, 20, async |ctx, sim| crowd(ctx, sim, 31, true).await, has_sum(31));
    check(0..5, 5, async |ctx, sim| crowd(ctx, sim, 100, true).await, has_sum(100));
}

#[test]
fn a_thousand_children() {
    check(0..1, 2, async |ctx, sim| crowd(ctx, sim, 1_000, true).await, has_sum(1_000));
    check(1..2, 2, async |ctx, sim| crowd(ctx, sim, 1_000, false).await, has_sum(1_000));
}

#[test]
fn a_thousand_tasks() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Vec<u32>> {
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks = (0..1_000).map(|n| {
            let (sim, order) = (sim.clone(), order.clone());
            ctx.spawn(async move |ctx| {
                let n = coarse(ctx, &sim, n).await?;
                order.borrow_mut().push(n);
                coarse(ctx, &sim, n).await
            })
        });
        for task in Vec::from_iter(tasks) {
            task.await?;
        }
        Ok(order.take())
    }
    check(0..1, 2, program, |order| assert_eq!(order.len(), 1_000));
}
