use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::{Builder, Ctx, Error, Executor, Limits, Queue, Result, Start, Workflow, join};

use super::told;

const MAIN: Workflow<(), ()> = Workflow::new("main");
const WORK: Workflow<u32, u32> = Workflow::new("work");
const PARENT: Workflow<bool, String> = Workflow::new("parent");
const LINE: Queue = Queue::new("line");
const MS: Duration = Duration::from_millis(1);

async fn work_of(ctx: &Ctx, n: u32) -> Result<u32> {
    ctx.sleep(20 * MS).await;
    Ok(n)
}

/// Starts a child into the queue in which it may stand itself, and says what comes of it.
async fn parent(ctx: &Ctx, is_unique: bool) -> Result<String> {
    let options = Start::new().queue(LINE);
    let options = if is_unique { options.unique("key") } else { options };
    match ctx.child_with(WORK, 7, options).await {
        Ok(n) => Ok(n.to_string()),
        Err(error) => Ok(error.to_string()),
    }
}

fn build(_: &Sim) -> Builder {
    Executor::builder()
        .workflow(MAIN, async |_: &Ctx, ()| Ok::<_, Error>(()))
        .workflow(WORK, work_of)
        .workflow(PARENT, parent)
        .queue(LINE, Limits::new().concurrency(2))
}

/// Of two that are started with one key, one runs, and both handles are of it; when it has ended the
/// key is free. Wherever the process ends.
#[test]
fn one_unended_run_for_each_key() {
    let check = sim::check(MAIN).start("main", ()).client(async |executor, sim| {
        let keyed = || Start::new().queue(LINE).unique("key");
        for round in 0..3 {
            let id = |part: &str| format!("{part}-{round}");
            let found = [id("a"), id("b")].map(|id| executor.attach(WORK, &id).ok());
            if found.iter().any(Option::is_some) {
                // Of the process before.
                for run in found.into_iter().flatten() {
                    run.await?;
                }
                continue;
            }
            let a = executor.start_with(WORK, &id("a"), round, keyed())?;
            if sim.random().is_multiple_of(2) {
                sim.latency().await;
            }
            let b = executor.start_with(WORK, &id("b"), round, keyed())?;
            let (a_id, b_id) = (a.id().to_owned(), b.id().to_owned());
            let ends = join(a, b).await;
            if b_id == a_id {
                assert_eq!((ends.0?, ends.1?), (round, round));
            }
        }
        let mut runs = told(executor, "line")?;
        runs.sort_by_key(|run| run.run.key);
        for pair in runs.windows(2) {
            let (ended, admitted) = (pair[0].ended, pair[1].admitted);
            assert!(ended.zip(admitted).is_none_or(|(ended, (at, _))| ended <= at), "{runs:?}");
        }
        Ok(())
    });
    check.seeds(0..15).crash_loops().run(build, |_| {});
}

#[test]
fn a_key_that_is_taken_is_told() {
    let sim = Sim::new(7, VirtualClock::default());
    let executor = sim.apply(build(&sim)).in_memory();
    let keyed = |queue: Option<Queue>| {
        let options = Start::new().unique("key");
        queue.map_or(options.clone(), |queue| options.queue(queue))
    };
    let one = executor.start_with(WORK, "one", 1, keyed(Some(LINE))).unwrap();
    // Keys of a queue are not those of another, or of runs in none.
    let none = executor.start_with(WORK, "none", 2, keyed(None)).unwrap();
    assert!(one.is_new() && none.is_new());
    let refused = executor.start_with(WORK, "two", 3, keyed(Some(LINE)).only_new()).unwrap_err();
    assert!(refused.is_taken());
    let why = r#"run "two" is not started: run "one" has its unique key"#;
    assert_eq!(refused.to_string(), why);
    let refused = executor.start_with(WORK, "one", 3, Start::new().only_new()).unwrap_err();
    assert!(refused.is_taken(), "{refused}");
    let other = executor.start_with(PARENT, "three", true, keyed(Some(LINE))).unwrap_err();
    let why = r#"run "three" is not started: run "one" of workflow "work" has its unique key"#;
    assert_eq!((other.is_taken(), other.to_string()), (true, why.to_owned()));
    // A child with it is an error of its own.
    let parent = executor.start(PARENT, "parent", true).unwrap();
    let ended = executor.block_on(parent).unwrap();
    assert!(ended.contains("has its unique key \"key\""), "{ended}");
    assert_eq!(executor.block_on(async { (one.await.unwrap(), none.await.unwrap()) }), (1, 2));
}

/// A child would wait for room that its parent takes until the child has ended.
#[test]
fn a_child_that_would_wait_for_its_ancestor() {
    const OUTER: Workflow<(), String> = Workflow::new("outer");
    for seed in 0..4 {
        let sim = Sim::new(seed, VirtualClock::default());
        let outer = async |ctx: &Ctx, ()| ctx.child(PARENT, false).await;
        let executor = sim.apply(build(&sim).workflow(OUTER, outer)).in_memory();
        // Beside the queue it waits its turn.
        let beside = executor.start(PARENT, "beside", false).unwrap();
        assert_eq!(executor.block_on(beside).unwrap(), "7");
        let inside =
            executor.start_with(PARENT, "inside", false, Start::new().queue(LINE)).unwrap();
        let why = executor.block_on(inside).unwrap();
        let told = "run \"inside/1\" would wait in queue \"line\" for the end of run \"inside\", which waits \
                    for it and takes room there: start it into another queue, or detach it";
        assert_eq!(why, told);
        let outer = executor.start_with(OUTER, "outer", (), Start::new().queue(LINE)).unwrap();
        let why = executor.block_on(outer).unwrap();
        assert_eq!(why, told.replace("inside/1", "outer/1/1").replace("inside", "outer"));
    }
}

/// Children wait in queues as other runs do, whatever becomes of them and their parents.
#[test]
fn children_wait_in_queues() {
    const MANY: Workflow<u32, Vec<u32>> = Workflow::new("many");
    let build = |sim: &Sim| {
        build(sim).workflow(MANY, async |ctx: &Ctx, count: u32| {
            let children = (0..count).map(|n| ctx.child_with(WORK, n, Start::new().queue(LINE)));
            dacapo::try_join_all(children).await
        })
    };
    let check = sim::check(MANY).start("many", 5).client(async |executor, sim| {
        sim.latency().await;
        let cancelled = executor.cancel("many/4").await;
        cancelled.or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error) })
    });
    check.seeds(0..12).crash_loops().run_all(build, |ends| match ends.of("many") {
        Ok(all) => assert_eq!(*all, [0, 1, 2, 3, 4]),
        // Its child was cancelled; that it passes this on is a failure of its own.
        Err(error) => {
            assert!(error.to_string().contains("was cancelled") && !error.is_cancelled(), "{error}")
        }
    });
}
