use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::{Filter, MemoryStore, RunState};
use dacapo::{Builder, Ctx, Error, Executor, Limits, Queue, Start, Workflow};
use futures::StreamExt;

const MAIN: Workflow<(), ()> = Workflow::new("main");
const WORK: Workflow<u32, u32> = Workflow::new("work");
const FAN: Workflow<u32, Vec<(usize, u32)>> = Workflow::new("fan");
const LINE: Queue = Queue::new("line");
const MS: Duration = Duration::from_millis(1);

/// How many children of a fan-out go on at the moment, and the most there were.
#[derive(Default)]
struct AtOnce {
    now: Cell<usize>,
    most: Cell<usize>,
}

fn build(sim: &Sim) -> Builder {
    let (sim, at_once) = (sim.clone(), Rc::new(AtOnce::default()));
    let work = async move |ctx: &Ctx, n: u32| {
        let (sim, at_once) = (sim.clone(), at_once.clone());
        ctx.step("work", async move || {
            at_once.now.set(at_once.now.get() + 1);
            at_once.most.set(at_once.most.get().max(at_once.now.get()));
            assert!(at_once.most.get() <= 3, "{} at once", at_once.most.get());
            sim.latency().await;
            at_once.now.set(at_once.now.get() - 1);
            Ok::<_, Error>(n)
        })
        .await
    };
    let fan = async |ctx: &Ctx, count: u32| {
        let mut ends = ctx.children(WORK, 0..count, 3);
        let mut all = Vec::new();
        while let Some((place, end)) = ends.next().await {
            all.push((place, end?));
        }
        Ok::<_, Error>(all)
    };
    Executor::builder()
        .workflow(MAIN, async |_: &Ctx, ()| Ok::<_, Error>(()))
        .workflow(WORK, work)
        .workflow(FAN, fan)
        .queue(LINE, Limits::new().concurrency(3))
}

/// Children of a fan-out are never more than the limit, and their ends come as they come, the same in
/// every replay.
#[test]
fn a_fan_out_with_a_limit() {
    let check = sim::check(FAN).start("fan", 9);
    let report = check.seeds(0..15).crash_loops().run(build, |all| {
        let mut places: Vec<_> = all.iter().map(|(place, _)| *place).collect();
        assert!(all.iter().all(|(place, n)| *place == *n as usize));
        places.sort_unstable();
        assert_eq!(places, (0..9).collect::<Vec<_>>());
    });
    assert!(report.distinct_traces > 10, "{report:?}");
}

/// Each of a batch is started once, in its order, wherever the process ends.
#[test]
fn a_batch_is_started_in_its_order() {
    let check = sim::check(MAIN).start("main", ()).client(async |executor, _| {
        let runs = (0..6).map(|n| (format!("run-{n}"), n, Start::new().queue(LINE)));
        let mut started = executor.start_all(WORK, runs);
        let mut handles = Vec::new();
        while let Some(handle) = started.next().await {
            handles.push(handle?);
        }
        for (n, handle) in (0..).zip(handles) {
            assert_eq!((handle.id(), n), (&*format!("run-{n}"), n));
            assert_eq!(handle.await?, n);
        }
        Ok(())
    });
    check.seeds(0..10).crash_loops().run(build, |_| {});
}

/// Few commits, little memory, and what cannot be started is an item of its own.
#[test]
fn a_large_batch_takes_few_commits() {
    let (store, sim) = (MemoryStore::new(), Sim::new(7, VirtualClock::default()));
    let executor = sim.apply(build(&sim)).open_with(store.shared()).unwrap();
    executor.block_on(executor.pause_queue(LINE)).unwrap();
    let taken = RefCell::new(0_u32);
    let runs = (0..30_000).map(|n| {
        *taken.borrow_mut() = n;
        // One id is used twice, by two workflows.
        let id = if n == 17 { "main".to_owned() } else { format!("run-{n}") };
        (id, n, Start::new().queue(LINE))
    });
    let main = executor.start(MAIN, "main", ()).unwrap();
    executor.block_on(main).unwrap();
    let before = executor.statistics().unwrap().commits;
    let (mut acknowledged, mut refused) = (0, 0);
    executor.block_on(async {
        let mut started = executor.start_all(WORK, runs);
        while let Some(handle) = started.next().await {
            match handle {
                Ok(_) => acknowledged += 1,
                Err(_) => refused += 1,
            }
            let ahead = *taken.borrow() + 1 - acknowledged - refused;
            assert!(ahead <= 10_000, "{ahead} are in memory");
        }
    });
    assert_eq!((acknowledged, refused), (29_999, 1));
    let commits = executor.statistics().unwrap().commits - before;
    assert!(commits <= 8, "{commits} commits");
    assert_eq!(executor.queue(LINE).unwrap().waiting, 29_999);
    let queued = executor.runs(&Filter::new().states(&[RunState::Queued])).unwrap();
    assert_eq!(queued.len(), 29_999);
    executor.block_on(sim.clock().sleep(MS));
}
