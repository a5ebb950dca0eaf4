//! Changes of code under unfinished runs: what a run was told once it is told in each replay.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo::sim::{self, Sim, Snapshots};
use dacapo::store::MemoryStore;
use dacapo::{Builder, Ctx, Error, Executor, ParkReason, Result, Workflow, join_all};

use super::open;

const ROUNDS: Workflow<u32, String> = Workflow::new("rounds");

async fn way(ctx: &Ctx, name: &'static str) -> Result<char> {
    let letter = name.chars().next().expect("a name");
    ctx.step(name, async move || Ok::<_, Error>(letter)).await
}

fn old() -> Builder {
    Executor::builder().workflow(ROUNDS, async |ctx: &Ctx, rounds: u32| -> Result<String> {
        let mut ways = String::new();
        for _ in 0..rounds {
            ways.push(way(ctx, "old").await?);
        }
        Ok(ways)
    })
}

fn new() -> Builder {
    Executor::builder().workflow(ROUNDS, async |ctx: &Ctx, rounds: u32| -> Result<String> {
        let mut ways = String::new();
        for _ in 0..rounds {
            let name = if ctx.patched("new way") { "new" } else { "old" };
            ways.push(way(ctx, name).await?);
        }
        Ok(ways)
    })
}

/// When the change is no longer asked for.
fn newest() -> Builder {
    Executor::builder().workflow(ROUNDS, async |ctx: &Ctx, rounds: u32| -> Result<String> {
        let mut ways = String::new();
        for _ in 0..rounds {
            ways.push(way(ctx, "new").await?);
        }
        Ok(ways)
    })
}

/// Runs it to its end, and gives that, and what was stored after each commit.
fn run(build: Builder, store: MemoryStore) -> (String, Vec<MemoryStore>) {
    let (executor, snapshots) = open(build, store);
    let ended = executor.block_on(executor.start(ROUNDS, "run", 4).expect("new, or there"));
    executor.verify("run").expect("it replays");
    (ended.expect("it ends"), snapshots.take())
}

/// A loop that began under the old build goes on right under the new one, from each of its commits, and
/// again from each commit of that.
#[test]
fn a_loop_that_began_under_the_old_build() {
    let (ended, stored) = run(old(), MemoryStore::new());
    assert_eq!(ended, "oooo");
    let mut ways = Vec::new();
    for stored in &stored[..stored.len() - 1] {
        let (ended, later) = run(new(), stored.snapshot());
        for later in &later[..later.len() - 1] {
            assert_eq!(run(new(), later.snapshot()).0, ended);
        }
        ways.push(ended);
    }
    // With the last outcome comes the end.
    assert_eq!(ways, ["nnnn", "onnn", "oonn", "ooon", "oooo"]);
}

/// The old way, and the question, may go when no run takes it; that runs were told so is in their histories,
/// and needs nobody who asks.
#[test]
fn the_question_is_taken_out() {
    let (_, stored) = run(new(), MemoryStore::new());
    for stored in &stored[..stored.len() - 1] {
        assert_eq!(run(newest(), stored.snapshot()).0, "nnnn");
    }
}

/// Back to the old build: what went the new way does not fit it, and what had not begun to goes on there.
#[test]
fn a_rollback() {
    let (_, stored) = run(new(), MemoryStore::new());
    assert_eq!(run(old(), stored[0].snapshot()).0, "oooo");
    let (executor, _) = open(old(), stored[2].snapshot());
    let run = executor.attach(ROUNDS, "run").expect("it is there");
    let why = executor.block_on(run).expect_err("it has gone the new way");
    assert_eq!(why.park_reason(), Some(ParkReason::Diverged));
}

/// It is committed before a body of the new way begins, or a crash and a rollback would take the old way
/// behind an effect of the new one.
#[test]
fn no_body_begins_before_it_is_committed() {
    let store = Rc::new(RefCell::new(None::<Snapshots>));
    let seen = store.clone();
    let build = Executor::builder().workflow(ROUNDS, async move |ctx: &Ctx, _| {
        let is_new = ctx.patched("new way");
        let store = seen.clone();
        let look = async move || {
            let store = store.borrow().as_ref().expect("it is set").now();
            let history = super::super::faults::history(&store, "run");
            Ok::<_, Error>(
                history.iter().any(|entry| entry.record.windows(7).any(|text| text == b"new way")),
            )
        };
        let is_recorded = ctx.step("look", look).await?;
        Ok::<_, Error>(format!("{is_new} {is_recorded}"))
    });
    let (executor, snapshots) = open(build, MemoryStore::new());
    *store.borrow_mut() = Some(snapshots);
    let run = executor.start(ROUNDS, "run", 1).expect("new");
    assert_eq!(executor.block_on(run).expect("it ends"), "true true");
}

/// Asked in the poll that ends a run, or a pass, too.
#[test]
fn at_the_end_of_a_run_and_of_a_pass() {
    let build = || {
        Executor::builder().workflow(ROUNDS, async |ctx: &Ctx, passes: u32| -> Result<String> {
            way(ctx, "old").await?;
            let is_new = ctx.patched("at the end");
            match passes {
                0 => Ok(format!("{is_new} in pass {}", ctx.pass())),
                _ => ctx.again(ROUNDS, passes - 1).await,
            }
        })
    };
    let (ended, stored) = run(build(), MemoryStore::new());
    assert_eq!(ended, "true in pass 5");
    for stored in stored {
        assert_eq!(run(build(), stored).0, ended);
    }
}

/// With branches, whose outcomes come in any order and several to a commit, retries, and a task that asks first:
/// a replay is told the same at the same places, after a crash at each commit.
#[test]
fn in_branches_at_every_crash() {
    async fn program(ctx: &Ctx, sim: Sim, branches: u32) -> Result<String> {
        let branch = async |branch: u32| -> Result<String> {
            let mut ways = String::new();
            for round in 0..3 {
                let is_new = match branch % 2 {
                    0 => ctx.patched("even"),
                    _ => round > 0 && ctx.patched("odd"),
                };
                let (sim, name) = (sim.clone(), if is_new { "new" } else { "old" });
                let body = async move || {
                    sim.latency().await;
                    Ok::<_, Error>(name.to_owned())
                };
                ways.push_str(&ctx.step(name, body).await?);
            }
            Ok(ways)
        };
        let ways = join_all((0..branches).map(branch)).await;
        ways.into_iter().collect::<Result<Vec<_>>>().map(|ways| ways.join(" "))
    }
    let report = sim::check(ROUNDS).start("run", 4).seeds(0..8).crash_loops().run(
        |sim| {
            let sim = sim.clone();
            Executor::builder().workflow(ROUNDS, async move |ctx: &Ctx, branches: u32| {
                program(ctx, sim.clone(), branches).await
            })
        },
        |ways: &String| assert_eq!(ways.split(' ').count(), 4),
    );
    assert!(report.crashes > 100, "{report}");
}
