use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::MemoryStore;
use dacapo::{
    Attempt, Builder, Cause, Channel, Ctx, Error, Executor, Result, Start, Timestamp, Workflow,
    race,
};
use serde::{Deserialize, Serialize};

use super::unless_ended;

const HOLD: Workflow<How, String> = Workflow::new("hold");
const NEVER: Channel<()> = Channel::new("never");

/// What a run does about it when it is asked to end.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
enum How {
    /// Nothing.
    Nothing,
    /// It cleans up, without a shield.
    CleansUp,
    /// It cleans up behind a shield, whether it was asked or failed.
    Shielded,
    /// It waits for it in a task that is dropped before it can come.
    Forgets,
}

async fn hold(ctx: &Ctx, sim: &Sim, how: How) -> Result<String> {
    let step = |name, n: u64| {
        let sim = sim.clone();
        ctx.step_with(name, async move |attempt: Attempt| {
            sim.latency().await;
            sim.note(&attempt);
            Ok::<_, Error>(n)
        })
    };
    let work = async {
        for n in 0..3 {
            step("work", n).await?;
            ctx.sleep(Duration::from_millis(5)).await;
        }
        ctx.receive(NEVER).await;
        Ok::<String, Error>("done".into())
    };
    let told = async {
        let cause = ctx.cancelled().await;
        assert_eq!(cause, Cause::Asked);
        Ok("told".into())
    };
    match how {
        How::Nothing => work.await,
        How::Forgets => {
            let waits = ctx.spawn(async |ctx: &Ctx| ctx.cancelled().await);
            step("first", 0).await?;
            if waits.is_finished() {
                // It was told, so it is its own affair now, and nobody drops it.
                return Ok("told".into());
            }
            drop(waits);
            work.await
        }
        How::CleansUp => {
            let ended = race(work, told).await?;
            for n in 0..2 {
                step("clean up", n).await?;
            }
            Ok(ended + ", and cleaned up")
        }
        How::Shielded => {
            let cleaned = ctx.shield(async {
                for n in 0..2 {
                    step("clean up", n).await?;
                }
                Ok::<_, Error>(())
            });
            cleaned.await?;
            ctx.sleep(Duration::from_secs(3600)).await;
            Ok("slept".into())
        }
    }
}

fn build(sim: &Sim) -> Builder {
    let sim = sim.clone();
    Executor::builder().workflow(HOLD, async move |ctx: &Ctx, how| hold(ctx, &sim, how).await)
}

/// Cancels at every point that seeds find, twice, with a crash at each commit: the run ends as its code
/// wants, and the same after every replay.
#[test]
fn a_cancel_at_every_point() {
    for how in [How::Nothing, How::CleansUp, How::Shielded, How::Forgets] {
        let check = sim::check(HOLD).start("run", how).client(async |executor, sim| {
            for _ in 0..sim.random() % 5 {
                sim.latency().await;
            }
            for _ in 0..2 {
                loop {
                    match executor.cancel("run").await {
                        Err(error) if error.is_not_found() => sim.latency().await,
                        asked => break unless_ended(asked)?,
                    }
                }
            }
            Ok(())
        });
        let report = check.seeds(0..40).crash_loops().run_all(build, |ends| {
            let end = ends.of("run");
            match how {
                How::CleansUp => assert_eq!(end.as_ref().unwrap(), "told, and cleaned up"),
                How::Forgets if end.is_ok() => assert_eq!(end.as_ref().unwrap(), "told"),
                How::Nothing | How::Shielded | How::Forgets => {
                    assert!(end.as_ref().unwrap_err().is_cancelled(), "{end:?}");
                }
            }
        });
        assert!(report.distinct_traces > 10, "{how:?}: {report:?}");
    }
}

/// A clean-up behind a shield is done, whenever the cancel comes.
#[test]
fn what_is_shielded_is_done() {
    let check = sim::check(HOLD).start("run", How::Shielded).client(async |executor, sim| {
        sim.latency().await;
        loop {
            match executor.cancel("run").await {
                Err(error) if error.is_not_found() => sim.latency().await,
                asked => return unless_ended(asked),
            }
        }
    });
    check.seeds(0..40).run_all(build, |ends| {
        assert!(ends.of("run").as_ref().unwrap_err().is_cancelled());
        let effects = ends.sim().effects();
        let is_done = |n| effects.contains_key(&format!("run/{n}/clean%20up"));
        assert!(is_done(1) && is_done(2), "{effects:?}");
    });
}

/// A run is parked, not there, ended, of a workflow that this build does not have.
#[test]
fn who_is_asked_to_end() {
    const STUCK: Workflow<(), ()> = Workflow::new("stuck");
    let store = MemoryStore::new();
    let sim = Sim::new(1, VirtualClock::default());
    let open = |builder: Builder| {
        builder.clock(sim.clock().clone()).open_with(store.shared()).expect("it opens")
    };
    let stuck = async |_: &Ctx, ()| -> Result<()> { panic!("no tea") };
    let executor = open(build(&sim).workflow(STUCK, stuck));
    let cancel = |id: &str| executor.block_on(executor.cancel(id));
    assert!(cancel("nobody").unwrap_err().is_not_found());
    let parked = executor.start(STUCK, "parked", ()).expect("new");
    assert!(executor.block_on(parked).unwrap_err().is_parked());
    let error = cancel("parked").unwrap_err().to_string();
    assert!(error.contains("resume it, or terminate it"), "{error}");
    executor.block_on(executor.terminate("parked")).expect("it ends without its code");
    cancel("parked").expect("it has ended, and that is enough");
    assert!(executor.parked().expect("readable").is_empty());

    let left = executor.start(HOLD, "left", How::Nothing).expect("new");
    let told = executor.start(HOLD, "told", How::CleansUp).expect("new");
    executor.block_on(async {
        left.accepted().await.expect("committed");
        told.accepted().await.expect("committed");
    });
    drop(executor);

    // Nobody can be asked where the code is missing; a request waits, an end does not.
    let executor = open(Executor::builder());
    executor.block_on(executor.cancel("told")).expect("it is recorded");
    let records = || crate::faults::history(&store.snapshot(), "told").len();
    let recorded = records();
    executor.block_on(executor.cancel("told")).expect("once");
    assert_eq!(records(), recorded, "a run is asked once");
    let late = executor.block_on(async {
        let (once, again, late) = futures::join!(
            executor.terminate("left"),
            executor.terminate("left"),
            executor.send("left", NEVER, ())
        );
        once.and(again).expect("it ends, once");
        late
    });
    assert!(late.unwrap_err().is_ended(), "nothing comes behind the end");
    drop(executor);
    let executor = open(build(&sim));
    let left = executor.attach(HOLD, "left").expect("it is there");
    assert!(executor.block_on(left).unwrap_err().is_cancelled());
    executor.verify("told").expect("it replays");
    let told = executor.attach(HOLD, "told").expect("it is there");
    assert_eq!(executor.block_on(told).expect("it cleans up"), "told, and cleaned up");
    executor.verify("told").expect("it replays to its end");
}

/// A run is told to end in the very commit that parks it.
#[test]
fn a_run_that_is_parked_meanwhile_ends_all_the_same() {
    const STUCK: Workflow<(), ()> = Workflow::new("stuck");
    let stuck = async |ctx: &Ctx, ()| -> Result<()> {
        ctx.step("one", async || Ok::<_, Error>(())).await?;
        panic!("no tea")
    };
    let executor = Executor::builder().workflow(STUCK, stuck).in_memory();
    for (turns, id) in ["a", "b", "c", "d", "e", "f"].into_iter().enumerate() {
        let run = executor.start(STUCK, id, ()).expect("new");
        executor.block_on(async {
            run.accepted().await.expect("it is committed");
            for _ in 0..turns {
                dacapo::yield_now().await;
            }
            executor.terminate(id).await.expect("it ends");
        });
        let ended = executor.block_on(executor.attach(STUCK, id).expect("it is there"));
        assert!(ended.unwrap_err().is_cancelled(), "after {turns} turns");
    }
}

/// Of a race between the end of a run and a cancel, the outcome of the commit counts.
/// Whoever reads its end learns why, then and after a restart.
#[test]
fn why_a_run_was_cancelled() -> Result<()> {
    const WAIT: Workflow<bool, ()> = Workflow::new("wait");
    const LEAD: Workflow<(), String> = Workflow::new("lead");
    let wait = async |ctx: &Ctx, panics: bool| -> Result<()> {
        assert!(!panics, "parked");
        ctx.receive(NEVER).await;
        Ok(())
    };
    let lead = async |ctx: &Ctx, ()| -> Result<String> {
        let mut left = ctx.child(WAIT, false).id("left");
        left.started().await?;
        drop(left);
        let ended = ctx.child(WAIT, true).id("deleted").await;
        Ok(ended.expect_err("it is parked, and then deleted").to_string())
    };
    let store = MemoryStore::new();
    let build = || Executor::builder().workflow(WAIT, wait).workflow(LEAD, lead);
    let clock = VirtualClock::new(Timestamp::default());
    let executor = build().clock(clock).open_with(store.shared())?;
    let ends = |executor: &Executor, id: &str| -> Result<String> {
        Ok(executor.block_on(executor.attach(WAIT, id)?).unwrap_err().to_string())
    };
    let late = Start::new().timeout(Duration::from_millis(5));
    let _late = executor.start_with(WAIT, "late", false, late)?;
    for id in ["asked", "terminated"] {
        executor.block_on(executor.start(WAIT, id, false)?.accepted())?;
    }
    executor.block_on(executor.cancel("asked"))?;
    executor.block_on(executor.terminate("terminated"))?;
    let lead = executor.start(LEAD, "lead", ())?;
    while executor.parked()?.is_empty() {
        executor.block_on(dacapo::yield_now());
    }
    executor.block_on(dacapo::yield_now());
    executor.block_on(executor.delete("deleted"))?;
    let told = executor.block_on(lead)?;
    assert!(told.ends_with("the run was cancelled: it was deleted"), "{told}");
    let whys = [
        ("late", "its deadline passed"),
        ("asked", "somebody asked for it"),
        ("terminated", "it was terminated"),
        ("left", "its parent no longer waits for it"),
    ];
    let expect = |executor: &Executor| -> Result<()> {
        for (id, why) in whys {
            assert_eq!(ends(executor, id)?, format!("the run was cancelled: {why}"));
            executor.verify(id)?;
        }
        Ok(())
    };
    expect(&executor)?;
    drop(executor);
    expect(&build().open_with(store)?)
}

#[test]
fn terminate_ends_what_will_not_end() {
    const DEAF: Workflow<(), ()> = Workflow::new("deaf");
    let executor = Executor::builder()
        .clock(VirtualClock::default())
        .workflow(DEAF, async |ctx: &Ctx, ()| -> Result<()> {
            let forever = ctx.shield(ctx.sleep(Duration::MAX));
            race(forever, async {
                ctx.cancelled().await;
                ctx.sleep(Duration::MAX).await;
            })
            .await;
            Ok(())
        })
        .in_memory();
    let run = executor.start(DEAF, "run", ()).expect("new");
    executor.block_on(executor.cancel("run")).expect("it is told");
    executor.block_on(executor.terminate("run")).expect("it is dropped");
    assert!(executor.block_on(run).unwrap_err().is_cancelled());
    executor.verify("run").expect("it replays to its end");
}
