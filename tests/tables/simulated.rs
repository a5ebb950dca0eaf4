//! Transactions under the simulation: a crash after and before every commit.

use std::time::Duration;

use dacapo::sim::{self, Ends, Sim};
use dacapo::{Builder, Ctx, Error, Executor, Result, Retry, Workflow, join, race};

use super::{BALANCE, LOG, add, sum};

const BANK: Workflow<(String, String), Vec<i64>> = Workflow::new("bank");
const ALL: i64 = 300;

/// Moves cents to and fro from two tasks, with steps in between, some in vain, and one that is dropped.
async fn bank(ctx: &Ctx, sim: &Sim, (from, to): (String, String)) -> Result<Vec<i64>> {
    let opened = ctx.transaction("open", |tx| {
        if tx.range(BALANCE, ..).next().is_none() {
            add(tx, "ada", ALL)?;
        }
        Ok::<_, Error>(sum(tx))
    });
    assert_eq!(opened.await?, ALL);
    let pay = |ctx: &Ctx, number: u32, cents: i64| {
        let (from, to, id) = (from.clone(), to.clone(), ctx.id().to_owned());
        ctx.transaction("move", move |tx| -> Result<i64> {
            let before = tx.get(LOG, &(id.as_str(), number));
            assert_eq!(before, None, "it takes place once");
            tx.put(LOG, &(id.as_str(), number), &cents);
            add(tx, &to, cents)?;
            add(tx, &from, -cents)?;
            Ok(sum(tx))
        })
        .label(number)
    };
    let think = async |ctx: &Ctx| {
        let sim = sim.clone();
        let think = ctx.step("think", async move || -> Result<()> {
            sim.latency().await;
            Ok(())
        });
        think.await
    };
    let (one, other) = join(
        async {
            think(ctx).await?;
            let first = pay(ctx, 1, 5).await.ok();
            think(ctx).await?;
            Ok::<_, Error>([first, pay(ctx, 2, 1_000).await.ok()])
        },
        async {
            let third =
                pay(ctx, 3, 7).retry(Retry::exponential(Duration::from_millis(3)).max_attempts(2));
            Ok::<_, Error>([third.await.ok(), pay(ctx, 4, 1).await.ok()])
        },
    )
    .await;
    let sums: Vec<_> = one?.into_iter().chain(other?).flatten().collect();
    assert!(sums.iter().all(|sum| *sum == ALL), "{sums:?}");
    // Whichever comes first: what took place is in the log, and no more.
    let late = race(async { pay(ctx, 5, 2).await.map(drop) }, think(ctx)).await;
    late.or_else(
        |error| if error.to_string().contains("too little") { Ok(()) } else { Err(error) },
    )?;
    Ok(sums)
}

fn build(sim: &Sim) -> Builder {
    let sim = sim.clone();
    Executor::builder().workflow(BANK, async move |ctx: &Ctx, names| bank(ctx, &sim, names).await)
}

const CHANGED: Workflow<(), i64> = Workflow::new("changed");

/// In commits that take one run each: what follows from a new way of the code is not there before it is
/// recorded that it was taken.
#[test]
fn a_new_way_is_recorded_before_what_follows_from_it() {
    let build = |sim: &Sim| {
        sim.set_commit_bytes(0);
        Executor::builder().workflow(CHANGED, async |ctx: &Ctx, ()| {
            let name = if ctx.patched("pay more") { "two" } else { "one" };
            let first = ctx.transaction(name, move |tx| add(tx, name, 1)).await?;
            ctx.transaction("behind", |tx| add(tx, "behind", 1)).await?;
            Ok::<_, Error>(first)
        })
    };
    let check = sim::check(CHANGED).start("a", ()).start("b", ()).start("c", ());
    check.seeds(0..10).run(build, |_| ());
}

fn names(from: &str, to: &str) -> (String, String) {
    (from.into(), to.into())
}

/// A client looks on: the sum is right after every commit, and no balance is below nothing.
#[test]
fn the_sum_is_right_after_every_commit() {
    let check = || {
        sim::check(BANK)
            .start("a", names("ada", "bob"))
            .start("b", names("bob", "ada"))
            .start("c", names("bob", "cleo"))
            .client(async |executor: &Executor, sim: &Sim| {
                for _ in 0..20 {
                    let rows =
                        executor.read(|tables| tables.range(BALANCE, ..).collect::<Vec<_>>())?;
                    let sum: i64 = rows.iter().map(|(_, cents)| cents).sum();
                    assert!(rows.is_empty() || sum == ALL, "{rows:?}");
                    assert!(rows.iter().all(|(_, cents)| *cents >= 0), "{rows:?}");
                    sim.latency().await;
                }
                Ok(())
            })
    };
    let expect = |ends: &Ends<Vec<i64>>| {
        for id in ["a", "b", "c"] {
            assert!(ends.of(id).is_ok(), "{id}");
        }
    };
    let report = check().seeds(0..5).crash_loops().run_all(build, expect);
    assert!(report.crashes > 50, "{report}");
    let report = check().seeds(5..6).crash_loops().disk_faults().run_all(build, expect);
    assert!(report.storage_faults > 100, "{report}");
    crate::coverage::add(&format!("programs=1 {report}"));
}
