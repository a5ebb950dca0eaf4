use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::{Filter, MemoryStore, RunState};
use dacapo::{
    Builder, Channel, Ctx, Error, Executor, HistoryEvent, Limits, Queue, Result, Start, Workflow,
};

use super::{most_at_once, order, told};

const MAIN: Workflow<(), ()> = Workflow::new("main");
const LOOPS: Workflow<u32, u32> = Workflow::new("loops");
const WORK: Workflow<u32, u32> = Workflow::new("work");
const WORD: Channel<u32> = Channel::new("word");
const LINE: Queue = Queue::new("line");
const MS: Duration = Duration::from_millis(1);

/// Goes on in another pass until nothing is left.
async fn loops(ctx: &Ctx, sim: &Sim, left: u32) -> Result<u32> {
    let sim = sim.clone();
    let step = ctx.step("work", async move || {
        sim.latency().await;
        Ok::<_, Error>(())
    });
    step.await?;
    match left {
        0 => Ok(ctx.pass()),
        left => ctx.again(LOOPS, left - 1).await,
    }
}

fn build(sim: &Sim, limits: Limits) -> Builder {
    let sim = sim.clone();
    Executor::builder()
        .workflow(MAIN, async |_: &Ctx, ()| Ok::<_, Error>(()))
        .workflow(LOOPS, async move |ctx: &Ctx, left| loops(ctx, &sim, left).await)
        .workflow(WORK, async |_: &Ctx, n: u32| Ok::<_, Error>(n))
        .queue(LINE, limits)
}

/// The next pass of a run keeps its room, is no admission of its own, and has its unique key.
#[test]
fn passes_keep_the_room_of_their_run() {
    let limits = Limits::new().concurrency(1).rate(2, Duration::from_secs(1_000));
    let check = sim::check(MAIN).start("main", ()).client(async |executor, sim| {
        let queued = || Start::new().queue(LINE);
        let first = executor.start_with(LOOPS, "first", 3, queued().unique("key"))?;
        let second = executor.start_with(WORK, "second", 2, queued())?;
        first.accepted().await?;
        sim.latency().await;
        if executor.info("first")?.state == RunState::Running {
            let same = executor.start_with(LOOPS, "same", 0, queued().unique("key"))?;
            assert_eq!(same.id(), "first");
        }
        assert_eq!((first.await?, second.await?), (4, 2));
        let all = executor.runs(&Filter::new())?;
        let ended =
            |id: &str| all.iter().rfind(|run| run.id == id).expect("it is there").changed_at;
        let history = executor.history("second", 0..9)?;
        let admitted =
            history.entries.iter().find(|entry| matches!(entry.event, HistoryEvent::Admitted));
        assert!(admitted.expect("it was").time >= ended("first"));
        Ok(())
    });
    check.seeds(0..12).crash_loops().run(|sim| build(sim, limits), |_| {});
}

/// The same with a crash, or an error, at each operation on the disk.
#[test]
fn queues_at_every_fault_of_the_disk() {
    let check = sim::check(MAIN).start("main", ()).client(async |executor, _| {
        let queued = || Start::new().queue(LINE);
        let runs = (0..3)
            .map(|n| executor.start_with(WORK, &n.to_string(), n, queued()))
            .collect::<Result<Vec<_>>>()?;
        for (n, run) in (0..).zip(runs) {
            assert_eq!(run.await?, n);
        }
        let runs = told(executor, "line")?;
        assert_eq!((most_at_once(&runs), order(&runs).len()), (1, 3));
        Ok(())
    });
    check.seeds(0..2).disk_faults().run(|sim| build(sim, Limits::new().concurrency(1)), |_| {});
}

/// With one run in memory at most, hundreds wait, hear, leave memory and come back.
#[test]
fn queued_runs_leave_memory_and_come_back() {
    const HEAR: Workflow<u32, u32> = Workflow::new("hear");
    let (store, sim) = (MemoryStore::new(), Sim::new(7, VirtualClock::default()));
    let open = || {
        let hear = async |ctx: &Ctx, n: u32| {
            ctx.sleep(MS).await;
            Ok::<_, Error>(n + ctx.receive(WORD).await)
        };
        let builder = sim.apply(build(&sim, Limits::new().concurrency(50))).workflow(HEAR, hear);
        builder.resident_max(1).open_with(store.shared()).unwrap()
    };
    let executor = open();
    let start = |executor: &Executor, n: u32| {
        executor.start_with(HEAR, &n.to_string(), n, Start::new().queue(LINE)).unwrap()
    };
    let runs: Vec<_> = (0..200).map(|n| start(&executor, n)).collect();
    executor.block_on(async {
        for n in 0..200 {
            executor.send(&n.to_string(), WORD, 1_000).key("k").await.unwrap();
            if n == 100 {
                sim.clock().sleep(5 * MS).await;
            }
        }
        assert!(executor.statistics().unwrap().resident <= 60);
    });
    drop((runs, executor));
    let executor = open();
    let runs: Vec<_> = (0..200).map(|n| start(&executor, n)).collect();
    executor.block_on(async {
        for (n, run) in (0..).zip(runs) {
            assert_eq!(run.await.unwrap(), n + 1_000);
        }
    });
    assert!(most_at_once(&told(&executor, "line").unwrap()) <= 50);
}
