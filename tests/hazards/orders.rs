//! Every order there is: all n! orders in which n branches can end.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;

use dacapo::sim::{Report, Sim};
use dacapo::{Ctx, Result, Step, Value, join, join_all};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::common::{build, cover, ms, simulated, slow};

/// All orders of `n` things.
fn permutations(n: u64) -> Vec<Vec<u64>> {
    let Some(last) = n.checked_sub(1) else { return vec![vec![]] };
    let shorter = permutations(last).into_iter();
    let insert = |shorter: Vec<u64>| {
        (0..n as usize).map(move |at| {
            let mut order = shorter.clone();
            order.insert(at, last);
            order
        })
    };
    shorter.flat_map(insert).collect()
}

/// Runs `program` with every order of `n` branches: live, where `expect` looks at the output,
/// restarted after every commit, and replayed. A restart begins all bodies anew that had no
/// outcome, so what follows the script there is only the order of these.
fn every_order<O: Value + Clone + Debug>(
    n: u64,
    program: impl AsyncFn(&Ctx, &Sim, &[u64]) -> Result<O> + Copy + 'static,
    expect: impl Fn(&[u64], &O),
) {
    let (mut orders, mut total) = (0, Report::default());
    for order in permutations(n) {
        let live = RefCell::new(None);
        let script = Rc::new(order.clone());
        let build = |sim: &Sim| {
            let script = script.clone();
            build(sim, async move |ctx: &Ctx, sim: &Sim| program(ctx, sim, &script).await)
        };
        let report = simulated().seeds(0..1).run(build, |output: &O| {
            live.borrow_mut().get_or_insert_with(|| output.clone());
        });
        expect(&order, &live.into_inner().expect("the run ended"));
        orders += 1;
        total += report;
    }
    println!("{n} branches: {orders} orders");
    cover(1, total);
}

/// A step that ends at its branch's place in the script.
fn scripted(ctx: &Ctx, sim: &Sim, order: &[u64], branch: u64) -> Step<u64> {
    let place = order.iter().position(|&other| other == branch).expect("it is in there");
    timed(ctx, sim, place as u64, branch)
}

fn timed(ctx: &Ctx, sim: &Sim, millis: u64, branch: u64) -> Step<u64> {
    let sim = sim.clone();
    ctx.step("timed", async move || -> Result<u64> {
        sim.clock().sleep(ms(1 + millis)).await;
        Ok(branch)
    })
}

/// The first steps of the branches end in the order of the script, the second ones in the opposite
/// order; beside them a loop starts a step from whichever of a set comes first.
#[test]
fn every_order_of_up_to_five_branches() {
    async fn program(ctx: &Ctx, sim: &Sim, order: &[u64]) -> Result<[Vec<u64>; 3]> {
        let branches = 0..order.len() as u64;
        let (first, second) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let joined = join_all(branches.clone().map(async |branch| {
            let branch = scripted(ctx, sim, order, branch).await?;
            first.borrow_mut().push(branch);
            let millis = 30 - 5 * first.borrow().len() as u64;
            let branch = timed(ctx, sim, millis, branch).await?;
            second.borrow_mut().push(branch);
            Result::<()>::Ok(())
        }));
        let mut set: FuturesUnordered<_> =
            branches.map(|branch| scripted(ctx, sim, order, branch)).collect();
        let in_a_loop = async {
            let mut after = Vec::new();
            while let Some(branch) = set.next().await {
                after.push(timed(ctx, sim, 0, branch?).await?);
            }
            Result::<_>::Ok(after)
        };
        let (joined, after) = join(joined, in_a_loop).await;
        joined.into_iter().collect::<Result<()>>()?;
        Ok([first.into_inner(), second.into_inner(), after?])
    }
    for n in 1..=5 {
        every_order(n, program, |order, [first, second, after]| {
            assert_eq!((&first[..], &after[..]), (order, order));
            assert!(second.iter().rev().eq(order), "{second:?} is not the opposite of {order:?}");
        });
    }
}

/// Of those that are left the first wins, whatever the order. Every race is begun anew by a
/// restart.
#[test]
fn every_order_of_five_branches_in_races() {
    async fn program(ctx: &Ctx, sim: &Sim, order: &[u64]) -> Result<Vec<u64>> {
        let mut left: Vec<u64> = (0..order.len() as u64).collect();
        let mut won = Vec::new();
        while !left.is_empty() {
            let runners = left.iter().map(|&branch| scripted(ctx, sim, order, branch));
            let winner = futures::future::select_all(runners).await.0?;
            left.retain(|&branch| branch != winner);
            won.push(slow(ctx, sim, "honour", winner).await?);
        }
        Ok(won)
    }
    every_order(5, program, |order, won| assert_eq!(won, order));
}

#[test]
fn every_order_of_six_branches() {
    async fn program(ctx: &Ctx, sim: &Sim, order: &[u64]) -> Result<Vec<u64>> {
        let ended = RefCell::new(Vec::new());
        let branches = (0..order.len() as u64).map(async |branch| {
            let branch = scripted(ctx, sim, order, branch).await?;
            ended.borrow_mut().push(branch);
            Result::<()>::Ok(())
        });
        join_all(branches).await.into_iter().collect::<Result<()>>()?;
        Ok(ended.into_inner())
    }
    every_order(6, program, |order, ended| assert_eq!(ended, order));
}
