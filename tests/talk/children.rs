//! Runs that start others, wait for them, drop them and let them go.

use std::time::Duration;

use dacapo::sim::{self, Sim};
use dacapo::store::RunState;
use dacapo::{
    Attempt, Builder, Cause, Channel, Ctx, Error, Executor, Result, Start, Workflow, join_all, race,
};
use serde::{Deserialize, Serialize};

const PARENT: Workflow<Plan, String> = Workflow::new("parent");
const CHILD: Workflow<u64, u64> = Workflow::new("child");
const LONG: Workflow<u64, u64> = Workflow::new("long");
const ASIDE: Workflow<u64, u64> = Workflow::new("aside");
const WORD: Channel<u64> = Channel::new("word");

/// What a parent does with its children.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
enum Plan {
    /// Waits for three at once.
    Joins,
    /// Drops a long one when a step is done.
    Drops,
    /// Lets one go, before it is begun or after.
    LetsGo,
    /// Talks to it.
    Talks,
    /// Ends before it.
    Leaves,
}

fn note(ctx: &Ctx, sim: &Sim, name: &'static str, n: u64) -> dacapo::Step<u64> {
    let sim = sim.clone();
    ctx.step_with(name, async move |attempt: Attempt| {
        sim.latency().await;
        sim.note(&attempt);
        Ok::<_, Error>(n)
    })
}

async fn parent(ctx: &Ctx, sim: &Sim, plan: Plan) -> Result<String> {
    match plan {
        Plan::Joins => {
            let children = (1..=3).map(|n| ctx.child(CHILD, n));
            let ends = join_all(children).await.into_iter().collect::<Result<Vec<_>>>()?;
            Ok(format!("{ends:?}"))
        }
        Plan::Drops => {
            let long = async { format!("{:?}", ctx.child(LONG, 3600).id("long").await) };
            let short = async { format!("{:?}", note(ctx, sim, "short", 1).await) };
            Ok(race(long, short).await)
        }
        Plan::LetsGo => {
            ctx.child(ASIDE, 1).id("aside-1").detach();
            let mut begun = ctx.child(ASIDE, 2).id("aside-2");
            begun.started().await?;
            begun.detach();
            let mut polled = Box::pin(ctx.child(ASIDE, 3).id("aside-3"));
            let is_ready = futures::future::poll_immediate(&mut polled).await;
            assert!(is_ready.is_none());
            // It is polled, and not begun.
            (*std::pin::Pin::into_inner(polled)).detach();
            Ok(format!("{}", note(ctx, sim, "last", 9).await?))
        }
        Plan::Talks => {
            let mut child = ctx.child(CHILD, 0);
            child.started().await?;
            ctx.send(child.run_id(), WORD, 7).await?;
            let taken = ctx.child(CHILD, 5).id(child.run_id()).await;
            assert!(taken.unwrap_err().to_string().contains("already"));
            Ok(format!("{}", child.await?))
        }
        Plan::Leaves => {
            let mut long = ctx.child(LONG, 3600).id("long");
            long.started().await?;
            note(ctx, sim, "last", 1).await?;
            Ok("left".into())
        }
    }
}

async fn child(ctx: &Ctx, sim: &Sim, n: u64) -> Result<u64> {
    let word = if n == 0 { ctx.receive(WORD).await } else { n };
    Ok(note(ctx, sim, "child", word).await? * 10)
}

/// It says why it ends.
async fn long(ctx: &Ctx, sim: &Sim, seconds: u64) -> Result<u64> {
    let sleep = async {
        ctx.sleep(Duration::from_secs(seconds)).await;
        None
    };
    let told = async { Some(ctx.cancelled().await) };
    match race(sleep, told).await {
        None => Ok(1),
        Some(cause) => {
            assert_eq!(cause, Cause::Parent);
            note(ctx, sim, "clean up", 2).await
        }
    }
}

fn build(sim: &Sim) -> Builder {
    let (a, b, c, d) = (sim.clone(), sim.clone(), sim.clone(), sim.clone());
    Executor::builder()
        .workflow(PARENT, async move |ctx: &Ctx, plan| parent(ctx, &a, plan).await)
        .workflow(CHILD, async move |ctx: &Ctx, n| child(ctx, &b, n).await)
        .workflow(LONG, async move |ctx: &Ctx, n| long(ctx, &c, n).await)
        .workflow(ASIDE, async move |ctx: &Ctx, n| note(ctx, &d, "aside", n).await)
}

#[test]
fn what_parents_do_with_their_children_at_every_crash() {
    for (plan, expected) in [
        (Plan::Joins, "[10, 20, 30]"),
        (Plan::Drops, "Ok(1)"),
        (Plan::LetsGo, "9"),
        (Plan::Talks, "70"),
        (Plan::Leaves, "left"),
    ] {
        let check = sim::check(PARENT).start("run", plan).seeds(0..20).crash_loops();
        let report = check.run(build, |end| assert_eq!(end, expected));
        assert!(report.distinct_traces > 3, "{plan:?}: {report:?}");
    }
}

/// Driven by hand: what the rows and the ends say.
#[test]
fn children_end_with_their_parents_and_those_let_go_do_not() -> Result<()> {
    let sleeps = async |ctx: &Ctx, n: u64| {
        ctx.sleep(Duration::from_secs(n)).await;
        Ok::<_, Error>(n)
    };
    let executor = Executor::builder()
        .workflow(PARENT, async |ctx: &Ctx, _| {
            let mut kept = ctx.child(LONG, 3600).id("kept");
            let mut freed = ctx.child(ASIDE, 3600).id("freed");
            kept.started().await?;
            freed.started().await?;
            freed.detach();
            ctx.step("last", async || Ok::<_, Error>(())).await?;
            Ok::<_, Error>(String::new())
        })
        .workflow(LONG, sleeps)
        .workflow(ASIDE, sleeps)
        .in_memory();
    executor.block_on(executor.start(PARENT, "run", Plan::Leaves)?)?;
    let kept = executor.block_on(executor.attach(LONG, "kept")?);
    assert!(kept.unwrap_err().is_cancelled());
    let state = |id: &str| {
        let runs = executor.runs(&Default::default()).unwrap();
        runs.into_iter().find(|run| run.id == id).unwrap().state
    };
    assert_eq!((state("kept"), state("freed")), (RunState::Cancelled, RunState::Running));
    executor.block_on(executor.terminate("freed"))?;
    Ok(())
}

/// A message and the start of a child are one commit, and what comes of the message lets the child go.
#[test]
fn a_child_that_is_let_go_by_what_stands_before_its_start() -> Result<()> {
    let sleeps = async |ctx: &Ctx, n: u64| {
        ctx.sleep(Duration::from_secs(n)).await;
        Ok::<_, Error>(n)
    };
    for (plan, expected) in [(Plan::Drops, RunState::Cancelled), (Plan::LetsGo, RunState::Running)]
    {
        let executor = Executor::builder()
            .workflow(PARENT, async |ctx: &Ctx, plan| {
                let mut sent = ctx.send("aside", WORD, 7);
                let mut child = Box::pin(ctx.child(LONG, 3600).id("long"));
                assert!(futures::poll!(&mut sent).is_pending());
                assert!(futures::poll!(&mut child).is_pending());
                sent.await?;
                match plan {
                    Plan::LetsGo => (*std::pin::Pin::into_inner(child)).detach(),
                    _ => drop(child),
                }
                // Both were let go before it ended.
                ctx.sleep(Duration::from_millis(1)).await;
                Ok::<_, Error>(String::new())
            })
            .workflow(LONG, sleeps)
            .workflow(ASIDE, sleeps)
            .in_memory();
        let aside = executor.start(ASIDE, "aside", 3600)?;
        executor.block_on(aside.accepted())?;
        executor.block_on(executor.start(PARENT, "run", plan)?)?;
        executor.verify("run")?;
        let runs = executor.runs(&Default::default())?;
        let long = runs.into_iter().find(|run| run.id == "long").expect("it was started");
        assert_eq!(long.state, expected, "{plan:?}");
    }
    Ok(())
}

/// Of a deadline: the parent's counts for its children, and comes first.
#[test]
fn a_deadline_is_inherited() -> Result<()> {
    let executor = Executor::builder()
        .workflow(PARENT, async |ctx: &Ctx, _| {
            let child = async { format!("{:?}", ctx.child(LONG, 3600).id("long").await) };
            let told = async { format!("{:?}", ctx.cancelled().await) };
            Ok::<_, Error>(race(told, child).await)
        })
        .workflow(LONG, async |ctx: &Ctx, n: u64| {
            let told = async { ctx.cancelled().await };
            let sleep = async {
                ctx.sleep(Duration::from_secs(n)).await;
                Cause::Asked
            };
            assert_eq!(race(told, sleep).await, Cause::Deadline);
            Ok::<_, Error>(7)
        })
        .in_memory();
    let soon = Start::new().timeout(Duration::from_millis(20));
    let run = executor.start_with(PARENT, "run", Plan::Leaves, soon)?;
    assert_eq!(executor.block_on(run)?, "Deadline");
    assert_eq!(executor.block_on(executor.attach(LONG, "long")?)?, 7);
    Ok(())
}

#[derive(Debug)]
struct SoldOut;

impl std::fmt::Display for SoldOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sold out")
    }
}

impl std::error::Error for SoldOut {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&std::fmt::Error)
    }
}

/// What a parent is told says which child it was: live and in a replay, and the rest of the error stays.
#[test]
fn an_error_of_a_child_names_the_child() -> Result<()> {
    let told = async |ctx: &Ctx, _: Plan| -> Result<String> {
        let mut told = Vec::new();
        for n in 0..2 {
            let error = ctx.child(CHILD, n).await.unwrap_err();
            assert_eq!((error.is_permanent(), error.is_cancelled()), (n == 0, false));
            assert_eq!(std::error::Error::source(&error).is_some(), n == 0);
            told.push(format!("{error:?}"));
        }
        told.push(ctx.child(CHILD, 0).id("parent").await.unwrap_err().to_string());
        Ok(told.join("; "))
    };
    let child = async |ctx: &Ctx, n: u64| -> Result<u64> {
        if n == 1 {
            // It was cancelled; the one that awaits it, and passes that on, was not: it has failed.
            let soon = ctx.child_with(LONG, 3600, Start::new().timeout(Duration::from_millis(5)));
            let error = soon.await.unwrap_err();
            assert!(error.is_cancelled(), "{error}");
            return Err(error);
        }
        Err(Error::from(dacapo::BoxError::from(SoldOut)).permanent())
    };
    let executor = Executor::builder()
        .workflow(PARENT, told)
        .workflow(CHILD, child)
        .workflow(LONG, async |ctx: &Ctx, n: u64| {
            ctx.sleep(Duration::from_secs(n)).await;
            Ok::<_, Error>(n)
        })
        .in_memory();
    let told = executor.block_on(executor.start(PARENT, "parent", Plan::Joins)?)?;
    let expected = "child 1 \"child\" [parent/1] failed: sold out: an error occurred when formatting an \
                    argument; child 2 \"child\" [parent/2] failed: child 1 \"long\" [parent/2/1]: the run was \
                    cancelled: its deadline passed; there is a run \"parent\" already: give the child another id";
    assert_eq!(told, expected);
    executor.verify("parent")
}
